"""The gateway as a whole: the floor, the clients in front of it, time, and what goes wrong.

No sockets here: a session is given to it with its line, and `tick` is called again and again. All
of it runs in one thread; whatever the floor reports is told before anything else is asked.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from ops.gateway_sim.answers import Answers
from ops.gateway_sim.client_session import NOBODY, ClientSession
from ops.gateway_sim.faults import READ_ONLY, FaultPlan
from ops.gateway_sim.floor import Floor
from ops.gateway_sim.mishaps import Mishaps
from ops.gateway_sim.replies import TimeSpelling
from ops.gateway_sim.reports import (
    EVERYONE,
    AccountMoved,
    CommissionReport,
    ExecutionReport,
    Notice,
    OpenOrder,
    OrderStatus,
    PositionMoved,
    Report,
    To,
)
from ops.gateway_sim.requests import BindOrders, CancelAll, CancelOrder, PlaceOrder, Request
from ops.gateway_sim.schedule import OccasionKind, Schedule
from ops.gateway_sim.virtual_clock import VirtualClock

OLDEST_VERSION: Final = 157
NEWEST_VERSION: Final = 178
CLIENTS_MAX: Final = 32
VALIDATING: Final = 321

BINDING_REFUSED: Final = (
    "Only API connections with clientId set to 0 can set the auto bind TWS orders property."
)

_LASTING: Final = (OpenOrder, OrderStatus, ExecutionReport, CommissionReport, PositionMoved)
_ORDER_REQUESTS: Final = (PlaceOrder, CancelOrder, CancelAll)

_log = logging.getLogger("traded.gateway_sim")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How this gateway is set up. The defaults are those of a freshly installed one."""

    server_version: int = NEWEST_VERSION
    oldest_version: int = OLDEST_VERSION
    zone: str = "US/Eastern"
    """The zone of the login: of moments a client writes without one."""
    spelling: TimeSpelling = TimeSpelling.ZONED
    read_only: bool = False
    requests_per_second: int = 50
    reject_above_rate: bool = False
    """Answer too many requests with code 100 instead of letting them wait."""
    id_kept_s: float = 0.0
    """For how long a lost client's id stays taken (wall seconds)."""


