"""Whom to tell what, and when: by severity, once a cause, not in quiet hours, not in a storm. Pure.

Each target has a lane of its own. What waits in it leaves as one message: alone where little
happens, as a summary where much does.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from daemon.config.options import AlertsConfig
from events import nanoseconds
from ops.watch.alerts.alert import RANKS, URGENT, Alert, Severity

BURST: Final = 6
"""So many messages may leave for a target at once; then they come by their rate."""
STOPS_AN_HOUR: Final = 60
WAITING_MAX: Final = 50
"""So many alerts wait whole in a lane; of the rest it keeps how many there were of each kind."""
CAUSES_MAX: Final = 1_000
"""So many causes are remembered, so that the same is not told again at once."""
_SECOND_NS: Final = 10**9
_HOUR_NS: Final = 3_600 * _SECOND_NS


class Told(msgspec.Struct):
    """When a cause was told last (ns UTC), how often it came since, and the last of those."""

    at: int
    more: int = 0
    last: Alert | None = None


class Allowance(msgspec.Struct):
    """Messages that may leave now, as of `at` (ns UTC)."""

    left: float
    at: int

    def grow(self, now: int, an_hour: int) -> None:
        """Let time pass."""
        passed = max(0, now - self.at)
        self.left = min(float(min(BURST, an_hour)), self.left + passed * an_hour / _HOUR_NS)
        self.at = now


class Waiting(msgspec.Struct):
    """Alerts that wait, oldest first, and how many more there were of each kind."""

    alerts: list[Alert] = []
    more: dict[str, int] = {}

    def add(self, alert: Alert) -> None:
        """Take one; what stops trading is kept whole before all else."""
        if len(self.alerts) >= WAITING_MAX:
            least = min(self.alerts, key=lambda each: RANKS[each.severity])
            if RANKS[least.severity] < RANKS[alert.severity]:
                self.alerts.remove(least)
                self.alerts.append(alert)
                alert = least
            self.more[alert.kind] = self.more.get(alert.kind, 0) + 1
            return
        self.alerts.append(alert)

    def join(self, other: "Waiting") -> None:
        """Take all of another."""
        for alert in other.alerts:
            self.add(alert)
        self.more = dict(Counter(self.more) + Counter(other.more))


class Lane(msgspec.Struct):
    """What is on its way to one target: what may leave, what the quiet hours hold, how much may."""

    waiting: Waiting
    quiet: Waiting
    stops: Allowance
    others: Allowance


class Routes(msgspec.Struct):
    """All that routing remembers."""

    told: dict[str, Told] = {}
    lanes: dict[str, Lane] = {}


class Parcel(msgspec.Struct):
    """What one target is told at once: never empty. `is_digest`: the quiet hours held it."""

    target: str
    alerts: list[Alert]
    more: dict[str, int]
    is_digest: bool = False

    @property
    def severity(self) -> Severity:
        """The worst in it."""
        return max((each.severity for each in self.alerts), key=RANKS.__getitem__)


class Router:
    """Routes to `targets`, which are names with their tags, as `config` says."""

    def __init__(self, config: AlertsConfig, targets: Mapping[str, str], routes: Routes) -> None:
        """Go on from `routes`; lanes of targets that are no more are dropped."""
        self._config = config
        self._targets = targets
        self._routes = routes
        self._zone = ZoneInfo(config.zone)
        for gone in set(routes.lanes) - set(targets):
            del routes.lanes[gone]

    def take(self, alerts: Sequence[Alert], now: datetime) -> None:
        """Take what is to be told; the same cause again is counted for now."""
        for alert in alerts:
            for cause in alert.clears:
                self._routes.told.pop(cause, None)
            told = self._routes.told.get(alert.cause)
            if told is None:
                self._remember(alert.cause, Told(nanoseconds(now)))
                self._put(alert, now)
            else:
                told.more += 1
                told.last = alert

    def leave(self, now: datetime) -> Iterator[Parcel]:
        """Yield what may leave at `now`."""
        self._tell_again(now)
        for name in self._targets:
            lane = self._lane(name, now)
            lane.stops.grow(nanoseconds(now), STOPS_AN_HOUR)
            lane.others.grow(nanoseconds(now), self._config.messages_an_hour)
            is_digest = bool(lane.quiet.alerts) and not self.is_quiet(now)
            if is_digest:
                lane.waiting.join(lane.quiet)
                lane.quiet = Waiting()
            if not lane.waiting.alerts:
                continue
            parcel = Parcel(name, lane.waiting.alerts, lane.waiting.more, is_digest)
            allowance = lane.stops if parcel.severity is Severity.STOP else lane.others
            if allowance.left >= 1:
                allowance.left -= 1
                lane.waiting = Waiting()
                yield parcel

    def is_quiet(self, now: datetime) -> bool:
        """Say whether `now` lies in the quiet hours."""
        begin, end = self._config.quiet_from, self._config.quiet_until
        if begin is None or end is None or begin == end:
            return False
        local = now.astimezone(self._zone).time()
        return begin <= local < end if begin < end else local >= begin or local < end

    def alive_due(self, told_on: str, now: datetime) -> str:
        """Return the day of which the watch shall say that it is alive, empty when none is due."""
        local = now.astimezone(self._zone)
        today = local.date().isoformat()
        at: time = self._config.alive_at
        return today if local.time() >= at and told_on != today else ""

    def targets_of(self, alert: Alert) -> list[str]:
        """Return who is told: by tags; what must not be lost goes to all where nobody has them."""
        others = [name for name in self._targets if name != alert.avoids]
        if alert.severity is Severity.STOP:
            return others
        tags: tuple[str, ...] = getattr(self._config, alert.severity)
        chosen = [name for name in others if not tags or self._targets[name] in tags]
        return chosen or (others if alert.severity in URGENT else [])

    def _put(self, alert: Alert, now: datetime) -> None:
        is_held = alert.severity not in URGENT and self.is_quiet(now)
        for name in self.targets_of(alert):
            lane = self._lane(name, now)
            (lane.quiet if is_held else lane.waiting).add(alert)

    def _tell_again(self, now: datetime) -> None:
        """Tell what came again since it was told, once its time is over; forget the rest."""
        repeat = self._config.repeat_s * _SECOND_NS
        for cause, told in list(self._routes.told.items()):
            if nanoseconds(now) - told.at < repeat:
                continue
            if told.last is None:
                del self._routes.told[cause]
                continue
            since = f" ({told.more:,} times since this was told before)"
            again = msgspec.structs.replace(told.last, text=told.last.text + since)
            self._routes.told[cause] = Told(nanoseconds(now))
            self._put(again, now)

    def _remember(self, cause: str, told: Told) -> None:
        if len(self._routes.told) >= CAUSES_MAX:
            oldest = min(self._routes.told, key=lambda each: self._routes.told[each].at)
            del self._routes.told[oldest]
        self._routes.told[cause] = told

    def _lane(self, name: str, now: datetime) -> Lane:
        if name not in self._routes.lanes:
            full = Allowance(BURST, nanoseconds(now))
            other = Allowance(BURST, nanoseconds(now))
            self._routes.lanes[name] = Lane(Waiting(), Waiting(), full, other)
        return self._routes.lanes[name]
