"""Reads the operator's list of splits and dividends; all mistakes are listed at once."""

import csv
import re
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from daemon.config.bounds import is_symbol
from daemon.core.corporate_actions import RATIO_MAX, is_sensible_ratio
from events import CorporateActionAnnounced, CorporateActionKind, Symbol

HEADER = ["symbol", "ex_date", "kind", "ratio", "cash_per_share_usd", "pay_date"]
_RATIO = re.compile(r"([1-9][0-9]{0,5}):([1-9][0-9]{0,5})")
_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,10})?")
_SUGGESTED_DENOMINATOR_MAX = 50


class BadCorporateActions(Exception):
    """The file is refused as a whole; the text lists every line that is wrong."""


def read_corporate_actions(path: Path) -> list[CorporateActionAnnounced]:
    """Return the actions in `path`, by ex date.

    The header is `symbol,ex_date,kind,ratio,cash_per_share_usd,pay_date`; a ratio reads new:old,
    `7:1`, a reverse split `1:20`; `pay_date` may be empty where nobody knows it yet.

    Raises:
        BadCorporateActions: anything in it is wrong; nothing of it is used then.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"{path}: cannot be read: {error}"
        raise BadCorporateActions(message) from error
    if not rows or rows[0] != HEADER:
        message = f"{path}:1: the header must be {','.join(HEADER)}"
        raise BadCorporateActions(message)
    problems: list[str] = []
    actions: dict[str, CorporateActionAnnounced] = {}
    for number, row in enumerate(rows[1:], start=2):
        try:
            action = _action(row)
        except ValueError as error:
            problems.append(f"{path}:{number}: {error}")
            continue
        if action.action_id in actions:
            problems.append(f"{path}:{number}: {action.action_id} is there twice")
        actions[action.action_id] = action
    if problems:
        raise BadCorporateActions("\n".join(problems))
    return sorted(actions.values(), key=lambda action: (action.ex_date, action.action_id))


def _action(row: list[str]) -> CorporateActionAnnounced:
    if len(row) != len(HEADER):
        message = f"{len(row)} columns, not {len(HEADER)}"
        raise ValueError(message)
    symbol, ex_text, kind_text, ratio, cash, pay_text = (cell.strip() for cell in row)
    if not is_symbol(symbol):
        message = f"{symbol!r} is not a symbol"
        raise ValueError(message)
    ex_date = date.fromisoformat(ex_text)
    if kind_text not in set(CorporateActionKind):
        message = f"{kind_text!r} is neither split nor dividend"
        raise ValueError(message)
    kind = CorporateActionKind(kind_text)
    action_id = f"{symbol}-{ex_date}-{kind}"
    if kind is CorporateActionKind.SPLIT:
        if cash or pay_text:
            message = "a split has neither cash_per_share_usd nor pay_date"
            raise ValueError(message)
        new, old = _ratio(ratio)
        return CorporateActionAnnounced(action_id, Symbol(symbol), ex_date, kind, new, old)
    if ratio:
        message = "a dividend has no ratio"
        raise ValueError(message)
    pay_date = date.fromisoformat(pay_text) if pay_text else None
    if pay_date is not None and pay_date < ex_date:
        message = f"the pay date {pay_date} is before the ex date {ex_date}"
        raise ValueError(message)
    return CorporateActionAnnounced(
        action_id,
        Symbol(symbol),
        ex_date,
        kind,
        cash_per_share=_cash(cash),
        pay_date=pay_date,
    )


def _ratio(text: str) -> tuple[int, int]:
    found = _RATIO.fullmatch(text)
    if found is None:
        message = f"the ratio {text!r} is not new:old{_suggestion(text)}"
        raise ValueError(message)
    new, old = int(found[1]), int(found[2])
    if new == old:
        message = f"the ratio {text} changes nothing"
        raise ValueError(message)
    if not is_sensible_ratio(new, old):
        message = f"the ratio {text} is not between 1:{RATIO_MAX} and {RATIO_MAX}:1"
        raise ValueError(message)
    return new, old


def _suggestion(text: str) -> str:
    try:
        near = Fraction(text).limit_denominator(_SUGGESTED_DENOMINATOR_MAX)
    except (ValueError, ZeroDivisionError):
        return ", such as 7:1"
    return f"; did you mean {near.numerator}:{near.denominator}?" if near > 0 else ", such as 7:1"


def _cash(text: str) -> Decimal:
    # Decimal() takes 1_000 for a number, and digits of any script; an amount has neither.
    if not _AMOUNT.fullmatch(text) or not Decimal(text):
        message = f"the dividend {text!r} is not an amount above 0"
        raise ValueError(message)
    return Decimal(text)
