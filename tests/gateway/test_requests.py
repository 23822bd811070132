"""What clients send, read strictly. The messages are written by ib_async's own encoder."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import ib_async
import pytest
from ib_async.client import Client

from ops.gateway_sim import requests
from ops.gateway_sim.fields import BadField, FieldReader, double, parsed_moment, size
from ops.gateway_sim.request_reading import parsed
from ops.gateway_sim.terms import Contract, ExecutionFilter, HistoryRequest

NEW_YORK = "US/Eastern"
AAPL = ib_async.Stock("AAPL", "SMART", "USD")
VERSIONS = range(157, 179)
YES, NO = True, False
# What these end with differs from client to client, so that nothing is counted behind it.
OPEN_ENDED = {"52", "54", "55"}


class Encoder:
    """ib_async's client with its socket replaced by a list of fields."""

    def __init__(self, version: int = 178) -> None:
        self.sent: list[list[str]] = []
        client: Any = Client
        self.client = client(ib_async.IB().wrapper)
        self.client.connState = Client.CONNECTED
        self.client._serverVersion = version  # noqa: SLF001 - what the handshake would set
        self.client.clientId = 7
        self.client.sendMsg = self._keep

    def _keep(self, message: str) -> None:
        self.sent.append(message.split("\0")[:-1])


def an_order(**changes: object) -> ib_async.Order:
    usual: dict[str, Any] = {"orderType": "LMT", "orderRef": "ref-1", "tif": "DAY"}
    order: Any = ib_async.Order
    made: ib_async.Order = order(
        action="BUY", totalQuantity=10, lmtPrice=150.25, **(usual | changes)
    )
    return made


def placed(order: ib_async.Order, version: int = 178) -> list[str]:
    encoder = Encoder(version)
    encoder.client.placeOrder(11, AAPL, order)
    return encoder.sent[0]


def everything_a_client_may_ask(version: int) -> Iterator[list[str]]:
    """Yield every message ib_async can write at `version`."""
    encoder = Encoder(version)
    ask = encoder.client
    ask.startApi()
    ask.reqMktData(7, AAPL, "233", NO, NO, [])
    ask.cancelMktData(7)
    ask.placeOrder(11, AAPL, an_order())
    ask.cancelOrder(11)
    ask.reqOpenOrders()
    ask.reqAccountUpdates(YES, "DU1")
    ask.reqExecutions(7, ib_async.ExecutionFilter())
    ask.reqIds(1)
    ask.reqContractDetails(7, AAPL)
    ask.reqMktDepth(7, AAPL, 5, NO, [])
    ask.cancelMktDepth(7, NO)
    ask.reqNewsBulletins(YES)
    ask.cancelNewsBulletins()
    ask.setServerLogLevel(5)
    ask.reqAutoOpenOrders(YES)
    ask.reqAllOpenOrders()
    ask.reqManagedAccts()
    ask.requestFA(1)
    ask.replaceFA(7, 1, "<x/>")
    ask.reqHistoricalData(7, AAPL, "", "1 D", "5 mins", "TRADES", YES, 2, YES, [])
    ask.cancelHistoricalData(7)
    ask.reqRealTimeBars(7, AAPL, 5, "TRADES", YES, [])
    ask.cancelRealTimeBars(7)
    ask.reqCurrentTime()
    ask.reqGlobalCancel()
    ask.reqMarketDataType(3)
    ask.reqPositions()
    ask.cancelPositions()
    ask.reqAccountSummary(7, "All", "NetLiquidation,BuyingPower")
    ask.cancelAccountSummary(7)
    ask.reqPositionsMulti(7, "DU1", "")
    ask.cancelPositionsMulti(7)
    ask.reqAccountUpdatesMulti(7, "DU1", "", NO)
    ask.cancelAccountUpdatesMulti(7)
    ask.reqMatchingSymbols(7, "AA")
    ask.reqHeadTimeStamp(7, AAPL, "TRADES", YES, 2)
    ask.cancelHeadTimeStamp(7)
    ask.reqMarketRule(26)
    ask.reqPnL(7, "DU1", "")
    ask.cancelPnL(7)
    ask.reqPnLSingle(7, "DU1", "", 265598)
    ask.cancelPnLSingle(7)
    ask.reqCompletedOrders(NO)
    unserved_messages(encoder)
    yield from encoder.sent


