"""Reading a message field by field, strictly; writing numbers the way the real gateway does.

Clients spell "not set" in several ways: an empty field, the largest double in any spelling, the
largest integer. All of them are None here. Anything else that is not what its place in the message
wants is an error that names the field, as the real gateway answers with code 320.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

UNSET_DOUBLE: Final = Decimal("1.7976931348623157E308")
UNSET_INTEGER: Final = 2**31 - 1
UNSET_DOUBLE_TEXT: Final = "1.7976931348623157E308"
INTEGER_MAX: Final = 2**31 - 1
INTEGER_MIN: Final = -(2**31)
LONG_MAX: Final = 2**63 - 1
INFINITE: Final = frozenset({"Infinity", "Infinite"})
"""How the clients write the one infinite offset there is."""

_MOMENT: Final = re.compile(
    r"(?P<day>\d{8})(?P<gap>[ -]+)(?P<time>\d\d:\d\d(?::\d\d)?)(?: (?P<zone>\S+))?"
)


class BadField(Exception):
    """A field is missing, left over or not what its place wants; `request_id` when known."""

    def __init__(self, what: str, request_id: int = -1) -> None:
        """Say what is wrong in the real gateway's words."""
        super().__init__(what)
        self.request_id = request_id


class FieldReader:
    """Takes a message's fields one after the other, each by the name it has in an error."""

    def __init__(self, values: Sequence[str], version: int, zone: str) -> None:
        """Begin behind the message id; a moment that names no zone is in `zone`."""
        self._values = values
        self._next = 1
        self._zone = zone
        self.version = version
        self.request_id = -1
        """Goes with an error once it has been read."""

    def text(self, name: str) -> str:
        """Return the next field as it is."""
        if self._next >= len(self._values):
            raise self._bad(f"Unable to read field: '{name}', the message has no more fields")
        self._next += 1
        return self._values[self._next - 1]

    def flag(self, name: str) -> bool:
        """Return a truth value; an empty field is false."""
        written = self.text(name)
        if written not in {"", "0", "1"}:
            raise self._unparsed(name, written)
        return written == "1"

    def integer(self, name: str, most: int = INTEGER_MAX) -> int:
        """Return a whole number; an empty field is 0."""
        return self.optional_integer(name, most, unset=most + 1) or 0

    def optional_integer(
        self, name: str, most: int = INTEGER_MAX, unset: int = UNSET_INTEGER
    ) -> int | None:
        """Return a whole number, None where nothing is set."""
        written = self.text(name)
        if not written:
            return None
        if not re.fullmatch(r"-?[0-9]{1,19}", written):
            raise self._unparsed(name, written)
        number = int(written)
        if not INTEGER_MIN <= number <= most:
            raise self._unparsed(name, written)
        return None if number == unset else number

    def request(self, name: str = "Client Req Id") -> int:
        """Return the id of this request, which errors about it carry from now on."""
        written = self.text(name)
        if not written:
            raise self._unparsed(name, written)
        self._next -= 1
        self.request_id = self.integer(name)
        return self.request_id

    def number(self, name: str) -> Decimal | None:
        """Return a finite number exactly as written, None where nothing is set."""
        written = self.text(name)
        if not written:
            return None
        try:
            number = Decimal(written)
        except InvalidOperation:
            raise self._unparsed(name, written) from None
        if not number.is_finite():
            raise self._unparsed(name, written)
        return None if number >= UNSET_DOUBLE else number

    def quantity(self, name: str) -> Decimal:
        """Return a number that has to be there.

        Raises:
            BadField: nothing is set.
        """
        number = self.number(name)
        if number is None:
            raise self._unparsed(name, "")
        return number

    def moment(self, name: str) -> datetime | None:
        """Return a moment in UTC, None for an empty field."""
        written = self.text(name)
        if not written:
            return None
        found = parsed_moment(written, self._zone)
        if found is None:
            raise self._unparsed(name, written)
        return found

    def skip_version(self, known: int) -> None:
        """Pass the message's own version, which is one number since long."""
        written = self.text("Version")
        if written != str(known):
            raise self._unparsed("Version", written)

    def rest(self) -> tuple[str, ...]:
        """Return all that is left."""
        start, self._next = self._next, len(self._values)
        return tuple(self._values[start:])

    def end(self) -> None:
        """Insist that nothing is left.

        Raises:
            BadField: a field too many.
        """
        left = len(self._values) - self._next
        if left:
            raise self._bad(
                f"{left} more fields than message {self._values[0]} has at {self.version}"
            )

    def _unparsed(self, name: str, written: str) -> BadField:
        return self._bad(f"Unable to parse field: '{name}' for input string: '{written}'")

    def _bad(self, what: str) -> BadField:
        return BadField(what, self.request_id)


def parsed_moment(written: str, zone: str) -> datetime | None:
    """Return a moment the clients write, in UTC, None if it is none.

    `20240102 09:30:00 US/Eastern` names its zone, `20240102-14:30:00` is UTC,
    `20240102 09:30:00` is in `zone`.
    """
    found = _MOMENT.fullmatch(written)
    if found is None:
        return None
    named = "UTC" if "-" in found["gap"] else (found["zone"] or zone)
    seconds = found["time"] if found["time"].count(":") > 1 else f"{found['time']}:00"
    try:
        local = datetime.strptime(f"{found['day']} {seconds}", "%Y%m%d %H:%M:%S")  # noqa: DTZ007 - the zone is next
        return local.replace(tzinfo=ZoneInfo(named)).astimezone(UTC)
    except (ValueError, ZoneInfoNotFoundError):
        return None


def moment_text(moment: datetime, zone: str) -> str:
    """Return a moment the way the real gateway writes it: local, the zone behind."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y%m%d %H:%M:%S} {zone}"


def double(value: Decimal | None, unset: str = UNSET_DOUBLE_TEXT) -> str:
    """Return a price the way Java prints a double: always with a decimal point."""
    if value is None:
        return unset
    plain = f"{value.normalize() + 0:f}"
    return plain if "." in plain else f"{plain}.0"


def size(value: Decimal) -> str:
    """Return a number of shares without trailing zeros."""
    return f"{value.normalize() + 0:f}"


def flag(value: bool) -> str:  # noqa: FBT001 - what it writes is a truth value
    """Return 1 or 0."""
    return "1" if value else "0"
