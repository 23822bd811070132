"""One order at the gate: all checks, on books with positions, open orders and every limit set.

Five symbols with half an hour of minutes, four of them held, two orders open; account, symbol and
strategy have limits of their own. The order asked about is a limit order that passes.
"""

import gc
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from daemon import gate
from daemon.gate import Limits, RiskApproved
from events import (
    BarClosed,
    CalendarLoaded,
    CashMoved,
    CashMovementKind,
    ClientOrderId,
    CommissionCharged,
    ConfigLoaded,
    ExecutionId,
    IntentApproved,
    OrderFilled,
    OrderIntended,
    OrderSending,
    OrderType,
    OrderWorking,
    Record,
    SessionHours,
    Symbol,
    SymbolTerms,
    TimeInForce,
    nanoseconds,
)
from events.codec import JournalEvent
from ops.bench.measure import (
    Benchmark,
    Case,
    Figures,
    Readings,
    Result,
    Work,
    ours,
    print_figures,
    typical,
)
from projections import State

GOAL_US = 30.0
QUESTIONS = 20_000
SYMBOLS: Final = [Symbol(name) for name in ("AAPL", "GOOG", "IBM", "META", "MSFT")]
OPENS: Final = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
NOW: Final = OPENS + timedelta(minutes=30)
LIMITS: Final = msgspec.convert(
    {
        "account": {
            "max_order_shares": "1000",
            "max_order_usd": "50000",
            "max_position_shares": "2000",
            "max_position_usd": "100000",
            "max_daily_loss_usd": "10000",
            "max_drawdown": "0.20",
            "max_gross_usd": "900000",
            "max_net_usd": "800000",
            "max_day_trades": 50,
        },
        "symbols": {"GOOG": {"max_order_shares": "500", "max_position_usd": "60000"}},
        "strategies": {"trend": {"max_order_usd": "30000", "max_position_usd": "90000"}},
    },
    Limits,
    strict=False,
)


def prepare(_work: Work) -> Sequence[Case]:
    """Return the one case."""
    return (Case("gate", ours("gate")),)


def report(readings: Readings) -> list[Result]:
    """Return the median and the slowest of a hundred."""
    p50, p99 = (typical(readings, "gate", name) for name in ("p50_us", "p99_us"))
    return [
        Result(
            benchmark="gate",
            what=f"one order, {typical(readings, 'gate', 'checks'):.0f} checks, p50",
            figure=f"{p50:.1f} us",
            against=f"p99 {p99:.1f} us",
            ratio=None,
            goal=f"<= {GOAL_US:.0f} us",
            met=p50 <= GOAL_US,
        )
    ]


BENCHMARK = Benchmark("gate", prepare, report)


def books() -> State:
    """Return the books the order is asked on."""
    state = State()
    for seq, (at, event) in enumerate(_journal(), 1):
        state.apply(Record(seq, nanoseconds(at), event))
    return state


def an_order(name: str, symbol: Symbol, quantity: int, limit: str | None = None) -> OrderIntended:
    """Return an order at the market, or with a limit."""
    return OrderIntended(
        ClientOrderId(name),
        "trend",
        symbol,
        Decimal(quantity),
        OrderType.MARKET if limit is None else OrderType.LIMIT,
        TimeInForce.DAY,
        cause_key="",
        leg=0,
        limit_price=None if limit is None else Decimal(limit),
    )


def _journal() -> Iterator[tuple[datetime, JournalEvent]]:
    """Yield each event with its time."""
    terms = SymbolTerms("NYSE", enforce_hours=True, extended_hours=False)
    yield OPENS, ConfigLoaded({}, dict.fromkeys(SYMBOLS, terms))
    yield OPENS, CalendarLoaded("NYSE", "benchmark", tuple(map(_session, range(4))))
    yield OPENS, CashMoved(CashMovementKind.DEPOSIT, Decimal(1_000_000), "capital")
    for minute in range(1, 31):
        end, price = OPENS + timedelta(minutes=minute), Decimal(100 + minute % 3)
        for symbol in SYMBOLS:
            yield end, BarClosed(symbol, 60, end, price, price, price, price, Decimal(10_000))
    for symbol in SYMBOLS[:4]:
        yield from _sent(an_order(f"held-{symbol}", symbol, 50))
        order_id, execution = ClientOrderId(f"held-{symbol}"), ExecutionId(symbol)
        yield NOW, OrderFilled(order_id, execution, symbol, Decimal(50), Decimal(100), NOW)
        yield NOW, CommissionCharged(order_id, execution, Decimal(1))
    for symbol in SYMBOLS[:2]:
        yield from _sent(an_order(f"open-{symbol}", symbol, 20, "99.50"))
        yield NOW, OrderWorking(ClientOrderId(f"open-{symbol}"))


def _session(number: int) -> SessionHours:
    opens, closes = OPENS + timedelta(days=number), OPENS + timedelta(days=number, hours=6.5)
    day = date(2024, 1, 2) + timedelta(days=number)
    return SessionHours(day, opens, closes, opens, closes)


def _sent(intent: OrderIntended) -> Iterator[tuple[datetime, JournalEvent]]:
    yield NOW, intent
    yield NOW, IntentApproved(intent.client_order_id, ())
    yield NOW, OrderSending(intent.client_order_id)


def main() -> None:
    """Ask so many times, and print how long one question takes."""
    state, order = books(), an_order("new", SYMBOLS[1], 10, "101.05")
    (answer,) = gate.check((order,), state, LIMITS, NOW)
    assert isinstance(answer, RiskApproved), "the order is one that passes"
    gc.collect()
    gc.freeze()
    taken_ns = []
    for _ in range(QUESTIONS):
        started = time.perf_counter_ns()
        gate.check((order,), state, LIMITS, NOW)
        taken_ns.append(time.perf_counter_ns() - started)
    taken_ns.sort()
    p50, p99 = taken_ns[QUESTIONS // 2], taken_ns[QUESTIONS * 99 // 100]
    figures: Figures = {
        "p50_us": p50 / 1e3,
        "p99_us": p99 / 1e3,
        "checks": float(len(answer.checks)),
    }
    print_figures(figures)


if __name__ == "__main__":
    main()
