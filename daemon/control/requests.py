"""Requests to commands: which verbs there are, what each takes, and what is wrong with one."""

import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar

from daemon.config.bounds import is_symbol
from daemon.control.protocol import BadRequest, Request
from daemon.control.server import Caller, own_and_root
from events import (
    HoldLevel,
    HoldScope,
    OperatorCancelAsked,
    OperatorFlattenAsked,
    OperatorHeld,
    OperatorKilled,
    OperatorLifted,
    OperatorOrderAsked,
    OperatorPromoteAsked,
    OperatorReconcileAsked,
    OperatorReloaded,
    OperatorResolveAsked,
    OperatorResumed,
    OperatorShadowed,
    OrderType,
    Symbol,
    TimeInForce,
    WorkingOrders,
)
from events.codec import Command
from events.operator import WHY_MAX

_COMMAND_ID: Final = re.compile(r"[A-Za-z0-9-]{8,64}")
_ON_BEHALF: Final = re.compile(r"chat:[0-9]{1,20}")
"""No user of the machine has a name like that."""
_TEXT_MAX: Final = 100
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
"""As people write one. Python would take 1_000 and the digits of any script for one as well."""
_NUMBER_MAX: Final = Decimal("1e12")

Choice = TypeVar("Choice", bound=StrEnum)

Who = tuple[str, str, int, str]
"""command_id, by, uid, why: what every command starts with."""


def command_of(
    request: Request, caller: Caller, reloaded: Callable[[], dict[str, tuple[str, str]]]
) -> Command:
    """Return the command that `request` of `caller` is; `reloaded` reads what a reload changes.

    Raises:
        BadRequest: no such verb, or its arguments make no sense.
    """
    if not _COMMAND_ID.fullmatch(request.command_id):
        raise BadRequest("command_id must be 8 to 64 letters, digits and dashes")
    _assert_text("why", request.why, WHY_MAX)
    who = (request.command_id, _name(request, caller), caller.uid, request.why)
    if request.verb == "reload":
        Arguments(request).assert_all_read()
        return OperatorReloaded(*who, reloaded())
    make = _VERBS.get(request.verb)
    if make is None:
        known = ", ".join(sorted([*_VERBS, "reload"]))
        raise BadRequest(f"there is no verb {request.verb[:_TEXT_MAX]!r}; there is {known}")
    arguments = Arguments(request)
    command = make(who, arguments)
    arguments.assert_all_read()
    return command


def _name(request: Request, caller: Caller) -> str:
    """Return who commands: the caller, or for a kill who asked the daemon's own user for it.

    Raises:
        BadRequest: nobody else may say so, and nothing else is done for others.
    """
    if not request.by:
        return caller.name
    if request.verb != "kill" or caller.uid not in own_and_root():
        raise BadRequest("only the daemon's own user speaks for others, and only to kill")
    if not _ON_BEHALF.fullmatch(request.by):
        raise BadRequest("by must be chat:NUMBER")
    return request.by


