"""Three thousand damages to a journal and what lies beside it: none does harm unnoticed."""

import pytest

from tests.damage_campaign import WAYS, Outcome, Tally, damage, prepare

TIMES, CONTROL_TIMES, SEED = 3_000, 120, 1


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tally, Tally]:
    """Return what became of the damages, and what would where no witness remembers anything."""
    folder = tmp_path_factory.mktemp("damage")
    whole = prepare(folder)
    told = damage(whole, folder / "damaged", TIMES, SEED)
    control = damage(whole, folder / "damaged", CONTROL_TIMES, SEED, is_remembered=False)
    return told, control


def test_no_harm_goes_unnoticed_and_each_says_what_to_do_next(
    damaged: tuple[Tally, Tally],
) -> None:
    assert damaged[0].harmful == []


def test_every_way_was_tried_and_did_harm(damaged: tuple[Tally, Tally]) -> None:
    outcomes = damaged[0].outcomes
    for way in WAYS:
        assert sum(times for (each, _), times in outcomes.items() if each == way) == TIMES / len(
            WAYS
        )
        assert outcomes[way, Outcome.HARMLESS] < TIMES / len(WAYS)


def test_without_a_memory_outside_the_journal_harm_does_go_unnoticed(
    damaged: tuple[Tally, Tally],
) -> None:
    assert damaged[1].count(Outcome.UNNOTICED) > 0
