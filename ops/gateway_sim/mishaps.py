"""What goes wrong beyond one message: lost lines, restarts, executions corrected, strangers' acts.

Every mishap can be called by its method, from a script or a test; a fault of the plan calls it when
it strikes.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from ops.gateway_sim.answers import Answers
from ops.gateway_sim.faults import BARS, Fault, FaultKind, text_of
from ops.gateway_sim.replies import TimeSpelling
from ops.gateway_sim.reports import (
    EVERYONE,
    HistoryUpdate,
    Notice,
    RealTimeBar,
    TickGeneric,
    TickPrice,
    TickSize,
    TickString,
    To,
)
from ops.gateway_sim.requests import (
    CancelAll,
    CancelOrder,
    ContractDetailsWanted,
    History,
    PlaceOrder,
    Request,
)
from ops.gateway_sim.terms import (
    Execution,
    ExecutionFilter,
    OrderLine,
    OrderTerms,
    Status,
)

if TYPE_CHECKING:
    from ops.gateway_sim.client_session import ClientSession
    from ops.gateway_sim.gateway import Gateway

LOST: Final = 1100
BACK_DATA_LOST: Final = 1101
BACK: Final = 1102
LINE_TEXTS: Final = {
    LOST: "Connectivity between IBKR and Trader Workstation has been lost.",
    BACK_DATA_LOST: (
        "Connectivity between IBKR and Trader Workstation has been restored - data lost. "
        "Market and account data subscription requests must be resubmitted"
    ),
    BACK: (
        "Connectivity between IBKR and Trader Workstation has been restored - data maintained. "
        "All data farms are connected: usfarm; ushmds; secdefil."
    ),
}
WHILE_LOST: Final = {
    History: (
        162,
        "Historical Market Data Service error message:HMDS server disconnect occurred.",
    ),
    # Seen in the wild: while the farm of definitions is away, every contract is unknown.
    ContractDetailsWanted: (200, "No security definition has been found for the request"),
}
WORKING: Final = frozenset({Status.PRE_SUBMITTED, Status.SUBMITTED, Status.PENDING_CANCEL})
CENT: Final = Decimal("0.01")
IDS_LOST: Final = 4
"""How far the next valid id goes back when orders were written into a dying socket."""

_DATA: Final = (TickPrice, TickSize, TickGeneric, TickString, RealTimeBar, HistoryUpdate)
_SPELLINGS: Final = {
    FaultKind.SPELLED_BARE: TimeSpelling.BARE,
    FaultKind.SPELLED_UTC: TimeSpelling.UTC,
}
_BREAKS_OFF: Final = frozenset(
    {
        FaultKind.RESET,
        FaultKind.HALF_OPEN,
        FaultKind.OUTAGE,
        FaultKind.OUTAGE_FORGETFUL,
        FaultKind.RESTART,
    }
)

_log = logging.getLogger("traded.gateway_sim")


class Mishaps:
    """Everything that may befall a gateway, and whether the line to IB stands."""

    def __init__(self, gateway: "Gateway") -> None:
        """Let nothing be wrong yet."""
        self._gateway = gateway
        self._is_line_lost = False
        self._untold: list[Callable[[], None]] = []
        self._kept: list[Callable[[], None]] = []

    # The line between the gateway and IB.

    def lose_line(self) -> None:
        """Say 1100 and, from now on, nothing that comes from IB; the exchange goes on."""
        self._is_line_lost = True
        self._tell_everyone(LOST)

    def restore_line(self, code: int = BACK, *, telling: bool = True) -> None:
        """Say 1101 or 1102 and, if `telling`, what has happened meanwhile; then do what was asked.

        With 1101 every data subscription is gone.
        """
        if not self._is_line_lost:
            return
        self._is_line_lost = False
        untold, self._untold = self._untold, []
        kept, self._kept = self._kept, []
        self._tell_everyone(code)
        if code == BACK_DATA_LOST:
            for session in self._gateway.sessions.values():
                session.data_lost()
        for act in [*(untold if telling else ()), *kept]:
            act()

    def is_withheld(self, to: To) -> bool:
        """Say whether a report stays untold because the line is lost."""
        if not self._is_line_lost:
            return False
        if not isinstance(to.report, _DATA):
            self._untold.append(lambda: self._gateway.tell(to))
        return True

    def is_kept(self, session: "ClientSession", answers: Answers, request: Request) -> bool:
        """Say whether a request is not served now because the line is lost."""
        if not self._is_line_lost:
            return False
        if isinstance(request, PlaceOrder | CancelOrder | CancelAll):
            self._kept.append(lambda: self._gateway.served(session, answers, request))
            return True
        for kind, (code, text) in WHILE_LOST.items():
            if isinstance(request, kind):
                session.tell(Notice(getattr(request, "request_id", -1), code, text))
                return True
        return False

    # The connections.

    def reset_all(self) -> None:
        """Break every connection with RST."""
        for session in list(self._gateway.sessions.values()):
            session.reset()

    def restart(self, seconds: float = 0.0, until: datetime | None = None) -> None:
        """Restart the gateway: connections break, untransmitted orders are gone.

        It takes no connection for so long (of the wall), or until then (of its own time); `log_in`
        ends that.
        """
        self.reset_all()
        self._gateway.floor.restart(self._gateway.now())
        self._gateway.be_away(seconds, until)

    def log_in(self) -> None:
        """Take connections again, as after a person has logged in."""
        self._gateway.be_away()

    # The account and its orders.

    def newest_working(self) -> OrderLine | None:
        """Return the newest order that still works."""
        working = [o for o in self._gateway.floor.all_open_orders() if o.status in WORKING]
        return max(working, key=lambda order: order.perm_id, default=None)

    def newest_execution(self) -> Execution | None:
        """Return the newest execution of today."""
        found = self._gateway.floor.executions(self._gateway.now(), ExecutionFilter())
        return found[-1][0] if found else None

    def correct_newest(self, *, bust: bool = False) -> None:
        """Correct the newest execution by a cent, or bust it."""
        done = self.newest_execution()
        if done is not None:
            shares = Decimal(0) if bust else done.shares
            told = self._gateway.floor.correct(
                self._gateway.now(), done.execution_id, shares=shares, price=done.price + CENT
            )
            self._gateway.deliver(told)

    def liquidate_largest(self) -> None:
        """Close the largest position as IB does when the margin is short."""
        held = self._gateway.floor.portfolio()
        largest = max(held, key=lambda line: abs(line.market_value), default=None)
        if largest is not None and largest.quantity:
            self._gateway.deliver(
                self._gateway.floor.liquidate(self._gateway.now(), largest.contract.symbol)
            )

    def place_by_hand(self) -> None:
        """Place a manual order for one share, far from the market, next to the newest order."""
        order = self.newest_working()
        if order is not None:
            terms = OrderTerms(
                order_id=0,
                action="BUY",
                quantity=Decimal(1),
                type="LMT",
                limit_price=CENT,
                account=self._gateway.floor.account,
            )
            now = self._gateway.now()
            self._gateway.deliver(self._gateway.floor.place_by_hand(now, order.contract, terms))

    def amend_newest(self) -> None:
        """Double the newest working order, as a person in TWS may."""
        order = self.newest_working()
        if order is not None:
            terms = replace(order.terms, quantity=order.terms.quantity * 2)
            now = self._gateway.now()
            self._gateway.deliver(self._gateway.floor.modify_by_hand(now, order.perm_id, terms))

    def halt_newest(self, seconds: float = 0.0) -> None:
        """Halt what the newest working order trades, for so many seconds of the wall."""
        order = self.newest_working()
        if order is None:
            return
        gateway, symbol = self._gateway, order.contract.symbol
        gateway.deliver(gateway.floor.halt(gateway.now(), symbol))
        if seconds:
            gateway.after(
                seconds, lambda: gateway.deliver(gateway.floor.resume(gateway.now(), symbol))
            )

    def double_newest(self) -> None:
        """Leave two live orders under the newest working order's reference, as a change may."""
        order = self.newest_working()
        if order is not None:
            now = self._gateway.now()
            self._gateway.deliver(
                self._gateway.floor.place_by_hand(now, order.contract, order.terms)
            )

    def cancel_newest(self, reason: str = "") -> None:
        """Cancel the newest working order from IB's side."""
        order = self.newest_working()
        if order is not None:
            now = self._gateway.now()
            self._gateway.deliver(self._gateway.floor.expire(now, order.perm_id, reason))

    def fill_newest(self, shares: Decimal = Decimal(1)) -> None:
        """Fill a part of the newest working order."""
        order = self.newest_working()
        if order is not None:
            self._fill(order, min(shares, order.remaining))

    def fill_order(self, client_id: int, order_id: int) -> None:
        """Fill what is left of one client's order."""
        for order in self._gateway.floor.all_open_orders():
            if (order.client_id, order.order_id) == (client_id, order_id):
                self._fill(order, order.remaining)

    def perm_id_of(self, client_id: int, order_id: int) -> int:
        """Return the permanent id of a client's open order, 0 if there is none."""
        for order in self._gateway.floor.all_open_orders():
            if (order.client_id, order.order_id) == (client_id, order_id):
                return order.perm_id
        return 0

    def _fill(self, order: OrderLine, shares: Decimal) -> None:
        price = order.terms.limit_price or order.last_price or order.terms.aux_price or CENT
        told = self._gateway.floor.fill(self._gateway.now(), order.perm_id, shares, price)
        self._gateway.deliver(told)

    def roll_back_ids(self, client_id: int) -> None:
        """Let a client's next valid id go back, as after orders lost in a restart."""
        floor = self._gateway.floor
        floor.roll_back_ids(client_id, max(1, floor.next_valid_id(client_id) - IDS_LOST))

    # Data.

    def say(self, code: int) -> None:
        """Tell every client `code`, about no request of theirs."""
        self._gateway.tell(To(EVERYONE, Notice(-1, code, text_of(code))))

    def revise_bars(self, by: Decimal = CENT) -> None:
        """Tell the newest bars that are kept up to date again, so many dollars higher."""
        for symbol in sorted({each for s in self._gateway.sessions.values() for each in s.watched}):
            self._gateway.deliver(self._gateway.floor.revise_bars(symbol, by))

    # The plan's faults.

    def befall(self, faults: Sequence[Fault], session: "ClientSession") -> None:
        """Let `faults` strike that concern more than one message."""
        for fault in faults:
            _log.info("fault: %s on %s %s", fault.kind, fault.on, fault.nth)
            self._strike(fault, session)

    def befall_before_saying(
        self, faults: Sequence[Fault], session: "ClientSession", message: Sequence[str]
    ) -> bool:
        """Let `faults` strike at a message about to leave; say whether it stays unsaid."""
        stays = False
        for fault in faults:
            if fault.kind in _BREAKS_OFF:
                stays = True
                self.befall([fault], session)
            elif fault.kind is FaultKind.DEACTIVATED:
                stays = True
                session.deactivate(int(message[BARS[fault.on]]))
            else:
                # What this leads to is told after what is being told now.
                self._gateway.after(0.0, _striking(self, fault, session))
        if stays and self._is_line_lost:
            self._untold.append(lambda: session.say(message))
        return stays

    def _strike(self, fault: Fault, session: "ClientSession") -> None:
        match fault.kind:
            case FaultKind.RESET:
                session.reset()
            case FaultKind.HALF_OPEN:
                session.be_deaf(fault.after_s)
            case FaultKind.BUSY_ID:
                self._gateway.keep_id(session.client_id)
            case FaultKind.BYTE_BY_BYTE:
                session.byte_by_byte = True
            case FaultKind.OUTAGE | FaultKind.OUTAGE_FORGETFUL:
                code = fault.code or BACK
                telling = fault.kind is FaultKind.OUTAGE
                self.lose_line()
                self._gateway.after(fault.after_s, lambda: self.restore_line(code, telling=telling))
            case FaultKind.RESTART:
                self.restart(fault.after_s)
            case FaultKind.NOTICE:
                self.say(fault.code)
            case FaultKind.HALTED:
                self.halt_newest(fault.after_s)
            case FaultKind.SPELLED_BARE | FaultKind.SPELLED_UTC:
                session.spell(_SPELLINGS[fault.kind])
            case _:
                self._strike_account(fault.kind)

    def _strike_account(self, kind: FaultKind) -> None:
        match kind:
            case FaultKind.CORRECTED:
                self.correct_newest()
            case FaultKind.BUSTED:
                self.correct_newest(bust=True)
            case FaultKind.LIQUIDATION:
                self.liquidate_largest()
            case FaultKind.MANUAL_ORDER:
                self.place_by_hand()
            case FaultKind.AMENDED:
                self.amend_newest()
            case FaultKind.DOUBLED:
                self.double_newest()
            case FaultKind.CANCELLED:
                self.cancel_newest()
            case FaultKind.PARTIAL_FILL:
                self.fill_newest()
            case FaultKind.REVISED:
                self.revise_bars()
            case _:
                pass

    def _tell_everyone(self, code: int) -> None:
        self._gateway.tell(To(EVERYONE, Notice(-1, code, LINE_TEXTS[code])))


def _striking(mishaps: Mishaps, fault: Fault, session: "ClientSession") -> Callable[[], None]:
    return lambda: mishaps.befall([fault], session)
