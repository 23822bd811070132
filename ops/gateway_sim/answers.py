"""What one client has asked for, and the answers: from the floor, in the order of the real gateway.

A list ends with its marker, an error is a notice, a subscription stays until it is ended. Order
requests are not answered here: what follows from them may concern other clients too.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ops.gateway_sim import replies, requests
from ops.gateway_sim.fields import moment_text
from ops.gateway_sim.reports import (
    CommissionReport,
    CompletedOrder,
    ExecutionReport,
    Notice,
    OpenOrder,
    OrderStatus,
)
from ops.gateway_sim.terms import (
    AccountValue,
    ContractDetails,
    Execution,
    OrderLine,
    PositionLine,
)
from ops.gateway_sim.unserved import empty_answer, refusal

if TYPE_CHECKING:
    from ops.gateway_sim.client_session import ClientSession
    from ops.gateway_sim.gateway import Gateway

NO_REQUEST: Final = -1
PROCESSING: Final = 322
VALIDATING: Final = 321
SUMMARIES_MAX: Final = 2
CURRENT_TIME_GAP_S: Final = 1.0
"""A second question for the time within it is not answered at all."""


class Answers:
    """The subscriptions of one client, and how each of its requests is answered."""

    def __init__(self, session: "ClientSession", gateway: "Gateway") -> None:
        """Answer `session` from the floor of `gateway`."""
        self._session = session
        self._gateway = gateway
        self._floor = gateway.floor
        self._positions_wanted = False
        self._account_wanted = False
        self._account_told: dict[tuple[str, str], AccountValue] = {}
        self._summaries: dict[int, tuple[str, ...]] = {}
        self._summary_told: dict[tuple[int, str, str], AccountValue] = {}
        self._multi_accounts: dict[int, requests.AccountUpdatesMulti] = {}
        self._multi_positions: dict[int, requests.PositionsMulti] = {}
        self._profits: dict[int, requests.ProfitAndLoss] = {}
        self._data: dict[int, str] = {}
        """The symbols data were asked of, by request."""
        self._ended: set[int] = set()
        """Data requests that ended from this side: to end them again is no error."""
        self._asked_time_at: float | None = None

    def welcome(self) -> None:
        """Say what every client is told after startApi: first, if it has any, its open orders."""
        if any(map(self._is_listed, self._floor.open_orders(self._session.client_id))):
            self.open_orders(requests.OpenOrders(every_client=False))
        self._say("15", "1", self._floor.account)
        self.next_id()
        for notice in self._floor.notices_at_start(self._gateway.now()):
            self._session.tell(notice)

    def answer(self, request: requests.Request) -> None:
        """Answer what asks for data; orders go through the gateway."""
        _ANSWERED[type(request)](self, request)

    def next_id(self) -> None:
        """Say the id the next order must at least have."""
        self._say("9", "1", str(self._floor.next_valid_id(self._session.client_id)))

    # Orders and executions.

    def open_orders(self, request: requests.OpenOrders) -> None:
        """Say every open order of this client, or of all, and the end."""
        if request.every_client:
            orders = self._floor.all_open_orders()
        else:
            orders = self._floor.open_orders(self._session.client_id)
        for order in filter(self._is_listed, orders):
            self._session.tell(OpenOrder(order))
            self._session.tell(OrderStatus(order))
        self._say("53", "1")

    def completed_orders(self, request: requests.CompletedOrders) -> None:
        """Say today's orders that are over, and the end."""
        found = self._floor.completed_orders(self._gateway.now(), api_only=request.api_only)
        for order in filter(self._is_listed, found):
            self._session.tell(CompletedOrder(order))
        self._say("102")

    def executions(self, request: requests.Executions) -> None:
        """Say today's executions with their commissions, and the end."""
        found = self._floor.executions(self._gateway.now(), request.wanted)
        for execution, commission in found:
            if not self._is_listed(execution):
                continue
            self._session.tell(ExecutionReport(execution, request.request_id))
            if commission is not None:
                self._session.tell(CommissionReport(commission))
        self._say("55", "1", str(request.request_id))

    def _is_listed(self, line: OrderLine | Execution) -> bool:
        return self._gateway.mishaps.is_listed(line.client_id, line.order_id)

    def next_ids(self, _: requests.NextIds) -> None:
        """Say the next valid id again."""
        self.next_id()

    # Account.

    def managed_accounts(self, _: requests.ManagedAccounts) -> None:
        """Say the accounts of this login."""
        self._say("15", "1", self._floor.account)

    def positions(self, request: requests.Positions) -> None:
        """Say every position and the end, and each change from now on."""
        self._positions_wanted = request.subscribe
        if request.subscribe:
            for line in self._floor.positions():
                self._session.say(replies.position(line))
            self._say("62", "1")

    def account_updates(self, request: requests.AccountUpdates) -> None:
        """Say the account and the portfolio, and what changes from now on."""
        if request.account not in {"", self._floor.account}:
            self._refuse(NO_REQUEST, "Invalid account code", VALIDATING)
            return
        self._account_wanted = request.subscribe
        self._account_told.clear()
        if request.subscribe:
            self._tell_account()
            self._say("54", "1", self._floor.account)

    def account_summary(self, request: requests.AccountSummary) -> None:
        """Say some of the figures under a request id."""
        if len(self._summaries) >= SUMMARIES_MAX and request.request_id not in self._summaries:
            what = "Maximum number of account summary requests exceeded"
            self._refuse(request.request_id, what, PROCESSING)
            return
        self._summaries[request.request_id] = request.tags
        self._tell_summary(request.request_id)
        self._say("64", "1", str(request.request_id))

    def positions_multi(self, request: requests.PositionsMulti) -> None:
        """Say the positions of an account under a request id."""
        if self._is_foreign(request.request_id, request.account):
            return
        self._multi_positions[request.request_id] = request
        for line in self._floor.positions():
            self._session.say(replies.position_multi(request.request_id, line, request.model))
        self._say("72", "1", str(request.request_id))

    def account_updates_multi(self, request: requests.AccountUpdatesMulti) -> None:
        """Say the figures of an account under a request id."""
        if self._is_foreign(request.request_id, request.account):
            return
        self._multi_accounts[request.request_id] = request
        for value in self._floor.account_values():
            self._session.say(replies.account_multi(request.request_id, value, request.model))
        self._say("74", "1", str(request.request_id))

    def profit_and_loss(self, request: requests.ProfitAndLoss) -> None:
        """Say what the positions have brought, now and at each change."""
        if self._is_foreign(request.request_id, request.account):
            return
        self._profits[request.request_id] = request
        self._tell_profit(request)

    def end_subscription(self, request: requests.EndSubscription) -> None:
        """End what was asked under a request id."""
        for subscriptions in (
            self._summaries,
            self._multi_accounts,
            self._multi_positions,
            self._profits,
        ):
            subscriptions.pop(request.request_id, None)

    def position_moved(self, line: PositionLine) -> None:
        """Tell those of its requests that follow positions."""
        if self._positions_wanted:
            self._session.say(replies.position(line))
        for request in self._multi_positions.values():
            self._session.say(replies.position_multi(request.request_id, line, request.model))

    def account_moved(self) -> None:
        """Tell those of its requests that follow the account what has changed."""
        if self._account_wanted:
            self._tell_account()
        for request_id in self._summaries:
            self._tell_summary(request_id)
        for request in self._profits.values():
            self._tell_profit(request)

    def _tell_account(self) -> None:
        for value in self._floor.account_values():
            if self._account_told.get((value.tag, value.currency)) != value:
                self._account_told[value.tag, value.currency] = value
                self._session.say(replies.account_value(value))
        for line in self._floor.portfolio():
            self._session.say(replies.portfolio(line))
        local = moment_text(self._gateway.now(), self._session.manner.zone)
        self._say("8", "1", local.split()[1][:5])

    def _tell_summary(self, request_id: int) -> None:
        tags = self._summaries[request_id]
        for value in self._floor.account_summary(tags):
            told = (request_id, value.tag, value.currency)
            if self._summary_told.get(told) != value:
                self._summary_told[told] = value
                self._session.say(replies.account_summary(request_id, value))

    def _tell_profit(self, request: requests.ProfitAndLoss) -> None:
        held = self._floor.portfolio()
        if request.con_id is None:
            self._session.say(replies.profit_and_loss(request.request_id, held))
        else:
            found = [line for line in held if line.contract.con_id == request.con_id]
            line = found[0] if found else None
            self._session.say(replies.profit_and_loss_of(request.request_id, line))

    def _is_foreign(self, request_id: int, account: str) -> bool:
        if account in {"", "All", self._floor.account}:
            return False
        self._refuse(request_id, "Invalid account code", VALIDATING)
        return True

    # Contracts and data.

    def contract_details(self, request: requests.ContractDetailsWanted) -> None:
        """Say every contract that matches, and the end; or that there is none."""
        found = self._floor.contract_details(request.contract)
        match found:
            case (int(code), str(text)):
                self._session.tell(Notice(request.request_id, code, text))
                return
        version = self._session.manner.version
        for details in found:
            assert isinstance(details, ContractDetails)
            self._session.say(replies.contract_details(request.request_id, details, version))
        self._say("52", "1", str(request.request_id))

    def matching_symbols(self, request: requests.MatchingSymbols) -> None:
        """Say which contracts have that symbol."""
        matches = self._floor.matching_symbols(request.pattern)
        version = self._session.manner.version
        self._session.say(replies.matching_symbols(request.request_id, matches, version))

    def market_rule(self, request: requests.MarketRule) -> None:
        """Say the price steps of a rule."""
        steps = self._floor.market_rule(request.rule_id)
        told = [str(number) for step in steps for number in step]
        self._say("93", str(request.rule_id), str(len(steps)), *told)

    def market_data(self, request: requests.MarketData) -> None:
        """Begin ticks, or say what there is now."""
        self._data[request.request_id] = request.contract.symbol
        self._gateway.deliver(
            self._floor.market_data(
                self._gateway.now(),
                self._session.client_id,
                request.request_id,
                request.contract,
                request.generic_ticks,
                snapshot=request.snapshot,
            )
        )

    def market_data_type(self, request: requests.MarketDataType) -> None:
        """Note which market data is accepted."""
        told = self._floor.market_data_type(self._session.client_id, request.kind)
        self._gateway.deliver(told)

    def real_time_bars(self, request: requests.RealTimeBars) -> None:
        """Begin 5-second bars."""
        self._data[request.request_id] = request.contract.symbol
        self._gateway.deliver(
            self._floor.real_time_bars(
                self._gateway.now(),
                self._session.client_id,
                request.request_id,
                request.contract,
                request.what,
                regular_hours=request.regular_hours,
            )
        )

    def history(self, request: requests.History) -> None:
        """Say bars of the past, and keep on if asked to."""
        self._data[request.request_id] = request.wanted.contract.symbol
        if request.as_epoch:
            self._session.epoch_requests.add(request.request_id)
        self._gateway.deliver(
            self._floor.historical_data(
                self._gateway.now(),
                self._session.client_id,
                request.request_id,
                request.wanted,
            )
        )

    def head_timestamp(self, request: requests.HeadTimestamp) -> None:
        """Say when the oldest bar is."""
        found = self._floor.head_timestamp(
            request.contract, request.what, regular_hours=request.regular_hours
        )
        if isinstance(found, tuple):
            self._session.tell(Notice(request.request_id, *found))
            return
        written = replies.epoch(found) if request.as_epoch else f"{found:%Y%m%d-%H:%M:%S}"
        self._say("88", str(request.request_id), written)

    def stop_data(self, request: requests.StopData) -> None:
        """End a data subscription."""
        self._session.epoch_requests.discard(request.request_id)
        self._data.pop(request.request_id, None)
        if request.request_id in self._ended:
            self._ended.remove(request.request_id)
            return
        told = self._floor.stop_data(self._session.client_id, request.request_id)
        self._gateway.deliver(told)

    def end_all_data(self) -> None:
        """End every data subscription without a word, as after an outage that lost them."""
        for request_id in list(self._data):
            self.end_data(request_id)

    def end_data(self, request_id: int) -> None:
        """End one data subscription without a word."""
        self._floor.stop_data(self._session.client_id, request_id)
        self._data.pop(request_id, None)
        self._ended.add(request_id)

    @property
    def watched(self) -> set[str]:
        """The symbols this client has asked data of."""
        return set(self._data.values())

    def current_time(self, _: requests.CurrentTime) -> None:
        """Say what time it is, at most once a second."""
        now = self._gateway.seconds()
        if self._asked_time_at is None or now - self._asked_time_at >= CURRENT_TIME_GAP_S:
            self._asked_time_at = now
            self._say("49", "1", replies.epoch(self._gateway.now()))

    def unserved(self, request: requests.Unserved) -> None:
        """Say that there is nothing."""
        refused = refusal(request)
        empty = empty_answer(request, self._floor.account)
        if refused is not None:
            self._session.tell(refused)
        elif empty is not None:
            self._session.say(empty)

    # How it is said.

    def _say(self, *message: str) -> None:
        self._session.say(message)

    def _refuse(self, request_id: int, cause: str, code: int) -> None:
        doing = "processing" if code == PROCESSING else "validating"
        text = f"Error {doing} request.-'bW' : cause - {cause}"
        self._session.tell(Notice(request_id, code, text))


