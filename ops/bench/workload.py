"""What the daemon is given to do in the benchmarks, and the journals it leaves.

The events that are appended, replayed and recovered are those of real runs: bars of twenty symbols
in exchange hours, about 85 % of all events, and the orders of a trend strategy, keyed and traced.
"""

import sys
from decimal import Decimal
from pathlib import Path

from daemon.app import Outcome
from daemon.config.options import (
    BrokerConfig,
    Config,
    Exchange,
    FeedConfig,
    JournalConfig,
    SessionsConfig,
    StrategyConfig,
    SymbolConfig,
)
from daemon.gate import Limits
from daemon.gate.limits import (
    AccountLimits,
    MarginLimits,
    OrderRules,
    PriceLimits,
    RateLimits,
    TurnoverLimits,
)
from events import Symbol
from ops.bench.market import symbols
from ops.bench.measure import ours, print_figures, run
from ops.daemon_run import run_daemon
from ops.log.lines import HumanLog
from ops.log.redaction import Redaction

SYMBOLS = 20
BARS_AN_EVENT = 0.87
"""More bars than a run needs to reach a number of events: about 85 % of the events are bars."""
CAPITAL_USD = Decimal(1_000_000)
LIMITS = Limits(
    account=AccountLimits(
        max_order_shares=Decimal(1_000),
        max_order_usd=Decimal(100_000),
        max_position_shares=Decimal(1_000),
        max_position_usd=Decimal(100_000),
        max_orders_a_day=100_000,
        max_daily_loss_usd=Decimal(500_000),
        max_drawdown=Decimal("0.9"),
        max_leverage=Decimal(10),
        emergency_leverage=Decimal(10),
    ),
    prices=PriceLimits(max_data_age_s=1_000_000_000, outlier_threshold=Decimal(1)),
    orders=OrderRules(allow_opposite=True),
    rates=RateLimits(max_orders=1_000, max_messages=1_000, max_intents=1_000),
    turnover=TurnoverLimits(max_a_day=100_000),
    margin=MarginLimits(
        initial_share=Decimal("0.01"), cushion=Decimal("0.01"), max_batch_share=Decimal(1)
    ),
)
"""Set, checked and recorded for every order; wide enough never to end a benchmark."""


def config(  # noqa: PLR0913 - what differs between the benchmarks
    feed: FeedConfig,
    names: list[Symbol],
    exchange: Exchange,
    *,
    fast: int,
    slow: int,
    snapshot_every_events: int = 50_000,
) -> Config:
    """Return a backtest of the moving-average strategy, 100 shares an order, fees on."""
    return Config(
        journal=JournalConfig(snapshot_every_events=snapshot_every_events),
        symbols={name: SymbolConfig(exchange=exchange) for name in names},
        sessions=SessionsConfig(enforce_trading_hours=exchange is not Exchange.ALWAYS),
        strategies={
            "trend": StrategyConfig(
                strategy_class="daemon.strategies.moving_average:MovingAverage",
                params={"fast": fast, "slow": slow, "shares": "100"},
            )
        },
        broker=BrokerConfig(capital_usd=CAPITAL_USD, slippage_bps=Decimal(0)),
        feed=feed,
        limits=LIMITS,
    )


def synthetic(
    bars: int, *, first_day: str = "2010-01-04", snapshot_every_events: int = 50_000
) -> Config:
    """Return a run over `bars` made-up bars of twenty symbols at New York's exchange."""
    return config(
        FeedConfig(
            kind="ops.bench.market:SyntheticFeed",
            params={"bars": bars, "symbols": SYMBOLS, "first_day": first_day},
        ),
        symbols(SYMBOLS),
        Exchange.NYSE,
        fast=15,
        slow=40,
        snapshot_every_events=snapshot_every_events,
    )


def trade(asked: Config, journal: Path) -> Outcome:
    """Run the daemon as `traded run` does, into a new journal at `journal`."""
    return run_daemon(asked, journal.parent, journal, once=False, log=HumanLog(Redaction()))


def source_journal(folder: Path, events: int) -> Path:
    """Return a journal of at least `events` events in `folder`, made unless it is there already."""
    path = folder / f"source-{events}.db"
    if not path.exists():
        run(ours("workload", path, int(events * BARS_AN_EVENT)))
    return path


def main(path: str, bars: str) -> None:
    """Make the journal at `path` out of so many bars."""
    outcome = trade(synthetic(int(bars)), Path(path))
    state = outcome.state
    print_figures({"events": state.seq, "bars": state.market.bars, "fills": state.orders.fills})


if __name__ == "__main__":
    main(*sys.argv[1:])