def unserved_messages(encoder: Encoder) -> None:
    """Write the messages this gateway knows and has nothing for."""
    ask = encoder.client
    ask.exerciseOptions(7, AAPL, 1, 1, "DU1", 0)
    ask.reqScannerSubscription(7, ib_async.ScannerSubscription(), [], [])
    ask.cancelScannerSubscription(7)
    ask.reqScannerParameters()
    ask.reqFundamentalData(7, AAPL, "ReportSnapshot", [])
    ask.cancelFundamentalData(7)
    ask.calculateImpliedVolatility(7, AAPL, 1.0, 2.0, [])
    ask.calculateOptionPrice(7, AAPL, 1.0, 2.0, [])
    ask.cancelCalculateImpliedVolatility(7)
    ask.cancelCalculateOptionPrice(7)
    ask.queryDisplayGroups(7)
    ask.subscribeToGroupEvents(7, 1)
    ask.updateDisplayGroup(7, "none")
    ask.unsubscribeFromGroupEvents(7)
    ask.reqSecDefOptParams(7, "AAPL", "", "STK", 265598)
    ask.reqSoftDollarTiers(7)
    ask.reqFamilyCodes()
    ask.reqMktDepthExchanges()
    ask.reqSmartComponents(7, "9c0001")
    ask.reqNewsArticle(7, "BZ", "x", [])
    ask.reqNewsProviders()
    ask.reqHistoricalNews(7, 265598, "BZ", "", "", 10, [])
    ask.reqHistogramData(7, AAPL, YES, "3 days")
    ask.cancelHistogramData(7)
    ask.reqHistoricalTicks(7, AAPL, "", "20240102 10:00:00", 10, "TRADES", YES, NO, [])
    ask.reqTickByTickData(7, AAPL, "Last", 0, NO)
    ask.cancelTickByTickData(7)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_message_is_read_at_every_version_and_one_field_more_or_less_is_not(
    version: int,
) -> None:
    for message in everything_a_client_may_ask(version):
        parsed(message, version, NEW_YORK)
        if message[0] in OPEN_ENDED:
            continue
        with pytest.raises(BadField, match="more fields than"):
            parsed([*message, ""], version, NEW_YORK)
        if len(message) > 1:
            with pytest.raises(BadField):
                parsed(message[:-1], version, NEW_YORK)


@pytest.mark.parametrize(("version", "fields"), [(178, 114), (177, 114), (169, 115), (157, 110)])
def test_an_order_has_as_many_fields_as_its_version(version: int, fields: int) -> None:
    assert len(placed(an_order(), version)) == fields


def test_an_order_means_what_its_client_wrote() -> None:
    request = parsed(placed(an_order(outsideRth=True, ocaGroup="g", ocaType=1)), 178, NEW_YORK)
    assert isinstance(request, requests.PlaceOrder)
    assert request.contract == Contract(
        symbol="AAPL", security_type="STK", exchange="SMART", currency="USD", strike=Decimal(0)
    )
    terms = request.terms
    assert (terms.order_id, terms.action, terms.quantity) == (11, "BUY", 10)
    assert (terms.type, terms.limit_price, terms.tif) == ("LMT", Decimal("150.25"), "DAY")
    assert (terms.order_ref, terms.outside_rth, terms.transmit) == ("ref-1", True, True)
    assert (terms.oca_group, terms.oca_type) == ("g", 1)
    assert request.unsupported == ()


@pytest.mark.parametrize("unset", ["", "1.7976931348623157e+308", "1.7976931348623157E308"])
def test_a_price_not_set_is_none_in_every_spelling(unset: str) -> None:
    message = placed(an_order())
    message[message.index("150.25")] = unset
    request = parsed(message, 178, NEW_YORK)
    assert isinstance(request, requests.PlaceOrder)
    assert request.terms.limit_price is None


@pytest.mark.parametrize("unset", ["", "2147483647"])
def test_a_size_not_set_is_none_in_every_spelling(unset: str) -> None:
    message = placed(an_order(minQty=4242))
    message[message.index("4242")] = unset
    request = parsed(message, 178, NEW_YORK)
    assert isinstance(request, requests.PlaceOrder)
    assert request.terms.min_quantity is None


@pytest.mark.parametrize("price", ["nan", "inf", "15O.25", "1,5"])
def test_a_price_that_is_no_number_is_told_by_its_field(price: str) -> None:
    message = placed(an_order())
    message[message.index("150.25")] = price
    with pytest.raises(BadField, match="'Lmt Price' for input string") as refused:
        parsed(message, 178, NEW_YORK)
    # The order's id, so that its client knows which one it was.
    assert refused.value.request_id == 11


def test_an_order_id_beyond_31_bits_is_not_a_number_to_the_gateway() -> None:
    message = placed(an_order())
    message[1] = "2548181185"
    with pytest.raises(BadField, match="'Order Id' for input string: '2548181185'"):
        parsed(message, 178, NEW_YORK)


def test_a_nul_inside_a_reference_makes_a_field_too_many() -> None:
    with pytest.raises(BadField):
        parsed(placed(an_order(orderRef="a\0b")), 178, NEW_YORK)


