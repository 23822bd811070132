"""Commands that may increase risk are answered first with their numbers and a token.

The token is made from the command and from the facts among those numbers: when they have changed
meanwhile it does not fit any more, and the new ones are shown. What it is all worth changes with
every bar, and what is open or held elsewhere with every fill: that is shown and not covered.
A token confirms once: the same line typed again is a second order, and is asked about again.
"""

import hmac
import secrets
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from hashlib import sha256
from typing import Final

import msgspec

from daemon.core.looks import ReconciliationTerms
from daemon.core.loss_limits import reached
from daemon.core.operator_desk import LIFTED_BY_RESUME
from daemon.core.promotion import PromotionRule, unmet
from daemon.core.resolution import plan_text, plans
from daemon.gate.limits import AccountLimits
from events import (
    HoldPlaced,
    HoldScope,
    OperatorFlattenAsked,
    OperatorLifted,
    OperatorOrderAsked,
    OperatorPromoteAsked,
    OperatorReloaded,
    OperatorResolveAsked,
    OperatorResumed,
    Symbol,
    Trip,
)
from events.codec import Command
from projections import State
from projections.order_states import OrderState

TOKEN_LENGTH = 8
_AGAIN: Final[dict[str, str]] = {
    Trip.DAILY_LOSS: "it is still reached and the next price trips it again, until the next "
    "session or a higher limit (`traded reload`)",
    Trip.LEVERAGE: "it is still reached and the next price trips it again: reduce first (`traded "
    "flatten SYMBOL`)",
    Trip.DRAWDOWN: "it is still reached: the peak is given up, and the drawdown counts from the "
    "equity of this moment on",
}
"""What lifting the hold of a limit means that is still reached."""


