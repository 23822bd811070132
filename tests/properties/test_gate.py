"""What holds for every book: the gate against brute force over all that could fill."""

from collections.abc import Iterator, Sequence
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon import gate
from daemon.gate import Limits, RiskApproved
from events import (
    CancelSending,
    ClientOrderId,
    HoldLevel,
    IntentApproved,
    OrderSending,
    OrderUnknown,
    OrderWorking,
)
from events.codec import JournalEvent
from projections import State
from tests.builders import TUESDAY, a_fill, an_intent, an_order, fold, utc
from tests.gate_desk import a_hold, books, limits

PRICE = 100
SIZES = st.integers(1, 200).flatmap(lambda size: st.sampled_from([size, -size]))
STAGES = ("approved", "sending", "working", "unknown", "cancelling", "part filled")
OPEN = st.lists(st.tuples(SIZES, st.sampled_from(STAGES)), max_size=5)
BATCHES = st.lists(SIZES, min_size=1, max_size=3)
HELD = st.integers(-200, 200)
LIMIT = st.integers(1, 500)


def since_approval(order_id: ClientOrderId, stage: str) -> tuple[JournalEvent, ...]:
    sending = OrderSending(order_id)
    match stage:
        case "approved":
            return ()
        case "working":
            return sending, OrderWorking(order_id)
        case "unknown":
            return sending, OrderUnknown(order_id, "no answer")
        case "cancelling":
            return sending, CancelSending(order_id, "too slow")
        case _:
            return (sending,)


class Book:
    """Books with orders in every stage, and by plain addition what is held and may still come."""

    def __init__(self, held: int, orders: Sequence[tuple[int, str]]) -> None:
        self.state = books()
        self.held = held
        self.open: list[int] = []
        if held:
            fold(self.state, *an_order("held", str(held)), a_fill(str(held), order_id="held"))
        for number, (size, stage) in enumerate(orders):
            self._order(f"o{number}", size, stage)

    def _order(self, name: str, size: int, stage: str) -> None:
        order_id, filled = ClientOrderId(name), 0
        fold(self.state, an_intent(name, str(size)), IntentApproved(order_id, ()))
        fold(self.state, *since_approval(order_id, stage))
        if stage == "part filled" and abs(size) > 1:
            filled = size // 2
            fold(self.state, a_fill(str(filled), order_id=name, execution_id=name))
        self.held += filled
        self.open.append(size - filled)

    def ends(self, pending: Sequence[int]) -> Iterator[int]:
        """Yield where the position ends for every subset of what may still fill."""
        may_fill = [*self.open, *pending]
        for count in range(len(may_fill) + 1):
            for filled in combinations(may_fill, count):
                yield self.held + sum(filled)


def passes(state: State, sizes: Sequence[int], under: Limits) -> bool:
    batch = [an_intent(f"new{number}", str(size)) for number, size in enumerate(sizes)]
    answers = gate.check(batch, state, under, utc(TUESDAY))
    return all(isinstance(answer, RiskApproved) for answer in answers)


def position_limits(shares: int) -> tuple[Limits, Limits]:
    """Return a limit of so many shares, and one of what they cost."""
    return (
        limits(max_position_shares=str(shares)),
        limits(max_position_usd=str(shares * PRICE)),
    )


@given(HELD, OPEN, BATCHES, LIMIT)
@settings(deadline=None)
def test_what_passed_can_never_fill_beyond_the_limit_or_else_only_shrinks_the_position(
    held: int, orders: list[tuple[int, str]], batch: list[int], limit: int
) -> None:
    book = Book(held, orders)
    for under in position_limits(limit):
        if not passes(book.state, batch, under):
            continue
        for index, size in enumerate(batch):
            before = list(book.ends(batch[:index]))
            if any(abs(end + size) > limit for end in before):
                assert all(abs(end + size) < abs(end) for end in before), (before, size)


@given(HELD, OPEN, BATCHES, LIMIT)
@settings(deadline=None)
def test_what_is_refused_could_have_filled_beyond_the_limit(
    held: int, orders: list[tuple[int, str]], batch: list[int], limit: int
) -> None:
    book = Book(held, orders)
    for under in position_limits(limit):
        if not passes(book.state, batch, under):
            assert any(abs(end) > limit for end in book.ends(batch))


@given(HELD, OPEN, BATCHES)
@settings(deadline=None)
def test_under_reduce_no_subset_of_fills_turns_or_grows_the_position_by_what_passed(
    held: int, orders: list[tuple[int, str]], batch: list[int]
) -> None:
    book = Book(held, orders)
    fold(book.state, a_hold(HoldLevel.REDUCE))
    if passes(book.state, batch, limits()):
        side = 1 if batch[0] > 0 else -1
        assert all(size * side > 0 for size in batch)
        same_side = sum(size for size in [*book.open, *batch] if size * side > 0)
        # All that is open on that side together leaves of the position at least nothing.
        assert book.held * side < 0
        assert abs(same_side) <= abs(book.held)


@given(OPEN, st.integers(1, 200))
@settings(deadline=None)
def test_of_two_sells_of_all_that_is_held_one_at_most_passes_under_reduce(
    orders: list[tuple[int, str]], held: int
) -> None:
    book = Book(held, orders)
    fold(book.state, a_hold(HoldLevel.REDUCE))
    size = -book.held
    if not size:
        return
    assert not passes(book.state, [size, size], limits())
    if passes(book.state, [size], limits()):
        order_id = ClientOrderId("first")
        fold(book.state, an_intent("first", str(size)), IntentApproved(order_id, ()))
        assert not passes(book.state, [size], limits())


NAMES = ("order_shares", "order_usd", "position_shares", "position_usd", "daily_loss_usd")


@given(HELD, OPEN, BATCHES, st.sampled_from(NAMES), LIMIT, LIMIT)
@settings(deadline=None)
def test_what_passes_under_a_limit_passes_under_a_larger_one(  # noqa: PLR0913, PLR0917 - what is drawn
    held: int, orders: list[tuple[int, str]], batch: list[int], name: str, limit: int, more: int
) -> None:
    book = Book(held, orders)
    unit = PRICE if name.endswith("usd") else 1
    smaller, larger = (
        limits(**{f"max_{name}": str(size * unit)}) for size in (limit, limit + more)
    )
    if passes(book.state, batch, smaller):
        assert passes(book.state, batch, larger)


@given(HELD, OPEN, SIZES, LIMIT)
@settings(deadline=None)
def test_every_check_with_a_limit_records_what_was_left(
    held: int, orders: list[tuple[int, str]], size: int, limit: int
) -> None:
    book = Book(held, orders)
    order = an_intent("new", str(size))
    under = limits(max_order_shares=str(limit), max_order_usd=str(limit * PRICE))
    (answer,) = gate.check([order], book.state, under, utc(TUESDAY))
    measured = {check.name: check for check in answer.checks if check.limit is not None}
    assert {"order_shares", "order_usd", "position_shares", "leverage"} < set(measured)
    for check in measured.values():
        assert check.value is not None
        assert check.limit is not None
        assert check.headroom == check.limit - check.value
