"""`traded sample-config` documents every option there is, and what it prints works."""

import re
import tomllib
from collections.abc import Iterator
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from daemon.config.file import load, to_event
from daemon.config.options import Config
from tests.command_line import a_place, traded

OPERATORS_OWN = "*"
"""Stands for the key of a table whose keys are the operator's: a symbol, a strategy's name."""
UNITS = {
    "_usd": "dollar",
    "_bps": "basis point",
    "_s": "second",
    "_seconds": "second",
    "_shares": "share",
    "_sessions": "session",
    "_intents": "order",
    "_uids": "by number",
    "share_max": "share of",
    "refused_share": "share of",
    "drawdown": "share of",
    "_events": "event",
    "exchange": "nyse",
}
"""What must be said beside an option, by how its name ends."""


@pytest.fixture(scope="module")
def sample() -> str:
    done = traded("sample-config")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def options(kind: type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the path and the default of every option below the Struct `kind`."""
    hints = get_type_hints(kind)
    for field in msgspec.structs.fields(kind):
        here, hint = (*path, field.encode_name), hints[field.name]
        inner = get_args(hint)[1] if get_origin(hint) is dict else hint
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            yield from options(inner, (*here, OPERATORS_OWN) if get_origin(hint) is dict else here)
        else:
            yield here, field.default


EVERY = dict(options(Config))


def documented(sample: str) -> dict[tuple[str, ...], tuple[str, str]]:
    """Return for each option in the sample its value, and the comment above it."""
    found: dict[tuple[str, ...], tuple[str, str]] = {}
    table: tuple[str, ...] = ()
    comment: list[str] = []
    for line in sample.splitlines():
        if header := re.fullmatch(r"#?\[([\w.]+)\]", line):
            *parts, last = header[1].split(".")
            own = parts[-1:] in (["symbols"], ["strategies"])
            table = (*parts, OPERATORS_OWN if own else last)
        elif option := re.fullmatch(r"#?(\w+) = (.+)", line):
            found[*table, option[1]] = (option[2], " ".join(comment))
            comment = [*comment, "(as above)"]
        elif line.startswith("# "):
            comment = [line.removeprefix("# ")] if "(as above)" in comment else [*comment, line[2:]]
        else:
            comment = []
    return found


def test_every_option_there_is_stands_in_the_sample_and_no_other(sample: str) -> None:
    assert len(EVERY) > 30
    assert set(documented(sample)) == set(EVERY)


def test_every_option_is_explained_with_its_unit(sample: str) -> None:
    for path, (_, comment) in documented(sample).items():
        assert len(comment) > 20, path
        for ending, unit in UNITS.items():
            if path[-1].endswith(ending) and path[0] != "limits":
                assert unit in comment.lower(), (path, unit, comment)


def test_the_default_shown_is_the_default(sample: str) -> None:
    shown = documented(sample)
    for path, default in EVERY.items():
        text, _ = shown[path]
        if default is None or default is msgspec.NODEFAULT or path == ("feed", "paths"):
            # No default: what stands there is an example, or has to be given.
            continue
        if path[-1] in {"symbols", "params"} and path[0] == "strategies":
            continue
        value = tomllib.loads(f"x = {text}", parse_float=Decimal)["x"]
        builtins = msgspec.to_builtins(default, builtin_types=(Decimal, time))
        plain = list(builtins) if isinstance(builtins, tuple) else builtins
        assert value == plain, path


def test_what_is_about_money_or_trust_has_a_conservative_alternative(sample: str) -> None:
    shown = documented(sample)
    careful = [path for path in EVERY if path[0] == "limits" and OPERATORS_OWN not in path]
    careful += [("broker", name) for name in ("capital_usd", "slippage_bps", "volume_share_max")]
    careful += [("dry_run",), ("sessions", "allow_extended_hours"), ("broker", "commission")]
    careful += [path for path in EVERY if path[0] in {"promotion", "control", "backup"}]
    careful += [("daemon", "on_stop"), ("strategies", OPERATORS_OWN, "shadow")]
    assert len(careful) == 58
    for path in careful:
        _, comment = shown[path]
        assert "onservative: " in comment, path


def test_the_sample_is_sound_as_it_is_and_its_limits_are_complete(
    tmp_path: Path, sample: str
) -> None:
    path = tmp_path / "traded.toml"
    path.write_text(sample, encoding="utf-8")
    path.chmod(0o600)
    done = traded("check-config", "--config", path)
    assert (done.returncode, done.stdout) == (0, f"{path}: ok\n")


def test_the_sample_is_sound_with_every_line_switched_on(tmp_path: Path, sample: str) -> None:
    path = tmp_path / "traded.toml"
    lines = re.sub(r"^#(?=\w+ = |\[)", "", sample, flags=re.MULTILINE)
    path.write_text(lines, encoding="utf-8")
    path.chmod(0o600)
    config = load(path, {})
    assert config.limits.symbols
    assert config.limits.strategies
    # Defaults are what the lines say, so switching them on changes nothing else.
    path.write_text(sample, encoding="utf-8")
    plain = load(path, {})
    assert (config.broker, config.sessions, config.journal) == (
        plain.broker,
        plain.sessions,
        plain.journal,
    )


def test_every_option_has_its_variable_of_the_environment() -> None:
    printed = traded("sample-config", "--env").stdout.splitlines()
    names = {line.removeprefix("#").split("=")[0] for line in printed}
    plain = {path for path in EVERY if OPERATORS_OWN not in path}
    assert names == {"TRADED_" + "__".join(path).upper() for path in plain}


def test_the_variables_as_printed_are_the_defaults_and_work(tmp_path: Path) -> None:
    path = a_place(tmp_path / "place") / "traded.toml"
    printed = traded("sample-config", "--env").stdout.splitlines()
    assigned = dict(line.split("=", 1) for line in printed if not line.startswith("#"))
    path.write_text("symbols.AAPL = {}", encoding="utf-8")
    config = load(path, assigned | {"TRADED_FEED__PATHS": '["bars"]'})
    path.write_text('symbols.AAPL = {}\nfeed.paths = ["bars"]', encoding="utf-8")
    assert config == load(path, {})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("TRADED_MODE", "paper", "paper"),
        ("TRADED_DRY_RUN", "true", True),
        ("TRADED_JOURNAL__PATH", "other/j.db", "other/j.db"),
        ("TRADED_BROKER__SLIPPAGE_BPS", "2.5", Decimal("2.5")),
        ("TRADED_BROKER__PARAMS", "{ fault_seed = 3 }", {"fault_seed": 3}),
        ("TRADED_FEED__BAR_SECONDS", "300", 300),
        ("TRADED_SESSIONS__EXTRA_CLOSURES", "[2025-01-09]", ("2025-01-09",)),
        ("TRADED_LIMITS__ACCOUNT__MAX_DRAWDOWN", "0.05", Decimal("0.05")),
    ],
)
def test_a_variable_sets_its_option(tmp_path: Path, name: str, text: str, value: object) -> None:
    path = a_place(tmp_path / "place") / "traded.toml"
    assert name in traded("sample-config", "--env").stdout
    found: Any = msgspec.to_builtins(load(path, {name: text}), builtin_types=(Decimal, time))
    for key in name.removeprefix("TRADED_").lower().split("__"):
        found = found[key]
    assert found == value


NEWCOMER: list[tuple[str, object]] = [
    ("limits.prices.outlier_threshold", "0.30"),
    ("limits.account.max_leverage", "1.4"),
    ("limits.account.emergency_leverage", "3.0"),
    ("limits.margin.cushion", "0.20"),
    ("limits.margin.max_batch_share", "0.80"),
    ("limits.margin.alert_share", "0.60"),
    ("limits.turnover.min_ratio", "2.0"),
    ("limits.turnover.max_a_day", 10),
    ("limits.account.max_position_usd", "20000"),
    ("limits.account.max_position_shares", "1000"),
    ("limits.prices.max_data_age_s", 30 * 60),
    ("broker.capital_usd", "100000"),
    ("freshness.mode", "per_symbol"),
    ("freshness.max_age_s", 30 * 60),
    ("freshness.fresh_share_min", "0.90"),
    ("sessions.enforce_trading_hours", True),
    ("sessions.allow_extended_hours", False),
    ("daemon.on_stop", "leave"),
    ("dry_run", False),
    ("strategies.trend.shadow", False),
]
"""What a newcomer starts from, as `config.loaded` has it."""


def at(tree: Any, option: str) -> object:  # noqa: ANN401 - tables in tables
    for key in option.split("."):
        tree = tree[key]
    return tree


@pytest.mark.parametrize(("option", "value"), NEWCOMER)
def test_a_newcomer_with_the_sample_starts_from_careful_values(
    tmp_path: Path, sample: str, option: str, value: object
) -> None:
    path = tmp_path / "traded.toml"
    path.write_text(sample, encoding="utf-8")
    path.chmod(0o600)
    assert at(to_event(load(path, {})).config, option) == value


@pytest.mark.parametrize(
    ("option", "value"),
    [each for each in NEWCOMER if not each[0].startswith(("limits.account.max_pos", "strategies"))],
)
def test_without_the_sample_the_same_values_are_in_effect(
    tmp_path: Path, option: str, value: object
) -> None:
    path = tmp_path / "traded.toml"
    path.write_text('symbols.AAPL = {}\nfeed.paths = ["bars"]', encoding="utf-8")
    path.chmod(0o600)
    assert at(to_event(load(path, {})).config, option) == value


@pytest.mark.parametrize(
    ("option", "careful"),
    [
        (("limits", "account", "max_leverage"), "1.2"),
        (("limits", "account", "emergency_leverage"), "2.5"),
        (("limits", "margin", "cushion"), "0.30"),
    ],
)
def test_the_sample_names_the_careful_values_of_leverage_and_cushion(
    sample: str, option: tuple[str, ...], careful: str
) -> None:
    _, comment = documented(sample)[option]
    assert f"onservative: {careful}." in comment
