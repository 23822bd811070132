"""Corporate actions announced, applied and still to be paid."""

from collections.abc import Mapping
from typing import Final, assert_never

import msgspec

from events import (
    CashAdjusted,
    CashMoved,
    CashMovementKind,
    CorporateActionAnnounced,
    CorporateActionApplied,
    CorporateActionKind,
    HoldPlaced,
    Symbol,
)
from events.codec import encode

CorporateActionEvent = CorporateActionAnnounced | CorporateActionApplied | CashMoved | CashAdjusted


class ShareFactor(msgspec.Struct, frozen=True):
    """How many of today's shares one share of the loaded configuration has become: new / old."""

    new_shares: int = 1
    old_shares: int = 1


IMPOSSIBLE: Final = "impossible corporate action"
"""The cause of the hold behind an action that cannot be so; it is not applied any more."""

_SHARE_LIMITS: Final = ("max_order_shares", "max_position_shares")


class CorporateActions(msgspec.Struct):
    """`pending` waits for its ex date, `unpaid` for its payment; both by action id.

    `known` holds every action there ever was, with whether it was applied, `terms` what was
    announced of it. `share_factors` restates limits in shares; a symbol's starts at 1 again when
    the operator loads a configuration with other limits in shares for it, because those are meant
    in the shares of that day.
    """

    known: dict[str, bool] = {}
    terms: dict[str, CorporateActionAnnounced] = {}
    pending: dict[str, CorporateActionAnnounced] = {}
    unpaid: dict[str, CorporateActionAnnounced] = {}
    share_factors: dict[Symbol, ShareFactor] = {}

    def is_repeat(self, event: CorporateActionAnnounced | CorporateActionApplied) -> bool:
        """Say whether this step of the action has been taken already."""
        match event:
            case CorporateActionAnnounced():
                return event.action_id in self.known
            case CorporateActionApplied():
                return self.known.get(event.action_id, False)
            case _:
                assert_never(event)

    def contradicted_by(self, event: CorporateActionAnnounced) -> str:
        """Return what was announced under the id of `event` where the terms are others, else ""."""
        announced = self.terms.get(event.action_id, event)
        return "" if announced == event else encode(announced).decode()

    def refuse(self, hold: HoldPlaced) -> None:
        """Wait no more for an action that `hold` says cannot be so."""
        if hold.cause == IMPOSSIBLE:
            self.pending.pop(hold.subject, None)

    def take_limits(self, before: Mapping[str, object], after: Mapping[str, object]) -> None:
        """Take another configuration: a factor stays while the share limits it restates do."""
        for symbol in tuple(self.share_factors):
            if _share_limits(before, symbol) != _share_limits(after, symbol):
                del self.share_factors[symbol]

    def apply(self, event: CorporateActionEvent) -> None:
        """Take one step of a corporate action; it must be no repeat."""
        match event:
            case CorporateActionAnnounced():
                self.known[event.action_id] = False
                self.terms[event.action_id] = event
                self.pending[event.action_id] = event
            case CorporateActionApplied():
                self.known[event.action_id] = True
                self._apply_action(event)
            case CashMoved():
                if event.kind is CashMovementKind.DIVIDEND:
                    self.unpaid.pop(event.reference, None)
            case CashAdjusted():
                self.unpaid.pop(event.action_id, None)
            case _:
                assert_never(event)

    def _apply_action(self, event: CorporateActionApplied) -> None:
        announced = self.pending.pop(event.action_id, None)
        if event.kind is CorporateActionKind.SPLIT:
            factor = self.share_factors.get(event.symbol, ShareFactor())
            self.share_factors[event.symbol] = ShareFactor(
                factor.new_shares * event.new_shares, factor.old_shares * event.old_shares
            )
        elif announced is not None and event.receivable:
            self.unpaid[event.action_id] = announced


def _share_limits(config: Mapping[str, object], symbol: Symbol) -> list[object]:
    """Return every limit in shares that `config` sets on orders in `symbol`, None where unset."""
    limits = _table(config, "limits")
    strategies = _table(limits, "strategies")
    tables = [
        _table(limits, "account"),
        _table(_table(limits, "symbols"), symbol),
        *(_table(strategies, name) for name in sorted(strategies)),
    ]
    return [table.get(name) for table in tables for name in _SHARE_LIMITS]


def _table(config: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}
