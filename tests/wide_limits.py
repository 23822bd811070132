"""Limits that stop nothing, as an operator would write them: for tests of something else."""

WIDE_LIMITS = """
[limits.account]
max_order_shares = 100000
max_order_usd = 1000000
max_position_shares = 100000
max_position_usd = 1000000
max_daily_loss_usd = 1000000
max_drawdown = 0.99
max_orders_a_day = 100000
max_leverage = 10
emergency_leverage = 10
allow_short = true
[limits.prices]
max_data_age_s = 1000000000
outlier_threshold = 1
max_distance_last = 1
max_distance_close = 1
[limits.orders]
allow_opposite = true
require_shortable_data = false
[limits.rates]
window_s = 1
max_orders = 1000
max_messages = 1000
max_intents = 1000
[limits.turnover]
max_a_day = 100000
[limits.margin]
initial_share = 0.01
cushion = 0.01
max_batch_share = 1
"""
