"""Where the configuration comes from, layer over layer, and what makes it refuse."""

import string
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.config.file import (
    SIZE_MAX_BYTES,
    ConfigError,
    Recorded,
    from_event,
    load,
    load_layered,
    to_event,
)
from daemon.config.options import Config
from daemon.config.places import find_config, journal_path
from events import Mode
from events.codec import decode, encode

BASE = 'symbols.AAPL = {}\nfeed.paths = ["bars"]\n'


def written(folder: Path, text: str | bytes = "") -> Path:
    path = folder / "traded.toml"
    path.write_bytes(text if isinstance(text, bytes) else (BASE + text).encode())
    path.chmod(0o600)
    return path


def refusal(
    path: Path, environment: Mapping[str, str] | None = None, overrides: Sequence[str] = ()
) -> list[str]:
    """Return why the configuration is refused, the file's name left out."""
    with pytest.raises(ConfigError) as refused:
        load(path, environment or {}, overrides)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return [problem.removeprefix(f"{path}: ") for problem in refused.value.problems]


# The file.


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xef\xbb\xbf" + BASE.encode(), "starts with a byte order mark; save it without one"),
        (BASE.encode("utf-16"), "is not UTF-8 at byte 0"),
        (BASE.encode() + b'account = "caf\xe9"', f"is not UTF-8 at byte {len(BASE) + 14}"),
        (b"#" * (SIZE_MAX_BYTES + 1), "is larger than 1000000 bytes"),
        (b"mode = 'paper'\nbroker capital\n", "(at line 2, column 8)"),
        (b"mode = 'paper'\nmode = 'live'\n", "Cannot overwrite a value (at line 2, column 14)"),
        (b"mode = \x00", "(at line 1, column 8)"),
        (b"a = " + b"[" * 5_000 + b"]" * 5_000, "is nested too deeply"),
        (b"[" + b".".join([b"a"] * 5_000) + b"]", "is nested too deeply"),
        (b"[broker.params." + b".".join([b"a"] * 40) + b"]", "is nested too deeply"),
        (b"a = 1e9999999999999999999", "a number in it is of no sensible size"),
        (b"a = " + b"9" * 5_000, "Exceeds the limit (4300 digits)"),
    ],
)
def test_a_file_that_is_no_sound_toml_is_refused_with_the_place(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (problem,) = refusal(written(tmp_path, content))
    assert said in problem


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, "#" * (SIZE_MAX_BYTES - len(BASE)))
    assert load(path, {}).symbols


def test_a_file_that_anybody_may_write_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.chmod(0o602)
    assert refusal(path) == [f"anybody may write it; run `chmod o-w {path}`"]
    path.chmod(0o600)
    assert load(path, {}).mode is Mode.BACKTEST


def test_a_folder_or_nothing_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path) == ["is not a file"]
    assert refusal(tmp_path / "none.toml") == ["cannot be read: No such file or directory"]
    assert refusal(written(tmp_path) / "traded.toml") == ["cannot be read: Not a directory"]


# Layers.


def test_each_layer_wins_over_the_one_before(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "broker = { slippage_bps = 2, answer_deadline_s = 2, capital_usd = 2 }",
    )
    environment = {
        "TRADED_BROKER__ANSWER_DEADLINE_S": "3",
        "TRADED_BROKER__CAPITAL_USD": "3",
        "HOME": "/home/me",
    }
    layered = load_layered(path, environment, ["broker.capital_usd=4"])
    broker = layered.config.broker
    assert broker.volume_share_max == Decimal("0.10")  # the default
    assert broker.slippage_bps == 2
    assert broker.answer_deadline_s == 3
    assert broker.capital_usd == 4
    assert layered.sources == {
        "feed.paths": str(path),
        "broker.slippage_bps": str(path),
        "broker.answer_deadline_s": "TRADED_BROKER__ANSWER_DEADLINE_S",
        "broker.capital_usd": "--set",
    }


def test_the_last_of_two_settings_on_the_command_line_wins(tmp_path: Path) -> None:
    overrides = ["broker.capital_usd=4", "broker.capital_usd=5"]
    assert load(written(tmp_path), {}, overrides).broker.capital_usd == 5


def test_a_table_set_as_a_whole_replaces_what_was_in_it_and_its_sources(tmp_path: Path) -> None:
    path = written(tmp_path, 'strategies.hold = { class = "m:C", params = { a = 1, b = 2 } }')
    layered = load_layered(path, {}, ["strategies.hold.params={ a = 3 }"])
    assert layered.config.strategies["hold"].params == {"a": 3}
    params = {name: each for name, each in layered.sources.items() if "params" in name}
    assert params == {"strategies.hold.params": "--set"}


