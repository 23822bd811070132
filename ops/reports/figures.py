"""A report's figures: the books before a period, and then every record of it. Pure."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Final

import msgspec

from events import (
    BarClosed,
    CashMoved,
    CommissionCharged,
    CommissionCorrected,
    CorporateActionApplied,
    DataMode,
    IntentApproved,
    IntentRefused,
    OrderFilled,
    OrderIntended,
    Record,
    SessionStarted,
    Symbol,
)
from ops.decision_counts import Counts
from ops.limit_use import LimitUse, limit_uses
from ops.readiness import Point
from ops.render import money, one_line, quantity
from ops.reports.happenings import Happenings
from ops.reports.ledger import Ledger, held, known_order
from ops.reports.shadow import ShadowBook
from ops.reports.shape import BarsOf, Period, Report, Shadow, Trading
from ops.reports.trading import Book, FindDecided
from projections import State
from projections.completeness import Certificate
from projections.data_modes import data_mode_of

GAPS_SHOWN: Final = 3


class Around(msgspec.Struct, frozen=True):
    """What a report has from elsewhere than the records of its period.

    `in_shadow` says of a strategy whether it only decided at an event; `find` finds the decision
    behind an order intended before the period; `shadows` says whether anything was in shadow.
    """

    journal: str
    made_at: datetime
    period: Period
    cuts: list[tuple[date, int]]
    points: list[Point]
    decisions: list[Counts]
    certificates: list[Certificate]
    find: FindDecided
    in_shadow: Callable[[str, int], bool]
    shadows: bool


def report_of(state: State, records: Iterable[Record], around: Around) -> Report:
    """Return the report of `records`, all of a period; `state`, of before it, is folded on."""
    walk = _Walk(state, around)
    limits = limit_uses(walk.decisions(records), around.period.days[-1])
    return walk.report(limits)


class _Walk:
    """Folds the records of a period, and shows each to all who count."""

    def __init__(self, state: State, around: Around) -> None:
        self._state = state
        self._around = around
        self._ledger = Ledger(state, around.cuts)
        self._orders = Book(state, around.find, around.in_shadow)
        self._happenings = Happenings(state)
        self._shadow = ShadowBook(state) if around.shadows else None
        mode = state.identity.data_mode
        self._modes: dict[DataMode, None] = {} if mode is None else {mode: None}

    def decisions(self, records: Iterable[Record]) -> Iterator[Record]:
        """Take every record, and yield the gate's decisions among them."""
        for record in records:
            self._take(record)
            if isinstance(record.event, IntentApproved | IntentRefused):
                yield record

    def report(self, limits: list[LimitUse]) -> Report:
        """Return what there was."""
        state, around = self._state, self._around
        period, opened = around.period, state.identity.opened
        trading = self._orders.trading()
        return Report(
            journal=around.journal,
            account=opened.account if opened else "",
            mode=opened.mode if opened else None,
            data_modes=list(self._modes),
            made_at=around.made_at,
            period=period,
            ready=all(point.passed for point in around.points),
            points=around.points,
            money=self._ledger.money(state),
            held=held(state),
            trading=trading,
            decisions=around.decisions,
            shadow=self._shadow.shadow() if self._shadow else Shadow([], []),
            bars=bars_of(around.certificates),
            holds=self._happenings.holds(
                max(period.begins, period.covered_from), min(period.ends, period.covered_to)
            ),
            breaks=self._happenings.breaks(),
            limits=limits,
            happened=dict(self._happenings.counts.most_common()),
            happenings=list(self._happenings.last),
            not_known=list(_not_known(state, period, trading)),
        )

    def _take(self, record: Record) -> None:
        event, state = record.event, self._state
        if self._shadow is not None:
            self._shadow.take(record)
        if type(event) is BarClosed:
            flows, days = state.pnl.day_flows, state.pnl.days
            state.apply(record)
            self._ledger.take(record, state, flows, days)
            return
        is_repeat = _is_repeat(event, state)
        flows, days = state.pnl.day_flows, state.pnl.days
        state.apply(record)
        self._ledger.take(record, state, flows, days)
        self._happenings.take(record)
        if is_repeat:
            return
        self._orders.take(record, state)
        match event:
            case CommissionCharged() | CommissionCorrected():
                self._charge(event)
            case CorporateActionApplied():
                self._ledger.go_ex(event, state)
            case OrderIntended() if self._shadow and _in_shadow(self._around, record):
                self._shadow.note(event)
            case SessionStarted() if state.identity.opened is not None:
                self._modes[data_mode_of(state.identity.opened, event)] = None
            case _:
                pass

    def _charge(self, event: CommissionCharged | CommissionCorrected) -> None:
        symbol, strategy = known_order(event.client_order_id, self._state)
        if not symbol:
            decided = self._orders.decided(event.client_order_id)
            if decided is not None:
                symbol, strategy = decided.intent.symbol, decided.intent.strategy
        self._ledger.charge(event, symbol, strategy)