@pytest.mark.parametrize(
    ("order", "named"),
    [
        (
            an_order(algoStrategy="Adaptive", algoParams=[ib_async.TagValue("p", "Patient")]),
            "algorithms",
        ),
        (an_order(conditions=[ib_async.TimeCondition(time="20240102 10:00:00")]), "conditions"),
        (an_order(hedgeType="D", hedgeParam="1"), "hedge orders"),
        (an_order(scaleInitLevelSize=1, scalePriceIncrement=0.5), "scale orders"),
        (an_order(deltaNeutralOrderType="MKT"), "delta neutral orders"),
        (an_order(adjustedOrderType="STP"), "adjusted orders"),
        (an_order(orderType="PEG MID", midOffsetAtWhole=1.0, midOffsetAtHalf=1.0), "pegged orders"),
        (an_order(orderType="PEG BENCH", referenceContractId=5), "pegged orders"),
    ],
)
@pytest.mark.parametrize("version", [157, 170, 178])
def test_what_this_gateway_does_not_do_is_read_to_its_end_and_named(
    order: ib_async.Order, named: str, version: int
) -> None:
    request = parsed(placed(order, version), version, NEW_YORK)
    assert isinstance(request, requests.PlaceOrder)
    assert request.unsupported == (named,)


def test_history_is_asked_in_the_words_of_the_protocol() -> None:
    encoder = Encoder()
    encoder.client.reqHistoricalData(
        7, AAPL, "20240102 16:00:00 US/Eastern", "1 D", "5 mins", "TRADES", YES, 2, NO, []
    )
    request = parsed(encoder.sent[0], 178, NEW_YORK)
    assert request == requests.History(
        7,
        HistoryRequest(
            contract=Contract(
                symbol="AAPL",
                security_type="STK",
                exchange="SMART",
                currency="USD",
                strike=Decimal(0),
            ),
            end=datetime(2024, 1, 2, 21, tzinfo=UTC),
            duration="1 D",
            bar_size="5 mins",
            what="TRADES",
            regular_hours=True,
        ),
        as_epoch=True,
    )


def test_a_filter_without_a_zone_is_in_the_zone_of_the_login() -> None:
    encoder = Encoder()
    encoder.client.reqExecutions(7, ib_async.ExecutionFilter(time="20240702 09:30:00"))
    request = parsed(encoder.sent[0], 178, NEW_YORK)
    # New York is four hours behind in July.
    since = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)
    assert request == requests.Executions(7, ExecutionFilter(since=since))


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("20240102 09:30:00 US/Eastern", datetime(2024, 1, 2, 14, 30, tzinfo=UTC)),
        ("20240102-14:30:00", datetime(2024, 1, 2, 14, 30, tzinfo=UTC)),
        ("20240102 09:30:00", datetime(2024, 1, 2, 14, 30, tzinfo=UTC)),
        ("20240102  09:30:00", datetime(2024, 1, 2, 14, 30, tzinfo=UTC)),
        ("20240102 09:30", datetime(2024, 1, 2, 14, 30, tzinfo=UTC)),
        ("20240102 09:30:00 UTC", datetime(2024, 1, 2, 9, 30, tzinfo=UTC)),
        ("20240230 09:30:00", None),
        ("20240102 09:30:00 Mars/Base", None),
        ("yesterday", None),
    ],
)
def test_moments_in_every_spelling(written: str, means: datetime | None) -> None:
    assert parsed_moment(written, NEW_YORK) == means


def test_an_unknown_message_is_told_by_its_id() -> None:
    for message in (["999"], ["x"], [""], ["-3"]):
        with pytest.raises(BadField, match="Unknown message id"):
            parsed(message, 178, NEW_YORK)


def test_a_message_younger_than_the_connection_is_unknown() -> None:
    assert parsed(["104", "7"], 167, NEW_YORK) == requests.Unserved(104, 7)
    with pytest.raises(BadField, match="Unknown message id '104'"):
        parsed(["104", "7"], 166, NEW_YORK)


def test_a_truth_value_is_0_or_1_or_nothing() -> None:
    assert [FieldReader(["", written], 178, NEW_YORK).flag("x") for written in ("0", "1", "")] == [
        False,
        True,
        False,
    ]
    with pytest.raises(BadField, match="'x' for input string: 'true'"):
        FieldReader(["", "true"], 178, NEW_YORK).flag("x")


@pytest.mark.parametrize(
    ("number", "as_price", "as_size"),
    [
        ("150", "150.0", "150"),
        ("150.2500", "150.25", "150.25"),
        ("0", "0.0", "0"),
        ("-3.10", "-3.1", "-3.1"),
        ("1E+3", "1000.0", "1000"),
        ("0.0001", "0.0001", "0.0001"),
    ],
)
def test_prices_are_written_like_doubles_and_sizes_like_counts(
    number: str, as_price: str, as_size: str
) -> None:
    assert (double(Decimal(number)), size(Decimal(number))) == (as_price, as_size)


def test_a_price_not_set_is_written_as_the_largest_double() -> None:
    assert double(None) == "1.7976931348623157E308"