@pytest.mark.parametrize(
    ("name", "text", "option", "value"),
    [
        ("TRADED_ACCOUNT", "savings", "account", "savings"),
        ("TRADED_ACCOUNT", '"007"', "account", "007"),
        ("TRADED_DRY_RUN", "true", "dry_run", True),
        ("TRADED_DRY_RUN", "1", "dry_run", True),
        ("TRADED_DRY_RUN", "0", "dry_run", False),
        ("TRADED_SESSIONS__ALLOW_EXTENDED_HOURS", "1", "sessions.allow_extended_hours", True),
        ("TRADED_FEED__BAR_SECONDS", "1", "feed.bar_seconds", 1),
        ("TRADED_MODE", "paper", "mode", "paper"),
        ("TRADED_FEED__PATHS", '["a", "b"]', "feed.paths", ("a", "b")),
        ("TRADED_SYMBOLS__IBM__EXCHANGE", "NASDAQ", "symbols.IBM.exchange", "NASDAQ"),
        ("TRADED_SYMBOLS__BRK.B__EXCHANGE", "NASDAQ", "symbols.BRK.B.exchange", "NASDAQ"),
        ("TRADED_LIMITS__SYMBOLS__AAPL__MAX_ORDER_USD", "5", "limits.symbols.AAPL", None),
        ("TRADED_BROKER__PARAMS__fault_seed", "3", "broker.params.fault_seed", 3),
    ],
)
def test_every_option_can_be_set_in_the_environment(
    tmp_path: Path, name: str, text: str, option: str, value: object
) -> None:
    layered = load_layered(written(tmp_path), {name: text})
    found: object = msgspec.to_builtins(layered.config)
    for key in option.replace("BRK.B", "BRK,B").split("."):
        assert isinstance(found, dict)
        found = found[key.replace(",", ".")]
    assert value is None or found == value
    assert name in layered.sources.values()


def test_a_strategy_in_the_environment_keeps_the_name_as_it_is_written(tmp_path: Path) -> None:
    environment = {"TRADED_STRATEGIES__Hold__CLASS": "m:C"}
    assert load(written(tmp_path), environment).strategies["Hold"].strategy_class == "m:C"


def test_a_key_with_a_dot_in_it_is_quoted_on_the_command_line(tmp_path: Path) -> None:
    overrides = ['symbols."BRK.B".exchange=NASDAQ', "symbols.BF B.exchange=NASDAQ"]
    assert set(load(written(tmp_path), {}, overrides).symbols) == {"AAPL", "BRK.B", "BF B"}


def test_a_variable_of_ours_that_is_no_option_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert "broker.capital: unknown" in refusal(path, {"TRADED_BROKER__CAPITAL": "1"})[0]
    assert "broker_capital_usd: unknown" in refusal(path, {"TRADED_BROKER_CAPITAL_USD": "1"})[0]
    assert "the file: unknown" in refusal(path, {"TRADED_": "1"})[0]
    assert refusal(path, {"TRADED_MODE__X": "1"})[0].startswith("mode: ")


def test_where_the_configuration_lies_and_others_variables_are_no_options(tmp_path: Path) -> None:
    environment = {"TRADED_CONFIG": "/elsewhere.toml", "traded_mode": "live", "MODE": "live"}
    layered = load_layered(written(tmp_path), environment)
    assert layered.config.mode is Mode.BACKTEST
    assert not set(environment) & set(layered.sources.values())


@pytest.mark.parametrize(
    ("environment", "override", "said"),
    [
        ({}, "dry_run", "--set dry_run: must be key=value"),
        ({}, "=5", "unknown"),
        ({}, "a..b=5", "a: unknown"),
        ({}, "account.x=5", "--set account.x: account is a value, not a table"),
        ({"TRADED_ACCOUNT__X": "5"}, "mode=paper", "account is a value, not a table"),
        ({"TRADED_" + "A__" * 300: "5"}, "mode=paper", "there is no option of 301 levels"),
        ({}, "a." * 300 + "a=5", "there is no option of 301 levels"),
        ({"TRADED_ACCOUNT": "\udcff"}, "mode=paper", "has characters that cannot be shown"),
        ({}, "account=" + "[" * 5_000, "account: "),
        ({}, "broker.capital_usd=" + "9" * 5_000, "broker.capital_usd: must be a number"),
        ({}, "broker.capital_usd=1e9999999999999999999", "broker.capital_usd: must be a number"),
    ],
)
def test_a_setting_that_is_none_is_refused(
    tmp_path: Path, environment: dict[str, str], override: str, said: str
) -> None:
    (problem,) = refusal(written(tmp_path, 'account = "me"'), environment, [override])
    assert said in problem


