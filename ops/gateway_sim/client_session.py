"""One connection: the greeting, who the client is, how fast it may ask, and what it is told.

It knows no socket: bytes come in by `received`, and go out through a `Line`.
"""

import logging
import math
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from ops.gateway_sim.answers import Answers
from ops.gateway_sim.faults import ASKED, OF_SAID, SAID, Fault, FaultKind, text_of
from ops.gateway_sim.fields import BadField, moment_text
from ops.gateway_sim.frames import BadFrame, FrameReader, fields, frame, greeting
from ops.gateway_sim.outlet import Outlet
from ops.gateway_sim.pacing import Pacer, Pass, Strike, Wait
from ops.gateway_sim.replies import Manner, TimeSpelling, fields_of
from ops.gateway_sim.reports import (
    Notice,
    Report,
)
from ops.gateway_sim.request_reading import parsed
from ops.gateway_sim.requests import CancelOrder, PlaceOrder, RealTimeBars, Request, StartApi

if TYPE_CHECKING:
    from ops.gateway_sim.gateway import Gateway

NOBODY: Final = -1
READING: Final = 320
CLIENT_ID_IN_USE: Final = 326
MAX_RATE: Final = 100
DEACTIVATED: Final = 10225

_log = logging.getLogger("traded.gateway_sim")


class Line(Protocol):
    """Where what the gateway says goes."""

    def write(self, data: bytes) -> None:
        """Send `data`, in one piece if TCP likes."""

    def close(self) -> None:
        """End the connection when what was written has left."""

    def reset(self) -> None:
        """End the connection at once, with RST."""


