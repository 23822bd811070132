"""The gate against a second opinion: worlds, limits and orders drawn at random, asked of both.

`python -m tests.gate_campaign` does the same for as many cases as wanted.
"""

from random import Random

import pytest

from tests.gate_campaign import Tally, campaign, cases, control

CASES = 1_700


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gate_and_oracle_refuse_the_same_orders_for_the_same_reasons(seed: int) -> None:
    tally = campaign(seed, CASES)
    assert tally.wrong == []
    assert tally.approved > 100
    assert tally.refused > 1_000
    assert tally.nonsense > 100


def test_a_gate_that_lacks_a_check_is_noticed() -> None:
    noticed = control(7, CASES)
    assert [name for name, found in noticed.items() if not found.differs] == []
    assert sum(found.approvals > 0 for found in noticed.values()) > 20, noticed
    assert noticed["holds"].approvals
    assert noticed["margin_usd"].approvals


def test_a_wrong_approval_is_told_as_what_it_is() -> None:
    held = (each for each in cases(7, 400) if each.answer() == {"holds"} == each.expected())
    case = next(held)
    tally = Tally()
    tally.take(case, Random(0), without="holds")
    assert tally.wrong[0].startswith("WRONG APPROVAL: gate only [], oracle only ['holds']")