def test_all_mistakes_of_all_layers_are_listed_in_one_run(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "colour = 1\nbroker.capital_usd = -1\nlimits.symbols.IBM.max_order_usd = nan\n"
        'strategies.hold = { class = "no class", symbols = ["MSFT"] }\n',
    )
    environment = {"TRADED_BROKER__VOLUME_SHARE_MAX": "2", "TRADED_COLOR": "red"}
    found = refusal(path, environment, ["feed.kind=3", "symbols.aapl.exchange=NYSE", "nothing"])
    assert sorted(problem.split(": ")[0] for problem in found) == [
        "--set nothing",
        "broker.capital_usd",
        "broker.volume_share_max",
        "color",
        "colour",
        "feed.kind",
        "limits.symbols.IBM",
        "limits.symbols.IBM.max_order_usd",
        "strategies.hold.class",
        "strategies.hold.symbols",
        "symbols.aapl",
    ]


# Options that only make sense together.


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("limits.symbols.IBM.max_order_usd = 5", "limits.symbols.IBM: is not under [symbols]"),
        ("limits.strategies.x = {}", "limits.strategies.x: is not under [strategies]"),
        (
            'limits.account.deny_symbols = ["APPL"]',
            "limits.account.deny_symbols: APPL is not under [symbols]",
        ),
        (
            'limits.account.allow_symbols = ["AAPL", "IBM"]',
            "limits.account.allow_symbols: IBM is not under [symbols]",
        ),
        (
            'symbols."BRK B" = {}\nsymbols."BRK.B" = {}',
            "symbols.BRK.B: is BRK B written otherwise: keep one of them",
        ),
        (
            'strategies.x = { class = "m:C", symbols = ["AAPL", "IBM"] }',
            "strategies.x.symbols: IBM is not under [symbols]",
        ),
        ('strategies.x.class = "m.C"', "strategies.x.class: 'm.C' is not module:Class"),
        ('strategies.x.class = "m:C()"', "strategies.x.class: 'm:C()' is not module:Class"),
        (
            "journal.disk_halt_mb = 1001",
            "journal.disk_warn_mb: is below disk_halt_mb: nobody would be warned",
        ),
        (
            'broker.kind = "alpaca"',
            "broker.kind: 'alpaca' is neither 'paper', 'ibkr' nor module:Class",
        ),
        ('feed.kind = "csv"', "feed.kind: 'csv' is neither 'file', 'ibkr' nor module:Class"),
        (
            'mode = "live"',
            (
                "mode: 'live' is of orders that leave the process; the built-in paper broker's is"
                " 'paper'"
            ),
        ),
        (
            'broker.kind = "m:B"\nbroker.params.Api_Key = "x"',
            (
                "broker.params.Api_Key: is a secret, and the journal keeps this file whole:"
                " read it from the environment"
            ),
        ),
        (
            'broker.kind = "m:B"\nbroker.params.x = "DU1234567"',
            (
                "broker.params.x: is a secret, and the journal keeps this file whole:"
                " read it from the environment"
            ),
        ),
        ("feed.params.x = 1", "feed.params: is for a feed of your own: the file feed has none"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(written(tmp_path, text)) == [said]


def test_bars_and_symbols_are_asked_for(tmp_path: Path) -> None:
    assert refusal(written(tmp_path, b"")) == [
        "feed.paths: is empty: name the files or folders with the bars",
        "symbols: is empty: name at least one, such as [symbols.AAPL]",
    ]
    # A feed of one's own may need no files.
    own = written(tmp_path, b'symbols.AAPL = {}\nfeed.kind = "m:Feed"\nfeed.params.x = 1')
    assert load(own, {}).feed.params == {"x": 1}


# Where things lie.


def test_the_configuration_is_looked_for_in_a_fixed_order(tmp_path: Path) -> None:
    home, xdg, here = (tmp_path / name for name in ("home", "xdg", "here"))
    places = [
        here / "traded.toml",
        xdg / "traded" / "traded.toml",
        home / ".config" / "traded" / "traded.toml",
    ]
    for place in places:
        place.parent.mkdir(parents=True)
        place.touch()
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": str(xdg), "TRADED_CONFIG": "mine.toml"}
    assert find_config(Path("given.toml"), environment, here) == here / "given.toml"
    assert find_config(Path("/given.toml"), environment, here) == Path("/given.toml")
    assert find_config(None, environment, here) == here / "mine.toml"
    del environment["TRADED_CONFIG"]
    assert find_config(None, environment, here) == places[0]
    places[0].unlink()
    assert find_config(None, environment, here) == places[1]
    del environment["XDG_CONFIG_HOME"]
    assert find_config(None, environment, here) == places[2]
    places[2].unlink()
    system = Path("/etc/traded/traded.toml")
    assert find_config(None, environment, here) == (system if system.is_file() else None)


def test_the_journal_is_put_where_the_first_of_these_says() -> None:
    path = Path("/somewhere/traded.toml")
    environment = {
        "STATE_DIRECTORY": "/var/lib/traded:/var/lib/other",
        "XDG_STATE_HOME": "/xdg",
        "HOME": "/home/me",
    }
    named = msgspec.convert({"journal": {"path": "j/my.db"}}, Config)
    assert journal_path(named, path, environment) == Path("/somewhere/j/my.db")
    plain = msgspec.convert({"account": "me", "mode": "paper"}, Config)
    assert journal_path(plain, path, environment) == Path("/var/lib/traded/me-paper.db")
    del environment["STATE_DIRECTORY"]
    assert journal_path(plain, path, environment) == Path("/xdg/traded/me-paper.db")
    del environment["XDG_STATE_HOME"]
    state = Path("/home/me/.local/state")
    assert journal_path(plain, path, environment) == state / "traded/me-paper.db"


def test_the_services_journal_is_found_from_its_configuration_without_a_variable() -> None:
    plain = msgspec.convert({"account": "me", "mode": "paper"}, Config)
    roots = {"HOME": "/root", "XDG_STATE_HOME": "/root/state"}
    service, second = Path("/etc/traded/traded.toml"), Path("/etc/traded/second.toml")
    assert journal_path(plain, service, roots) == Path("/var/lib/traded/me-paper.db")
    assert journal_path(plain, second, roots) == Path("/var/lib/traded/second/me-paper.db")


# Into the journal and back.


def test_what_the_journal_keeps_of_a_configuration_is_all_of_it(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
        sessions = { extra_closures = [2025-01-09], extra_early_closes = {2026-11-27 = 13:00:00} }
        limits.account = { max_order_usd = 0.10, max_drawdown = 0.2 }
        strategies.hold = { class = "m:C", symbols = ["AAPL"], params = { n = 3, deep = [true] } }
        """,
    )
    config = load(path, {}, ["broker.capital_usd=123456789.123456789"])
    event = to_event(config)
    # What the file leaves to the broker is recorded as what it came to.
    kept = msgspec.structs.replace(config, dry_run=False)
    assert from_event(decode(encode(event))) == Recorded(kept, ())  # type: ignore[arg-type] # same kind
    assert event.symbols["AAPL"].exchange == "NYSE"  # type: ignore[index] # a symbol


# Anything at all.

BACKSLASH = chr(92)


class Written(str):
    """A value as it stands in the file."""

    __slots__ = ()


KEYS = st.sampled_from(
    ["mode", "symbols", "AAPL", "broker", "capital_usd", "feed", "paths", "limits", "account"]
) | st.text(string.printable, max_size=3)
LEAVES = (
    st.integers()
    | st.booleans()
    | st.floats()
    | st.text(max_size=5)
    | st.dates()
    | st.times()
    | st.sampled_from(
        [
            "paper",
            "m:C",
            Written("1e9999999999999999999"),
            Written("0x" + "f" * 5_000),
            Written("[" * 30 + "]" * 30),
        ]
    )
)
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)


def as_toml(value: object) -> str:
    """Return `value` as TOML writes it."""
    if isinstance(value, dict):
        pairs = (f"{as_toml(key)} = {as_toml(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(as_toml, value))}]"
    if isinstance(value, str) and not isinstance(value, Written):
        # Escaped letter by letter.
        return f'"{"".join(f"{BACKSLASH}U{ord(each):08x}" for each in value)}"'
    return str(value).lower() if isinstance(value, bool | float) else str(value)


@settings(max_examples=60, deadline=None)
@given(tree=st.dictionaries(KEYS, TREES, max_size=5))
def test_whatever_is_written_is_a_configuration_or_refused(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[str, object]
) -> None:
    lines = [f"{as_toml(key)} = {as_toml(value)}" for key, value in tree.items()]
    path = written(tmp_path_factory.getbasetemp(), "\n".join(lines).encode())
    with suppress(ConfigError):
        config = load(path, {})
        assert from_event(to_event(config)).config.broker == config.broker


@settings(max_examples=60, deadline=None)
@given(
    name=st.text(string.ascii_uppercase + "_", max_size=12)
    | st.sampled_from(["MODE", "BROKER", "SYMBOLS__AAPL", "LIMITS__ACCOUNT", "FEED__PARAMS__X"]),
    text=st.text(max_size=12) | TREES.map(as_toml),
)
def test_whatever_is_set_is_an_option_or_refused(
    tmp_path_factory: pytest.TempPathFactory, name: str, text: str
) -> None:
    path = written(tmp_path_factory.getbasetemp())
    for environment, overrides in (
        ({f"TRADED_{name}": text}, []),
        ({}, [f"{name.lower().replace('__', '.')}={text}"]),
    ):
        with suppress(ConfigError):
            config = load(path, environment, overrides)
            assert from_event(to_event(config)).config.mode == config.mode
