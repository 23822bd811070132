"""Interactive Brokers behind the broker protocol: orders out, reports in, the broker's books.

Every message about orders goes on record as it came, and directly behind it what it means to us.
What ib_async or the gateway think an order's state is decides nothing: our folds do.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from daemon.brokers import Inbox
from daemon.brokers.gateway import messages, translate
from daemon.brokers.gateway.account import AccountFigures
from daemon.brokers.gateway.amendments import Amendments
from daemon.brokers.gateway.asking import ConnectionLost
from daemon.brokers.gateway.codes import meaning
from daemon.brokers.gateway.contracts import Contracts
from daemon.brokers.gateway.look import BooksReader
from daemon.brokers.gateway.looking import Looks
from daemon.brokers.gateway.margins import WhatIfs
from daemon.brokers.gateway.messages import OrderLine
from daemon.brokers.gateway.orders import OrderNames
from daemon.brokers.gateway.pacing import Lane
from daemon.brokers.gateway.said import REMEMBERED, Said
from daemon.brokers.gateway.session import GatewaySession
from daemon.brokers.gateway.settings import ACCOUNT
from daemon.brokers.gateway.terms import Greeting, OrderTerms
from daemon.config.file import ConfigError
from daemon.core.deadlines import NEVER
from daemon.gate import RiskApproved
from events import (
    BarClosed,
    BrokerDisconnected,
    BrokerHeard,
    CancelWithheld,
    ClientOrderId,
    CorporateActionApplied,
    OrderAcknowledged,
    OrderIntended,
    OrderNumbered,
    OrderNumbersWentBack,
    OrderWithheld,
    OrderWorking,
    nanoseconds,
)
from events.codec import Input
from events.reconciliation import BrokerList, LookWhy
from projections import State
from projections.order_states import OrderState

ESSENTIAL: Final = (BrokerList.OPEN_ORDERS, BrokerList.EXECUTIONS, BrokerList.POSITIONS)
"""Without these nothing may be sent."""
_ORDERS: Final = "orders"
"""What is missing of a connection that takes no orders."""
_READ_ONLY: Final = "read-only"
_READ_ONLY_HINT: Final = "uncheck Read-Only API in the gateway's settings"


class IbkrBroker:
    """See `daemon.brokers.Broker`; a listener of the gateway's session as well."""

    outside = True
    next_due = NEVER

    def __init__(self, session: GatewaySession, contracts: Contracts, login_zone: str) -> None:
        """Trade `contracts` over `session`, whose times without a zone are of `login_zone`."""
        self.session = session
        self.contracts = contracts
        self.repeats = 0
        self._zone = login_zone
        self._alias = session.alias
        self._names = OrderNames(session.settings.client_id)
        self._amendments = Amendments()
        self._state = State()
        self._inbox: Inbox
        self._looks: Looks
        self._why_not: Callable[[OrderIntended], str] = _nothing_against
        self._figures = AccountFigures(session.alias)
        self._what_ifs: WhatIfs
        self._said = Said()
        self._uncharged: dict[str, list[messages.Commission]] = {}
        self._submitting: ClientOrderId | None = None

    # The broker protocol.

    def connect(self, state: State, inbox: Inbox) -> None:
        """Report to `inbox` from now on; the connection itself is the session's task."""
        self._state = state
        self._inbox = inbox
        self.session.report = inbox
        self.contracts.know(state)
        session = self.session
        client_id, by_id = session.settings.client_id, self.contracts.by_id
        books = BooksReader(self._alias, client_id, by_id, self._read_order)
        self._looks = Looks(session, books, inbox, self._refuse_currency)
        self._what_ifs = WhatIfs(session, self.contracts, inbox, self._names.spare_number)
        inbox(BrokerDisconnected(session.connection.why_not))

    def look_again_with(self, why_not: Callable[[OrderIntended], str]) -> None:
        """Ask `why_not` when an order that waited for its turn is written."""
        self._why_not = why_not

    def submit(self, approved: RiskApproved) -> None:
        """Send one order, or say that it certainly does not leave."""
        intent = approved.intent
        order_id = intent.client_order_id
        if self._names.number_of(order_id) is not None:
            return
        why_not = self.session.why_not
        if why_not:
            self._withhold(order_id, why_not)
            return
        # Others that waited may be written with it, and it may have to wait itself.
        self._submitting = order_id
        try:
            self.session.send(Lane.ORDER, lambda: self._write(intent), order_id)
        finally:
            self._submitting = None

    def cancel(self, client_order_id: ClientOrderId) -> None:
        """Ask for a cancel; without a connection it is asked for as soon as there is one.

        Interactive Brokers takes it only from who placed the order: of others it is said so.
        """
        if not self.session.connection.is_up:
            return
        number = self._names.number_of(client_order_id)
        other = self._names.placed_by(client_order_id)
        if number is not None:
            self.session.send(Lane.CANCEL, lambda: self.session.wire.cancel(number))
        elif other:
            why = f"it was placed by {other}, and only there it can be cancelled: do it there"
            self._inbox(CancelWithheld(client_order_id, why))
        else:
            self._looks.look_up()

    def ask_margin(self, request_id: str, intents: Sequence[OrderIntended]) -> None:
        """Ask by what-if orders, one an intent."""
        self._what_ifs.ask(request_id, intents)

    def observe(self, bar: BarClosed) -> None:
        """Do nothing: the market is outside."""

    def advance(self, now: datetime) -> None:
        """Do nothing: what ends there is reported."""

    def corporate_action(self, action: CorporateActionApplied) -> None:
        """Do nothing: the broker knows of it."""

    def report_books(self, look_id: str, why: LookWhy, now: datetime) -> None:  # noqa: ARG002 - the look says when it began
        """Look at the lists, now or as soon as there is a connection."""
        self._looks.want(look_id, why)

    # A listener of the session.

    def connected(self, greeting: Greeting) -> None:
        """Begin a new book of numbers, above every number that was ever seen."""
        unanswered = sum(
            order.state in {OrderState.SENDING, OrderState.UNKNOWN}
            for order in self._state.orders.open.values()
        )
        # A process that was killed may have sent those without putting their numbers on record.
        highest = self._state.broker.order_id_max + unanswered
        sent = max(self._state.broker.order_id_sent, self._names.sent_max)
        numbers = greeting.order_id_next, sent
        if greeting.order_id_next <= sent and not self._state.broker.is_known_to_go_back(*numbers):
            self._inbox(OrderNumbersWentBack(*numbers))
        self._names.connected(greeting.order_id_next, highest)
        self.session.connection.order_id_next = self._names.next_id

    def lost(self, unsent: Sequence[object]) -> None:
        """Withhold what certainly never left; what was written stays open until the lists say."""
        for order_id in unsent:
            assert isinstance(order_id, str), "orders wait by their names"
            self._withhold(ClientOrderId(order_id), "the connection ended before it left")
        self._names.disconnected()
        self._amendments.disconnected()
        self._what_ifs.lost()
        self._looks.lost()

    async def verify(self) -> None:
        """Take every list; what they say is on record before anything may be sent.

        Raises:
            ConfigError: the interface is read-only, or the account's currency is not the dollar.
            ConnectionLost, RequestFailed: an essential list did not come.
        """
        lists = await self._looks.verify()
        for each in ESSENTIAL:
            if each.value in lists.missing:
                self._refuse_read_only(lists.missing[each.value])
                raise ConnectionLost(f"{each.value}: {lists.missing[each.value]}")

    async def ready(self) -> None:
        """Ask again for every cancel that has no answer; look where that is wanted by now."""
        self._looks.ready()
        for order in tuple(self._state.orders.open.values()):
            if order.cancel_requested:
                self.cancel(order.client_order_id)

    def heard(self, kind: int, fields: Sequence[str]) -> None:
        """Take one message: on record, then what follows from it."""
        match kind:
            case messages.ORDER_STATUS:
                self._status(fields)
            case messages.OPEN_ORDER | messages.COMPLETED_ORDER:
                self._line(kind, fields)
            case messages.EXECUTION:
                self._execution(fields)
            case messages.COMMISSION:
                self._commission(fields)
            case messages.ERROR:
                self._notice(fields)
            case messages.POSITION:
                if self._alias.is_ours(messages.read_position(fields).account):
                    self._record(kind, fields, fields[3])
            case messages.ORDER_BOUND:
                self._record(kind, fields, fields[1])
            case _:
                report = self._figures.take(kind, fields)
                if report is not None:
                    self._inbox(report)

    # What comes in.

    def _status(self, fields: Sequence[str]) -> None:
        status = messages.read_status(self._alias.fields(fields))
        order_id = self._names.of_status(status)
        name = order_id or str(status.perm_id or status.order_id)
        self._record(messages.ORDER_STATUS, fields, name, order_id, status.order_id)
        order = self._state.orders.find(order_id) if order_id else None
        if order is None or order_id is None:
            return
        if status.status in translate.CANCELLED and self._amendments.ended(
            order_id, status.perm_id
        ):
            return  # Of two live orders under one reference one is over.
        self._report(translate.of_status(status, order_id))
        if translate.wants_look(status, abs(order.filled)):
            self._looks.look_up()

    def _line(self, kind: int, fields: Sequence[str]) -> None:
        margins = self.session.wire.read_margins(fields) if kind == messages.OPEN_ORDER else None
        if margins is not None:
            self._what_ifs.answered(margins)
            return
        line = self._read_order(fields)
        if not self._alias.is_ours(line.account):
            return
        order_id = self._names.learn_line(line)
        self._record(kind, fields, order_id, order_id, line.order_id)
        order = self._state.orders.find(order_id)
        if order is None or (line.is_over and self._amendments.ended(order_id, line.perm_id)):
            return
        if not line.is_over:
            self._report(self._amendments.take(line, order))
        self._report(translate.of_line(line, order_id))

    def _read_order(self, fields: Sequence[str]) -> OrderLine:
        """Return an order in a list; its words of how it ended go on into a reason."""
        line = self.session.wire.read_order(fields)
        ended = self._alias.text(line.completed_status)
        return msgspec.structs.replace(line, completed_status=ended) if ended else line

    def _execution(self, fields: Sequence[str]) -> None:
        execution = messages.read_execution(fields)
        if not self._alias.is_ours(execution.account):
            return
        order_id = self._names.learn_execution(execution)
        self._record(
            messages.EXECUTION, fields, execution.execution_id, order_id, execution.order_id
        )
        counted_at = self._state.orders.executions.executed_at(execution.root)
        at = translate.executed_at(execution, self._zone, self.session.now, counted_at)
        is_ours = self._state.orders.strategy_of(order_id) is not None
        opened_at = self._state.identity.opened_at
        if not is_ours and nanoseconds(at) < opened_at:
            self._names.forget_execution(execution)
            return  # Part of what the account held before there was this journal.
        symbol = translate.symbol_of(
            execution.contract_id,
            execution.symbol,
            execution.security_type,
            execution.local_symbol,
            self.contracts.by_id,
        )
        self._inbox(translate.of_execution(execution, order_id, symbol, at))
        for commission in self._uncharged.pop(execution.execution_id, ()):
            self._charge(commission, order_id)

    def _commission(self, fields: Sequence[str]) -> None:
        commission = messages.read_commission(fields)
        order_id = self._names.of_execution(commission.execution_id, self._state)
        self._record(messages.COMMISSION, fields, commission.execution_id, order_id)
        if order_id is not None:
            self._charge(commission, order_id)
            return
        if len(self._uncharged) >= REMEMBERED:
            self._uncharged.pop(next(iter(self._uncharged)))
        self._uncharged.setdefault(commission.execution_id, []).append(commission)

    def _charge(self, commission: messages.Commission, order_id: ClientOrderId) -> None:
        charge = translate.of_commission(commission, order_id)
        if charge is not None:
            self._inbox(charge)

    def _notice(self, fields: Sequence[str]) -> None:
        notice = messages.read_notice(fields)
        if _READ_ONLY in notice.text.lower():
            self.session.lacks(_ORDERS, f"it takes no orders: {_READ_ONLY_HINT}")
        if self._what_ifs.failed(notice):
            return
        order_id = self._names.of_number(notice.about)
        if order_id is None:
            return
        self._record(messages.ERROR, fields, f"{order_id}", order_id, notice.about)
        order = self._state.orders.find(order_id)
        if order is None:
            return
        has_shown = self._amendments.has_shown(order_id)
        reports = translate.of_notice(notice, meaning(notice.code), order, has_shown=has_shown)
        if reports is None or (reports and self._amendments.has_other(order_id, notice.about)):
            self._looks.look_up()
        else:
            self._report(reports)

    def _record(
        self,
        kind: int,
        fields: Sequence[str],
        name: str,
        order_id: ClientOrderId | None = None,
        number: int = 0,
    ) -> None:
        """Put a message on record; one that says the same of the same as before is counted."""
        clean = self._alias.fields(fields[1:])
        # Live or in whichever list: an execution begins with the number of what was asked.
        said = clean[1:] if kind == messages.EXECUTION else clean
        if not self._said.is_news(kind, name, said):
            self.repeats += 1
            return
        heard = BrokerHeard(messages.KINDS[kind], clean, order_id or ClientOrderId(""), number)
        self._inbox(heard)

    def _report(self, reports: Sequence[Input]) -> None:
        for each in reports:
            if isinstance(each, OrderAcknowledged | OrderWorking):
                self.session.has(_ORDERS, "it has taken an order")
            self._inbox(each)

    def _withhold(self, order_id: ClientOrderId, why: str) -> None:
        self._inbox(OrderWithheld(order_id, why))

    # What goes out.

    def _write(self, intent: OrderIntended) -> None:
        """Write an order, after a last look where it had to wait."""
        order_id = intent.client_order_id
        why_not = self.session.why_not
        if not why_not and order_id != self._submitting:
            why_not = self._why_not(intent)
        if not why_not and not self.contracts.is_known(intent.symbol):
            why_not = f"the contract behind {intent.symbol} is not known yet: try again in a minute"
        if why_not:
            self._withhold(order_id, why_not)
            return
        kind, time_in_force = translate.order_words(intent)
        terms = OrderTerms(
            intent.quantity,
            kind,
            time_in_force,
            intent.limit_price,
            intent.stop_price,
            intent.outside_rth,
            self.session.settings.account,
            order_id,
        )
        contract = self.contracts.of(intent.symbol)
        number = self._names.number(order_id)
        self._inbox(OrderNumbered(order_id, number))
        try:
            self.session.wire.place(number, contract, terms)
        except ConnectionError as error:
            # It is raised before anything is written.
            self._withhold(order_id, str(error))
            return
        loop = asyncio.get_running_loop()
        loop.call_later(self.session.timing.unanswered, self._look_for, order_id)
        self._names.forget(self._state)
        self._amendments.forget(self._state)

    def _look_for(self, order_id: ClientOrderId) -> None:
        order = self._state.orders.open.get(order_id)
        if order is not None and order.state is OrderState.SENDING:
            self._looks.look_up()

    def _refuse_currency(self) -> None:
        """Trade in no account whose figures are no dollars: every limit and margin is."""
        base = self._figures.foreign_base
        if base:
            what = f"the account is kept in {base}, and what traded knows of money is in US dollars"
            why = "its equity, margins and cash come in no other currency, so no limit can hold"
            todo = "have USD made its base currency at the broker, or trade with another account"
            raise ConfigError([f"{ACCOUNT}: {what}: {why}; {todo}"])

    @staticmethod
    def _refuse_read_only(why: str) -> None:
        if _READ_ONLY in why.lower():
            raise ConfigError([f"gateway: it takes no orders ({why}); {_READ_ONLY_HINT}"])


def _nothing_against(_intent: OrderIntended) -> str:
    return ""
