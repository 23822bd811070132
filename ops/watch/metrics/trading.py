"""Metrics of what was traded: bars, decisions, orders, fills, money."""

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import Metric

from ops.account import account_of
from ops.standing import Status
from ops.watch.metrics.families import counter, counters, gauge, gauges
from ops.watch.past import Past
from projections import State
from projections.order_states import TERMINAL, OrderState

ENDS = {
    "order.sending": "sent",
    "order.acknowledged": "acknowledged",
    "order.rejected": "rejected",
    "order.cancelled": "cancelled",
    "order.expired": "expired",
    "order.withheld": "withheld",
    "order.unknown": "unknown",
}
CORRECTIONS = ("fill.corrected", "commission.corrected")


def market(state: State, status: Status) -> Iterator[Metric]:
    """Yield what came in, and how old it is."""
    yield counter("traded_bars", "Bars recorded in the journal.", state.market.bars)
    yield counter(
        "traded_bars_off_session",
        "Bars outside their session, which nothing was decided on.",
        state.market.off_session,
    )
    yield counter("traded_bars_missing", "Bars that never came.", state.freshness.missed)
    ages = {each.symbol: each.age_s for each in status.data if each.age_s is not None}
    yield gauges("traded_data_age_seconds", "Since the last bar closed.", ["symbol"], ages)
    closes = {each.symbol: each.close for each in status.data if each.close is not None}
    yield gauges("traded_last_close_usd", "Close of the last bar.", ["symbol"], closes)
    stale = {symbol: symbol in state.freshness.stale for symbol in state.symbols}
    yield gauges("traded_data_stale", "1 while data is too old to trade on.", ["symbol"], stale)
    yield gauges(
        "traded_symbol_halted",
        "1 while trading is halted.",
        ["symbol"],
        {symbol: symbol in state.halts.active for symbol in state.symbols},
    )


def decisions(state: State, past: Past) -> Iterator[Metric]:
    """Yield what strategies wanted, and what the gate said."""
    answers = state.strategies.answers
    intended = {name: each.intended for name, each in answers.items()}
    yield counters("traded_intents", "Orders strategies wanted.", ["strategy"], intended)
    yield counters(
        "traded_decisions",
        "Answers of the gate to intents.",
        ["strategy", "outcome"],
        [
            ((name, outcome), count)
            for name, each in answers.items()
            for outcome, count in (("approved", each.approved), ("refused", each.refused))
        ],
    )
    yield gauges(
        "traded_strategy_failed",
        "1 for a strategy that has failed and is asked no more.",
        ["strategy"],
        {name: bool(each.failed) for name, each in answers.items()},
    )
    yield gauges(
        "traded_strategy_shadow",
        "1 for a strategy that decides without sending.",
        ["strategy"],
        {name: each.shadow for name, each in answers.items()},
    )
    checks = past.checks if past.complete else {}
    yield counters(
        "traded_checks",
        "Checks of the gate, passed or failed.",
        ["check", "result"],
        [
            ((name, "passed" if passed else "failed"), count)
            for (name, passed), count in checks.items()
        ],
    )


def orders(state: State, past: Past) -> Iterator[Metric]:
    """Yield the orders there are, and what became of the others."""
    now = Counter(order.state for order in state.orders.open.values())
    yield gauges(
        "traded_orders_open",
        "Orders that may still fill, by state.",
        ["state"],
        {each.value: now[each] for each in OrderState if each not in TERMINAL},
    )
    yield gauge("traded_orders_unknown", "Orders of unknown whereabouts.", now[OrderState.UNKNOWN])
    yield counters(
        "traded_order_reports",
        "What was recorded of orders, by kind.",
        ["kind"],
        [((name,), past.count(tag)) for tag, name in ENDS.items()],
    )
    yield counter("traded_fills", "Fills recorded.", past.count("order.filled"))
    yield counter(
        "traded_corrections", "Fills and fees the broker corrected.", past.count(*CORRECTIONS)
    )
    traded = {"buy": past.bought_usd, "sell": past.sold_usd} if past.complete else {}
    yield counters("traded_filled_usd", "Value of the fills, US dollars.", ["side"], traded)


def money(state: State) -> Iterator[Metric]:
    """Yield equity, result, exposure, and each position."""
    account, pnl = account_of(state), state.pnl
    yield gauge("traded_equity_usd", "Cash, receivables and positions.", pnl.equity)
    yield gauge("traded_equity_peak_usd", "The highest equity, flows apart.", pnl.peak_equity)
    yield gauge("traded_day_pnl_usd", "Result since the last session close.", pnl.day_pnl)
    yield gauge("traded_result_usd", "Equity less what was paid in.", account.result_usd)
    yield gauge("traded_realised_pnl_usd", "Result of what was closed.", account.realised_usd)
    yield gauge("traded_unrealised_pnl_usd", "Result of what is held.", account.unrealised_usd)
    yield gauge("traded_drawdown_ratio", "Below the peak, as a share of it.", pnl.drawdown)
    yield gauge("traded_drawdown_max_ratio", "The worst drawdown so far.", pnl.drawdown_max)
    yield gauge("traded_cash_usd", "Cash.", account.cash_usd)
    yield gauge("traded_receivables_usd", "Dividends to come.", account.receivables_usd)
    yield gauge("traded_external_flows_usd", "Paid in, less paid out.", state.cash.external_flows)
    yield gauge("traded_fees_usd", "Fees paid so far.", account.fees_usd)
    yield gauge("traded_dividends_usd", "Dividends received so far.", account.dividends_usd)
    yield gauge("traded_exposure_gross_usd", "Longs and shorts, added up.", pnl.gross)
    yield gauge("traded_exposure_net_usd", "Longs less shorts.", pnl.value)
    lines = account.positions
    yield gauges(
        "traded_position_shares",
        "Shares held, negative where short.",
        ["symbol"],
        {each.symbol: each.quantity for each in lines},
    )
    yield gauges(
        "traded_position_value_usd",
        "Value of what is held.",
        ["symbol"],
        {each.symbol: each.value_usd for each in lines},
    )
    yield gauges(
        "traded_position_unrealised_usd",
        "Result of what is held, by symbol.",
        ["symbol"],
        {each.symbol: each.unrealised_usd for each in lines},
    )