class ClientSession:
    """A client from its greeting to its end."""

    def __init__(self, gateway: "Gateway", line: Line) -> None:
        """Wait for the greeting."""
        self._gateway = gateway
        self._line = line
        self._reader = FrameReader()
        self._pacer = Pacer(
            gateway.settings.requests_per_second, reject=gateway.settings.reject_above_rate
        )
        self._waiting: deque[bytes] = deque()
        self._wait_until = 0.0
        self._outlet = Outlet()
        self._answers: Answers | None = None
        self.manner = Manner(0, gateway.settings.zone, gateway.settings.spelling)
        self.client_id = NOBODY
        self.epoch_requests: set[int] = set()
        """History requests whose bars carry epoch seconds."""
        self._deaf_until: float | None = None
        self._unread, self._unsaid = bytearray(), bytearray()
        self.byte_by_byte = False
        self.ended = False

    # What comes in.

    def received(self, data: bytes) -> None:
        """Take what TCP delivered, whatever its size."""
        if self.deaf:
            self._unread += data
            return
        try:
            for body in self._reader.feed(data):
                if self.ended:
                    return
                if self.manner.version:
                    self._asked(body)
                else:
                    self._greet(body)
        except BadFrame as error:
            _log.warning("client %s: %s; the connection is closed", self.client_id, error)
            self.end()

    @property
    def deaf(self) -> bool:
        """Whether the connection is half open now."""
        return self._deaf_until is not None and self._gateway.seconds() < self._deaf_until

    def tick(self) -> None:
        """Send what was held, answer what had to wait."""
        if self.deaf:
            return
        if self._deaf_until is not None:
            self._hear_again()
        for each in self._outlet.due(self._gateway.seconds()):
            self._write(each)
        while self._waiting and not self.ended:
            now = self._gateway.seconds()
            if now < self._wait_until:
                return
            verdict = self._pacer.verdict(now)
            if isinstance(verdict, Wait):
                self._wait_until = verdict.until
                return
            self._answer(self._waiting.popleft())

    def _greet(self, body: bytes) -> None:
        spoken = greeting(body)
        version = min(self._gateway.settings.server_version, spoken.newest)
        if version < max(spoken.oldest, self._gateway.settings.oldest_version):
            raise BadFrame(f"no common version: the client speaks {spoken.oldest}..{spoken.newest}")
        self.manner = Manner(version, self.manner.zone, self.manner.spelling)
        connected_at = moment_text(self._gateway.now(), self.manner.zone)
        self._line.write(frame([str(version), connected_at]))

    def _asked(self, body: bytes) -> None:
        verdict = self._pacer.verdict(self._gateway.seconds()) if not self._waiting else Wait(0)
        match verdict:
            case Pass():
                self._answer(body)
            case Wait(until=until):
                self._wait_until = max(self._wait_until, until)
                self._waiting.append(body)
            case Strike(received=received, last=last):
                limit = received - 1
                self.tell(
                    Notice(
                        -1,
                        MAX_RATE,
                        "Max rate of messages per second has been exceeded:"
                        f"max={limit} rec={received} ({verdict.number})",
                    )
                )
                if last:
                    self.end()

    def _answer(self, body: bytes) -> None:
        values = fields(body)
        try:
            request = parsed(values, self.manner.version, self.manner.zone)
        except BadField as error:
            _log.warning("client %s sent what it should not: %s %r", self.client_id, error, values)
            self.tell(Notice(error.request_id, READING, f"Error reading request. {error}"))
            return
        faults = self._gateway.plan.strikes(ASKED.get(values[0], ""))
        if self._is_spoiled(request, faults):
            return
        if isinstance(request, StartApi):
            self._start(request)
        elif self._answers is None:
            _log.warning("asked before startApi, dropped: %r", values)
        else:
            self._gateway.asked(self, self._answers, request)
        self._gateway.mishaps.befall(faults, self)

    def _is_spoiled(self, request: Request, faults: Sequence[Fault]) -> bool:
        """Let what strikes before a request is looked at strike; say whether that was its end."""
        for fault in faults:
            match fault.kind:
                case FaultKind.RESET_BEFORE:
                    self._gateway.mishaps.roll_back_ids(self.client_id)
                    self.reset()
                    return True
                case FaultKind.REFUSED:
                    self.tell(self._about(request, fault.code))
                    return True
                case FaultKind.WARNED:
                    self._warn_later(self._about(request, fault.code))
                case FaultKind.DELAYED if isinstance(request, RealTimeBars):
                    self._gateway.after(0.0, partial(self._delay, request.request_id))
                case FaultKind.FILLED_FIRST if isinstance(request, CancelOrder):
                    self._gateway.mishaps.fill_order(self.client_id, request.order_id)
                case _:
                    pass
        return False

    def _delay(self, request_id: int) -> None:
        now = self._gateway.now()
        told = self._gateway.floor.delay_bars(now, self.client_id, request_id)
        self._gateway.deliver(told)

    def _warn_later(self, notice: Notice) -> None:
        # The order is there already when the warning comes.
        self._gateway.after(0.0, lambda: self.tell(notice))

    def _about(self, request: Request, code: int) -> Notice:
        order_id, symbol, perm_id = NOBODY, "", 0
        match request:
            case PlaceOrder(contract=contract, terms=terms):
                order_id, symbol = terms.order_id, contract.symbol
            case CancelOrder(order_id=order_id):
                perm_id = self._gateway.mishaps.perm_id_of(self.client_id, order_id)
            case _:
                order_id = getattr(request, "request_id", NOBODY)
        return Notice(
            order_id, code, text_of(code, order_id=order_id, symbol=symbol, perm_id=perm_id)
        )

    def _start(self, request: StartApi) -> None:
        if self._answers is not None:
            return
        if not self._gateway.join(self, request.client_id):
            self.tell(
                Notice(
                    NOBODY,
                    CLIENT_ID_IN_USE,
                    "Unable to connect as the client id is already in use. "
                    "Retry with a unique client id.",
                )
            )
            self.end()
            return
        self.client_id = request.client_id
        self._answers = Answers(self, self._gateway)
        self._answers.welcome()

    # What goes out.

    @property
    def answers(self) -> Answers | None:
        """What this client has asked for, from startApi on."""
        return self._answers

    def tell(self, report: Report) -> None:
        """Say `report` to this client, now."""
        self.say(fields_of(report, self.manner, self.epoch_requests))

    def say(self, message: Sequence[str]) -> None:
        """Send a message, unless a fault strikes at it."""
        faults = self._gateway.plan.strikes(SAID.get(message[0], ""))
        before = [fault for fault in faults if fault.kind not in OF_SAID]
        if before and self._gateway.mishaps.befall_before_saying(before, self, message):
            return
        for each in self._outlet.passed(message, faults, self._gateway.seconds()):
            self._write(each)

    def be_deaf(self, seconds: float) -> None:
        """Read and write nothing for so long (0: for ever), as a process that has stopped."""
        self._deaf_until = self._gateway.seconds() + seconds if seconds else math.inf

    def _hear_again(self) -> None:
        self._deaf_until = None
        unread, self._unread = bytes(self._unread), bytearray()
        unsaid, self._unsaid = bytes(self._unsaid), bytearray()
        self._line.write(unsaid)
        self.received(unread)

    def data_lost(self) -> None:
        """End every data subscription without a word."""
        if self._answers is not None:
            self._answers.end_all_data()

    def deactivate(self, request_id: int) -> None:
        """End a subscription of bars with 10225; its client is to ask again."""
        if self._answers is not None:
            self._answers.end_data(request_id)
        self.tell(Notice(request_id, DEACTIVATED, text_of(DEACTIVATED)))

    @property
    def watched(self) -> set[str]:
        """The symbols this client has asked data of."""
        return self._answers.watched if self._answers is not None else set()

    def spell(self, spelling: TimeSpelling) -> None:
        """Write the moments of executions that way from now on."""
        self.manner = Manner(self.manner.version, self.manner.zone, spelling)

    def _write(self, message: Sequence[str]) -> None:
        if self.ended:
            return
        data = frame(message)
        if self.deaf:
            self._unsaid += data
        elif self.byte_by_byte:
            for byte in data:
                self._line.write(bytes([byte]))
        else:
            self._line.write(data)

    def end(self) -> None:
        """Close the connection from this side."""
        self.ended = True
        self._line.close()

    def reset(self) -> None:
        """Break the connection with RST."""
        self.ended = True
        self._line.reset()

    def lost(self) -> None:
        """Know that the connection is over, by whichever side."""
        self.ended = True
        self._gateway.left(self)
