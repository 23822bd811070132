"""How the daemon stands: everything `traded status` shows, gathered from the books."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from daemon.core.looks import is_overdue
from daemon.gate.limits import not_set
from daemon.stopping.permit import Permit, permit_path
from events import (
    BreakOpened,
    BrokerList,
    DataMode,
    HoldPlaced,
    Mode,
    Symbol,
    utc_from_nanoseconds,
)
from ops.daemon_state import DaemonState, Running
from ops.headroom import Headroom, MarginUse, headrooms, limits_of, margin_use
from ops.recorded_config import RecordedStrategy, recorded_config
from ops.room import DiskRoom, disk_room
from ops.sessions_ahead import SessionStanding, sessions_ahead
from ops.stops import Tripped, is_killed, trips_of
from projections import State
from projections.broker import LinkState
from projections.hours_doubts import HoursDoubt, hours_doubts
from projections.order_states import OrderState
from projections.strategies import StrategyAnswers


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


class BrokerStanding(msgspec.Struct, frozen=True):
    """The way to a broker outside: whether orders can be sent, and since when that is so.

    `reason` is why it is no better than its `state`: why nothing can be sent, or what else is
    missing.
    """

    state: LinkState
    connected: bool
    since: datetime | None
    reason: str


class StrategyStanding(msgspec.Struct, frozen=True):
    """What a strategy answered so far, and its standing answers."""

    name: str
    shadow: bool
    intended: int
    approved: int
    refused: int
    failed: str
    declined: list[Standing]


class Status(msgspec.Struct, frozen=True):
    """The daemon and its books after event `seq`. Ages count from `now`; money is US dollars.

    `daemon` is what the daemon does, None of a past moment. `data` has the stalest
    first, `headroom` the tightest; without `limits_not_set` no order passes. `look_lacks` are the
    lists that the last look at the broker's books has not got.
    """

    journal: str
    running: bool
    pid: int | None
    daemon: DaemonState | None
    ended: str
    mode: Mode | None
    data_mode: DataMode | None
    dry_run: bool
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
    broker: BrokerStanding | None
    permit_lost: bool
    reconciled_at: datetime | None
    reconcile_overdue: bool
    look_lacks: list[BrokerList]
    breaks: list[BreakOpened]
    kill_switch_engaged: bool
    circuit_breaker_tripped: bool
    circuit_breaker_trips: list[Tripped]
    disk: DiskRoom
    holds: list[HoldPlaced]
    data: list[DataAge]
    strategies: list[StrategyStanding]
    sessions: list[SessionStanding]
    hours_doubts: list[HoursDoubt]
    headroom: list[Headroom]
    limits_not_set: list[str]
    margin_use: MarginUse | None


def status_of(state: State, journal: Path, daemon: DaemonState | None, now: datetime) -> Status:
    """Return how things stand in `state` at `now`, beside what the `daemon` does.

    Of a past moment, None, it ran then if no session had ended.
    """
    ran = bool(state.seq) and not state.identity.ended
    opened, pnl = state.identity.opened, state.pnl
    config = recorded_config(state.identity.config)
    orders = state.orders.open.values()
    trips = trips_of(state)
    limits = limits_of(state)
    headroom = headrooms(state, limits, now)
    data = [
        _data_age(state, symbol, now) for symbol in sorted({*state.symbols, *state.market.last})
    ]
    return Status(
        journal=str(journal),
        running=daemon.running is not Running.STOPPED if daemon else ran,
        pid=daemon.pid if daemon else None,
        daemon=daemon,
        ended=state.identity.ended,
        mode=opened.mode if opened else None,
        data_mode=state.identity.data_mode,
        dry_run=is_dry_run(state),
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
        broker=_broker(state, daemon),
        permit_lost=daemon is not None and bool(state.seq) and not _is_permitted(journal),
        reconciled_at=utc_from_nanoseconds(state.reconciliation.compared_at)
        if state.reconciliation.compared_at
        else None,
        reconcile_overdue=is_overdue(state, config.reconciliation, now),
        look_lacks=state.reconciliation.last.lacking if state.reconciliation.last else [],
        breaks=list(state.reconciliation.open.values()),
        kill_switch_engaged=is_killed(state),
        circuit_breaker_tripped=bool(trips),
        circuit_breaker_trips=trips,
        disk=disk_room(state, journal),
        holds=list(state.holds.active.values()),
        data=sorted(data, key=_staleness, reverse=True),
        strategies=list(_strategies(state.strategies.answers, config.strategies)),
        sessions=list(sessions_ahead(state, now)),
        hours_doubts=hours_doubts(state, now),
        headroom=headroom,
        limits_not_set=not_set(limits),
        margin_use=margin_use(headroom, limits),
    )


def _broker(state: State, daemon: DaemonState | None) -> BrokerStanding | None:
    """Return how the way to the broker is, None for one inside, or that never spoke of a way."""
    opened, link = state.identity.opened, state.broker
    if opened is None or opened.mode in {Mode.BACKTEST, Mode.PAPER} or not link.since:
        return None
    if state.identity.ended:
        # An orderly stop closes the connection without a word of its own.
        return _gone("the daemon has ended")
    if daemon is not None and daemon.running is Running.STOPPED:
        return _gone("the daemon does not run")
    return BrokerStanding(
        link.state, link.connected, utc_from_nanoseconds(link.since), link.trouble
    )


def _gone(why: str) -> BrokerStanding:
    return BrokerStanding(LinkState.DISCONNECTED, connected=False, since=None, reason=why)


def _is_permitted(journal: Path) -> bool:
    return Permit(permit_path(journal)).granted


def is_dry_run(state: State) -> bool:
    """Say whether nothing is sent under the configuration in force."""
    return state.identity.is_dry_run


def _data_age(state: State, symbol: Symbol, now: datetime) -> DataAge:
    bar = state.market.last.get(symbol)
    if bar is None:
        return DataAge(symbol, None, None, None)
    return DataAge(symbol, bar.close, bar.end, (now - bar.end) / timedelta(seconds=1))


def _staleness(data: DataAge) -> float:
    return float("inf") if data.age_s is None else data.age_s


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
            shadow=answer.shadow,
            intended=answer.intended,
            approved=answer.approved,
            refused=answer.refused,
            failed=answer.failed,
            declined=[Standing(*why, symbols) for why, symbols in reasons.items()],
        )
