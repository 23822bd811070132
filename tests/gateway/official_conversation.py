"""A conversation held by IB's official Python client; run in an environment of its own.

Arguments: the folder the client was installed in, and the port. Each thing the client is told is
printed as one line of JSON: the name of the callback and its arguments.
"""

import importlib
import json
import sys
import threading
import time
from decimal import Decimal
from enum import Enum
from typing import Any

ACCOUNT = "DU1234567"
PATIENCE_S = 10.0
YES, NO = True, False


def plain(value: Any) -> Any:  # noqa: ANN401 - whatever the client hands over
    """Return `value` as JSON can hold it; of objects, what is set."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Decimal | Enum):
        return str(value)
    return {name: plain(each) for name, each in vars(value).items() if each not in (None, "")}


class Conversation:
    """What was told so far, and the client to ask."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[Any]]] = []
        wrapper = importlib.import_module("ibapi.wrapper").EWrapper
        client = importlib.import_module("ibapi.client").EClient
        names = [
            name
            for name in dir(wrapper)
            if not name.startswith(("_", "log")) and not name.endswith("ProtoBuf")
        ]
        make: Any = type
        app = make("App", (wrapper, client), {name: self._keeper(name) for name in names})
        self.ask: Any = app.__new__(app)
        client.__init__(self.ask, self.ask)

    def _keeper(self, name: str) -> Any:  # noqa: ANN401 - a method of the client's wrapper
        def keep(_self: object, *values: object) -> None:
            self.told.append((name, [plain(value) for value in values]))

        return keep

    def until(self, name: str, count: int = 1) -> list[Any]:
        """Return what `name` was told for the `count`th time, when it is told."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            found = [values for each, values in self.told if each == name]
            if len(found) >= count:
                return found[count - 1]
            time.sleep(0.01)
        raise TimeoutError(f"{name} was not told {count} times")


def order_of(kind: str, price: float | None = None, **more: object) -> Any:  # noqa: ANN401 - ibapi's
    order = importlib.import_module("ibapi.order").Order()
    order.action, order.totalQuantity, order.orderType = "BUY", Decimal(10), kind
    if price is not None:
        order.lmtPrice = price
    for name, value in more.items():
        setattr(order, name, value)
    return order


def orders(talk: Conversation, contract: Any) -> None:  # noqa: ANN401 - ibapi's
    """Place, modify, weigh, cancel; and ask for all that is known of orders."""
    cancel = importlib.import_module("ibapi.order_cancel").OrderCancel()
    everything = importlib.import_module("ibapi.execution").ExecutionFilter()
    first: int = talk.until("nextValidId")[0]
    talk.ask.placeOrder(first, contract, order_of("MKT", orderRef="ref-1"))
    talk.until("commissionAndFeesReport")
    resting = order_of("LMT", 140.0, orderRef="ref-2", tif="GTC")
    talk.ask.placeOrder(first + 1, contract, resting)
    talk.until("openOrder", 4)
    resting.lmtPrice = 141.0
    talk.ask.placeOrder(first + 1, contract, resting)
    talk.ask.reqAllOpenOrders()
    talk.until("openOrderEnd")
    talk.ask.placeOrder(first + 2, contract, order_of("LMT", 150.0, whatIf=True))
    talk.ask.cancelOrder(first + 1, cancel)
    talk.until("error", 4)
    talk.ask.reqCompletedOrders(NO)
    talk.until("completedOrdersEnd")
    talk.ask.reqExecutions(900, everything)
    talk.until("execDetailsEnd")


def account(talk: Conversation) -> None:
    talk.ask.reqPositions()
    talk.until("positionEnd")
    talk.ask.reqAccountUpdates(YES, ACCOUNT)
    talk.until("accountDownloadEnd")
    talk.ask.reqAccountSummary(901, "All", "NetLiquidation,BuyingPower")
    talk.until("accountSummaryEnd")
    talk.ask.reqPnL(902, ACCOUNT, "")
    talk.until("pnl")


def data(talk: Conversation, contract: Any) -> None:  # noqa: ANN401 - ibapi's
    talk.ask.reqContractDetails(903, contract)
    talk.until("contractDetailsEnd")
    talk.ask.reqMatchingSymbols(904, "AAPL")
    talk.until("symbolSamples")
    talk.ask.reqMktData(905, contract, "", NO, NO, [])
    talk.until("tickPrice", 3)
    talk.ask.reqHistoricalData(906, contract, "", "1 D", "1 min", "TRADES", 1, 2, NO, [])
    talk.until("historicalDataEnd")
    talk.ask.reqHeadTimeStamp(907, contract, "TRADES", 1, 2)
    talk.until("headTimestamp")
    talk.ask.reqCurrentTime()
    talk.until("currentTime")
    talk.ask.reqScannerParameters()
    talk.until("scannerParameters")


def main() -> None:
    folder, port = sys.argv[1:]
    sys.path.insert(0, folder)
    talk = Conversation()
    talk.ask.connect("127.0.0.1", int(port), 3)
    reading = threading.Thread(target=talk.ask.run, daemon=True)
    reading.start()
    stock = importlib.import_module("ibapi.contract").Contract()
    stock.symbol, stock.secType, stock.exchange, stock.currency = "AAPL", "STK", "SMART", "USD"
    try:
        talk.until("managedAccounts")
        orders(talk, stock)
        account(talk)
        data(talk, stock)
    finally:
        talk.ask.disconnect()
        sys.stdout.writelines(json.dumps(each) + "\n" for each in talk.told)
    reading.join(PATIENCE_S)


if __name__ == "__main__":
    main()
