"""The opening of a session in the journal: everything decisions depend on, as inputs.

All of it is worked out before the first event is recorded, so that what is wrong in the
configuration, the calendar or the corporate actions refuses the start without a trace.
"""

import platform
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from importlib import metadata

import msgspec

from daemon.brokers import AnswersMargin, Broker
from daemon.calendar import load_calendar
from daemon.clock import JUMP_MAX_NS, seconds
from daemon.config.backtest_id import backtest_id
from daemon.config.file import ConfigError, to_event
from daemon.config.options import BrokerConfig, Config
from daemon.core.data_watch import HORIZON_GOOD, HORIZON_MIN
from daemon.core.strategy_runs import StrategyRun
from daemon.engine import DRY_RUN
from daemon.feeds import Feed
from daemon.history.code_hash import code_version
from daemon.history.recovery import Recovered
from daemon.new_york import midnight
from events import (
    CalendarLoaded,
    CashMoved,
    CashMovementKind,
    ClockJumped,
    CorporateActionAnnounced,
    JournalOpened,
    Mode,
    OrderWithheld,
    SessionStarted,
    nanoseconds,
    utc_from_nanoseconds,
)
from events.codec import Input
from projections import State
from projections.data_modes import data_mode
from projections.order_states import OrderState

CALENDAR_BEFORE = timedelta(days=40)
CALENDAR_AFTER = timedelta(days=40)
CALENDAR_LIVE = timedelta(days=400)
"""How far ahead a live feed's calendar reaches, to the 28th of that month: 370 days at least."""
LIBRARIES = ("msgspec", "aiosqlite", "exchange_calendars", "uvloop")


class Opening(msgspec.Struct, frozen=True):
    """What a session starts with. `identity` is event 1 of a new journal, alone in its commit.

    `notices` are what an operator should know before the first bar is taken.
    """

    identity: JournalOpened | None
    events: tuple[Input, ...]
    notices: tuple[str, ...]


def opening(  # noqa: PLR0913, PLR0917 - all that a session depends on
    config: Config,
    broker: Broker,
    feed: Feed,
    actions: Sequence[CorporateActionAnnounced],
    recovered: Recovered,
    runs: Sequence[StrategyRun],
    now: datetime,
    doubts: tuple[str, ...],
    draw_id: Callable[[], str],
) -> Opening:
    """Return how a session at `now` opens, on the books that were recovered.

    `actions` are the operator's corporate actions, `runs` the strategies of this session, `doubts`
    what was found lost or doubtful of the journal. `draw_id` names a new one.

    Raises:
        ConfigError: the calendar cannot be made as configured.
    """
    state, known = recovered.state, recovered.state.corporate_actions.known
    wanted = [action for action in actions if action.symbol in config.symbols]
    calendars = _calendars_for(feed, config, now)
    deposit = CashMoved(CashMovementKind.DEPOSIT, config.broker.capital_usd, "opening capital")
    events: list[Input] = [
        # Before all that goes by the time: no day begins or ends by a clock in doubt.
        *(clock_behind(state, now) if feed.live else ()),
        # The configuration first: a replay then has the session's strategies when it starts.
        to_event(config),
        SessionStarted(
            code_version(),
            {run.name: run.code_hash for run in runs},
            {"python": platform.python_version()}
            | {name: metadata.version(name) for name in LIBRARIES},
            _diverged(recovered, runs),
            feed.live,
            doubts,
            broker.outside and isinstance(broker, AnswersMargin),
            data_mode(config.mode, live_feed=feed.live, outside=broker.outside),
        ),
        *calendars,
    ]
    if not broker.outside and not state.cash.is_repeat(deposit):
        # Asked of the books: a crash may have come between the first event and this one. What is in
        # an account outside is for its broker to say.
        events.append(deposit)
    events += [
        action
        for action in wanted
        if action.action_id not in known and midnight(action.ex_date) > now
    ]
    events += _never_sent(state)
    return Opening(
        identity=_journal_opened(config, draw_id) if state.identity.opened is None else None,
        events=tuple(events),
        notices=(
            *recovered.notices,
            *doubts,
            *(_dry_run(broker, state) if config.is_dry_run else ()),
            *_idle_capital(broker, state, deposit),
            *_late_actions(wanted, state, now),
            *_orphans(config, state),
            *(_short_calendars(calendars, now) if feed.live else ()),
        ),
    )


