"""The placeOrder message: over a hundred fields, some of them only at some versions.

What a stock order means goes into its terms; every other field is checked for its kind and kept as
written, to be echoed. What this gateway cannot do is named, so that no order is taken for a
simpler one.
"""

from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from ops.gateway_sim.fields import INFINITE, FieldReader
from ops.gateway_sim.terms import Contract, OrderTerms

# The server version since which a message has, or has no longer, a field.
DURATION: Final = 158
POST_TO_ATS: Final = 160
AUTO_CANCEL_PARENT: Final = 162
ADVANCED_ERROR_OVERRIDE: Final = 166
MANUAL_ORDER_TIME: Final = 169
PEG_OFFSETS: Final = 170
FA_PROFILE_GONE: Final = 177

_CONDITION_FIELDS: Final = {1: 6, 3: 3, 4: 3, 5: 4, 6: 5, 7: 5}
"""Fields of a condition by its type: price, time, margin, execution, volume, percent change."""
_LEG_FIELDS: Final = 8
"""Fields of one leg of a combination."""


def contract_of(reader: FieldReader) -> Contract:
    """Read the twelve fields that describe a contract in most requests."""
    return Contract(
        con_id=reader.integer("Con Id"),
        symbol=reader.text("Symbol"),
        security_type=reader.text("Security Type"),
        last_trade_date=reader.text("Last Trade Date"),
        strike=reader.number("Strike"),
        right=reader.text("Right"),
        multiplier=reader.text("Multiplier"),
        exchange=reader.text("Exchange"),
        primary_exchange=reader.text("Primary Exchange"),
        currency=reader.text("Currency"),
        local_symbol=reader.text("Local Symbol"),
        trading_class=reader.text("Trading Class"),
    )


def order_of(reader: FieldReader) -> tuple[Contract, OrderTerms, list[str]]:
    """Read a placeOrder: the contract, the order, and what in it is not done here.

    Raises:
        BadField: a field is missing, left over, or not what its place wants.
    """
    order_id = reader.request("Order Id")
    contract = contract_of(reader)
    contract = replace(
        contract,
        security_id_type=reader.text("Sec Id Type"),
        security_id=reader.text("Sec Id"),
    )
    order = _OrderReading(reader, contract)
    terms = order.head(order_id)
    terms = order.middle(terms)
    terms = order.tail(terms)
    order.version_fields(terms.type)
    reader.end()
    return contract, replace(terms, other=order.other), order.unsupported


