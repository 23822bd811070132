"""The canonical view of the books and its hash: equal books, equal hash, in every process.

The view leaves out what a restart may change (seq, session, wall times) and what is only memory
(finished orders, history). A changed view is a new function with the next version, and the old
one stays, so that journals sealed under it can still be checked.
"""

from collections.abc import Mapping
from hashlib import sha256

import msgspec
from msgspec import structs

from projections.orders import Order
from projections.state import State

VERSION = 1


def state_hash(state: State, strategy_fields: Mapping[str, bytes]) -> str:
    """Return the sha256, in hex, of the books and of each strategy's fields (as JSON)."""
    view = {"books": canonical_view(state), "strategies": dict(_raw(strategy_fields))}
    return sha256(msgspec.json.encode(view, order="deterministic")).hexdigest()


def canonical_view(state: State) -> dict[str, object]:
    """Return what the account is, in builtins ready to encode."""
    cash, pnl = state.cash, state.pnl
    return {
        "version": VERSION,
        "positions": state.positions.account,
        "strategy_positions": state.positions.by_strategy,
        "cash": {
            "balance": cash.balance,
            "external_flows": cash.external_flows,
            "dividends": cash.dividends,
            "fees": cash.fees,
            "receivables": cash.receivables,
            "uncharged": cash.uncharged,
        },
        "orders": {order_id: _order(order) for order_id, order in state.orders.open.items()},
        # Without their ids: those have the number of a row, which moves with every start before it.
        "holds": [structs.replace(hold, hold_id="") for hold in state.holds.active.values()],
        "marks": pnl.marks,
        "equity": pnl.equity,
        "peak_equity": pnl.peak_equity,
        "drawdown_max": pnl.drawdown_max,
        "day_start_equity": pnl.day_start_equity,
        "pending_actions": state.corporate_actions.pending,
        "unpaid_dividends": state.corporate_actions.unpaid,
        "share_factors": state.corporate_actions.share_factors,
        "counts": {
            "bars": state.market.bars,
            "intended": state.orders.intended,
            "refused": state.orders.refused,
            "sent": state.orders.sent,
            "fills": state.orders.fills,
        },
    }


def _order(order: Order) -> dict[str, object]:
    return {
        "intent": order.terms,
        "state": order.state,
        "filled": order.filled,
        "fill_value": order.fill_value,
        "commission": order.commission,
        "reserved": order.reserved,
        "executions": order.executions,
        "cancel_requested": order.cancel_requested,
    }


def _raw(fields: Mapping[str, bytes]) -> list[tuple[str, msgspec.Raw]]:
    return [(name, msgspec.Raw(fields[name])) for name in sorted(fields)]