_ANSWERED: Final[Mapping[type, Callable[[Answers, Any], None]]] = {
    requests.OpenOrders: Answers.open_orders,
    requests.CompletedOrders: Answers.completed_orders,
    requests.Executions: Answers.executions,
    requests.NextIds: Answers.next_ids,
    requests.ManagedAccounts: Answers.managed_accounts,
    requests.Positions: Answers.positions,
    requests.AccountUpdates: Answers.account_updates,
    requests.AccountSummary: Answers.account_summary,
    requests.PositionsMulti: Answers.positions_multi,
    requests.AccountUpdatesMulti: Answers.account_updates_multi,
    requests.ProfitAndLoss: Answers.profit_and_loss,
    requests.EndSubscription: Answers.end_subscription,
    requests.ContractDetailsWanted: Answers.contract_details,
    requests.MatchingSymbols: Answers.matching_symbols,
    requests.MarketRule: Answers.market_rule,
    requests.MarketData: Answers.market_data,
    requests.MarketDataType: Answers.market_data_type,
    requests.RealTimeBars: Answers.real_time_bars,
    requests.History: Answers.history,
    requests.HeadTimestamp: Answers.head_timestamp,
    requests.StopData: Answers.stop_data,
    requests.CurrentTime: Answers.current_time,
    requests.Unserved: Answers.unserved,
}
