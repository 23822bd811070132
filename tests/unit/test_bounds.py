"""What an operator may write as a value, and what is said of what he may not."""

from datetime import date, time
from decimal import Decimal
from pathlib import Path

import pytest

from daemon.config.file import ConfigError, load
from daemon.config.options import Config, Exchange

BASE = ("symbols.AAPL = {}", 'feed.paths = ["bars"]')


def config(folder: Path, *lines: str) -> Config:
    """Return the configuration of `lines`, each an option by its whole path."""
    path = folder / "traded.toml"
    path.write_text("\n".join((*BASE, *lines)), encoding="utf-8")
    path.chmod(0o600)
    return load(path, {})


def problems(folder: Path, *lines: str) -> list[str]:
    """Return what is wrong with `lines`, each problem without the file's name before it."""
    with pytest.raises(ConfigError) as refused:
        config(folder, *lines)
    before = f"{folder / 'traded.toml'}: "
    assert all(problem.startswith(before) for problem in refused.value.problems)
    return [problem.removeprefix(before) for problem in refused.value.problems]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "+nan", "1e16", "-1e16", "1e999999999"])
@pytest.mark.parametrize(
    "option",
    [
        "broker.capital_usd",
        "broker.slippage_bps",
        "broker.volume_share_max",
        "limits.account.max_order_usd",
        "limits.account.max_drawdown",
        "limits.symbols.AAPL.max_order_shares",
        "journal.snapshots_kept",
        "broker.answer_deadline_s",
        "broker.params.anything",
    ],
)
def test_no_option_takes_a_number_that_is_none_or_out_of_this_world(
    tmp_path: Path, option: str, number: str
) -> None:
    (problem,) = problems(tmp_path, f"{option} = {number}")
    assert problem.startswith(f"{option}: ")
    assert problem.endswith("is not a finite number of a sensible size")


@pytest.mark.parametrize(
    ("option", "number", "said"),
    [
        ("broker.capital_usd", "0", "must be above 0, it is 0"),
        ("broker.capital_usd", "-1", "must be above 0, it is -1"),
        ("broker.capital_usd", "-0.01", "must be above 0, it is -0.01"),
        ("broker.slippage_bps", "-0.5", "must be at least 0, it is -0.5"),
        ("broker.slippage_bps", "10000", "must be below 10000, it is 10000"),
        ("broker.volume_share_max", "0", "must be above 0, it is 0"),
        ("broker.volume_share_max", "1.01", "must be at most 1, it is 1.01"),
        ("limits.account.max_drawdown", "20", "must be at most 1, it is 20"),
        ("limits.account.max_order_shares", "0", "must be above 0, it is 0"),
        ("limits.symbols.AAPL.max_position_usd", "-5", "must be above 0, it is -5"),
        ("broker.capital_usd", "1e-19", "1E-19 has more than 18 decimal places"),
        ("broker.answer_deadline_s", "0", "Expected `int` >= 1 (it is 0)"),
        ("broker.answer_deadline_s", "86401", "Expected `int` <= 86400 (it is 86401)"),
        ("feed.bar_seconds", "-60", "Expected `int` >= 1 (it is -60)"),
        ("journal.snapshot_every_events", "0", "Expected `int` >= 1 (it is 0)"),
        ("journal.snapshots_kept", "1.5", "Expected `int`, got `float` (it is 1.5)"),
    ],
)
def test_a_number_out_of_its_bounds_is_named_with_the_bound(
    tmp_path: Path, option: str, number: str, said: str
) -> None:
    assert problems(tmp_path, f"{option} = {number}") == [f"{option}: {said}"]


@pytest.mark.parametrize(
    ("option", "number", "taken"),
    [
        ("broker.volume_share_max", "1", Decimal(1)),
        ("broker.slippage_bps", "0", Decimal(0)),
        ("broker.slippage_bps", "9999.99", Decimal("9999.99")),
        ("broker.capital_usd", "1e15", Decimal(10**15)),
        ("broker.capital_usd", "0.1", Decimal("0.1")),  # exact: not 0.1000000000000000055
        ("broker.capital_usd", "100_000.10", Decimal("100000.10")),
    ],
)
def test_a_number_on_its_bound_passes_and_stays_exact(
    tmp_path: Path, option: str, number: str, taken: Decimal
) -> None:
    broker = config(tmp_path, f"{option} = {number}").broker
    assert getattr(broker, option.removeprefix("broker.")) == taken


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("broker.capital_usd = true", "broker.capital_usd: must be a number, not True"),
        ('broker.capital_usd = "100000"', "broker.capital_usd: must be a number, not '100000'"),
        ("broker.capital_usd = [1]", "broker.capital_usd: must be a number, not [1]"),
        ('limits.account.max_drawdown = "20 %"', "must be a number, not '20 %'"),
        ("journal.snapshots_kept = true", "Expected `int`, got `bool` (it is True)"),
        ('journal.snapshots_kept = "3"', "Expected `int`, got `str` (it is '3')"),
        ("journal.path = 5", "journal.path: Expected `str`, got `int` (it is 5)"),
        ("dry_run = 1", "dry_run: Expected `bool`, got `int` (it is 1)"),
        ('dry_run = "false"', "dry_run: Expected `bool`, got `str` (it is 'false')"),
        ("account = 12345678", "account: must be 1 to 40 of A-Z, a-z, 0-9, blank, '.', '_'"),
        ('account = "../mine"', "account: must be 1 to 40 of A-Z, a-z, 0-9, blank, '.', '_'"),
        (
            'account = ""',
            "account: must be 1 to 40 of A-Z, a-z, 0-9, blank, '.', '_', '-', a letter",
        ),
        (
            'mode = "practice"',
            "mode: must be one of 'backtest', 'paper', 'broker-paper', 'live', not",
        ),
        (
            'broker.commission = "free"',
            "broker.commission: must be one of 'fixed', 'tiered', 'none'",
        ),
        (
            'symbols.IBM.exchange = "XNYS"',
            "symbols.IBM.exchange: must be one of 'NYSE', 'NASDAQ'",
        ),
        ("mode = [1]", "mode: must be one of 'backtest'"),
        ("control.allowed_uids = [-1]", "control.allowed_uids[0]: Expected `int` >= 0"),
        ("broker = 3", "broker: must be a table, not 3"),
        ("limits.symbols = []", "limits.symbols: must be a table, not []"),
        ('sessions.extra_closures = "2025-01-09"', "must be a list, not '2025-01-09'"),
        ("sessions.extra_closures = [9]", "sessions.extra_closures[0]: Expected `date`"),
        ("sessions.extra_early_closes.soon = 13:00:00", "sessions.extra_early_closes.soon: "),
        (r'journal.path = "a\u0000b"', "has characters that cannot be shown"),
        (r'journal.path = "a\nb"', "has characters that cannot be shown"),
        (f"journal.snapshots_kept = 0x{'f' * 5_000}", "a number of thousands of digits is not"),
    ],
)
def test_a_value_of_the_wrong_kind_is_said_with_its_key(
    tmp_path: Path, line: str, said: str
) -> None:
    (problem,) = problems(tmp_path, line)
    assert problem.startswith(line.split(" = ", maxsplit=1)[0])
    assert said in problem