def clock_behind(state: State, now: datetime) -> Iterator[ClockJumped]:
    """Say that the clock was set where `now` is before what the journal has recorded already."""
    behind_ns = state.at - nanoseconds(now)
    if behind_ns > JUMP_MAX_NS:
        yield ClockJumped(-seconds(behind_ns), Decimal(0))


def in_simulated_time(opens: Opening, now: datetime) -> Opening:
    """Return `opens` for a daemon that lives in a simulated gateway's time, `now`."""
    identity = opens.identity
    if identity is not None:
        identity = msgspec.structs.replace(identity, simulated_time=True)
    notice = f"the time is a simulated gateway's: {now:%Y-%m-%d %H:%M:%S}"
    return msgspec.structs.replace(opens, identity=identity, notices=(notice, *opens.notices))


def _calendars_for(feed: Feed, config: Config, now: datetime) -> list[CalendarLoaded]:
    """Return the sessions a run at `now` may need; one on a live feed needs them far ahead."""
    if feed.live:
        calendars = live_calendars(config, now)
        assert_known_ahead(calendars, now)
        return calendars
    last = (max(feed.ends_at or now, now) + CALENDAR_AFTER).date()
    return _calendars(config, (now - CALENDAR_BEFORE).date(), last)


def live_calendars(config: Config, now: datetime) -> list[CalendarLoaded]:
    """Return the sessions of every exchange in use for a live feed at `now`, a year and more ahead.

    Made anew every day, they say something new once a month.

    Raises:
        ConfigError: they cannot be made as configured.
    """
    first = (now - CALENDAR_BEFORE).date().replace(day=1)
    return _calendars(config, first, (now + CALENDAR_LIVE).date().replace(day=28))


def assert_known_ahead(calendars: Sequence[CalendarLoaded], now: datetime) -> None:
    """Refuse to go live on calendars that end soon: what they do not know counts as closed.

    Raises:
        ConfigError: which calendar it is, and what to do.
    """
    short = _known_for_less_than(HORIZON_MIN, calendars, now)
    if short:
        raise ConfigError([f"{each}: install a newer exchange_calendars" for each in short])


def _short_calendars(calendars: Sequence[CalendarLoaded], now: datetime) -> list[str]:
    short = _known_for_less_than(HORIZON_GOOD, calendars, now)
    return [f"{each}; install a newer exchange_calendars before it ends" for each in short]


def _known_for_less_than(
    least: timedelta, calendars: Sequence[CalendarLoaded], now: datetime
) -> list[str]:
    """Return which calendars end within `least`."""
    ends = {
        each.exchange: max((hours.close for hours in each.sessions), default=now)
        for each in calendars
    }
    return [
        f"the calendar of {exchange} ends in {max((end - now).days, 0)} days, on {end:%Y-%m-%d}"
        for exchange, end in ends.items()
        if end - now < least
    ]


def _calendars(config: Config, first: date, last: date) -> list[CalendarLoaded]:
    """Return the sessions of every exchange in use from `first` to `last`, both included."""
    exchanges = sorted({str(terms.exchange) for terms in config.symbols.values()})
    return [load_calendar(exchange, first, last, config.sessions) for exchange in exchanges]


