"""What strategies in shadow would have made: their intents at a paper broker of their own. Pure.

The paper broker is the daemon's own one, with books that nothing else is in; so its rules are those
of ops/paper-broker.md, and there is no second reckoning of them.
"""

from copy import deepcopy
from decimal import Decimal
from typing import Final

import msgspec

from daemon.brokers.paper import PaperBroker
from daemon.config.file import from_event
from daemon.config.options import BrokerConfig
from daemon.core.corporate_actions import applied_action
from events import (
    BarClosed,
    CalendarLoaded,
    ClientOrderId,
    CommissionCharged,
    ConfigLoaded,
    CorporateActionAnnounced,
    CorporateActionApplied,
    IntentApproved,
    IntentRefused,
    OrderFilled,
    OrderIntended,
    OrderSending,
    Record,
    TimerFired,
    utc_from_nanoseconds,
)
from events.codec import Input, JournalEvent
from ops.render import quantity
from ops.reports.shape import Shadow, ShadowLine
from projections import State
from projections.calendar import Calendar
from projections.market import Market
from projections.strategies import SHADOW

_ZERO: Final = Decimal(0)


class ShadowLedger(msgspec.Struct):
    """What is counted of one strategy."""

    intents: int = 0
    passed: int = 0
    fills: int = 0
    notional: Decimal = _ZERO
    fees: Decimal = _ZERO
    dividends: Decimal = _ZERO


class ShadowBook:
    """Follows the intents that only the shadow has stopped, and fills them on the bars."""

    def __init__(self, before: State) -> None:
        """Start flat, with the market and the calendar as they were `before` the period."""
        config = from_event(ConfigLoaded(before.identity.config, before.symbols)).config.broker
        self._config = config
        self._state = State(
            calendar=Calendar(
                dict(before.calendar.exchanges),
                before.calendar.day_exchange,
                list(before.calendar.day_closes),
            ),
            market=Market(
                dict(before.market.last),
                dict(before.market.newest_end),
                dict(before.market.fresh_splits),
            ),
            references=deepcopy(before.references),
            symbols=before.symbols,
            seq=before.seq,
            at=before.at,
        )
        self._lines: dict[str, ShadowLedger] = {}
        self._intents: dict[str, OrderIntended] = {}
        self._connect()

    def note(self, intent: OrderIntended) -> None:
        """Take note of an intent of a strategy in shadow; what the gate says of it follows."""
        self._intents[intent.client_order_id] = intent
        self._line(intent.strategy).intents += 1

    def take(self, record: Record) -> None:
        """Take one record of the journal."""
        event, at = record.event, record.at
        match event:
            case BarClosed():
                self._state.at = at
                if not event.past:
                    self._broker.advance(event.start)
                    self._broker.observe(event)
                self._fold(event)
            case TimerFired():
                self._state.at = at
                self._broker.advance(event.due)
            case IntentRefused():
                intent = self._intents.pop(event.client_order_id, None)
                if intent is not None and [each.name for each in event.failed] == [SHADOW]:
                    self._send(intent, at)
            case CorporateActionApplied():
                self._act(event, at)
            case ConfigLoaded() | CalendarLoaded():
                self._fold(event)
            case _:
                pass

    def shadow(self) -> Shadow:
        """Return the strategies' lines, and what they rest on."""
        if not self._lines:
            return Shadow([], [])
        return Shadow(
            [self._shown(name) for name in sorted(self._lines)], assumptions(self._config)
        )

    def _shown(self, name: str) -> ShadowLine:
        line = self._lines[name]
        book = self._state.positions.by_strategy.get(name, {})
        worth = sum(
            (
                each.realised_pnl + self._state.pnl.unrealised_pnl(symbol, each)
                for symbol, each in book.items()
            ),
            _ZERO,
        )
        orders = self._state.orders.open.values()
        return ShadowLine(
            strategy=name,
            intents=line.intents,
            passed=line.passed,
            fills=line.fills,
            notional_usd=line.notional,
            fees_usd=line.fees,
            result_usd=worth + line.dividends - line.fees,
            open_orders=sum(1 for order in orders if order.intent.strategy == name),
        )

    def _connect(self) -> None:
        self._broker = PaperBroker(self._config)
        self._broker.connect(self._state, self._report)

    def _send(self, intent: OrderIntended, at: int) -> None:
        self._line(intent.strategy).passed += 1
        order_id = intent.client_order_id
        for event in (intent, IntentApproved(order_id, ()), OrderSending(order_id)):
            self._fold(event, at)
        # Only the gate may hand in an order: a new connection takes up what the books have sent.
        self._connect()

    def _report(self, report: Input) -> None:
        match report:
            case OrderFilled():
                line = self._line(self._strategy_of(report.client_order_id))
                line.fills += 1
                line.notional += abs(report.quantity) * report.price
            case CommissionCharged():
                self._line(self._strategy_of(report.client_order_id)).fees += report.amount
            case _:
                pass
        self._fold(report)

    def _act(self, event: CorporateActionApplied, at: int) -> None:
        """Apply to what is held here what the journal has applied to what is held there."""
        announced = CorporateActionAnnounced(
            event.action_id,
            event.symbol,
            utc_from_nanoseconds(at).date(),
            event.kind,
            event.new_shares,
            event.old_shares,
            event.cash_per_share,
        )
        here = applied_action(announced, self._state)
        if here.receivable:
            for name, book in self._state.positions.by_strategy.items():
                held = book.get(event.symbol)
                if held is not None:
                    self._line(name).dividends += held.quantity * event.cash_per_share
        self._fold(here, at)
        self._broker.corporate_action(here)

    def _fold(self, event: JournalEvent, at: int | None = None) -> None:
        state = self._state
        state.apply(Record(state.seq + 1, state.at if at is None else at, event))

    def _strategy_of(self, order_id: ClientOrderId) -> str:
        return self._state.orders.strategy_of(order_id) or ""

    def _line(self, name: str) -> ShadowLedger:
        return self._lines.setdefault(name, ShadowLedger())


def assumptions(config: BrokerConfig) -> list[str]:
    """Return how the results of strategies in shadow are estimated, in sentences."""
    share = (config.volume_share_max * 100).normalize()
    fills = (
        "Estimated from the journal alone: each intent that only the shadow has stopped goes to a "
        "paper broker of its own, by the rules of ops/paper-broker.md. A market order fills at the "
        f"open of the next bar, worsened by {quantity(config.slippage_bps)} bps; at most "
        f"{share:f} % of a bar's volume; commission plan {config.commission}."
    )
    positions = (
        "Each strategy starts the period flat and is marked at its last bar. In shadow it sees no "
        "position of its own, so its intents are those of one that holds nothing: what it would "
        "have done next with the position is not in the journal."
    )
    return [fills, positions, "Nothing of it is in any other figure of this report."]