class Numbers(msgspec.Struct, frozen=True):
    """What a command would do: `facts` are what is confirmed, `estimates` move with the market."""

    facts: tuple[str, ...] = ()
    estimates: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All of it, for a person."""
        return (*self.facts, *self.estimates)


class Confirmations:
    """Makes and checks tokens, for as long as this process lives."""

    def __init__(self) -> None:
        """Draw a secret that no other process knows."""
        self._secret = secrets.token_bytes(32)
        self._used: Counter[bytes] = Counter()

    def token(self, command: Command, numbers: Numbers) -> str:
        """Return the token for `command` under `numbers`; why, and the attempt, may change."""
        text = _confirmed(command, numbers)
        made = hmac.new(self._secret, b"%d %b" % (self._used[text], text), sha256)
        return made.hexdigest()[:TOKEN_LENGTH]

    def use(self, token: str, command: Command, numbers: Numbers) -> bool:
        """Say whether `token` confirms `command` under `numbers`; it does so only once."""
        fits = hmac.compare_digest(token.encode(), self.token(command, numbers).encode())
        self._used[_confirmed(command, numbers)] += fits
        return fits


def _confirmed(command: Command, numbers: Numbers) -> bytes:
    bare = msgspec.structs.replace(command, command_id="", why="")
    return msgspec.json.encode((bare, numbers.facts))


def numbers_of(  # noqa: PLR0911 - one branch a command
    command: Command,
    state: State,
    rule: PromotionRule,
    limits: AccountLimits,
    terms: ReconciliationTerms,
) -> Numbers:
    """Return what is to be confirmed of `command`: nothing where it cannot increase risk.

    What will be refused in any case, by `rule` say, is not asked about either. `limits` say whether
    what a hold was placed for is still so.
    """
    match command:
        case OperatorResumed():
            return _resume(command, state)
        case OperatorLifted():
            return _lift(command, state, limits)
        case OperatorFlattenAsked():
            return _flatten(command, state)
        case OperatorOrderAsked():
            return _order(command, state)
        case OperatorPromoteAsked():
            return _promote(command, state, rule)
        case OperatorReloaded():
            took = (f"{key}: {old} -> {new}" for key, (old, new) in command.changes.items())
            return Numbers(tuple(took))
        case OperatorResolveAsked():
            return Numbers(_resolve(command, state, terms))
        case _:
            return Numbers()


def _promote(command: OperatorPromoteAsked, state: State, rule: PromotionRule) -> Numbers:
    if unmet(state, command.strategy, rule):
        return Numbers()  # It will be refused.
    facts = (f"lets the orders of {command.strategy} be sent", *_unknown(state))
    return Numbers(facts, _standing(state))


def _lift(command: OperatorLifted, state: State, limits: AccountLimits) -> Numbers:
    hold = state.holds.active.get(command.hold_id)
    if hold is None:
        return Numbers()  # It will be refused.
    still = {trip.value: found for trip, found in reached(state, limits)}
    lifts, standing = f"lifts {_said(hold)}", _standing(state)
    if hold.cause not in still:
        return Numbers((lifts, *_unknown(state)), standing)
    now = [f"now: {still[hold.cause]}"]
    if hold.cause == Trip.DRAWDOWN:
        equity, peak = state.pnl.equity, state.pnl.peak_equity
        now.append(f"equity {equity:,.2f} USD takes the place of the peak, {peak:,.2f}")
    return Numbers((lifts, _AGAIN[hold.cause], *_unknown(state)), (*now, *standing))


def _resolve(
    command: OperatorResolveAsked, state: State, terms: ReconciliationTerms
) -> tuple[str, ...]:
    planned, refusal = plans(state, command, terms)
    if refusal or any(plan.objection for plan in planned):
        return ()  # It will be refused.
    lifted = [
        hold
        for hold in state.holds.active.values()
        if any(hold.subject == plan.opened.break_id for plan in planned if plan.is_over)
    ]
    return (
        *(plan_text(state, plan) for plan in planned),
        *(f"lifts {_said(hold)}" for hold in lifted),
    )


def _resume(command: OperatorResumed, state: State) -> Numbers:
    holds = state.holds.active.values()
    if command.strategy:
        lifted = [
            hold
            for hold in holds
            if (hold.scope, hold.target) == (HoldScope.STRATEGY, command.strategy)
        ]
        if not lifted:
            return Numbers()  # It will be refused.
    else:
        lifted = [hold for hold in holds if hold.cause in LIFTED_BY_RESUME]
    stay = [hold for hold in holds if hold not in lifted]
    lifts = [f"lifts {_said(hold)}" for hold in lifted] or ["lifts nothing: the kill switch is off"]
    stays = (f"stays: {_said(hold)}" for hold in stay)
    return Numbers((*lifts, *stays, *_unknown(state)), _standing(state))


def _said(hold: HoldPlaced) -> str:
    why = f": {hold.why}" if hold.why else ""
    return f"{hold.level} on {hold.target or 'everything'} ({hold.cause}){why}"


def _standing(state: State) -> tuple[str, ...]:
    """Return what an operator should have looked at before orders leave again."""
    held = ", ".join(
        f"{each.quantity} {symbol}"
        for symbol, each in sorted(state.positions.account.items())
        if each.quantity
    )
    return (f"held: {held or 'nothing'}; {len(state.orders.open)} orders open",)


def _unknown(state: State) -> Iterator[str]:
    for order in state.orders.open.values():
        if order.state is OrderState.UNKNOWN:
            yield f"UNKNOWN: {order.client_order_id}"


def _flatten(command: OperatorFlattenAsked, state: State) -> Numbers:
    facts, estimates = [], []
    for symbol, position in sorted(state.positions.account.items()):
        if position.quantity and command.symbol in {None, symbol}:
            facts.append(f"closes {position.quantity} {symbol}")
            estimates.append(_worth(state, symbol, position.quantity))
    orders = [each for each in state.orders.open.values() if command.symbol in {None, each.symbol}]
    estimates += [f"cancels {each.client_order_id} ({each.state})" for each in orders]
    # Without a position it cancels at most, which needs no confirmation.
    return Numbers(tuple(facts), tuple(estimates))


def _order(command: OperatorOrderAsked, state: State) -> Numbers:
    if command.symbol not in state.symbols:
        return Numbers()  # The gate will refuse it.
    held = state.positions.held(command.symbol).quantity
    side = "buys" if command.quantity > 0 else "sells"
    limit, stop = command.limit_price, command.stop_price
    at = f" at {limit}" if limit is not None else " at the market"
    at += f" once it trades at {stop}" if stop is not None else ""
    at += ", also outside regular hours" if command.outside_rth else ""
    return Numbers(
        (
            f"{side} {abs(command.quantity)} {command.symbol}{at}, {command.time_in_force}",
            f"held before: {held}, after: {held + command.quantity}",
        ),
        (_worth(state, command.symbol, command.quantity),),
    )


def _worth(state: State, symbol: Symbol, quantity: Decimal) -> str:
    price = state.market.price(symbol)
    if price is None:
        return f"{symbol}: no price is known"
    return f"{abs(quantity)} {symbol} at {price}: about {abs(quantity) * price:,.2f} USD"
