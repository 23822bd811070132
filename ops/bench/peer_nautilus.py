"""NautilusTrader at the shared bars: long 100 while SMA 10 is over SMA 30, flat otherwise.

Run by its path in the peers' environment, in two ways: "default", and "tuned", the fastest
settings found that still fill orders (no mark-to-market on bars, the strategy keeps its own
position flag). Its risk engine is on, logging is off; it journals nothing.
"""

import json
import sys
import time

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import FillModel
from nautilus_trader.config import (
    LoggingConfig,
    PortfolioConfig,
    RiskEngineConfig,
    StrategyConfig,
)
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.events import OrderFilled
from nautilus_trader.model.identifiers import Venue
from nautilus_trader.model.objects import Money, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy
from peer_bars import read

INSTRUMENT = TestInstrumentProvider.equity(symbol="AAPL", venue="XNAS")
BAR_TYPE = BarType.from_str(f"{INSTRUMENT.id}-1-MINUTE-LAST-EXTERNAL")


class Cross(Strategy):
    """The moving-average cross; `own_flag` spares it asking the portfolio."""

    def __init__(self, *, own_flag: bool) -> None:
        """Start flat."""
        super().__init__(StrategyConfig())
        self.own_flag = own_flag
        self.is_long = False
        self.fills = 0

    def on_start(self) -> None:
        """Set up both averages."""
        self.fast = SimpleMovingAverage(10)
        self.slow = SimpleMovingAverage(30)
        self.hundred = Quantity.from_int(100)
        self.register_indicator_for_bars(BAR_TYPE, self.fast)
        self.register_indicator_for_bars(BAR_TYPE, self.slow)
        self.subscribe_bars(BAR_TYPE)

    def on_bar(self, _bar: Bar) -> None:
        """Enter above, leave below."""
        if not self.slow.initialized:
            return
        is_flat = not self.is_long if self.own_flag else self.portfolio.is_flat(INSTRUMENT.id)
        if self.fast.value > self.slow.value:
            if is_flat:
                self._trade(OrderSide.BUY)
        elif not is_flat:
            self._trade(OrderSide.SELL)

    def on_order_filled(self, _event: OrderFilled) -> None:
        """Count fills."""
        self.fills += 1

    def _trade(self, side: OrderSide) -> None:
        self.is_long = side is OrderSide.BUY
        self.submit_order(self.order_factory.market(INSTRUMENT.id, side, self.hundred))


def main(path: str, how: str) -> None:
    """Run once over the bars at `path`."""
    frame = read(path)
    frame.index = frame.index.tz_convert("UTC")
    is_tuned = how == "tuned"
    engine = BacktestEngine(
        BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True),
            risk_engine=RiskEngineConfig(bypass=False),
            portfolio=PortfolioConfig(bar_updates=not is_tuned),
            run_analysis=False,
        )
    )
    engine.add_venue(
        Venue("XNAS"),
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money(1_000_000, USD)],
        base_currency=USD,
        fill_model=FillModel(prob_fill_on_limit=1.0, prob_slippage=0.0, random_seed=42),
        bar_execution=True,
    )
    engine.add_instrument(INSTRUMENT)
    engine.add_data(BarDataWrangler(BAR_TYPE, INSTRUMENT).process(frame))
    cross = Cross(own_flag=is_tuned)
    engine.add_strategy(cross)
    started = time.perf_counter()
    engine.run()
    taken_s = time.perf_counter() - started
    balance = engine.trader.generate_account_report(Venue("XNAS")).iloc[-1]["total"]
    figures = {"per_s": len(frame) / taken_s, "fills": cross.fills, "equity": float(balance)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main(*sys.argv[1:])
