"""The reconciliation desk: what a look at the broker's books leads to.

A difference becomes a break only when it stands in two looks, some seconds apart, with no fill
between them: what brokers say they hold lags behind what they say they did. Nothing is corrected.
"""

from typing import Final

from daemon.core.circuit_breaker import CircuitBreaker
from daemon.core.end_of_life import written_off
from daemon.core.hold_desk import HoldDesk
from daemon.core.looks import ReconciliationTerms, why_now
from daemon.core.recorder import LookAtBooks, Recorder
from events import (
    BooksReported,
    BreakKind,
    BreakOpened,
    BreakResolved,
    Difference,
    HoldLevel,
    HoldLifts,
    HoldPlaced,
    HoldScope,
    LookWhy,
    Mode,
    ReconcileCompleted,
    Resolution,
    Suspect,
    Trip,
    nanoseconds,
)
from projections.differences import compare, difference_text, is_comparable
from projections.orders import Order
from projections.reconciliation import INCOMPLETE

PATIENCE: Final = 300 * 10**9
"""A difference that has stood in every look for so long (ns) is no lag, whatever was filled."""
_MICROSECOND: Final = 1_000
_BY: Final = "core"
_NO_LAG: Final = frozenset({BreakKind.FOREIGN_ORDER, BreakKind.DOUBLE_ORDER})
"""What the journal would know of before the broker could."""
_INSIDE: Final = frozenset({Mode.BACKTEST, Mode.PAPER})
"""The modes in which no order leaves the process."""


