"""What reads the journal: what it says to people and to machines, and what it costs to start."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from events.journal import JournalReader
from projections import State
from tests.command_line import MINUTES, TRADED, a_place, environment, lines, shown, traded

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = a_place(tmp_path_factory.mktemp("read") / "place")
    done = traded("run", "--config", place / "traded.toml")
    assert done.returncode == 0, done.stderr
    return place / "state" / "journal.db"


@pytest.fixture(scope="module")
def rows(journal: Path) -> Rows:
    """Return every event as `tail --json` shows it."""
    return lines("-n", "100000", "--journal", journal)


def of_type(rows: Rows, tag: str) -> Rows:
    return [row for row in rows if row["type"] == tag]


def about(rows: Rows, order_id: str) -> list[str]:
    return [row["type"] for row in rows if row["event"].get("client_order_id") == order_id]


@pytest.fixture(scope="module")
def filled(rows: Rows) -> str:
    """Return the id of the first order that was filled."""
    return str(of_type(rows, "order.filled")[0]["event"]["client_order_id"])


@pytest.fixture(scope="module")
def refused(rows: Rows) -> str:
    """Return the id of the first order that was refused."""
    return str(of_type(rows, "intent.refused")[0]["event"]["client_order_id"])


# Every verb, for people and for machines.


READS = ["status", "positions", "orders", "orders --open", "explain MSFT", "explain 5", "verify"]
READS += [
    "completeness",
    "completeness --all",
    "decisions",
    "decisions --by day",
    "replay",
    "replay --from-snapshot",
    "replay --redecide",
    "tail -n 3",
    "tail -n 0",
]


@pytest.mark.parametrize("words", READS)
def test_data_goes_to_stdout_plainly_and_as_json(journal: Path, words: str) -> None:
    told = traded(*words.split(), "--journal", journal)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout or words == "tail -n 0"
    # Nobody at a terminal: no colour, no boxes.
    assert "\x1b" not in told.stdout
    assert not re.search("[\u2500-\u257f]", told.stdout)
    if not words.startswith("tail"):
        assert shown(*words.split(), "--journal", journal)["schema_version"] == 1


def test_a_tail_that_shows_nothing_says_so(journal: Path) -> None:
    told = traded("tail", "--symbol", "NOBODY", "--journal", journal)
    assert (told.returncode, told.stdout) == (0, "")
    assert told.stderr == "no event passes all filters\n"


def test_versions_are_shown_as_json_too() -> None:
    versions = shown("version")["versions"]
    assert {"traded", "python", "sqlite", "msgspec"} <= set(versions)
    assert traded("version").stdout.splitlines()[0].split() == ["traded", versions["traded"]]


def test_reading_changes_nothing(journal: Path) -> None:
    before = {path: path.read_bytes() for path in journal.parent.rglob("*") if path.is_file()}
    for words in ("status", "verify", "replay", "tail"):
        traded(words, "--journal", journal)
    after = {path: path.read_bytes() for path in journal.parent.rglob("*") if path.is_file()}
    assert after == before


@pytest.mark.parametrize("verb", ["status", "tail"])
def test_light_verbs_import_nothing_heavy(journal: Path, verb: str) -> None:
    source = (
        "import sys; sys.argv = ['traded', *sys.argv[1:]]\n"
        "from ops.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, verb, "--journal", journal],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout
    loaded = set(done.stderr.split())
    heavy = {"pandas", "numpy", "ib_async", "exchange_calendars", "rich", "hypothesis"}
    assert not heavy & loaded
    assert {"msgspec", "click", "sqlite3"} <= loaded


# status


def states(journal: Path) -> Iterator[State]:
    """Yield the state after each row, folded without snapshots and without the command."""
    state = State()
    with JournalReader(journal) as reader:
        for record in reader.records():
            state.apply(record)
            yield state


def test_the_status_at_a_past_moment_is_the_state_after_that_many_rows(
    journal: Path, rows: Rows
) -> None:
    moments = {1, 6, len(rows) // 3, len(rows) // 2, len(rows)}
    for state in states(journal):
        if state.seq not in moments:
            continue
        then = shown("status", "--at", str(state.seq), "--journal", journal)
        assert then["seq"] == state.seq
        assert Decimal(then["equity_usd"]) == state.pnl.equity
        assert Decimal(then["drawdown"]) == state.pnl.drawdown
        assert then["bars"] == state.market.bars
        assert then["open_orders"] == len(state.orders.open)
        assert then["ended"] == state.identity.ended
        replayed = shown("replay", "--at", str(state.seq), "--journal", journal)
        assert replayed["seq"] == state.seq
        assert Decimal(replayed["equity_usd"]) == state.pnl.equity
        held = {name: each.quantity for name, each in state.positions.account.items()}
        replayed_held = {name: Decimal(p["quantity"]) for name, p in replayed["positions"].items()}
        assert replayed_held == {name: quantity for name, quantity in held.items() if quantity}


def test_a_moment_may_be_a_time_in_any_zone(journal: Path, rows: Rows) -> None:
    # The last event up to 00:10 UTC, which is 19:10 of the day before in New York.
    seq = max(row["seq"] for row in rows if row["at"] <= "2024-01-02T00:10:00Z")
    for time in ("2024-01-02T00:10", "2024-01-02T00:10:00Z", "2024-01-01T19:10-05:00"):
        assert shown("status", "--at", time, "--journal", journal)["seq"] == seq
    assert traded("status", "--at", "2024-01-02T00:10", "--journal", journal).stderr == (
        "--at 2024-01-02T00:10: taken as UTC\n"
    )


@pytest.mark.parametrize(
    ("verb", "words", "said"),
    [
        ("status", ["--at", "0"], "the journal has events 1 to"),
        ("status", ["--at", "99999"], "the journal has events 1 to"),
        ("status", ["--at", "9" * 30], "the journal has events 1 to"),
        ("status", ["--at", "9" * 5_000], "9...: the journal has events 1 to"),
        ("status", ["--at", "0" * 5_000], "0...: the journal has events 1 to"),
        ("status", ["--at", "9" * 5_000 + "d"], "only years 1700 to 2261 can be"),
        ("replay", ["--at", "9" * 5_000], "9...: the journal has events 1 to"),
        ("replay", ["--at", str(2**63)], "the journal has events 1 to"),
        ("status", ["--at", "1999-01-01"], "the journal begins at 2024-01-02 00:00:00 UTC"),
        ("status", ["--at", "yesterday"], "'yesterday' is no time: write 2013-02-28"),
        ("status", ["--at", "yesterday" * 1_000], "... is no time: write 2013-02-28"),
        ("status", ["--at", "9999-12-31T23:59"], "only years 1700 to 2261 can be"),
        ("tail", ["--since", "99999999999d"], "only years 1700 to 2261 can be"),
        ("tail", ["--type", "order.filed"], "there is no such event. The types are"),
        ("tail", ["--trace", "99999"], "the journal ends at"),
        ("tail", ["--trace", "9" * 30], "the journal ends at"),
        ("explain", ["IBM"], "the symbols here are AAPL, BRK B, MSFT"),
        ("explain", ["99999"], "'99999' is no order, no fill, no symbol and no event of 1 to"),
        ("explain", ["9" * 30], "is no order, no fill, no symbol and no event"),
        ("explain", ["9" * 5_000], "9... is no order, no fill, no symbol and no event of 1 to"),
        ("explain", [str(2**63)], "is no order, no fill, no symbol and no event of 1 to"),
        ("explain", ["MSFT-2024"], "begins the ids of several orders"),
        ("replay", ["--redecide", "--from-snapshot"], "leave --from-snapshot out"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_says_what_can(
    journal: Path, verb: str, words: list[str], said: str
) -> None:
    done = traded(verb, *words, "--journal", journal)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("number", ["000005", "0" * 5_000 + "5"])
def test_an_events_number_may_have_leading_zeros(journal: Path, number: str) -> None:
    assert shown("status", "--at", number, "--journal", journal)["seq"] == 5
    assert traded("explain", number, "--journal", journal).stdout == (
        traded("explain", "5", "--journal", journal).stdout
    )


# tail


def test_tail_shows_the_last_ones_oldest_first(journal: Path, rows: Rows) -> None:
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert lines("-n", "7", "--journal", journal) == rows[-7:]
    assert len(lines("--journal", journal)) == 20
    plain = traded("tail", "-n", "7", "--journal", journal).stdout.splitlines()
    assert [int(line.split()[0]) for line in plain] == [row["seq"] for row in rows[-7:]]
    assert plain[-1].split()[3] == "session.ended"


def test_tail_shows_only_what_passes_all_filters(journal: Path, rows: Rows) -> None:
    def kept(*words: str) -> Rows:
        return lines(*words, "-n", "1000", "--journal", journal)

    assert kept("--type", "order.filled") == of_type(rows, "order.filled")
    fills = [row for row in of_type(rows, "order.filled") if row["event"]["symbol"] == "BRK B"]
    assert kept("--type", "order.filled", "--symbol", "BRK B") == fills != []
    # An acknowledgement names only its order: it is about the order's symbol all the same.
    own = {row["event"]["client_order_id"] for row in fills}
    acknowledged = [
        row
        for row in of_type(rows, "order.acknowledged")
        if row["event"]["client_order_id"].startswith("BRKB-")
    ]
    assert kept("--symbol", "BRK B", "--type", "order.acknowledged") == acknowledged
    assert own <= {row["event"]["client_order_id"] for row in acknowledged}
    root = fills[0]["trace"]
    walk = [row for row in rows if root in {row["seq"], row["trace"]}]
    assert kept("--trace", str(fills[0]["seq"])) == walk
    assert walk[0]["type"] == "bar.closed"
    since = [row for row in rows if row["at"] >= "2024-01-02T00:38:00Z"]
    assert kept("--since", "2024-01-02T00:38Z") == since
    assert 0 < len(since) < len(rows)


def test_tail_follows_what_comes_until_its_reader_goes(journal: Path) -> None:
    process = subprocess.Popen(
        [TRADED, "tail", "-f", "-n", "2", "--json", "--journal", journal],
        env=environment(Path("/")),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        seqs = [json.loads(process.stdout.readline())["seq"] for _ in range(2)]
        assert seqs[1] == seqs[0] + 1
        process.stdout.close()
        assert process.wait(timeout=20) == 0
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


# explain


def test_a_filled_order_is_told_from_its_bar_to_its_cash(
    journal: Path, rows: Rows, filled: str
) -> None:
    story = shown("explain", filled, "--journal", journal)
    (fill,) = (
        row for row in of_type(rows, "order.filled") if row["event"]["client_order_id"] == filled
    )
    assert (story["kind"], story["state"]) == ("order", "FILLED")
    assert story["because"][-1]["type"] == "bar.closed"
    assert story["because"][-1]["seq"] == fill["trace"]
    # What the strategy decided on, by its own names; the mean of two closes is between them.
    values = story["intent"]["values"]
    assert set(values) == {"fast_mean", "slow_mean", "close"}
    assert Decimal(str(values["fast_mean"])) > Decimal(str(values["slow_mean"]))
    assert all(check["passed"] for check in story["checks"])
    shares = next(check for check in story["checks"] if check["name"] == "order_shares")
    # 10 of at most 100.
    assert [Decimal(shares[name]) for name in ("value", "limit", "headroom")] == [10, 100, 90]
    told = [line["type"] for line in story["reports"]]
    assert told == [tag for tag in about(rows, filled) if not tag.startswith("intent.")][1:]
    assert told[0] == "order.sending"
    assert {"order.acknowledged", "order.filled", "commission.charged"} <= set(told)
    paid = Decimal(fill["event"]["quantity"]) * Decimal(fill["event"]["price"])
    assert Decimal(story["fills"][0]["cash_usd"]) == -paid
    assert Decimal(story["commission_usd"]) == 1
    assert Decimal(story["cash_usd"]) == -paid - 1
    assert Decimal(story["position_after"]["quantity"]) == 10


def test_an_order_is_found_by_its_beginning_its_fill_and_any_event_about_it(
    journal: Path, rows: Rows, filled: str
) -> None:
    whole = traded("explain", filled, "--journal", journal).stdout
    fill = next(
        row for row in of_type(rows, "order.filled") if row["event"]["client_order_id"] == filled
    )
    for name in (filled[:-4], fill["event"]["execution_id"], str(fill["seq"])):
        assert traded("explain", name, "--journal", journal).stdout == whole
    # The story in the order it happened.
    steps = ["because", "bar.closed", "order.intended", "decided on", "the gate let it pass"]
    steps += ["order.sending", "order.acknowledged", "order.filled", "cash", "in all"]
    places = [whole.index(step) for step in steps]
    assert places == sorted(places)


def test_a_refused_order_says_what_was_too_much(journal: Path, refused: str) -> None:
    story = shown("explain", refused, "--journal", journal)
    assert story["state"] == "REFUSED"
    failed = {check["name"]: check for check in story["checks"] if not check["passed"]}
    # 500 shares of at most 100, and 500 x 100 dollars of at most 20000.
    assert set(failed) == {"order_shares", "order_usd"}
    assert Decimal(failed["order_shares"]["headroom"]) == -400
    assert Decimal(failed["order_usd"]["headroom"]) == -30_000
    assert (story["fills"], story["reports"], story["position_after"]) == ([], [], None)
    told = traded("explain", refused, "--journal", journal).stdout
    assert "the gate refused it" in told
    assert "  FAILED  order_shares 500 of at most 100, 400 too much" in told


def test_a_symbol_says_why_it_is_not_traded_and_how_often_that_was_said(
    journal: Path, rows: Rows
) -> None:
    story = shown("explain", "msft", "--journal", journal)
    assert (story["kind"], story["symbol"], story["configured"]) == ("symbol", "MSFT", True)
    trend, greedy = story["strategies"]
    declined = [
        row
        for row in of_type(rows, "strategy.declined")
        if (row["event"]["strategy"], row["event"]["symbol"]) == ("trend", "MSFT")
    ]
    last = declined[-1]
    assert (trend["stage"], trend["reason"]) == (last["event"]["stage"], last["event"]["reason"])
    assert trend["since"]["seq"] == last["seq"]
    # Said at each of its bars from that one on.
    bars = [row for row in of_type(rows, "bar.closed") if row["event"]["symbol"] == "MSFT"]
    assert len(bars) == MINUTES
    assert trend["times"] == sum(bar["seq"] >= last["cause"] for bar in bars) > 0
    assert greedy["last_refusal"]["failed"][0].startswith("order_shares 500 of at most 100")
    story = shown("explain", "AAPL", "--journal", journal)
    assert [each["asked"] for each in story["strategies"]] == [True, False]
    assert "is not asked about AAPL" in traded("explain", "AAPL", "--journal", journal).stdout


# orders and positions


def test_orders_are_the_open_ones_and_the_last_that_are_over(journal: Path, rows: Rows) -> None:
    intended = [row["event"]["client_order_id"] for row in of_type(rows, "order.intended")]
    ends = {"intent.refused", "order.filled", "order.cancelled"}
    still_open = [each for each in intended if not ends & set(about(rows, each))]
    opened = shown("orders", "--open", "--journal", journal)["orders"]
    assert [each["client_order_id"] for each in opened] == still_open != []
    every = shown("orders", "-n", "1000", "--journal", journal)["orders"]
    assert [each["client_order_id"] for each in every] == intended
    few = shown("orders", "-n", "5", "--journal", journal)["orders"]
    over = [each for each in intended if each not in still_open]
    assert {each["client_order_id"] for each in few} == {*over[-5:], *still_open}


def test_positions_are_the_sums_of_the_fills(journal: Path, rows: Rows) -> None:
    account = shown("positions", "--journal", journal)
    fills = of_type(rows, "order.filled")
    for position in account["positions"]:
        shares = sum(
            Decimal(row["event"]["quantity"])
            for row in fills
            if row["event"]["symbol"] == position["symbol"]
        )
        assert Decimal(position["quantity"]) == shares
    assert Decimal(account["fees_usd"]) == len(fills)  # one dollar each, the fixed plan's minimum
    equity = sum(Decimal(account[name]) for name in ("cash_usd", "receivables_usd", "value_usd"))
    assert Decimal(account["equity_usd"]) == equity