class Gateway:
    """What all clients share."""

    def __init__(
        self,
        floor: Floor,
        clock: VirtualClock,
        settings: Settings,
        plan: FaultPlan,
        schedule: Schedule | None = None,
    ) -> None:
        """Have no clients yet; without a schedule the gateway is never away by itself."""
        self.floor = floor
        self.clock = clock
        self.settings = settings
        self.plan = plan
        self.sessions: dict[int, ClientSession] = {}
        self._schedule = schedule
        self._scheduled = clock.now()
        self._moments: list[tuple[datetime, Callable[[], None]]] = []
        self._away_until: datetime | None = None
        self._away_seconds = 0.0
        self._taken_once: set[int] = set()
        self._taken_until: dict[int, float] = {}
        self.mishaps = Mishaps(self)
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self.save: Callable[[], None] = lambda: None
        """Called before anybody is told of a change that must survive the gateway."""

    # Time.

    def now(self) -> datetime:
        """Return the gateway's own time."""
        return self.clock.now()

    def seconds(self) -> float:
        """Return the wall's seconds."""
        return self.clock.seconds()

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do `act` at the first tick after that many seconds of the wall."""
        self._timers.append((self.seconds() + seconds, act))

    def at(self, moment: datetime, act: Callable[[], None]) -> None:
        """Do `act` at the first tick at or after `moment` of the gateway's own time."""
        self._moments.append((moment, act))

    def tick(self) -> None:
        """Let time pass: prices move, held messages leave, waiting requests are answered."""
        now, seconds = self.now(), self.seconds()
        timers, self._timers = self._timers, []
        self._timers += [timer for timer in timers if timer[0] > seconds]
        for due, act in timers:
            if due <= seconds:
                act()
        self._keep_schedule(now)
        moments, self._moments = self._moments, []
        self._moments += [each for each in moments if each[0] > now]
        for moment, act in moments:
            if moment <= now:
                act()
        self._pass_time()
        for session in list(self.sessions.values()):
            session.tick()

    def _pass_time(self) -> None:
        self.deliver(self.floor.advance(self.now()))

    def _keep_schedule(self, now: datetime) -> None:
        if self._schedule is None:
            return
        occasions = self._schedule.between(self._scheduled, now)
        self._scheduled = now
        for occasion in occasions:
            _log.info("%s from %s until %s", occasion.kind, occasion.at, occasion.until)
            if occasion.kind is OccasionKind.SERVERS:
                self.mishaps.lose_line()
                self.at(occasion.until, self.mishaps.restore_line)
            else:
                self.mishaps.restart(until=occasion.until)

    @property
    def is_away(self) -> bool:
        """Whether no connection is taken now."""
        until = self._away_until
        return self._away_seconds > self.seconds() or (until is not None and until > self.now())

    def be_away(self, seconds: float = 0.0, until: datetime | None = None) -> None:
        """Take no connection for so long (of the wall), or until then (of its own time)."""
        self._away_seconds = self.seconds() + seconds if seconds else 0.0
        self._away_until = until

    # Clients.

    def join(self, session: ClientSession, client_id: int) -> bool:
        """Take a client in, unless its id is taken or the house is full."""
        is_taken = client_id in self.sessions
        is_kept = client_id in self._taken_once
        is_kept = is_kept or self._taken_until.get(client_id, 0.0) > self.seconds()
        self._taken_once.discard(client_id)
        if is_taken or is_kept or len(self.sessions) >= CLIENTS_MAX:
            _log.info("client %s is refused: its id is in use", client_id)
            return False
        self.sessions[client_id] = session
        _log.info("client %s is here, version %s", client_id, session.manner.version)
        return True

    def left(self, session: ClientSession) -> None:
        """Know that a connection is over."""
        if self.sessions.get(session.client_id) is session:
            del self.sessions[session.client_id]
            self.floor.end_session(session.client_id)
            if self.settings.id_kept_s:
                kept_until = self.seconds() + self.settings.id_kept_s
                self._taken_until[session.client_id] = kept_until
            _log.info("client %s is gone", session.client_id)

    def keep_id(self, client_id: int) -> None:
        """Refuse the client's next connection as if its id were still taken."""
        self._taken_once.add(client_id)

    # Requests and reports.

    def asked(self, session: ClientSession, answers: Answers, request: Request) -> None:
        """Answer a request, or hand an order to the floor."""
        # An order meets the prices of now, not those of the last tick.
        self._pass_time()
        if isinstance(request, _ORDER_REQUESTS) and self.settings.read_only:
            session.tell(Notice(_order_id(request), VALIDATING, READ_ONLY))
        elif not self.mishaps.is_kept(session, answers, request):
            self.served(session, answers, request)

    def served(self, session: ClientSession, answers: Answers, request: Request) -> None:
        """Do what a request asks for."""
        client_id = session.client_id
        match request:
            case PlaceOrder(terms=terms, unsupported=unsupported) if unsupported:
                cause = f"the simulated gateway has no {', '.join(unsupported)}"
                text = f"Error validating request.-'bW' : cause - {cause}"
                session.tell(Notice(terms.order_id, VALIDATING, text))
            case PlaceOrder(contract=contract, terms=terms):
                self.deliver(self.floor.submit(self.now(), client_id, contract, terms))
            case CancelOrder(order_id=order_id):
                self.deliver(self.floor.cancel(self.now(), client_id, order_id))
            case CancelAll():
                self.deliver(self.floor.cancel_all(self.now()))
            case BindOrders(on=on):
                self._bind(session, on=on)
            case _:
                answers.answer(request)

    def _bind(self, session: ClientSession, *, on: bool) -> None:
        if session.client_id != 0:
            session.tell(Notice(NOBODY, 327, BINDING_REFUSED))
        elif on:
            self.deliver(self.floor.bind_manual_orders(session.client_id))

    def deliver(self, reports: Sequence[To]) -> None:
        """Tell each report to the client it is for, in order."""
        if any(isinstance(each.report, _LASTING) for each in reports):
            self.save()
        for each in reports:
            if not self.mishaps.is_withheld(each):
                self.tell(each)

    def tell(self, to: To) -> None:
        """Tell one report to whom it is for, if there is anybody."""
        if to.client_id == EVERYONE:
            for session in list(self.sessions.values()):
                _tell(session, to.report)
        elif (found := self.sessions.get(to.client_id)) is not None:
            _tell(found, to.report)


def _tell(session: ClientSession, report: Report) -> None:
    answers = session.answers
    match report:
        case PositionMoved(position=position) if answers is not None:
            answers.position_moved(position)
        case AccountMoved() if answers is not None:
            answers.account_moved()
        case PositionMoved() | AccountMoved():
            pass
        case _:
            session.tell(report)


def _order_id(request: Request) -> int:
    match request:
        case PlaceOrder(terms=terms):
            return terms.order_id
        case CancelOrder(order_id=order_id):
            return order_id
        case _:
            return NOBODY