def _in_shadow(around: Around, record: Record) -> bool:
    """Say whether an intent was made in shadow."""
    event = record.event
    return isinstance(event, OrderIntended) and around.in_shadow(event.strategy, record.seq)


def bars_of(certificates: Iterable[Certificate]) -> list[BarsOf]:
    """Return the certificates of all sessions, by symbol."""
    by_symbol: dict[Symbol, list[Certificate]] = {}
    for each in certificates:
        by_symbol.setdefault(each.symbol, []).append(each)
    return [
        BarsOf(
            symbol=symbol,
            sessions=len(found),
            bars=sum(each.bars for each in found),
            possible=sum(each.possible for each in found),
            expected=sum(each.expected for each in found),
            missing=sum(len(each.missing) for each in found),
            off_session=sum(each.off_session for each in found),
            gaps=[(gap.start, gap.end) for each in found for gap in each.missing][:GAPS_SHOWN],
        )
        for symbol, found in sorted(by_symbol.items())
    ]


def _is_repeat(event: object, state: State) -> bool:
    """Say whether the books count `event` already."""
    match event:
        case OrderFilled() | CommissionCharged():
            return state.orders.is_repeat(event)
        case CashMoved():
            return state.cash.is_repeat(event)
        case CorporateActionApplied():
            return state.corporate_actions.is_repeat(event)
        case _:
            return False


def _not_known(state: State, period: Period, trading: Trading) -> Iterator[str]:
    """Yield, a sentence each, what the figures leave open."""
    if not period.over:
        yield "The period is not over: the figures are of what the journal has so far."
    elif period.covered_from > period.begins and not period.after:
        yield "The journal begins within the period."
    yield from _not_known_of_prices(state)
    count = len(state.cash.uncharged)
    if count:
        most = money(state.cash.uncharged_max)
        yield f"{count} fills have no commission yet; it can be {most} USD at most."
    if state.cash.receivable:
        yield f"Dividends of {money(state.cash.receivable)} USD are announced and not paid yet."
    yield from _not_known_of_orders(trading)
    for symbol, position in sorted(state.positions.account.items()):
        if position.quantity and symbol not in state.symbols:
            held_text = f"{quantity(position.quantity)} {one_line(symbol)}"
            yield f"{held_text} held and not configured: no bar moves its mark."
    for name in state.reconciliation.last.lacking if state.reconciliation.last else ():
        yield f"The last look at the broker's books had no list of {name}."


def _not_known_of_prices(state: State) -> Iterator[str]:
    unmarked = [
        symbol
        for symbol, position in sorted(state.positions.account.items())
        if position.quantity and state.pnl.marks.get(symbol) is None
    ]
    if unmarked:
        yield f"No mark, so counted as worth nothing: {_listed(unmarked)}."
    doubted = [symbol for symbol in sorted(state.symbols) if state.references.is_doubted(symbol)]
    if doubted:
        yield f"The last price is doubted, and the one before counts: {_listed(doubted)}."
    stale = sorted(state.freshness.stale)
    if stale:
        yield f"Data is too old at the end: {_listed(stale)}."


def _not_known_of_orders(trading: Trading) -> Iterator[str]:
    if trading.slippage_unknown:
        yield (
            f"{trading.slippage_unknown} fills have no price that was decided at: they are in no "
            "figure of slippage."
        )
    for lost in trading.unknown:
        if lost.ended_at is None:
            symbol, order_id = one_line(lost.symbol), one_line(lost.client_order_id)
            yield f"Nobody knows what became of order {order_id} in {symbol}."


def _listed(names: list[Symbol]) -> str:
    return ", ".join(map(one_line, names))