class Arguments:
    """The arguments of one request, each read once."""

    def __init__(self, request: Request) -> None:
        """Read from `request`."""
        self._verb = request.verb
        self._left = dict(request.args)

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text; required where there is no default."""
        found = self._left.pop(name, default)
        if found is None:
            raise BadRequest(f"{self._verb} needs {name}")
        if not isinstance(found, str):
            raise BadRequest(f"{name} must be a text")
        _assert_text(name, found, _TEXT_MAX)
        return found

    def flag(self, name: str) -> bool:
        """Return yes or no; no where it is not given."""
        found = self._left.pop(name, False)
        if not isinstance(found, bool):
            raise BadRequest(f"{name} must be true or false")
        return found

    def symbol(self, name: str = "symbol") -> Symbol:
        """Return a symbol."""
        found = self.text(name)
        return as_symbol(found)

    def one_of(self, name: str, kind: type[Choice], default: str | None = None) -> Choice:
        """Return a value of an enumeration."""
        found = self.text(name, default)
        try:
            return kind(found)
        except ValueError:
            values = ", ".join(kind)
            raise BadRequest(f"{name} is {found!r}: it must be one of {values}") from None

    def number(self, name: str) -> Decimal:
        """Return a finite number of a sensible size."""
        found = self.text(name)
        if not _NUMBER.fullmatch(found):
            raise BadRequest(f"{name} is {found!r}, which is no number")
        number = Decimal(found)
        if not number.is_finite() or abs(number) > _NUMBER_MAX:
            raise BadRequest(f"{name} is {found}: it must be a finite number of a sensible size")
        return number

    def price(self, name: str) -> Decimal | None:
        """Return a price above 0, None where none is given."""
        if name not in self._left:
            return None
        found = self.number(name)
        if found <= 0:
            raise BadRequest(f"{name} must be above 0")
        return found

    def assert_all_read(self) -> None:
        """Refuse what the verb does not take."""
        if self._left:
            raise BadRequest(f"{self._verb} takes no {', '.join(sorted(self._left))}")


def as_symbol(text: str) -> Symbol:
    """Return `text` as a symbol.

    Raises:
        BadRequest: it cannot be one.
    """
    if not is_symbol(text):
        raise BadRequest(f"{text!r} is not a symbol: A-Z, 0-9, blank, '.', '/', '-'")
    return Symbol(text)


def _hold(who: Who, arguments: Arguments) -> Command:
    scope = arguments.one_of("scope", HoldScope, HoldScope.ALL.value)
    target = "" if scope is HoldScope.ALL else arguments.text("target")
    if scope is HoldScope.SYMBOL:
        as_symbol(target)
    level = arguments.one_of("level", HoldLevel, HoldLevel.HALT.value)
    working = arguments.one_of("working", WorkingOrders, WorkingOrders.KEEP.value)
    return OperatorHeld(*who, scope, level, target, working)


def _kill(who: Who, arguments: Arguments) -> Command:
    default = WorkingOrders.CANCEL_INCREASING.value
    return OperatorKilled(*who, arguments.one_of("working", WorkingOrders, default))


def _order(who: Who, arguments: Arguments) -> Command:
    quantity = arguments.number("quantity")
    if not quantity:
        raise BadRequest("quantity must not be 0: above 0 buys, below 0 sells")
    return OperatorOrderAsked(
        *who,
        arguments.symbol(),
        quantity,
        arguments.one_of("type", OrderType, OrderType.MARKET.value),
        arguments.one_of("tif", TimeInForce, TimeInForce.DAY.value),
        arguments.price("limit_price"),
        arguments.price("stop_price"),
        arguments.flag("outside_rth"),
    )


def _flatten(who: Who, arguments: Arguments) -> Command:
    everything = arguments.flag("all")
    symbol = None if everything else arguments.symbol()
    return OperatorFlattenAsked(*who, symbol, arguments.flag("trust_broker"))


def _resolve(who: Who, arguments: Arguments) -> Command:
    everything = arguments.flag("all")
    break_id = None if everything else arguments.text("break")
    if arguments.flag("adopt"):
        return OperatorResolveAsked(*who, break_id)
    return OperatorResolveAsked(
        *who, break_id, arguments.number("adjust"), arguments.price("price")
    )


def _cancel_one(who: Who, arguments: Arguments) -> Command:
    return OperatorCancelAsked(*who, arguments.text("order"))


_VERBS: Final[dict[str, Callable[[Who, Arguments], Command]]] = {
    "kill": _kill,
    "resume": lambda who, arguments: OperatorResumed(*who, arguments.text("strategy", "")),
    "hold": _hold,
    "lift": lambda who, arguments: OperatorLifted(*who, arguments.text("hold")),
    "cancel": _cancel_one,
    "cancel-all": lambda who, _: OperatorCancelAsked(*who),
    "flatten": _flatten,
    "order": _order,
    "reconcile": lambda who, _: OperatorReconcileAsked(*who),
    "resolve": _resolve,
    "shadow": lambda who, arguments: OperatorShadowed(*who, arguments.text("strategy")),
    "promote": lambda who, arguments: OperatorPromoteAsked(*who, arguments.text("strategy")),
}


def _assert_text(name: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise BadRequest(f"{name} has {len(text)} characters, at most {longest} are taken")
    if not text.isprintable():
        raise BadRequest(f"{name} has characters that cannot be shown")
