"""Which of the account's limits on loss, drawdown and leverage are reached: by what, in words."""

from collections.abc import Iterator

from daemon.gate.limits import AccountLimits
from events import Trip
from projections import State


def reached(state: State, limits: AccountLimits) -> Iterator[tuple[Trip, str]]:
    """Yield each limit that is reached, and what was found.

    All is compared without dividing: this is looked at with every bar.
    """
    pnl, cash = state.pnl, state.cash
    equity = pnl.equity - cash.uncharged_max if cash.uncharged else pnl.equity
    loss, loss_max = pnl.day_start_equity + pnl.day_flows - equity, limits.max_daily_loss_usd
    if loss_max is not None and loss >= loss_max:
        yield Trip.DAILY_LOSS, f"the day's loss is {loss:.2f} USD, its limit {loss_max}"
    gross, leverage_max = pnl.gross, limits.emergency_leverage
    if gross and leverage_max is not None and gross >= leverage_max * equity:
        held = f"{gross:.2f} USD are held with {equity:.2f} USD of equity"
        yield Trip.LEVERAGE, f"{held}, the limit is {leverage_max} times"
    peak, drawdown_max = pnl.peak_equity, limits.max_drawdown
    if drawdown_max is None or peak <= 0:
        return
    fallen = peak - equity
    if fallen >= drawdown_max * peak:
        yield Trip.DRAWDOWN, f"{fallen / peak:.4f} below the peak, the limit is {drawdown_max}"
