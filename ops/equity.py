"""The equity curve, read back from the journal."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path

from events import utc_from_nanoseconds
from events.journal import JournalReader
from projections import State


def equity_by_day(journal: Path) -> list[tuple[datetime, Decimal]]:
    """Return equity at the end of each P&L day the journal covers, in US dollars."""
    state = State()
    curve: list[tuple[datetime, Decimal]] = []
    with JournalReader(journal) as reader:
        for record in reader.records():
            before, equity, at = state.pnl.days, state.pnl.equity, state.at
            state.apply(record)
            if state.pnl.days != before and equity:
                curve.append((utc_from_nanoseconds(at), equity))
    if state.pnl.equity:
        curve.append((utc_from_nanoseconds(state.at), state.pnl.equity))
    return curve
