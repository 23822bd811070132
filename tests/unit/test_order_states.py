from pathlib import Path

import pytest

from events import OrderFilled
from events.codec import TAGS
from ops.order_life import page
from projections.order_states import NEXT, RESERVED, TERMINAL, OrderState, next_state

S = OrderState
PAGE = Path(__file__).parents[2] / "ops" / "order-life.md"

NEVER_SENT = {S.INTENDED, S.MARGIN_ASKED, S.APPROVED, S.REFUSED, S.WITHHELD}


def test_every_state_is_in_the_table() -> None:
    assert set(NEXT) == set(OrderState)


def test_every_row_is_about_an_event_the_journal_knows() -> None:
    assert {event for rows in NEXT.values() for event in rows} <= set(TAGS)


def test_every_state_can_be_reached() -> None:
    reached = {S.INTENDED}
    for _ in OrderState:
        reached |= {after for state in reached for after in NEXT[state].values()}
        if any(OrderFilled in NEXT[state] for state in reached):
            reached.add(S.FILLED)
    assert reached == set(OrderState)


def test_a_state_is_over_or_reserves_or_is_only_an_intent() -> None:
    assert TERMINAL | RESERVED | {S.INTENDED} == set(OrderState)
    assert not TERMINAL & RESERVED


def test_only_a_fill_brings_an_order_back_that_was_over() -> None:
    revived = {
        (state, event)
        for state in TERMINAL
        for event, after in NEXT[state].items()
        if after not in TERMINAL
    }
    assert revived == {(S.REJECTED, OrderFilled)}


def test_every_order_that_was_sent_can_still_fill() -> None:
    # Except the one that is filled: more of it is an over-fill, and no row.
    can_fill = {state for state in OrderState if OrderFilled in NEXT[state]}
    assert can_fill == set(OrderState) - NEVER_SENT - {S.FILLED}


def test_nothing_leads_back_to_before_the_sending() -> None:
    before = {S.INTENDED, S.MARGIN_ASKED, S.APPROVED, S.SENDING}
    sent = set(OrderState) - before
    assert [(s, e) for s in sent for e, after in NEXT[s].items() if after in before] == []


@pytest.mark.parametrize("state", sorted(set(OrderState) - NEVER_SENT - {S.FILLED}))
def test_the_last_fill_fills_the_order(state: OrderState) -> None:
    assert next_state(state, OrderFilled, wholly_filled=True) is S.FILLED


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (S.SENDING, S.PARTIALLY_FILLED),  # the fill came before the acknowledgement
        (S.UNKNOWN, S.PARTIALLY_FILLED),
        (S.CANCELLED, S.CANCELLED),  # the fill and the cancel crossed
        (S.EXPIRED, S.EXPIRED),
        (S.REJECTED, S.PARTIALLY_FILLED),  # what fills was not rejected
        (S.FILLED, None),
        (S.WITHHELD, None),
        (S.REFUSED, None),
    ],
)
def test_a_partial_fill_leads_to(state: OrderState, after: OrderState | None) -> None:
    assert next_state(state, OrderFilled, wholly_filled=False) is after


def test_the_page_on_the_life_of_an_order_is_the_table() -> None:
    written = PAGE.read_text()
    assert written == page(), "the table has changed: run `python -m ops.order_life`"
