"""A journal outlives the code that wrote it: what today's has no use for never stops the books.

Configurations in it may be of another version, strategies in it may be gone. The configuration
that the operator gives today is another matter: that one is refused where it is wrong.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from daemon.config.loading import LoadError
from daemon.exit_codes import ExitCode
from daemon.stopping.permit import Permit, permit_path
from events import ConfigLoaded, OrderIntended, StrategyFailed
from events.codec import decode
from ops.commands import replay
from tests.journals import read, writing
from tests.small_runs import BUY, HOLD, TREND, OwnStrategy, Place, everything, hash_of

BOTH = {"trend": TREND, "hold": HOLD}
DECISIONS = {
    "order.intended",
    "intent.approved",
    "intent.refused",
    "order.sending",
    "strategy.declined",
}
Tree = dict[str, Any]


def of_another_version(place: Place, folder: Path, change: Callable[[Tree], None]) -> Place:
    """Return the place with its configurations changed, as another version would have written it.

    That version's snapshots are of other code, so there are none.
    """
    other = Place(folder)
    Permit(permit_path(other.journal)).grant()
    records = read(place.journal)
    for number, record in enumerate(records):
        if isinstance(record.event, ConfigLoaded):
            config: Tree = msgspec.json.decode(msgspec.json.encode(record.event.config))
            change(config)
            event = msgspec.structs.replace(record.event, config=config)
            records[number] = msgspec.structs.replace(record, event=event)

    async def write() -> None:
        async with writing(other.journal) as journal:
            # The daemon's first commit, too, is the first event alone.
            await journal.append(records[:1])
            await journal.append(records[1:])

    asyncio.run(write())
    return other


def new_options(config: Tree) -> None:
    config["telemetry"] = {"every_s": 5}
    config["broker"]["borrow_bps"] = "30"
    config["symbols"]["A"]["lot"] = 100


def an_option_renamed(config: Tree) -> None:
    config["broker"]["answer_timeout_s"] = config["broker"].pop("answer_deadline_s")


def values_not_taken_here(config: Tree) -> None:
    config["broker"]["commission"] = "per-mood"
    config["journal"]["snapshot_every_events"] = "often"
    config["sessions"] = ["all"]


def a_limit_of_another_name(config: Tree) -> None:
    account = config["limits"]["account"]
    account["max_order_value"] = account.pop("max_order_usd")


def a_strategy_with_new_options(config: Tree) -> None:
    config["strategies"]["trend"]["moonlight"] = True


def a_strategy_of_another_form(config: Tree) -> None:
    config["strategies"]["trend"]["kind"] = config["strategies"]["trend"].pop("class")


def decided_by(place: Place, strategy: str, after: int = 0) -> list[str]:
    """Return the ids of what `strategy` intended behind row `after`."""
    found = [decode(row[6]) for row in place.rows("order.intended") if row[0] > after]
    return [
        each.client_order_id
        for each in found
        if isinstance(each, OrderIntended) and each.strategy == strategy
    ]


def failures(place: Place) -> list[str]:
    found = [decode(row[6]) for row in place.rows("strategy.failed")]
    return [each.strategy for each in found if isinstance(each, StrategyFailed)]


def without_snapshots(place: Place) -> None:
    for file in place.snapshot_files():
        file.unlink()


def redecided(place: Place, *words: str) -> Result:
    return CliRunner().invoke(
        replay.command, ["--journal", str(place.journal), "--redecide", *words]
    )


# Options.


@pytest.mark.parametrize("change", [new_options, an_option_renamed, values_not_taken_here])
def test_an_option_of_another_version_counts_as_not_set(
    place: Place, tmp_path: Path, change: Callable[[Tree], None]
) -> None:
    place.run(BOTH)
    other = of_another_version(place, tmp_path / "other", change)
    whole, again = (each.recover(from_snapshot=False) for each in (place, other))
    assert hash_of(again) == hash_of(whole)
    assert [run.fields() for run in again.runs] == [run.fields() for run in whole.runs]
    assert (again.differences, again.notices, again.uncompared) == ([], [], {})


def test_a_journal_of_another_version_goes_on_under_todays_configuration(
    place: Place, tmp_path: Path
) -> None:
    place.run(BOTH)
    other = of_another_version(place, tmp_path / "other", new_options)
    uninterrupted = place.run(BOTH, 60)
    for minutes in (50, 60):  # The second of them from a snapshot of today's.
        outcome = other.run(BOTH, minutes)
    assert outcome.state_hash == uninterrupted.state_hash
    assert other.prepared.notices == ()


def test_under_limits_this_version_cannot_read_nothing_is_compared_and_nobody_halted(
    place: Place, tmp_path: Path
) -> None:
    # Without the limit the gate would refuse what it approved then, and that is nobody's fault.
    place.run(BOTH)
    other = of_another_version(place, tmp_path / "other", a_limit_of_another_name)
    books = everything(place.recover(from_snapshot=False))
    again = other.recover(from_snapshot=False)
    assert [everything(again)[part] for part in (1, 2)] == [books[part] for part in (1, 2)]
    assert again.differences == []
    seq = other.rows()[-1][0]
    other.run(BOTH, 60)
    why = "limits.account.max_order_value, which this version cannot read"
    assert [text for text in other.prepared.notices if text.endswith(why)] == [
        f"decisions of strategy {name} are not compared: they were made under {why}"
        for name in BOTH
    ]
    assert failures(other) == []
    assert decided_by(other, "trend", seq)


def test_a_strategy_with_options_this_version_does_not_know_is_not_compared_alone(
    place: Place, tmp_path: Path
) -> None:
    place.run(BOTH)
    other = of_another_version(place, tmp_path / "other", a_strategy_with_new_options)
    again = other.recover(from_snapshot=False)
    assert (list(again.uncompared), again.differences) == (["trend"], [])
    assert again.uncompared["trend"].decisions == count_of(other, "trend")
    assert "strategies.trend.moonlight" in again.notices[0]


def test_a_strategys_table_of_another_form_leaves_the_others_as_they_were(
    place: Place, tmp_path: Path
) -> None:
    place.run(BOTH)
    other = of_another_version(place, tmp_path / "other", a_strategy_of_another_form)
    again = other.recover(from_snapshot=False)
    assert (list(again.uncompared), again.differences) == (["trend"], [])
    before = {run.name: run.fields() for run in place.recover(from_snapshot=False).runs}
    assert {run.name: run.fields() for run in again.runs}["hold"] == before["hold"]


# Strategies.


def gone(own: OwnStrategy) -> None:
    own.forget()
    (own.folder / f"{own.module}.py").unlink()


def without_its_class(own: OwnStrategy) -> None:
    own.forget()
    (own.folder / f"{own.module}.py").write_text("", encoding="utf-8")


def broken(own: OwnStrategy) -> None:
    own.forget()
    (own.folder / f"{own.module}.py").write_text(
        "raise SyntaxWarning('no\\nway')", encoding="utf-8"
    )


def without_its_parameter(own: OwnStrategy) -> None:
    own.write(BUY)
    path = own.folder / f"{own.module}.py"
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace("size: int = 1", "shares: int = 1"), encoding="utf-8")


def not_saying_what_it_needs(own: OwnStrategy) -> None:
    own.write(BUY)
    with (own.folder / f"{own.module}.py").open("a", encoding="utf-8") as file:
        file.write("\n    def warmup(self):\n        raise RuntimeError\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (not_saying_what_it_needs, "RuntimeError"),
        (gone, "No module named"),
        (without_its_class, "has no class Own"),
        (broken, "failed (SyntaxWarning: no; way)"),
        (without_its_parameter, "unknown size"),
    ],
)
@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_strategy_that_cannot_be_built_any_more_stops_neither_books_nor_others(
    place: Place,
    own: OwnStrategy,
    spoil: Callable[[OwnStrategy], None],
    said: str,
    *,
    from_snapshot: bool,
) -> None:
    place.run({"trend": TREND, "own": own.table(size=2)})
    whole = place.recover(from_snapshot=False)
    if not from_snapshot:
        without_snapshots(place)
    spoil(own)
    again = place.recover(from_snapshot=from_snapshot)
    assert msgspec.json.encode(again.state) == msgspec.json.encode(whole.state)
    fields = {run.name: run.fields() for run in again.runs}
    assert fields["trend"] == {run.name: run.fields() for run in whole.runs}["trend"]
    (notice,) = again.notices
    assert notice.startswith("decisions of strategy own are not compared: ")
    assert said in notice
    assert again.differences == []


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_run_without_it_goes_on(place: Place, own: OwnStrategy, *, from_snapshot: bool) -> None:
    place.run({"trend": TREND, "own": own.table()})
    seq = place.rows()[-1][0]
    if not from_snapshot:
        without_snapshots(place)
    gone(own)
    place.run({"trend": TREND}, 60)
    assert "decisions of strategy own are not compared" in place.prepared.notices[0]
    # Nobody asks for what it holds any more. The fourth order came with the last bar.
    assert "3 A of strategy own are held" in place.prepared.notices[1]
    assert decided_by(place, "trend", seq)
    assert failures(place) == []


def test_a_strategy_that_failed_before_it_went_leaves_its_hold_and_no_difference(
    place: Place, own: OwnStrategy
) -> None:
    own.write("raise RuntimeError('no idea')")
    place.run({"trend": TREND, "own": own.table()})
    whole = place.recover(from_snapshot=False)
    gone(own)
    again = place.recover(from_snapshot=False)
    assert again.state.holds == whole.state.holds
    assert again.differences == []


def test_a_start_that_still_asks_for_it_is_refused_and_records_nothing(
    place: Place, own: OwnStrategy
) -> None:
    place.run({"trend": TREND, "own": own.table()})
    seq = place.rows()[-1][0]
    gone(own)
    with pytest.raises(LoadError, match=rf"strategies\.own\.class: importing {own.module} failed"):
        place.run({"trend": TREND, "own": own.table()}, 60)
    assert place.rows()[-1][0] == seq


def test_a_strategy_that_comes_back_has_seen_what_it_would_have_seen(
    place: Place, own: OwnStrategy
) -> None:
    place.run({"trend": TREND, "own": own.table()}, 20)
    gone(own)
    place.run({"trend": TREND}, 40)
    own.write(BUY)
    place.run({"trend": TREND, "own": own.table()}, 60)
    assert place.prepared.notices == ()
    own_run = next(run for run in place.recover(from_snapshot=True).runs if run.name == "own")
    # Two symbols, sixty minutes.
    assert msgspec.to_builtins(own_run.strategy)["bars"] == 120


# Deciding again.


def count_of(place: Place, strategy: str) -> int:
    """Return how many decisions the journal has of `strategy`, counted by their bodies."""
    ids = decided_by(place, strategy)
    return sum(
        f'"strategy":"{strategy}"' in row[6] or any(f'"{each}"' in row[6] for each in ids)
        for row in place.rows()
        if row[2] in DECISIONS
    )


def test_deciding_again_says_what_it_could_not_compare(place: Place, own: OwnStrategy) -> None:
    place.run({"trend": TREND, "own": own.table()})
    gone(own)
    result = redecided(place, "--json")
    assert result.exit_code == ExitCode.FINDINGS
    said = json.loads(result.stdout)
    assert (said["different"], list(said["not_compared"])) == (0, ["own"])
    # Four intents, each approved and sent.
    assert said["not_compared"]["own"]["decisions"] == 12
    assert "No module named" in said["not_compared"]["own"]["why"]
    assert result.stderr.startswith("note: decisions of strategy own are not compared: ")


def test_a_person_sees_it_beside_what_was_compared(place: Place, own: OwnStrategy) -> None:
    place.run({"trend": TREND, "own": own.table()})
    gone(own)
    result = redecided(place)
    assert result.exit_code == ExitCode.FINDINGS
    shown = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "different 0" in shown
    assert any(line.startswith("not compared 12 of own: strategies.own.class: ") for line in shown)


def test_what_differs_elsewhere_is_found_all_the_same(place: Place, own: OwnStrategy) -> None:
    other = OwnStrategy(place.folder, BUY)
    place.run({"other": other.table(), "own": own.table()})
    gone(own)
    other.write("return Intent(bar.symbol, Decimal(2))")
    said = json.loads(redecided(place, "--json").stdout)
    other.forget()
    assert (said["different"], said["first_divergence"]["strategy"]) == (12, "other")
    assert said["not_compared"]["own"]["decisions"] == 12


def test_where_all_could_be_compared_nothing_is_said(place: Place) -> None:
    place.run(BOTH)
    result = redecided(place, "--json")
    assert (result.exit_code, result.stderr) == (ExitCode.OK, "")
    assert json.loads(result.stdout)["not_compared"] == {}