def _diverged(recovered: Recovered, runs: Sequence[StrategyRun]) -> dict[str, str]:
    """Return the strategies that decide differently from what the journal has of them.

    New code that already failed when it was shown the history is one of them.
    """
    first = {found.strategy: found.seq for found in reversed(recovered.differences)}
    books = recovered.state.strategies
    diverged = {}
    for run in sorted(runs, key=lambda run: run.name):
        if run.name in first:
            diverged[run.name] = f"decided differently from the journal at {first[run.name]}"
        elif run.failed and books.of(run.name).code_hash != run.code_hash:
            diverged[run.name] = f"failed when it was shown the history: {run.failure}"
    return diverged


def _dry_run(broker: Broker, state: State) -> Iterator[str]:
    """Say that nothing is sent, and what that means for orders that were sent before."""
    yield "DRY RUN: all is decided and recorded, nothing is sent (dry_run = false sends)"
    never = {order.client_order_id for order in _never_sent(state)}
    named = ", ".join(
        order.client_order_id
        for order in state.orders.at_broker
        if order.client_order_id not in never
    )
    if broker.outside and named:
        yield f"DRY RUN: no cancel leaves either, and these may stand at the broker: {named}"


def _never_sent(state: State) -> Iterator[OrderWithheld]:
    """Yield the end of orders that a dry run was about not to send when it was killed."""
    identity = state.identity
    if not identity.is_dry_run:
        return
    for order in state.orders.open.values():
        if order.state is OrderState.SENDING and order.sending_seq > identity.config_seq:
            yield OrderWithheld(order.client_order_id, DRY_RUN)


def _idle_capital(broker: Broker, state: State, deposit: CashMoved) -> Iterator[str]:
    """Say where the configured capital changes nothing: it is for a journal's first start."""
    wanted = f"{deposit.amount.normalize():f} (--capital, broker.capital_usd) changes nothing"
    if broker.outside:
        if deposit.amount != BrokerConfig().capital_usd:
            yield f"capital is what the broker says is in the account: {wanted}"
        return
    opened_with = state.cash.moved.get(deposit.key(), deposit.amount)
    if opened_with != deposit.amount:
        yield f"the journal was opened with capital {opened_with.normalize():f}: {wanted}"


def _journal_opened(config: Config, draw_id: Callable[[], str]) -> JournalOpened:
    """Return the journal's identity: derived from the configuration in a backtest, else drawn.

    A backtest made twice is then the same journal, byte for byte.
    """
    is_backtest = config.mode is Mode.BACKTEST
    journal_id = backtest_id(config) if is_backtest else draw_id()
    return JournalOpened(journal_id, config.mode, config.account)


def _late_actions(
    actions: Sequence[CorporateActionAnnounced], state: State, now: datetime
) -> Iterator[str]:
    """Say which of the operator's corporate actions come too late for these books."""
    if state.identity.opened is None:
        return  # What lies before the first event of a journal concerns nobody.
    books, began = state.corporate_actions, utc_from_nanoseconds(state.identity.opened_at)
    for action in actions:
        if action.action_id in books.pending:
            if books.pending[action.action_id] != action:
                yield f"{action.action_id} was announced with other terms; the journal's stand"
        elif action.action_id not in books.known and began < midnight(action.ex_date) <= now:
            yield (
                f"{action.action_id} is news and its ex date is over: nothing was restated; "
                f"compare what is held of {action.symbol} with the broker"
            )


def _orphans(config: Config, state: State) -> Iterator[str]:
    """Say what is held that this configuration knows nothing of any more."""
    for symbol, position in sorted(state.positions.account.items()):
        if position.quantity and symbol not in config.symbols:
            what = f"{position.quantity} {symbol} are held"
            yield (
                f"{what} and {symbol} is not under [symbols]: nothing marks them; add "
                f"[symbols.{symbol}], or close them: `traded flatten {symbol}` where a broker "
                "outside has named the contract, else at the broker"
            )
    for name, book in sorted(state.positions.by_strategy.items()):
        shares = [f"{each.quantity} {symbol}" for symbol, each in book.items() if each.quantity]
        if shares and name not in config.strategies:
            held = ", ".join(shares)
            yield f"{held} of strategy {name} are held, and there is no [strategies.{name}]"
