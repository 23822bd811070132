"""Whether anything may be sent: one state, the reasons for it, and what of it goes on record.

Pure. CONNECTED: everything is there. DEGRADED: the socket is, something else is not. DISCONNECTED:
nothing is. Orders leave as long as no blocking reason stands, whatever market data does: a person
must be able to close a position without it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from daemon.brokers.gateway.codes import ForLink
from events import (
    BrokerConnected,
    BrokerDataLost,
    BrokerDegraded,
    BrokerDisconnected,
    BrokerRestored,
)
from projections.broker import LinkState

Report = BrokerConnected | BrokerDataLost | BrokerDegraded | BrokerDisconnected | BrokerRestored


class Part(StrEnum):
    """What can be missing of the way itself; whoever uses it may name more."""

    SOCKET = "socket"
    SERVERS = "servers"
    AWAY = "servers away"
    LISTS = "lists"
    HEARTBEAT = "heartbeat"
    MARKET_DATA = "market data"
    HISTORY = "history"
    DEFINITIONS = "definitions"


_BLOCKING: Final = (Part.SOCKET, Part.SERVERS, Part.AWAY, Part.LISTS, Part.HEARTBEAT)
_SERVERS: Final = frozenset({Part.SERVERS, Part.AWAY})
_LOST: Final = {
    ForLink.SERVERS_LOST: Part.SERVERS,
    ForLink.SERVERS_AWAY: Part.AWAY,
    ForLink.MARKET_DATA_LOST: Part.MARKET_DATA,
    ForLink.HISTORY_LOST: Part.HISTORY,
    ForLink.DEFINITIONS_LOST: Part.DEFINITIONS,
}
_BACK: Final = {
    ForLink.MARKET_DATA_BACK: Part.MARKET_DATA,
    ForLink.HISTORY_BACK: Part.HISTORY,
    ForLink.DEFINITIONS_BACK: Part.DEFINITIONS,
}


_IDLE: Final = {
    ForLink.MARKET_DATA_IDLE: Part.MARKET_DATA,
    ForLink.HISTORY_IDLE: Part.HISTORY,
}
"""What comes on demand is not missing; of the servers that says nothing."""


class Connection:
    """The state of one connection over all its ends and beginnings.

    `breaks` counts up each time something may have been missed: what was heard under one number
    was heard without a break. `missing` has why, by what is missing.
    """

    def __init__(self, endpoint: str, client_id: int, *, sends: bool) -> None:
        """Begin without a socket; `sends` says whether orders go this way."""
        self.endpoint = endpoint
        self.client_id = client_id
        self.sends = sends
        self.server_version = 0
        self.order_id_next = 0
        self.breaks = 0
        self.missing: dict[str, str] = {Part.SOCKET: "not connected yet, as at every start"}

    @property
    def state(self) -> LinkState:
        """The one word for it."""
        if Part.SOCKET in self.missing:
            return LinkState.DISCONNECTED
        return LinkState.DEGRADED if self.missing else LinkState.CONNECTED

    @property
    def why_not(self) -> str:
        """Why nothing may be sent, empty where it may."""
        for part in _BLOCKING:
            if part in self.missing:
                return self.missing[part]
        return ""

    @property
    def is_up(self) -> bool:
        """Whether the socket and the servers behind it are there, so that asking makes sense."""
        return not {Part.SOCKET, *_SERVERS} & self.missing.keys()

    def opened(self, server_version: int, order_id_next: int) -> list[Report]:
        """Take note of a socket that speaks; nothing is believed before the lists are there."""
        self.server_version = server_version
        self.order_id_next = order_id_next
        self.breaks += 1
        return self._change({Part.LISTS: "the broker's lists are not there yet"})

    def verified(self) -> list[Report]:
        """Take note that every list has come to its end."""
        return self.restored(Part.LISTS, "the lists have come")

    def doubted(self, why: str) -> list[Report]:
        """Believe nothing until the lists have come again."""
        self.breaks += 1
        return self._change(self.missing | {Part.LISTS: why})

    def closed(self, why: str) -> list[Report]:
        """Take note of the end of the socket."""
        self.breaks += 1
        return self._change({Part.SOCKET: why})

    def silent(self, why: str) -> list[Report]:
        """Take note that the heartbeat was not answered."""
        return self._change(self.missing | {Part.HEARTBEAT: why})

    def lacks(self, part: str, why: str) -> list[Report]:
        """Take note that `part` is missing of a connection that is there."""
        return [] if Part.SOCKET in self.missing else self._change({part: why} | self.missing)

    def restored(self, part: str, why: str) -> list[Report]:
        """Take note that `part` is there again, or was all the time."""
        return self._change(_without(self.missing, part), why)

    def told(self, what: ForLink, text: str) -> list[Report]:
        """Take what an error code said of the way to the exchange; repeats change nothing."""
        if Part.SOCKET in self.missing:
            return []
        if what in _LOST:
            return self._change(self.missing | {_LOST[what]: text})
        if what in _BACK:
            return self._farm_back(_BACK[what], text)
        if what in _IDLE:
            return self.restored(_IDLE[what], text)
        if what in {ForLink.SERVERS_BACK, ForLink.SERVERS_BACK_DATA_LOST}:
            return self._servers_back(what, text)
        return []  # The socket's end says it all, or it is about the pace.

    def _farm_back(self, part: Part, text: str) -> list[Report]:
        """Take a farm that is back; of servers that were away it is the only sign there may be."""
        missing = _without(self.missing, part)
        if missing.pop(Part.AWAY, None) is not None:
            self.breaks += 1
            missing[Part.LISTS] = f"{text}: the lists have to come again"
        return self._change(missing, text)

    def _servers_back(self, what: ForLink, text: str) -> list[Report]:
        """Go on where nothing was lost; fills may have been missed all the same: lists first."""
        self.breaks += 1
        missing = _without(self.missing, *_SERVERS)
        reports = self._change(missing | {Part.LISTS: f"{text}: the lists have to come again"})
        if what is ForLink.SERVERS_BACK_DATA_LOST:
            reports.append(BrokerDataLost(text))
        return reports

    def _change(self, missing: dict[str, str], back: str = "") -> list[Report]:
        """Take what is missing now; return what of it goes on record, `back` is why less is."""
        before, could = self.missing, not self.why_not
        self.missing = missing
        why_not = self.why_not
        if could and why_not:
            return [BrokerDisconnected(why_not, self.sends)]
        if not could and not why_not:
            return [
                BrokerConnected(
                    self.endpoint,
                    self.client_id,
                    self.server_version,
                    self.order_id_next,
                    self.sends,
                ),
                *(BrokerDegraded(why, part) for part, why in missing.items()),
            ]
        if why_not:
            return []
        return [
            *(BrokerDegraded(why, part) for part, why in missing.items() if part not in before),
            *(BrokerRestored(part, back) for part in before if part not in missing),
        ]


def _without(missing: Mapping[str, str], *parts: str) -> dict[str, str]:
    return {part: why for part, why in missing.items() if part not in parts}
