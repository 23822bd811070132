"""The gate's checks in their fixed order. Each is pure and answers for one intent.

Written as "allow only if": what cannot be shown to be within its limit is not. A new check is a
function in the module of its subject and its name in `CHECKS`.
"""

from collections.abc import Callable

from daemon.gate.checks.account import batch_margin_usd, margin_usd, settled_usd
from daemon.gate.checks.exposure import emergency_leverage, gross_usd, leverage, net_usd
from daemon.gate.checks.holds import holds
from daemon.gate.checks.losses import daily_loss, drawdown, equity_known
from daemon.gate.checks.order_shape import price_step, size_step, valid_input
from daemon.gate.checks.own_orders import own_opposite
from daemon.gate.checks.permission import (
    short_allowed,
    short_restricted,
    shortable,
    symbol_allowed,
)
from daemon.gate.checks.prices import (
    collar_close,
    collar_last,
    data_age_s,
    data_stale,
    outlier,
    price_known,
)
from daemon.gate.checks.question import Question
from daemon.gate.checks.rates import (
    day_trades,
    edge_usd,
    message_rate,
    order_rate,
    orders_a_day,
    runaway,
    turnover,
)
from daemon.gate.checks.sizes import (
    order_shares,
    order_usd,
    position_shares,
    position_usd,
    strategy_position,
)
from daemon.gate.checks.trading_hours import (
    auction_cutoff,
    order_hours,
    session_open,
    symbol_halted,
)
from events import Check

CHECKS: tuple[Callable[[Question], Check], ...] = (
    valid_input,
    size_step,
    price_step,
    symbol_allowed,
    holds,
    session_open,
    order_hours,
    symbol_halted,
    auction_cutoff,
    price_known,
    data_age_s,
    data_stale,
    outlier,
    collar_last,
    collar_close,
    short_allowed,
    shortable,
    short_restricted,
    own_opposite,
    order_rate,
    message_rate,
    runaway,
    orders_a_day,
    turnover,
    edge_usd,
    day_trades,
    order_shares,
    order_usd,
    position_shares,
    position_usd,
    strategy_position,
    gross_usd,
    net_usd,
    leverage,
    emergency_leverage,
    settled_usd,
    margin_usd,
    batch_margin_usd,
    equity_known,
    daily_loss,
    drawdown,
)