def test_what_is_quoted_of_a_value_is_never_long(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, f'dry_run = "{"x" * 100_000}"')
    assert len(problem) < 200


def test_closures_and_early_closes_are_dates_and_times(tmp_path: Path) -> None:
    sessions = config(
        tmp_path,
        "sessions.extra_closures = [2025-01-09]",
        "sessions.extra_early_closes = { 2026-11-27 = 13:00:00 }",
    ).sessions
    assert sessions.extra_closures == (date(2025, 1, 9),)
    assert sessions.extra_early_closes == {date(2026, 11, 27): time(13)}


@pytest.mark.parametrize("name", ["A", "BRK B", "BRK.B", "BRK-B", "BTC/USD", "3M", "A" * 20])
def test_what_can_be_a_symbol(tmp_path: Path, name: str) -> None:
    loaded = config(
        tmp_path,
        f'symbols."{name}".exchange = "NASDAQ"',
        f'limits.symbols."{name}".max_order_usd = 5',
        f'strategies.hold = {{ class = "m:C", symbols = ["{name}"] }}',
    )
    exchanges = {symbol: terms.exchange for symbol, terms in loaded.symbols.items()}
    assert exchanges == {"AAPL": Exchange.NYSE, name: Exchange.NASDAQ}
    assert list(loaded.limits.symbols) == [name]
    assert loaded.strategies["hold"].symbols == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "aapl",
        "Aapl",
        "INVALID@#$",
        "A" * 21,
        " A",
        ".A",
        "-A",
        "A_B",
        "Ä",
        r"A\n",
        r"A\t",
        "A*",
    ],
)
def test_what_cannot_be_a_symbol(tmp_path: Path, name: str) -> None:
    found = problems(
        tmp_path,
        f'symbols."{name}".exchange = "NYSE"',
        f'limits.symbols."{name}".max_order_usd = 5',
        f'strategies.hold = {{ class = "m:C", symbols = ["AAPL", "{name}"] }}',
    )
    assert all("is not a symbol: A-Z, 0-9, blank, '.', '/', '-'" in each for each in found)
    assert {each.split(".")[0] for each in found} == {"symbols", "limits", "strategies"}
    assert len(found) == 3


def test_a_key_nobody_knows_is_refused_wherever_it_stands(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        "colour = 1",
        "broker.slipage_bps = 1",
        "symbols.IBM.venue = 1",
        "limits.account.max_margin = 2",
        "limits.symbols.AAPL.max_drawdown = 0.1",
        'strategies.hold = { class = "m:C", shade = true }',
    )
    assert sorted(each.split(": ")[0] for each in found) == [
        "broker.slipage_bps",
        "colour",
        "limits.account.max_margin",
        "limits.symbols.AAPL.max_drawdown",
        "strategies.hold.shade",
        "symbols.IBM.venue",
    ]
    # What there is instead, is said too: the misspelled one is among them.
    assert "slippage_bps" in next(each for each in found if "slipage" in each).split("there is")[1]


def test_a_strategy_without_a_class_is_told_what_is_missing(tmp_path: Path) -> None:
    assert problems(tmp_path, "strategies.hold.symbols = []") == [
        "strategies.hold.class: is missing"
    ]


def test_a_strategys_own_parameters_are_left_to_it(tmp_path: Path) -> None:
    line = 'strategies.hold = { class = "m:C", params = { a = [1, 0.5], b = { c = "d\u00e9" } } }'
    found = config(tmp_path, line).strategies["hold"].params
    assert found == {"a": [1, Decimal("0.5")], "b": {"c": "d\u00e9"}}


def test_no_number_among_a_strategys_parameters_may_be_none(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        'strategies.hold = { class = "m:C", params = { a = [1, nan], b = { c = inf } } }',
    )
    assert [each.split(": ")[0] for each in found] == [
        "strategies.hold.params.a[1]",
        "strategies.hold.params.b.c",
    ]