class _OrderReading:
    """One placeOrder being read: the fields to echo, and what it wants that is not done here."""

    def __init__(self, reader: FieldReader, contract: Contract) -> None:
        self._reader = reader
        self._contract = contract
        self.other: dict[str, str] = {}
        self.unsupported: list[str] = []

    def head(self, order_id: int) -> OrderTerms:
        """Read up to the combination's legs."""
        read = self._reader
        terms = OrderTerms(
            order_id=order_id,
            action=read.text("Action"),
            quantity=read.quantity("Total Quantity"),
            type=read.text("Order Type"),
            limit_price=read.number("Lmt Price"),
            aux_price=read.number("Aux Price"),
            tif=read.text("Time In Force") or "DAY",
            oca_group=read.text("OCA Group"),
            account=read.text("Account"),
        )
        self._echo("openClose:t origin:i")
        terms = replace(
            terms,
            order_ref=read.text("Order Ref"),
            transmit=read.flag("Transmit"),
            parent_id=read.integer("Parent Id"),
        )
        self._echo("blockOrder:b sweepToFill:b")
        terms = replace(
            terms,
            display_size=read.optional_integer("Display Size"),
            trigger_method=read.integer("Trigger Method"),
            outside_rth=read.flag("Outside RTH"),
            hidden=read.flag("Hidden"),
        )
        if self._contract.security_type == "BAG":
            self._combination()
        return terms

    def middle(self, terms: OrderTerms) -> OrderTerms:
        """Read from the allocation to the volatility."""
        read = self._reader
        self._echo("sharesAllocation:t discretionaryAmt:n")
        terms = replace(
            terms,
            good_after=read.text("Good After Time"),
            good_till=read.text("Good Till Date"),
        )
        self._echo("faGroup:t faMethod:t faPercentage:t")
        if read.version < FA_PROFILE_GONE:
            self._echo("faProfile:t")
        self._echo("modelCode:t shortSaleSlot:i designatedLocation:t exemptCode:i")
        terms = replace(terms, oca_type=read.integer("OCA Type"))
        self._echo("rule80A:t settlingFirm:t")
        terms = replace(
            terms,
            all_or_none=read.flag("All Or None"),
            min_quantity=read.optional_integer("Min Qty"),
        )
        self._echo("percentOffset:n eTradeOnly:b firmQuoteOnly:b nbboPriceCap:n auctionStrategy:i")
        self._echo("startingPrice:n stockRefPrice:n delta:n stockRangeLower:n stockRangeUpper:n")
        self._echo("overridePercentageConstraints:b volatility:n volatilityType:i")
        self._echo("deltaNeutralOrderType:t deltaNeutralAuxPrice:n")
        if self.other.get("deltaNeutralOrderType"):
            self.unsupported.append("delta neutral orders")
            self._echo("deltaNeutralConId:i deltaNeutralSettlingFirm:t")
            self._echo("deltaNeutralClearingAccount:t deltaNeutralClearingIntent:t")
            self._echo("deltaNeutralOpenClose:t deltaNeutralShortSale:b")
            self._echo("deltaNeutralShortSaleSlot:i deltaNeutralDesignatedLocation:t")
        self._echo("continuousUpdate:b referencePriceType:i")
        return replace(
            terms,
            trail_stop_price=read.number("Trail Stop Price"),
            trailing_percent=read.number("Trailing Percent"),
        )

    def tail(self, terms: OrderTerms) -> OrderTerms:
        """Read from the scale to the price management."""
        read = self._reader
        self._scale_and_hedge()
        self._algorithm()
        terms = replace(terms, what_if=read.flag("What If"))
        self._echo("orderMiscOptions:t solicited:b randomizeSize:b randomizePrice:b")
        if terms.type.startswith("PEG"):
            self.unsupported.append("pegged orders")
        if terms.type.replace(" ", "") == "PEGBENCH":
            self._echo("referenceContractId:i isPeggedChangeAmountDecrease:b peggedChangeAmount:n")
            self._echo("referenceChangeAmount:n referenceExchangeId:t")
        self._conditions()
        self._echo("adjustedOrderType:t triggerPrice:n")
        terms = replace(terms, limit_price_offset=read.number("Lmt Price Offset"))
        self._echo("adjustedStopPrice:n adjustedStopLimitPrice:n adjustedTrailingAmount:n")
        self._echo(
            "adjustableTrailingUnit:i extOperator:t softDollarTierName:t softDollarTierVal:t"
        )
        if self.other.get("adjustedOrderType"):
            self.unsupported.append("adjusted orders")
        terms = replace(terms, cash_quantity=read.number("Cash Qty"))
        self._echo("mifid2DecisionMaker:t mifid2DecisionAlgo:t")
        self._echo("mifid2ExecutionTrader:t mifid2ExecutionAlgo:t")
        self._echo("dontUseAutoPriceForHedge:b isOmsContainer:b discretionaryUpToLimitPrice:b")
        self._echo("usePriceMgmtAlgo:b")
        return terms

    def version_fields(self, order_type: str) -> None:
        """Read what only some versions have."""
        version = self._reader.version
        for since, field in (
            (DURATION, "duration:i"),
            (POST_TO_ATS, "postToAts:i"),
            (AUTO_CANCEL_PARENT, "autoCancelParent:b"),
            (ADVANCED_ERROR_OVERRIDE, "advancedErrorOverride:t"),
            (MANUAL_ORDER_TIME, "manualOrderTime:t"),
        ):
            if version >= since:
                self._echo(field)
        if version < PEG_OFFSETS:
            return
        pegged = order_type.replace(" ", "")
        if self._contract.exchange == "IBKRATS":
            self._echo("minTradeQty:i")
        offsets = pegged == "PEGMID"
        if pegged == "PEGBEST":
            self._echo("minCompeteSize:i competeAgainstBestOffset:t")
            offsets = self.other.get("competeAgainstBestOffset") in INFINITE
        if offsets:
            self._echo("midOffsetAtWhole:n midOffsetAtHalf:n")

    def _combination(self) -> None:
        self.unsupported.append("combinations")
        read = self._reader
        for _ in range(read.integer("Combo Legs Count")):
            for _ in range(_LEG_FIELDS):
                read.text("Combo Leg")
        for _ in range(read.integer("Order Combo Legs Count")):
            read.number("Combo Leg Price")
        for _ in range(2 * read.integer("Smart Combo Params Count")):
            read.text("Smart Combo Param")

    def _scale_and_hedge(self) -> None:
        self._echo("scaleInitLevelSize:i scaleSubsLevelSize:i scalePriceIncrement:n")
        if Decimal(self.other.get("scalePriceIncrement", 0)) > 0:
            self.unsupported.append("scale orders")
            self._echo("scalePriceAdjustValue:n scalePriceAdjustInterval:i scaleProfitOffset:n")
            self._echo("scaleAutoReset:b scaleInitPosition:i scaleInitFillQty:i")
            self._echo("scaleRandomPercent:b")
        self._echo("scaleTable:t activeStartTime:t activeStopTime:t hedgeType:t")
        if self.other.get("hedgeType"):
            self.unsupported.append("hedge orders")
            self._echo("hedgeParam:t")
        self._echo("optOutSmartRouting:b clearingAccount:t clearingIntent:t notHeld:b")
        if self._reader.flag("Delta Neutral Contract Present"):
            self.unsupported.append("delta neutral orders")
            self._echo("deltaNeutralContractConId:i deltaNeutralContractDelta:n")
            self._echo("deltaNeutralContractPrice:n")

    def _algorithm(self) -> None:
        read = self._reader
        self._echo("algoStrategy:t")
        if self.other.get("algoStrategy"):
            self.unsupported.append("algorithms")
            for _ in range(2 * read.integer("Algo Params Count")):
                read.text("Algo Param")
        self._echo("algoId:t")

    def _conditions(self) -> None:
        read = self._reader
        count = read.integer("Conditions Count")
        if not count:
            return
        self.unsupported.append("conditions")
        for _ in range(count):
            kind = read.integer("Condition Type")
            for _ in range(_CONDITION_FIELDS.get(kind, 0)):
                read.text("Condition")
        self._echo("conditionsIgnoreRth:b conditionsCancelOrder:b")

    def _echo(self, kinds: str) -> None:
        """Read fields given as `name:kind ...` and keep those that say something.

        A kind is t for text, i for an integer, n for a number, b for a truth value.
        """
        read = self._reader
        for each in kinds.split():
            name, _, kind = each.partition(":")
            match kind:
                case "t":
                    written = read.text(name)
                case "i":
                    found = read.optional_integer(name)
                    written = "" if found is None else str(found)
                case "n":
                    number = read.number(name)
                    written = "" if number is None else str(number)
                case _:
                    written = "1" if read.flag(name) else ""
            if written:
                self.other[name] = written
