"""Target weights: on a schedule, trade each symbol back to its share of equity."""

from collections.abc import Iterator, Sequence
from decimal import ROUND_DOWN, Decimal

import msgspec

from daemon.config.bounds import Share, Weight
from daemon.strategies import Answer, Every, Intent, NoTrade, Schedule, Strategy, View
from events import Symbol, TimeInForce, TimerFired

_ZERO = Decimal(0)


class TargetWeights(Strategy):
    """Hold `weights` of `capital_share` of equity, restored in the first session of each period.

    `band` is relative: no trade while the position is within that share of its target, 0.05 = 5 %.
    Sells come before buys. A symbol without a price yet is left alone.
    """

    weights: dict[Symbol, Weight] = msgspec.field(default_factory=dict)
    every: Every = Every.MONTH
    capital_share: Share = Decimal(1)
    band: Share = Decimal("0.05")
    time_in_force: TimeInForce = TimeInForce.DAY

    def check(self, symbols: Sequence[Symbol]) -> None:
        """Require weights of the strategy's own symbols, together at most 1."""
        if not self.weights:
            message = "weights is empty"
            raise ValueError(message)
        foreign = sorted(set(self.weights) - set(symbols))
        if foreign:
            message = f"weights names {', '.join(foreign)}, which the strategy does not trade"
            raise ValueError(message)
        total = sum(abs(weight) for weight in self.weights.values())
        if total > 1:
            message = f"weights add up to {total}, more than 1"
            raise ValueError(message)

    def schedules(self) -> Sequence[Schedule]:
        """Ask for one timer a period, at the open."""
        return (Schedule("rebalance", self.every),)

    def on_timer(self, timer: TimerFired, view: View) -> Answer:
        """Answer for every symbol: an intent, or why there is none."""
        answers = list(self._answers(view))
        return sorted(answers, key=_sells_first)

    def _answers(self, view: View) -> Iterator[Intent | NoTrade]:
        budget = view.equity * self.capital_share
        for symbol, weight in self.weights.items():
            price = view.price(symbol)
            if price is None:
                yield NoTrade("data", "no price", symbol)
                continue
            target = (budget * weight / price).to_integral_value(ROUND_DOWN)
            difference = target - view.quantity(symbol) - view.pending(symbol)
            if not difference:
                yield NoTrade("signal", "on target", symbol)
            elif abs(difference) <= abs(target) * self.band:
                yield NoTrade("band", "within the band", symbol)
            else:
                yield Intent(
                    symbol,
                    difference,
                    time_in_force=self.time_in_force,
                    values={
                        "equity": view.equity,
                        "weight": weight,
                        "price": price,
                        "target_shares": target,
                    },
                )


def _sells_first(answer: Intent | NoTrade) -> bool:
    return isinstance(answer, Intent) and answer.quantity > _ZERO
