"""Corporate actions announced, applied and still to be paid."""

from typing import assert_never

import msgspec

from events import (
    CashMoved,
    CashMovementKind,
    CorporateActionAnnounced,
    CorporateActionApplied,
    CorporateActionKind,
    Symbol,
)

CorporateActionEvent = CorporateActionAnnounced | CorporateActionApplied | CashMoved


class ShareFactor(msgspec.Struct, frozen=True):
    """How many of today's shares one share of the loaded configuration has become: new / old."""

    new_shares: int = 1
    old_shares: int = 1


class CorporateActions(msgspec.Struct):
    """`pending` waits for its ex date, `unpaid` for its payment; both by action id.

    `known` holds every action there ever was, with whether it was applied. `share_factors`
    restates limits in shares; they start at 1 again when the operator loads another configuration,
    because its numbers are meant in the shares of that day.
    """

    known: dict[str, bool] = {}
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

    def apply(self, event: CorporateActionEvent) -> None:
        """Take one step of a corporate action; it must be no repeat."""
        match event:
            case CorporateActionAnnounced():
                self.known[event.action_id] = False
                self.pending[event.action_id] = event
            case CorporateActionApplied():
                self.known[event.action_id] = True
                self._apply_action(event)
            case CashMoved():
                if event.kind is CashMovementKind.DIVIDEND:
                    self.unpaid.pop(event.reference, None)
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
