"""Where decisions made again differ from the recorded ones, and what stands behind both."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from daemon.history.replay import Difference
from events import Check, Symbol
from events.codec import TAGS, JournalEvent
from events.journal import JournalReader
from ops.order_sentences import check_text
from ops.sentences import sentence, symbol_of

_GROUNDS = ("values.", "checks.")


class Side(msgspec.Struct, frozen=True):
    """An event of one of both sides; `seq` is None where it stands in no journal."""

    seq: int | None
    type: str
    symbol: Symbol | None
    text: str
    event: JournalEvent


class BothSides(msgspec.Struct, frozen=True):
    """A field such as `quantity` or `values.fast_mean` on both sides; None: not there."""

    field: str
    recorded: str | None
    decided: str | None


class Divergence(msgspec.Struct, frozen=True):
    """`input` led to `decided` where `recorded` stands; None where there is nothing.

    `fields` are those that differ, and all that the decisions rest on: values and checks.
    """

    input: Side
    strategy: str
    recorded: Side | None
    decided: Side | None
    fields: list[BothSides]


def different(differences: Sequence[Difference]) -> int:
    """Return how many decisions differ: a recorded one and the one in its place are one."""
    recorded = Counter(each.seq for each in differences if each.recorded is not None)
    decided = Counter(each.seq for each in differences if each.decided is not None)
    return (recorded | decided).total()


def first_divergence(reader: JournalReader, differences: Sequence[Difference]) -> Divergence:
    """Return the first of `differences` with what stands in its place on the other side."""
    first = differences[0]
    # The nearest of the other side: of the same type and strategy before any other.
    nearest = min(
        (each for each in differences if each.seq == first.seq),
        key=lambda each: (
            (each.recorded is None) == (first.recorded is None),
            each.strategy != first.strategy,
            type(_event(each)) is not type(_event(first)),
        ),
    )
    recorded = first.recorded or nearest.recorded
    decided = first.decided or nearest.decided
    cause = reader.record(first.seq)
    assert cause is not None, "an input of this journal was just replayed"
    return Divergence(
        input=_side(cause.event, cause.seq),
        strategy=first.strategy,
        recorded=None if recorded is None else _side(recorded.event, recorded.seq),
        decided=None if decided is None else _side(decided, None),
        fields=_both_sides(None if recorded is None else recorded.event, decided),
    )


def _event(difference: Difference) -> JournalEvent | None:
    return difference.recorded.event if difference.recorded else difference.decided


def _side(event: JournalEvent, seq: int | None) -> Side:
    return Side(seq, TAGS[type(event)], symbol_of(event), sentence(event), event)


def _both_sides(recorded: JournalEvent | None, decided: JournalEvent | None) -> list[BothSides]:
    left, right = _fields(recorded), _fields(decided)
    return [
        BothSides(field, left.get(field), right.get(field))
        for field in dict.fromkeys([*left, *right])
        if left.get(field) != right.get(field) or field.startswith(_GROUNDS)
    ]


def _fields(event: JournalEvent | None) -> dict[str, str]:
    """Return the fields of `event` as text, each strategy value and each check one of its own."""
    if event is None:
        return {}
    fields: dict[str, str] = {}
    for name, value in msgspec.structs.asdict(event).items():
        if isinstance(value, dict):
            fields |= {f"{name}.{key}": str(each) for key, each in value.items()}
        elif isinstance(value, tuple):
            fields |= {f"checks.{each.name}": _answer(each) for each in value}
        else:
            fields[name] = str(value)
    return fields


def _answer(check: Check) -> str:
    return f"{'passed' if check.passed else 'FAILED'}: {check_text(check)}"
