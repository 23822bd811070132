"""Who is told, and when: tags, one telling a cause, quiet hours, storms."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta

from daemon.config.options import AlertsConfig
from events import ClientOrderId, OrderUnknown
from ops.log.redaction import Redaction
from ops.watch.alerts.alert import Alert, Severity
from ops.watch.alerts.messages import BODY_LONGEST, SUBJECT_LONGEST
from ops.watch.alerts.routing import BURST, Parcel, Router, Routes
from ops.watch.alerts.rules import Past, what_happened
from tests.alert_desk import NOON, a_hold
from tests.builders import records, state_after, utc

QUIET = AlertsConfig(quiet_from=time(22), quiet_until=time(7), zone="Europe/Berlin")
EVENING = utc("2024-01-02T20:59")
"""21:59 in Berlin."""


def an_alert(cause: str = "x:1", severity: Severity = Severity.WARNING, **more: str) -> Alert:
    avoids = more.get("avoids", "")
    clears = (more["clears"],) if "clears" in more else ()
    return Alert(cause, severity, f"about {cause}", "text", "`traded status`", 0, clears, avoids)


class Post:
    """A router to two targets, and what has left through it."""

    def __init__(self, config: AlertsConfig | None = None, **targets: str) -> None:
        targets = targets or {"desk": "desk", "phone": "phone"}
        self.routes = Routes()
        self.router = Router(config or AlertsConfig(), targets, self.routes)

    def at(self, now: datetime, *alerts: Alert) -> list[Parcel]:
        self.router.take(alerts, now)
        return list(self.router.leave(now))


def seconds(*numbers: float) -> Iterator[datetime]:
    yield from (NOON + timedelta(seconds=each) for each in numbers)


def test_a_severity_goes_to_its_tags_and_without_any_to_all() -> None:
    post = Post(AlertsConfig(info=("desk",), warning=("none",)))

    def told(severity: Severity) -> list[str]:
        return post.router.targets_of(an_alert(severity=severity))

    assert told(Severity.INFO) == ["desk"]
    assert told(Severity.WARNING) == []
    assert told(Severity.CRITICAL) == ["desk", "phone"]


def test_what_is_urgent_is_not_lost_on_a_tag_that_nobody_has() -> None:
    post = Post(AlertsConfig(critical=("pager",)))
    assert post.router.targets_of(an_alert(severity=Severity.CRITICAL)) == ["desk", "phone"]
    narrow = Post(AlertsConfig(critical=("phone",)))
    assert narrow.router.targets_of(an_alert(severity=Severity.CRITICAL)) == ["phone"]
    assert narrow.router.targets_of(an_alert(severity=Severity.STOP)) == ["desk", "phone"]


def test_what_is_about_a_target_goes_to_the_others() -> None:
    about = an_alert(severity=Severity.STOP, avoids="phone")
    assert Post().router.targets_of(about) == ["desk"]


def test_one_cause_is_told_once_and_then_with_how_often_it_came() -> None:
    post = Post(AlertsConfig(repeat_s=100), phone="")
    first, *rest = [post.at(now, an_alert()) for now in seconds(0, 10, 20, 99)]
    assert len(first) == 1
    assert rest == [[], [], []]
    ((again,),) = (post.at(now) for now in seconds(100))
    assert "3 times since" in again.alerts[0].text
    (silent,) = (post.at(now) for now in seconds(500))
    assert silent == []
    (new,) = (post.at(now, an_alert()) for now in seconds(501))
    assert len(new) == 1


def test_what_had_an_end_is_told_at_once_when_it_begins_again() -> None:
    post, at = Post(phone=""), list(seconds(0, 1, 2))
    assert post.at(at[0], an_alert("hold:x"))
    assert post.at(at[1], an_alert("over-hold:x", clears="hold:x"))
    assert post.at(at[2], an_alert("hold:x", clears="over-hold:x"))


def test_quiet_hours_over_midnight_hold_warnings_until_their_end_and_nothing_urgent() -> None:
    post = Post(QUIET, phone="")
    assert post.at(EVENING, an_alert("a:1"))
    night = EVENING + timedelta(minutes=2)
    assert post.at(night, an_alert("a:2"), an_alert("a:3", Severity.INFO)) == []
    (urgent,) = post.at(night, an_alert("a:4", Severity.CRITICAL), an_alert("a:5", Severity.STOP))
    assert [each.cause for each in urgent.alerts] == ["a:4", "a:5"]
    assert post.at(utc("2024-01-03T05:59"), an_alert("a:6")) == []
    (digest,) = post.at(utc("2024-01-03T06:00"))  # 07:00 in Berlin.
    assert digest.is_digest
    assert [each.cause for each in digest.alerts] == ["a:2", "a:3", "a:6"]


def test_a_storm_is_a_burst_and_then_summaries_and_a_kill_gets_through_it() -> None:
    post, now = Post(AlertsConfig(messages_an_hour=20), phone=""), NOON
    parcels = []
    for number in range(1_000):
        now += timedelta(seconds=1)
        parcels += post.at(now, an_alert(f"storm:{number}"))
    # A thousand seconds at 20 an hour are 5.6 messages beside the burst.
    assert BURST <= len(parcels) <= BURST + 6
    kill = an_alert("hold:kill", Severity.STOP)
    (through,) = post.at(now, kill)
    assert kill in through.alerts
    told = sum(len(each.alerts) + sum(each.more.values()) for each in [*parcels, through])
    assert told == 1_001


def test_a_storm_of_kills_is_bounded_too() -> None:
    post, now, count = Post(phone=""), NOON, 0
    for number in range(600):
        now += timedelta(seconds=1)
        count += len(post.at(now, an_alert(f"hold:{number}", Severity.STOP)))
    assert count <= BURST + 10


def test_what_is_remembered_is_bounded() -> None:
    post = Post(phone="")
    for number in range(3_000):
        post.at(NOON, an_alert(f"storm:{number}"))
    assert len(post.routes.told) <= 1_000
    assert len(post.routes.lanes["phone"].waiting.alerts) <= 50


def test_texts_from_outside_stay_one_line_and_short() -> None:
    hostile = "x" * 10_000 + "\n\x1b[31m<script>alert(1)</script>\u202e"
    hold = a_hold("over-fill", why=hostile, on=hostile)
    unknown = OrderUnknown(ClientOrderId("A-1-2"), hostile)
    events = (hold, unknown)
    found = what_happened(state_after(*events), list(records(*events)), Past(), sends=True)
    for alert in found:
        text = alert.title + alert.text + alert.cause
        assert text.isprintable()
        assert len(text) < 2_000


def test_the_lengths_fit_what_a_telephone_takes() -> None:
    assert BODY_LONGEST + SUBJECT_LONGEST < 4_096
    assert Redaction(["hidden-word"]).text("a hidden-word") == "a [REDACTED]"
