"""`traded replay`: any moment again, by number, by time, from a snapshot; every decision again."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daemon.exit_codes import ExitCode
from daemon.history.recovery import Recovery
from events import HoldPlaced, StrategyFailed
from events.codec import INPUTS, TAGS
from events.journal import JournalReader
from ops.commands import replay
from tests.small_runs import HOLD, TREND, OwnStrategy, Place, hash_of

TABLES = {"trend": TREND, "hold": HOLD}
BUY = 'return Intent(bar.symbol, Decimal(self.size), values={"price": bar.close})'
INPUT_TYPES = {TAGS[kind] for kind in INPUTS}


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place with a snapshot behind every commit; no test changes it."""
    place = Place(tmp_path_factory.mktemp("ran") / "place")
    place.run(TABLES)
    return place


@pytest.fixture
def own(place: Place) -> Iterator[OwnStrategy]:
    """Return a strategy that buys a share of A every ten minutes."""
    made = OwnStrategy(place.folder, BUY)
    yield made
    made.forget()


def traded_replay(place: Place, *words: str) -> Result:
    return CliRunner().invoke(replay.command, ["--journal", str(place.journal), *words])


def replayed(place: Place, *words: str, exit_code: int = ExitCode.OK) -> dict[str, Any]:
    result = traded_replay(place, "--json", *words)
    assert result.exit_code == exit_code, result.output
    said: dict[str, Any] = json.loads(result.stdout)
    return said


def state_of(said: dict[str, Any]) -> dict[str, Any]:
    """Return what is said of the state, without how it was come by."""
    return {name: said[name] for name in ("seq", "at", "state_hash", "equity_usd", "positions")}


def lines(result: Result) -> list[str]:
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


# A moment again.


def test_the_end_is_the_end_of_the_run(ran: Place) -> None:
    said = replayed(ran)
    assert said["seq"] == said["events"] == ran.rows()[-1][0]
    assert said["state_hash"] == hash_of(ran.recover(from_snapshot=True))
    assert said["from_snapshot_at"] == 0


def test_a_number_a_time_and_a_snapshot_lead_to_the_same_moment(ran: Place) -> None:
    # The last row of each time: that is what a time means.
    ends = {row[1]: row[0] for row in ran.rows()}
    hashes = set()
    for at, seq in ends.items():
        time = datetime.fromtimestamp(at / 1e9, UTC).isoformat()
        by_number = replayed(ran, "--at", str(seq))
        assert by_number["seq"] == seq
        hashes.add(by_number["state_hash"])
        assert state_of(replayed(ran, "--at", time)) == state_of(by_number)
        short = replayed(ran, "--from-snapshot", "--at", str(seq))
        assert state_of(short) == state_of(by_number)
        assert short["from_snapshot_at"] + short["events"] == seq
        assert state_of(replayed(ran, "--from-snapshot", "--at", time)) == state_of(by_number)
    assert len(hashes) == len(ends) > 40, "no two moments are alike"


def test_from_a_snapshot_only_the_rows_behind_it_are_read(ran: Place) -> None:
    third, fourth = (int(file.stem) for file in ran.snapshot_files()[6:8])
    said = replayed(ran, "--from-snapshot", "--at", str(fourth - 1))
    assert (said["from_snapshot_at"], said["events"]) == (third, fourth - 1 - third)


def test_a_moment_is_what_a_run_that_ended_there_left(ran: Place, tmp_path: Path) -> None:
    seq = int(ran.snapshot_files()[-4].stem)
    cut = ran.cut(seq, tmp_path / "cut")
    assert state_of(replayed(ran, "--at", str(seq))) == state_of(replayed(cut))


def test_a_snapshot_that_is_skipped_is_said_and_changes_nothing(ran: Place, tmp_path: Path) -> None:
    copy = ran.cut(ran.rows()[-1][0], tmp_path / "copy")
    newest = copy.snapshot_files()[-1]
    newest.write_bytes(newest.read_bytes()[:-1])
    result = traded_replay(copy, "--from-snapshot", "--json")
    assert f"snapshot skipped: {newest.name}" in result.stderr
    assert state_of(json.loads(result.stdout)) == state_of(replayed(ran))


@pytest.mark.parametrize("at", ["0", "100000", "2023-01-01", "yesterday"])
def test_a_moment_the_journal_does_not_have_is_a_usage_error(ran: Place, at: str) -> None:
    assert traded_replay(ran, "--at", at).exit_code == ExitCode.USAGE


# Every decision again.


def test_the_same_code_decides_the_same(ran: Place) -> None:
    said = replayed(ran, "--redecide")
    decided = [row for row in ran.rows() if row[2] not in INPUT_TYPES]
    assert (said["decisions"], said["different"]) == (len(decided), 0)
    assert len(decided) > 60
    assert said["first_divergence"] is None
    assert state_of(said) == state_of(replayed(ran))


def test_each_session_is_decided_under_its_own_configuration(place: Place) -> None:
    place.run(TABLES, 20)
    other = {**TREND, "params": {"fast": 3, "slow": 7, "shares": 20}}
    place.run({"trend": other}, 40)
    place.run({"hold": HOLD, "trend": TREND}, 60)
    said = replayed(place, "--redecide")
    assert (said["different"], len(place.rows("session.started"))) == (0, 3)


