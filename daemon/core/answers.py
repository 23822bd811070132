"""A strategy's answer, read with suspicion: it comes from code that nobody has checked.

Whatever is in it, what comes out are plain intents and reasons that the journal gives back as they
were. An answer of which one part is wrong is wrong as a whole: nothing of it is recorded.
"""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from typing import Final

import msgspec

from daemon.strategies import Intent, NoTrade
from events import OrderType, Symbol, TimeInForce

ANSWERS_MAX: Final = 1_000
"""Intents and reasons in one answer."""
NESTING_MAX: Final = 10
"""Lists in each other."""
TEXT_MAX: Final = 1_000
"""Characters of a reason, or of a value an intent was decided on."""
VALUES_MAX: Final = 100
CANCEL_AFTER_MAX_S: Final = 86_400
DIGITS_MAX: Final = 40
"""Digits of a number, and places it may be moved by its exponent; the gate is stricter."""

_NONE = type(None)
_KINDS: Final[dict[str, tuple[tuple[type, ...], str]]] = {
    "quantity": ((Decimal,), "a Decimal"),
    "limit_price": ((Decimal, _NONE), "a Decimal or None"),
    "stop_price": ((Decimal, _NONE), "a Decimal or None"),
    "order_type": ((OrderType,), "an OrderType"),
    "time_in_force": ((TimeInForce,), "a TimeInForce"),
    "cancel_after_s": ((int, _NONE), "an int or None"),
    "outside_rth": ((bool,), "true or false"),
    "expected_edge_usd": ((Decimal, _NONE), "a Decimal or None"),
}
"""What the fields of an intent must be, exactly: a subclass might do anything."""
_SHOWN: Final = (str, int, float, bool, Decimal, _NONE)
_SHOWN_MAX: Final = 100


def read_answer(
    answer: object, symbols: Collection[Symbol], about: Symbol | None
) -> list[Intent | NoTrade]:
    """Return the parts of `answer`, plain, in order.

    `symbols` are what the strategy trades; a reason that names no symbol is about `about`.

    Raises:
        TypeError, ValueError: what is wrong with it; or whatever the answer itself raises.
    """
    if type(answer) is NoTrade:
        return [_plain_reason(answer, about)]  # The usual case.
    parts = list(islice(_parts(answer, 0), ANSWERS_MAX + 1))
    if len(parts) > ANSWERS_MAX:
        message = f"answered more than {ANSWERS_MAX} things at once"
        raise ValueError(message)
    return [
        _plain_intent(part, symbols) if isinstance(part, Intent) else _plain_reason(part, about)
        for part in parts
    ]


def journal_text(text: str) -> str:
    """Return `text`, whatever it is, as the journal can keep it: short, of whole characters."""
    return str.__str__(text)[:TEXT_MAX].encode(errors="replace").decode()


def _parts(answer: object, depth: int) -> Iterator[Intent | NoTrade]:
    if type(answer) is Intent or type(answer) is NoTrade:
        yield answer
    elif not isinstance(answer, list | tuple):
        what = type(answer).__name__
        message = f"answered a {what}, which is neither Intent nor NoTrade"
        raise TypeError(message)
    elif depth == NESTING_MAX:
        message = f"answered lists nested deeper than {NESTING_MAX}"
        raise ValueError(message)
    else:
        for each in answer:
            yield from _parts(each, depth + 1)


def _plain_reason(answer: NoTrade, about: Symbol | None) -> NoTrade:
    stage, reason = _text("stage", answer.stage), _text("reason", answer.reason)
    symbol = None if answer.symbol is None else Symbol(_text("symbol", answer.symbol))
    if not (symbol or about):
        message = f"the NoTrade {stage!r}, {reason!r} does not say which symbol it is about"
        raise ValueError(message)
    if stage is answer.stage and reason is answer.reason and symbol is answer.symbol:
        return answer  # The very object: the next time it is given, it need not be read again.
    return NoTrade(stage, reason, symbol)


def _plain_intent(intent: Intent, symbols: Collection[Symbol]) -> Intent:
    for name, (kinds, what) in _KINDS.items():
        value = getattr(intent, name)
        if type(value) not in kinds:
            message = f"intent.{name} is {_shown(value)}: it must be {what}"
            raise TypeError(message)
        if type(value) is Decimal and not _is_writable(value):
            message = f"intent.{name} is {_shown(value)}: it must be a number of a sensible size"
            raise ValueError(message)
    seconds = intent.cancel_after_s
    if seconds is not None and not 0 < seconds <= CANCEL_AFTER_MAX_S:
        what = f"it must be from 1 to {CANCEL_AFTER_MAX_S}"
        message = f"intent.cancel_after_s is {_shown(seconds)}: {what}"
        raise ValueError(message)
    symbol = Symbol(_text("symbol", intent.symbol))
    if symbol not in symbols:
        message = f"intent.symbol is {symbol}: the strategy does not trade it"
        raise ValueError(message)
    return msgspec.structs.replace(intent, symbol=symbol, values=_plain_values(intent.values))


def _plain_values(values: object) -> dict[str, str]:
    if not isinstance(values, Mapping):
        message = f"intent.values is {_shown(values)}: it must be a mapping"
        raise TypeError(message)
    items = list(islice(values.items(), VALUES_MAX + 1))
    if len(items) > VALUES_MAX:
        message = f"intent.values has more than {VALUES_MAX} entries"
        raise ValueError(message)
    return {_text("a name", str(name)): _text("a value", str(value)) for name, value in items}


def _text(what: str, text: object) -> str:
    """Return `text` as a plain str that the journal keeps as it is."""
    if not isinstance(text, str):
        message = f"{what} is {_shown(text)}: it must be a text"
        raise TypeError(message)
    plain = str.__str__(text)
    if len(plain) > TEXT_MAX:
        message = f"{what} is a text of {len(plain)} characters, more than {TEXT_MAX}"
        raise ValueError(message)
    plain.encode()  # Half a character has no bytes.
    return plain


def _is_writable(number: Decimal) -> bool:
    """Say whether `number` is finite and can be written out, digit for digit."""
    _, digits, exponent = number.as_tuple()
    return isinstance(exponent, int) and len(digits) <= DIGITS_MAX and abs(exponent) <= DIGITS_MAX


def _shown(value: object) -> str:
    """Return `value` in a few words, the same in every process."""
    if type(value) in _SHOWN:
        text = str(value) if isinstance(value, Decimal) else repr(value)
        return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
    return f"a {type(value).__name__}"
