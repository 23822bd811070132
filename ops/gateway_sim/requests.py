"""What a client may ask, in our words: one value a message of the TWS protocol.

A message this gateway knows but has nothing for (news, scanners, options ...) is checked like any
other and comes out as `Unserved`.
"""

import msgspec

from ops.gateway_sim.terms import Contract, ExecutionFilter, HistoryRequest, OrderTerms


class StartApi(msgspec.Struct, frozen=True):
    """71: who the client is."""

    client_id: int
    capabilities: str


class MarketData(msgspec.Struct, frozen=True):
    """1: ticks of a contract, once or from now on."""

    request_id: int
    contract: Contract
    generic_ticks: str
    snapshot: bool


class StopData(msgspec.Struct, frozen=True):
    """2, 25, 51: no more of it."""

    request_id: int
    message_id: int


class MarketDataType(msgspec.Struct, frozen=True):
    """59: live, frozen or delayed data."""

    kind: int


class PlaceOrder(msgspec.Struct, frozen=True):
    """3: place, modify or weigh an order; `unsupported` names what is not done here."""

    contract: Contract
    terms: OrderTerms
    unsupported: tuple[str, ...] = ()


class CancelOrder(msgspec.Struct, frozen=True):
    """4: cancel one order of this client."""

    order_id: int


class CancelAll(msgspec.Struct, frozen=True):
    """58: cancel every order of every client."""


class OpenOrders(msgspec.Struct, frozen=True):
    """5 and, of every client, 16."""

    every_client: bool


class BindOrders(msgspec.Struct, frozen=True):
    """15: bind manual orders to this client from now on."""

    on: bool


class CompletedOrders(msgspec.Struct, frozen=True):
    """99: today's orders that are over."""

    api_only: bool


class Executions(msgspec.Struct, frozen=True):
    """7: today's executions."""

    request_id: int
    wanted: ExecutionFilter


class NextIds(msgspec.Struct, frozen=True):
    """8: the next valid order id."""


class AccountUpdates(msgspec.Struct, frozen=True):
    """6: the account's figures and portfolio, from now on or no longer."""

    subscribe: bool
    account: str


class Positions(msgspec.Struct, frozen=True):
    """61 and 64: positions, from now on or no longer."""

    subscribe: bool


class AccountSummary(msgspec.Struct, frozen=True):
    """62: some of the account's figures under a request id."""

    request_id: int
    group: str
    tags: tuple[str, ...]


class PositionsMulti(msgspec.Struct, frozen=True):
    """74: positions of one account under a request id."""

    request_id: int
    account: str
    model: str


class AccountUpdatesMulti(msgspec.Struct, frozen=True):
    """76: the figures of one account under a request id."""

    request_id: int
    account: str
    model: str


class ProfitAndLoss(msgspec.Struct, frozen=True):
    """92 and, of one contract, 94."""

    request_id: int
    account: str
    con_id: int | None = None


class EndSubscription(msgspec.Struct, frozen=True):
    """63, 75, 77, 93, 95: no more under that request id."""

    request_id: int
    message_id: int


class ContractDetailsWanted(msgspec.Struct, frozen=True):
    """9: what is known of a contract."""

    request_id: int
    contract: Contract


class MatchingSymbols(msgspec.Struct, frozen=True):
    """81: contracts whose symbol or name begins like that."""

    request_id: int
    pattern: str


class MarketRule(msgspec.Struct, frozen=True):
    """91: the price steps of a rule."""

    rule_id: int


class History(msgspec.Struct, frozen=True):
    """20: bars of the past; `as_epoch` is formatDate 2."""

    request_id: int
    wanted: HistoryRequest
    as_epoch: bool


class RealTimeBars(msgspec.Struct, frozen=True):
    """50: 5-second bars from now on."""

    request_id: int
    contract: Contract
    what: str
    regular_hours: bool


class HeadTimestamp(msgspec.Struct, frozen=True):
    """87: when the oldest bar is."""

    request_id: int
    contract: Contract
    what: str
    regular_hours: bool
    as_epoch: bool


class CurrentTime(msgspec.Struct, frozen=True):
    """49: what time it is for the gateway."""


class ManagedAccounts(msgspec.Struct, frozen=True):
    """17: the accounts of this login."""


class Unserved(msgspec.Struct, frozen=True):
    """A message without data behind it here; -1 where it carries no request id."""

    message_id: int
    request_id: int
    values: tuple[str, ...] = ()


Request = (
    StartApi
    | MarketData
    | StopData
    | MarketDataType
    | PlaceOrder
    | CancelOrder
    | CancelAll
    | OpenOrders
    | BindOrders
    | CompletedOrders
    | Executions
    | NextIds
    | AccountUpdates
    | Positions
    | AccountSummary
    | PositionsMulti
    | AccountUpdatesMulti
    | ProfitAndLoss
    | EndSubscription
    | ContractDetailsWanted
    | MatchingSymbols
    | MarketRule
    | History
    | RealTimeBars
    | HeadTimestamp
    | CurrentTime
    | ManagedAccounts
    | Unserved
)