def test_other_code_is_found_out_with_both_decisions_and_their_grounds(
    place: Place, own: OwnStrategy
) -> None:
    place.run({"trend": TREND, "own": own.table()})
    own.write('return Intent(bar.symbol, Decimal(2), values={"price": bar.close, "mood": "good"})')
    result = traded_replay(place, "--redecide")
    assert result.exit_code == ExitCode.FINDINGS
    # Ten minutes in, at 00:10, A closes at 100 + 9 modulo 7.
    intended = next(row for row in place.rows("order.intended") if '"own"' in row[6])
    shown = lines(result)
    first = next(number for number, line in enumerate(shown) if line.startswith("first difference"))
    what, recorded, decided, *fields = shown[first:]
    assert what.startswith(f"first difference of own, on {intended[5]} bar.closed A:")
    assert recorded.startswith(f"recorded {intended[0]} order.intended A: ")
    assert decided.startswith("decided order.intended A: ")
    assert recorded != decided.replace("decided", "recorded", 1)
    assert "quantity: 1 -> 2" in fields
    assert "values.price: 102" in fields
    assert any(line.startswith("values.mood: ") and line.endswith("-> good") for line in fields)
    assert not any("trend" in line for line in shown[first:])


def test_what_differs_is_counted_once_a_decision(place: Place, own: OwnStrategy) -> None:
    place.run({"trend": TREND, "own": own.table()})
    own.write("return Intent(bar.symbol, Decimal(2))")
    said = replayed(place, "--redecide", exit_code=ExitCode.FINDINGS)
    # Four times in forty minutes: the intent, its approval and its sending.
    assert said["different"] == 12
    assert state_of(said) == state_of(replayed(place)), "what is folded is what is recorded"
    first = said["first_divergence"]
    assert (first["strategy"], first["input"]["type"]) == ("own", "bar.closed")
    assert (first["recorded"]["event"]["quantity"], first["decided"]["event"]["quantity"]) == (
        "1",
        "2",
    )


def test_a_decision_that_is_not_made_any_more_is_found_out(place: Place, own: OwnStrategy) -> None:
    place.run({"own": own.table()})
    own.write("return None")
    result = traded_replay(place, "--redecide")
    assert result.exit_code == ExitCode.FINDINGS
    assert "decided nothing" in lines(result)
    assert replayed(place, "--redecide", exit_code=ExitCode.FINDINGS)["different"] == 12


def test_a_decision_that_was_not_made_then_is_found_out(place: Place, own: OwnStrategy) -> None:
    own.write("return None")
    place.run({"own": own.table()})
    own.write(BUY)
    result = traded_replay(place, "--redecide")
    assert result.exit_code == ExitCode.FINDINGS
    assert "recorded nothing" in lines(result)
    # Four intents; the gate is not asked about an order that is in no journal.
    assert replayed(place, "--redecide", exit_code=ExitCode.FINDINGS)["different"] == 4


def test_a_strategy_on_halt_since_it_differed_is_on_halt_in_every_replay(
    place: Place, own: OwnStrategy, tmp_path: Path
) -> None:
    mood = tmp_path / "mood"
    own.write("return Intent(bar.symbol, Decimal(Path(self.note).read_text()))")
    mood.write_text("1")
    place.run({"own": own.table(note=str(mood)), "trend": TREND})
    for file in place.snapshot_files():
        file.unlink()
    mood.write_text("2")
    place.run({"own": own.table(note=str(mood)), "trend": TREND}, 60)
    place.run({"own": own.table(note=str(mood)), "trend": TREND}, 80)
    kinds = Counter(row[2] for row in place.rows())
    assert (kinds["strategy.failed"], kinds["hold.placed"]) == (1, 1)
    # In the mood of then all comes out again, the failure and its hold included.
    mood.write_text("1")
    assert replayed(place, "--redecide")["different"] == 0
    # In the other mood the first session differs (4 x 3), and nothing behind it.
    mood.write_text("2")
    assert replayed(place, "--redecide", exit_code=ExitCode.FINDINGS)["different"] == 12


def test_a_failure_that_does_not_come_again_is_the_strategys_as_is_its_hold(
    place: Place, own: OwnStrategy
) -> None:
    own.write("raise RuntimeError('no idea')")
    place.run({"own": own.table()})
    own.write("return None")
    with JournalReader(place.journal) as reader:
        recovered = Recovery(reader, place.snapshots, compare_all=True).recover(from_snapshot=False)
    assert [
        (type(each.recorded.event), each.strategy)
        for each in recovered.differences
        if each.recorded
    ] == [(StrategyFailed, "own"), (HoldPlaced, "own")]


def test_up_to_a_moment_within_a_turn_the_turn_is_decided_whole(ran: Place) -> None:
    intended = ran.rows("order.intended")[-1]
    result = traded_replay(ran, "--redecide", "--json", "--at", str(intended[0]))
    assert result.exit_code == ExitCode.OK
    sending = next(row for row in ran.rows("order.sending") if row[0] > intended[0])
    assert json.loads(result.stdout)["seq"] == sending[0]
    assert f"event {intended[0]} is inside a turn" in result.stderr


def test_deciding_again_from_a_snapshot_is_refused(ran: Place) -> None:
    assert traded_replay(ran, "--redecide", "--from-snapshot").exit_code == ExitCode.USAGE
