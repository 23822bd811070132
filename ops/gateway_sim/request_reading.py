"""Reading what a client sends: every message, its fields counted and each checked for its kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from ops.gateway_sim.fields import BadField, FieldReader
from ops.gateway_sim.order_request import contract_of, order_of
from ops.gateway_sim.requests import (
    AccountSummary,
    AccountUpdates,
    AccountUpdatesMulti,
    BindOrders,
    CancelAll,
    CancelOrder,
    CompletedOrders,
    ContractDetailsWanted,
    CurrentTime,
    EndSubscription,
    Executions,
    HeadTimestamp,
    History,
    ManagedAccounts,
    MarketData,
    MarketDataType,
    MarketRule,
    MatchingSymbols,
    NextIds,
    OpenOrders,
    PlaceOrder,
    Positions,
    PositionsMulti,
    ProfitAndLoss,
    RealTimeBars,
    Request,
    StartApi,
    StopData,
    Unserved,
)
from ops.gateway_sim.terms import Contract, ExecutionFilter, HistoryRequest

# The server version since which a message has a field, or is there at all.
ISSUER_ID: Final = 176
MANUAL_CANCEL_TIME: Final = 169
WSH_CALENDAR: Final = 161
USER_INFO: Final = 167
WSH_FILTERS: Final = 171
WSH_DATES: Final = 173


def parsed(values: Sequence[str], version: int, zone: str) -> Request:
    """Return what a client's message asks for.

    Raises:
        BadField: the message is unknown, has too few or too many fields, or one that is wrong.
    """
    message = values[0]
    if not message.isdecimal() or int(message) not in _READ:
        raise BadField(f"Unknown message id '{message}'")
    reader = FieldReader(values, version, zone)
    request = _READ[int(message)](reader)
    reader.end()
    return request


def _start_api(read: FieldReader) -> Request:
    read.skip_version(2)
    return StartApi(read.integer("Client Id"), read.text("Optional Capabilities"))


def _market_data(read: FieldReader) -> Request:
    read.skip_version(11)
    request_id, contract = read.request("Ticker Id"), contract_of(read)
    _legs(read, contract)
    if read.flag("Delta Neutral Contract Present"):
        read.integer("Con Id")
        read.number("Delta")
        read.number("Price")
    generic, snapshot = read.text("Generic Tick List"), read.flag("Snapshot")
    read.flag("Regulatory Snapshot")
    read.text("Mkt Data Options")
    return MarketData(request_id, contract, generic, snapshot)


def _market_data_type(read: FieldReader) -> Request:
    read.skip_version(1)
    return MarketDataType(read.integer("Market Data Type"))


def _place_order(read: FieldReader) -> Request:
    contract, terms, unsupported = order_of(read)
    return PlaceOrder(contract, terms, tuple(dict.fromkeys(unsupported)))


def _cancel_order(read: FieldReader) -> Request:
    read.skip_version(1)
    order_id = read.request("Order Id")
    if read.version >= MANUAL_CANCEL_TIME:
        read.text("Manual Order Cancel Time")
    return CancelOrder(order_id)


def _account_updates(read: FieldReader) -> Request:
    read.skip_version(2)
    return AccountUpdates(read.flag("Subscribe"), read.text("Account Code"))


def _executions(read: FieldReader) -> Request:
    read.skip_version(3)
    request_id = read.request()
    wanted = ExecutionFilter(
        client_id=read.integer("Client Id"),
        account=read.text("Account Code"),
        since=read.moment("Time"),
        symbol=read.text("Symbol"),
        security_type=read.text("Security Type"),
        exchange=read.text("Exchange"),
        side=read.text("Side"),
    )
    return Executions(request_id, wanted)


def _next_ids(read: FieldReader) -> Request:
    read.skip_version(1)
    read.integer("Num Ids")
    return NextIds()


def _contract_details(read: FieldReader) -> Request:
    read.skip_version(8)
    request_id, contract = read.request(), contract_of(read)
    contract = replace(
        contract,
        include_expired=read.flag("Include Expired"),
        security_id_type=read.text("Sec Id Type"),
        security_id=read.text("Sec Id"),
    )
    if read.version >= ISSUER_ID:
        read.text("Issuer Id")
    return ContractDetailsWanted(request_id, contract)


def _history(read: FieldReader) -> Request:
    request_id, contract = read.request(), contract_of(read)
    contract = replace(contract, include_expired=read.flag("Include Expired"))
    end = read.moment("End Date Time")
    bar_size, duration = read.text("Bar Size Setting"), read.text("Duration")
    regular_hours, what = read.flag("Use RTH"), read.text("What To Show")
    as_epoch = read.integer("Format Date") == 2  # noqa: PLR2004 - the protocol's own numbering
    _legs(read, contract)
    keep = read.flag("Keep Up To Date")
    read.text("Chart Options")
    wanted = HistoryRequest(
        contract=contract,
        end=end,
        duration=duration,
        bar_size=bar_size,
        what=what,
        regular_hours=regular_hours,
        keep_up_to_date=keep,
    )
    return History(request_id, wanted, as_epoch)


def _real_time_bars(read: FieldReader) -> Request:
    read.skip_version(3)
    request_id, contract = read.request("Ticker Id"), contract_of(read)
    read.integer("Bar Size")
    what, regular_hours = read.text("What To Show"), read.flag("Use RTH")
    read.text("Real Time Bars Options")
    return RealTimeBars(request_id, contract, what, regular_hours)


def _head_timestamp(read: FieldReader) -> Request:
    request_id, contract = read.request(), contract_of(read)
    read.flag("Include Expired")
    regular_hours, what = read.flag("Use RTH"), read.text("What To Show")
    as_epoch = read.integer("Format Date") == 2  # noqa: PLR2004 - the protocol's own numbering
    return HeadTimestamp(request_id, contract, what, regular_hours, as_epoch)


def _account_summary(read: FieldReader) -> Request:
    read.skip_version(1)
    request_id, group = read.request(), read.text("Group")
    tags = tuple(tag.strip() for tag in read.text("Tags").split(",") if tag.strip())
    return AccountSummary(request_id, group, tags)


def _positions_multi(read: FieldReader) -> Request:
    read.skip_version(1)
    return PositionsMulti(read.request(), read.text("Account"), read.text("Model Code"))


def _account_updates_multi(read: FieldReader) -> Request:
    read.skip_version(1)
    request = AccountUpdatesMulti(read.request(), read.text("Account"), read.text("Model Code"))
    read.flag("Ledger And NLV")
    return request


def _profit_and_loss(read: FieldReader) -> Request:
    request_id, account = read.request(), read.text("Account")
    read.text("Model Code")
    return ProfitAndLoss(request_id, account)


def _profit_and_loss_single(read: FieldReader) -> Request:
    request_id, account = read.request(), read.text("Account")
    read.text("Model Code")
    return ProfitAndLoss(request_id, account, read.integer("Con Id"))


def _legs(read: FieldReader, contract: Contract) -> None:
    if contract.security_type == "BAG":
        for _ in range(4 * read.integer("Combo Legs Count")):
            read.text("Combo Leg")


def _flagged(make: Callable[[bool], Request], name: str) -> Callable[[FieldReader], Request]:
    def read_it(read: FieldReader) -> Request:
        read.skip_version(1)
        return make(read.flag(name))

    return read_it


def _bare(version: int | None, request: Request) -> Callable[[FieldReader], Request]:
    def read_it(read: FieldReader) -> Request:
        if version is not None:
            read.skip_version(version)
        return request

    return read_it


def _ended(
    message_id: int, kind: type[StopData | EndSubscription]
) -> Callable[[FieldReader], Request]:
    def read_it(read: FieldReader) -> Request:
        if message_id not in _UNVERSIONED:
            read.skip_version(2 if message_id == _CANCEL_MARKET_DATA else 1)
        return kind(read.request(), message_id)

    return read_it


def _unserved(message_id: int, layout: str) -> Callable[[FieldReader], Request]:
    """Read fields written as one letter each.

    v is version 1, V any version, r the request id, c a contract, t text, i integer, b truth
    value, n number; `*` takes all that is left.
    """

    def read_it(read: FieldReader) -> Request:
        request_id, values = -1, []
        for letter in layout:
            match letter:
                case "v":
                    read.skip_version(1)
                case "r":
                    request_id = read.request()
                case "c":
                    contract_of(read)
                case "b":
                    read.flag("Flag")
                case "i":
                    values.append(str(read.integer("Number")))
                case "n":
                    read.number("Number")
                case "*":
                    values.extend(read.rest())
                case _:
                    values.append(read.text("Text"))
        return Unserved(message_id, request_id, tuple(values))

    return read_it


def _since(version: int, layout: str, message_id: int) -> Callable[[FieldReader], Request]:
    inner = _unserved(message_id, layout)

    def read_it(read: FieldReader) -> Request:
        if read.version < version:
            raise BadField(f"Unknown message id '{message_id}'")
        return inner(read)

    return read_it


def _wsh_events(read: FieldReader) -> Request:
    layout = "ri" + ("tbbb" if read.version >= WSH_FILTERS else "")
    return _since(WSH_CALENDAR, layout + ("ttt" if read.version >= WSH_DATES else ""), 102)(read)


_CANCEL_MARKET_DATA: Final = 2
_UNVERSIONED: Final = frozenset({93, 95})
_UNSERVED: Final = {
    10: "Vrcibt",
    11: "vrb",
    12: "vb",
    13: "v",
    14: "vi",
    18: "vi",
    19: "vitr",
    21: "Vr" + "t" * 11 + "iitb",
    22: "r" + "t" * 23,
    23: "vr",
    24: "v",
    52: "Vr" + "t" * 8 + "*",
    53: "vr",
    54: "Vrcnn*",
    55: "Vrcnn*",
    56: "vr",
    57: "vr",
    65: "vtt",
    66: "vt",
    67: "vr",
    68: "vri",
    69: "vrt",
    70: "vr",
    72: "vttt",
    73: "vtt",
    78: "rttti",
    79: "r",
    80: "",
    82: "",
    83: "rt",
    84: "rttt",
    85: "",
    86: "rittti" + "t",
    88: "rcbbt",
    89: "r",
    90: "r",
    96: "rcbttitbbt",
    97: "rctib",
    98: "r",
}
_READ: Final[Mapping[int, Callable[[FieldReader], Request]]] = {
    **{message: _unserved(message, layout) for message, layout in _UNSERVED.items()},
    **{message: _ended(message, StopData) for message in (_CANCEL_MARKET_DATA, 25, 51)},
    **{message: _ended(message, EndSubscription) for message in (63, 75, 77, 93, 95)},
    1: _market_data,
    3: _place_order,
    4: _cancel_order,
    5: _bare(1, OpenOrders(every_client=False)),
    6: _account_updates,
    7: _executions,
    8: _next_ids,
    9: _contract_details,
    15: _flagged(BindOrders, "Auto Bind"),
    16: _bare(1, OpenOrders(every_client=True)),
    17: _bare(1, ManagedAccounts()),
    20: _history,
    49: _bare(1, CurrentTime()),
    50: _real_time_bars,
    58: _bare(1, CancelAll()),
    59: _market_data_type,
    61: _bare(1, Positions(subscribe=True)),
    62: _account_summary,
    64: _bare(1, Positions(subscribe=False)),
    71: _start_api,
    74: _positions_multi,
    76: _account_updates_multi,
    81: lambda read: MatchingSymbols(read.request(), read.text("Pattern")),
    87: _head_timestamp,
    91: lambda read: MarketRule(read.integer("Market Rule Id")),
    92: _profit_and_loss,
    94: _profit_and_loss_single,
    99: lambda read: CompletedOrders(read.flag("Api Only")),
    100: _since(WSH_CALENDAR, "r", 100),
    101: _since(WSH_CALENDAR, "r", 101),
    102: _wsh_events,
    103: _since(WSH_CALENDAR, "r", 103),
    104: _since(USER_INFO, "r", 104),
}
