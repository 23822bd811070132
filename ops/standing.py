"""How the daemon stands: everything `traded status` shows, gathered from the books."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from daemon.looks import is_overdue
from events import BreakOpened, HoldLevel, HoldPlaced, HoldScope, Mode, Symbol, utc_from_nanoseconds
from ops.recorded_config import LossLimits, RecordedStrategy, recorded_config
from ops.render import money, percent
from projections import State
from projections.calendar import ALWAYS_OPEN
from projections.order_states import OrderState
from projections.strategies import StrategyAnswers

KILL_SWITCH = "kill switch"
"""The cause of the hold that the kill switch places."""
_ZERO = Decimal(0)


class DataAge(msgspec.Struct, frozen=True):
    """The last price of a symbol that decisions rest on; all None when there was none yet."""

    symbol: Symbol
    close: Decimal | None
    bar_end: datetime | None
    age_s: float | None


class UnknownOrder(msgspec.Struct, frozen=True):
    """An order nobody knows the whereabouts of."""

    client_order_id: str
    reason: str


class Standing(msgspec.Struct, frozen=True):
    """A strategy's standing reason not to trade, and the symbols it stands for."""

    stage: str
    reason: str
    symbols: list[Symbol]


class StrategyStanding(msgspec.Struct, frozen=True):
    """What a strategy answered so far, and its standing answers."""

    name: str
    shadow: bool
    intended: int
    approved: int
    refused: int
    failed: str
    declined: list[Standing]


class SessionStanding(msgspec.Struct, frozen=True):
    """The session of an exchange that is open or comes next; both None past what is known."""

    exchange: str
    is_open: bool
    opens: datetime | None
    closes: datetime | None


class Status(msgspec.Struct, frozen=True):
    """The daemon and its books after event `seq`. Ages count from `now`; money is US dollars."""

    journal: str
    running: bool
    pid: int | None
    ended: str
    mode: Mode | None
    account: str
    seq: int
    at: datetime
    now: datetime
    bars: int
    bars_off_session: int
    equity_usd: Decimal
    day_pnl_usd: Decimal
    drawdown: Decimal
    drawdown_max: Decimal
    positions: int
    open_orders: int
    unknown_orders: list[UnknownOrder]
    reconciled_at: datetime | None
    reconcile_overdue: bool
    breaks: list[BreakOpened]
    kill_switch_engaged: bool
    circuit_breaker_tripped: bool
    circuit_breaker_reasons: list[str]
    holds: list[HoldPlaced]
    data: list[DataAge]
    strategies: list[StrategyStanding]
    sessions: list[SessionStanding]


def status_of(state: State, journal: Path, pid: int | None, now: datetime) -> Status:
    """Return how things stand in `state` at `now`; `pid` holds the journal, None: nobody does."""
    opened, pnl = state.identity.opened, state.pnl
    config = recorded_config(state.identity.config)
    orders = state.orders.open.values()
    tripped = list(_trips(state, config.limits.account))
    return Status(
        journal=str(journal),
        running=pid is not None,
        pid=pid or None,
        ended=state.identity.ended,
        mode=opened.mode if opened else None,
        account=opened.account if opened else "",
        seq=state.seq,
        at=utc_from_nanoseconds(state.at),
        now=now,
        bars=state.market.bars,
        bars_off_session=state.market.off_session,
        equity_usd=pnl.equity,
        day_pnl_usd=pnl.day_pnl,
        drawdown=pnl.drawdown,
        drawdown_max=pnl.drawdown_max,
        positions=sum(1 for each in state.positions.account.values() if each.quantity),
        open_orders=len(orders),
        unknown_orders=[
            UnknownOrder(order.client_order_id, order.reason)
            for order in orders
            if order.state is OrderState.UNKNOWN
        ],
        reconciled_at=utc_from_nanoseconds(state.reconciliation.compared_at)
        if state.reconciliation.compared_at
        else None,
        reconcile_overdue=is_overdue(state, config.reconciliation, now),
        breaks=list(state.reconciliation.open.values()),
        kill_switch_engaged=any(map(_is_kill, state.holds.active.values())),
        circuit_breaker_tripped=bool(tripped),
        circuit_breaker_reasons=tripped,
        holds=list(state.holds.active.values()),
        data=[
            _data_age(state, symbol, now) for symbol in sorted({*state.symbols, *state.market.last})
        ],
        strategies=list(_strategies(state.strategies.answers, config.strategies)),
        sessions=list(_sessions(state, now)),
    )


def _is_kill(hold: HoldPlaced) -> bool:
    return hold.cause == KILL_SWITCH


def _trips(state: State, limits: LossLimits) -> Iterator[str]:
    """Yield why trading is stopped or reduced by itself: holds on everything, and loss limits.

    The figures are those the gate holds against these limits at the next order.
    """
    for hold in state.holds.active.values():
        if hold.scope is HoldScope.ALL and not _is_kill(hold):
            yield f"{hold.level}: {hold.cause}"
    uncharged, pnl = state.cash.uncharged_max, state.pnl
    loss = max(uncharged - pnl.day_pnl, _ZERO)
    if limits.max_daily_loss_usd is not None and loss >= limits.max_daily_loss_usd:
        allowed = money(limits.max_daily_loss_usd)
        yield f"{HoldLevel.REDUCE}: the day's loss of {money(loss)} reached its limit of {allowed}"
    if limits.max_drawdown is not None and pnl.peak_equity > 0:
        drawdown = 1 - (pnl.equity - uncharged) / pnl.peak_equity
        if drawdown >= limits.max_drawdown:
            allowed = percent(limits.max_drawdown)
            yield (
                f"{HoldLevel.REDUCE}: the drawdown of {percent(drawdown)} "
                f"reached its limit of {allowed}"
            )


def _data_age(state: State, symbol: Symbol, now: datetime) -> DataAge:
    bar = state.market.last.get(symbol)
    if bar is None:
        return DataAge(symbol, None, None, None)
    return DataAge(symbol, bar.close, bar.end, (now - bar.end) / timedelta(seconds=1))


def _strategies(
    answers: dict[str, StrategyAnswers], configured: dict[str, RecordedStrategy]
) -> Iterator[StrategyStanding]:
    """Yield the configured strategies, then those of earlier configurations that had answers."""
    for name in dict.fromkeys([*configured, *answers]):
        answer = answers.get(name) or StrategyAnswers()
        reasons: dict[tuple[str, str], list[Symbol]] = {}
        for symbol in sorted(answer.declined):
            declined = answer.declined[symbol]
            reasons.setdefault((declined.stage, declined.reason), []).append(symbol)
        yield StrategyStanding(
            name=name,
            shadow=name in configured and configured[name].shadow,
            intended=answer.intended,
            approved=answer.approved,
            refused=answer.refused,
            failed=answer.failed,
            declined=[Standing(*why, symbols) for why, symbols in reasons.items()],
        )


def _sessions(state: State, now: datetime) -> Iterator[SessionStanding]:
    for exchange in sorted({terms.exchange for terms in state.symbols.values()}):
        sessions = state.calendar.exchanges.get(exchange)
        if exchange == ALWAYS_OPEN:
            yield SessionStanding(exchange, is_open=True, opens=None, closes=None)
        elif sessions is None or (hours := sessions.first_ending_after(now)) is None:
            yield SessionStanding(exchange, is_open=False, opens=None, closes=None)
        else:
            is_open = hours.open <= now
            yield SessionStanding(exchange, is_open, hours.open, hours.close)