class ReconciliationDesk:
    """Compares each look with the books, and records what comes of it."""

    def __init__(
        self,
        recorder: Recorder,
        holds: HoldDesk,
        breaker: CircuitBreaker,
        terms: ReconciliationTerms,
    ) -> None:
        """Record with `recorder`; breaks are held with `holds`, by `terms`.

        In what `is_cash_account` the settled cash is compared as well.
        """
        self._recorder = recorder
        self._state = recorder.state
        self._holds = holds
        self._breaker = breaker
        self.terms = terms
        self.is_cash_account = False

    def ask(self) -> None:
        """Have the broker's books looked at: the time for that has come."""
        why = why_now(self._state, self.terms)
        self._recorder.effects.append(LookAtBooks(f"{why}-{self._recorder.root}", why))

    def take(self, look: BooksReported, at: int) -> list[Order]:
        """Record a look and what it shows; return the orders that are over by it."""
        book = self._state.reconciliation
        before = book.last
        if before is not None and before.look_id == look.look_id:
            self._recorder.repeats_dropped += 1
            return []
        suspects = book.completed.waiting if book.completed else ()
        self._recorder.take(look, at)
        self._see_liquidation(before, look)
        ended = []
        for order, event in written_off(self._state, look):
            self._recorder.emit(event, order)
            ended.append(order)
        self._compare(look, suspects, at)
        self._see_whole(look)
        return ended

    def _compare(self, look: BooksReported, suspects: tuple[Suspect, ...], at: int) -> None:
        state = self._state
        found = compare(
            state, look, self.terms.cash_tolerance_usd, is_cash_account=self.is_cash_account
        )
        standing = {each.difference.about: each for each in state.reconciliation.open.values()}
        known = {suspect.difference.about: suspect for suspect in suspects}
        news: list[Difference] = []
        waiting: list[Suspect] = []
        moved: dict[str, Difference] = {}
        for difference in found.differences:
            opened = standing.pop(difference.about, None)
            suspect = known.pop(difference.about, None)
            if opened is not None:
                if opened.difference != difference:
                    moved[opened.break_id] = difference
            elif difference.kind in _NO_LAG or self._is_no_lag(difference, suspect, at):
                news.append(difference)
            else:
                waiting.append(self._suspect(difference, suspect, at))
        waiting += [s for s in known.values() if not is_comparable(s.difference, look, state)]
        for opened in standing.values():
            if is_comparable(opened.difference, look, state):
                self._agree(opened)
        for number, difference in enumerate(news, 1):
            self._open(f"break-{self._recorder.root}-{number}", difference)
        differing = len(found.differences)
        self._recorder.emit(
            ReconcileCompleted(
                look.look_id,
                look.why,
                found.checked,
                found.checked - differing,
                differing,
                max(at - nanoseconds(look.began_at), 0) // 10**6,
                tuple(waiting),
                moved,
                found.not_compared,
                found.costs_differing,
            )
        )

    def _is_no_lag(self, difference: Difference, suspect: Suspect | None, at: int) -> bool:
        """Say whether a difference has stood for long enough, and nothing was filled meanwhile."""
        if suspect is None:
            return False
        if at - suspect.first_seen >= PATIENCE:
            return True
        # Timers are due on the microsecond, looks are folded at the nanosecond.
        stood = at - suspect.since + _MICROSECOND
        return stood >= self.terms.settle_s * 10**9 and not self._has_moved(difference, suspect)

    def _has_moved(self, difference: Difference, suspect: Suspect) -> bool:
        """Say whether our side of a difference has moved since it was seen."""
        filled_at = self._state.reconciliation.filled_at.get(difference.symbol, 0)
        return difference.internal != suspect.difference.internal or filled_at >= suspect.since

    def _suspect(self, difference: Difference, before: Suspect | None, at: int) -> Suspect:
        """Return what is looked at again; its time begins anew when our side has moved."""
        if before is None:
            return Suspect(difference, at, at)
        since = at if self._has_moved(difference, before) else before.since
        return Suspect(difference, before.first_seen, since)

    def _agree(self, opened: BreakOpened) -> None:
        hold = self._hold_of(opened.break_id)
        stays = f"; hold {hold} stays until an operator lifts it" if hold else ""
        why = f"it differs no more{stays}"
        self._recorder.emit(BreakResolved(opened.break_id, Resolution.AGREEMENT, _BY, why))

    def _hold_of(self, break_id: str) -> str:
        found = (
            hold.hold_id
            for hold in self._state.holds.active.values()
            if (hold.cause, hold.subject) == (Trip.RECONCILIATION_BREAK, break_id)
        )
        return next(found, "")

    def _open(self, break_id: str, difference: Difference) -> None:
        self._recorder.emit(BreakOpened(break_id, difference))
        self._holds.place(
            HoldPlaced(
                hold_id=f"{Trip.RECONCILIATION_BREAK}-{break_id}",
                scope=HoldScope.SYMBOL if difference.symbol else HoldScope.ALL,
                level=HoldLevel.HALT,
                cause=Trip.RECONCILIATION_BREAK.value,
                by=_BY,
                why=difference_text(difference),
                lifts=HoldLifts.OPERATOR,
                target=difference.symbol,
                subject=break_id,
            )
        )

    def _see_whole(self, look: BooksReported) -> None:
        """Let nothing be sent behind a start that has not seen all there is, until it has."""
        lacking = look.lacking
        if not lacking:
            self._holds.lift_on(INCOMPLETE, "", _BY, f"look {look.look_id} has every list")
            return
        if look.why is not LookWhy.START or self._state.holds.stands(INCOMPLETE, ""):
            return
        opened = self._state.identity.opened
        if opened is not None and opened.mode in _INSIDE:
            return  # Its broker has no book but the journal's, and one of notes not even that.
        why = "; ".join(f"{name}: {look.missing.get(name, 'not said')}" for name in lacking)
        self._holds.place(
            HoldPlaced(
                hold_id=f"{INCOMPLETE}-{self._recorder.root}",
                scope=HoldScope.ALL,
                level=HoldLevel.HALT,
                cause=INCOMPLETE,
                by=_BY,
                why=f"the start did not see all of the broker's books ({why}); they are asked for "
                f"again every {self.terms.settle_s} s",
                lifts=HoldLifts.CONDITION,
            )
        )

    def _see_liquidation(self, before: BooksReported | None, look: BooksReported) -> None:
        """Trip where the broker has begun to close what is held."""
        known = set(_liquidations(before)) if before is not None else set()
        for name in _liquidations(look):
            if name not in known:
                self._breaker.liquidated(name)


def _liquidations(look: BooksReported) -> list[str]:
    orders = [order.name for order in look.open_orders or () if order.is_liquidation]
    return [*orders, *(each.execution_id for each in look.executions or () if each.is_liquidation)]
