"""Alerts arrive: at real servers, over restarts, past targets that are dead, and in storms."""

import logging
from datetime import time
from pathlib import Path

import pytest

from daemon.config.options import AlertsConfig
from daemon.secrets.names import BadSecret
from events import ClientOrderId, HoldLifts, OrderUnknown
from ops.daemon_state import DaemonState, Running
from ops.watch.alerts.assembly import deliveries_in
from ops.watch.alerts.kept import OUTBOX_MAX, kept_path, read_kept
from ops.watch.alerts.sending import Pace
from ops.watch.alerts.standing import read_beat
from ops.watch.app import Seen
from projections import State
from tests.alert_desk import STARTED, AlertDesk, a_hold
from tests.alert_sinks import MailSink, WebSink
from tests.builders import a_bar, a_calendar, a_config, a_deposit, a_fill, a_session, an_order, utc

KILL = a_hold("kill switch")
QUIET = AlertsConfig(quiet_from=time(22), quiet_until=time(7))
NIGHT = utc("2024-01-03T04:00")
"""23:00 in New York."""


async def test_a_kill_in_the_quiet_hours_arrives_at_once_and_a_warning_behind_them(
    tmp_path: Path,
) -> None:
    with WebSink() as web:
        async with AlertDesk(tmp_path, web.target(), alerts=QUIET, now=NIGHT) as desk:
            await desk.begins(STARTED)
            await desk.happens(a_hold("DATA_STALE", lifts=HoldLifts.CONDITION), KILL)
            await desk.until(lambda: web.posted, "the kill")
            await desk.is_sent()
            assert "DATA_STALE" not in "".join(web.titles)
            assert "STOP KILL SWITCH engaged" in "".join(web.titles)
            desk.after(7.9 * 3_600)  # 06:54
            await desk.is_sent()
            before = len(web.posted)
            desk.after(600)  # 07:04
            await desk.until(lambda: len(web.posted) > before, "the digest")
            assert "after the quiet hours" in web.titles[-1]
            assert "DATA_STALE" in web.posted[-1]["message"]


async def test_a_storm_of_ten_thousand_events_is_few_messages(tmp_path: Path) -> None:
    lost = [OrderUnknown(ClientOrderId(f"A-1-{n:024}"), "no answer") for n in range(10_000)]
    with WebSink() as web:
        async with AlertDesk(tmp_path, web.target()) as desk:
            await desk.begins()
            for page in range(0, 10_000, 500):
                await desk.happens(*lost[page : page + 500])
                desk.after(1)
            desk.after(3_600)
            await desk.is_sent()
            assert 1 <= len(web.posted) <= 10
            assert "more" in web.titles[-1]
            # Each is in one of them, by name or by count: 6 shown a message, the rest counted.
            whole = sum(each["message"].count("critical: order UNKNOWN") for each in web.posted)
            counted = sum(
                int(word.replace(",", ""))
                for each in web.posted
                for before, word in zip(
                    each["message"].split(), each["message"].split()[1:], strict=False
                )
                if before == "and" and word.replace(",", "").isdigit()
            )
            assert whole + counted >= 10_000


async def test_what_was_seen_and_not_sent_is_sent_by_the_next_watch(tmp_path: Path) -> None:
    with WebSink() as web:
        first = AlertDesk(tmp_path, web.target())
        await first.begins()
        await first.happens(KILL)  # Its senders never run: it dies here.
        assert read_kept(kept_path(first.journal))[0].outbox["json"]
        assert web.posted == []
        async with AlertDesk(tmp_path, web.target()) as second:
            second.looks()
            await second.is_sent()
        assert [title for title in web.titles if "KILL SWITCH" in title] == web.titles
        assert len(web.titles) == 1


async def test_what_happened_while_no_watch_ran_is_told_by_the_next(tmp_path: Path) -> None:
    with WebSink() as web:
        first = AlertDesk(tmp_path, web.target())
        await first.begins()
        first.alerting.save()
        await first.happens_unseen(KILL)
        async with AlertDesk(tmp_path, web.target()) as second:
            second.looks()
            await second.is_sent()
        assert "KILL SWITCH engaged" in web.texts


async def test_what_was_there_before_the_first_watch_is_no_news(tmp_path: Path) -> None:
    desk = AlertDesk(tmp_path, "json://127.0.0.1:1/")
    # So it looks while a long journal is read for the first time.
    reading = Seen(desk.journal, State(), "", DaemonState(Running.STOPPED), None, behind=5)
    desk.alerting.listen(reading, ())
    await desk.begins(KILL)
    assert desk.waiting == []
    await desk.happens(a_hold("DAILY_LOSS_EXCEEDED"))
    assert len(desk.waiting) == 1


async def test_a_journal_that_began_under_the_watch_is_told_from_its_first_event(
    tmp_path: Path,
) -> None:
    desk = AlertDesk(tmp_path, "json://127.0.0.1:1/")
    desk.looks()
    await desk.begins(KILL)
    assert ["KILL SWITCH" in each for each in desk.waiting] == [True]


async def test_a_dead_target_is_degraded_and_the_others_are_told_so(tmp_path: Path) -> None:
    with WebSink() as dead, WebSink() as well:
        dead.code = 503
        async with AlertDesk(tmp_path, dead.target("pager"), well.target("desk")) as desk:
            await desk.begins()
            await desk.happens(KILL)
            await desk.until(lambda: desk.alerting.standing.failing, "the failure")
            desk.looks()
            await desk.until(
                lambda: "alerts to pager do not arrive" in well.texts, "the word of it"
            )
            assert "KILL SWITCH" in well.texts
            standing = desk.alerting.standing
            assert standing.failing == {"pager": "refused with code 503"}
            assert standing.failed["pager"] >= 1
            assert any("pager do not arrive" in each for each in standing.degraded)
            dead.code = 200
            await desk.until(lambda: "KILL SWITCH" in dead.texts, "what had waited")
            await desk.until(lambda: not standing.failing, "the recovery")
            desk.looks()
            await desk.is_sent()
            assert "over: alerts to pager arrive again" in well.texts
            assert "do not arrive" not in "".join(dead.titles[:1])


async def test_a_target_that_takes_the_connection_and_says_nothing_fails(tmp_path: Path) -> None:
    with WebSink() as web:
        web.hangs.set()
        pace = Pace(deadline_s=0.2, attempts=1, wait_max_s=0.01, again_s=0.02)
        async with AlertDesk(tmp_path, web.target("pager"), pace=pace) as desk:
            await desk.begins()
            await desk.happens(KILL)
            await desk.until(lambda: desk.alerting.standing.failing, "the failure")
            assert "no answer within 0.2 s" in desk.alerting.standing.failing["pager"]


async def test_mail_has_the_host_and_the_alias_in_its_subject(tmp_path: Path) -> None:
    with MailSink() as mail:
        async with AlertDesk(tmp_path, mail.target()) as desk:
            await desk.begins()
            await desk.happens(KILL)
            await desk.is_sent()
        ((subject, text),) = mail.mails
        assert subject == "[test@host] STOP KILL SWITCH engaged"
        assert 'Next: `traded ready`, then: traded resume --why "what you found"' in text


async def test_a_daemon_that_was_killed_is_told_with_its_open_orders_and_positions(
    tmp_path: Path,
) -> None:
    story = (
        *(
            a_config("A", "B"),
            a_calendar(a_session("2024-01-02")),
            a_deposit(),
            STARTED,
            a_bar("100"),
            *an_order("A-1-x", "100"),
        ),
        *(a_fill("100", order_id="A-1-x"), *an_order("B-1-y", "-5", symbol="B")),
    )
    with WebSink() as web:
        async with AlertDesk(tmp_path, web.target()) as desk:
            await desk.begins(*story)
            await desk.until(lambda: web.posted, "the alert")
            await desk.is_sent()
        assert "STOP the daemon was killed or crashed" in web.titles[0]
        said = web.posted[0]["message"]
        assert "Open orders: 1: B sell 5 at market, DAY" in said
        assert "Positions: 1: 100 A at 100.00" in said
        assert "Next: start it again: `traded run`" in said


async def test_the_outbox_is_bounded_and_keeps_what_matters(tmp_path: Path) -> None:
    desk = AlertDesk(tmp_path, "json://127.0.0.1:1/")
    await desk.begins()
    await desk.happens(KILL)
    for hour in range(OUTBOX_MAX + 20):
        await desk.happens(
            a_hold("DATA_STALE", f"d{hour}", lifts=HoldLifts.CONDITION, on=f"{hour}")
        )
        desk.after(3_600)
    assert len(desk.waiting) == OUTBOX_MAX
    assert "KILL SWITCH" in desk.waiting[0]
    assert desk.alerting.kept.given_up["json"] > 0


async def test_a_damaged_file_of_alerting_is_said_and_alerting_goes_on(tmp_path: Path) -> None:
    with WebSink() as web:
        desk = AlertDesk(tmp_path, web.target())
        await desk.begins()
        kept_path(desk.journal).write_bytes(b"{broken")
        async with AlertDesk(tmp_path, web.target()) as again:
            assert any("cannot be read" in line for line in again.log.lines)
            again.looks()
            await again.happens(KILL)
            await again.is_sent()
        assert "KILL SWITCH" in web.texts
        assert read_kept(kept_path(desk.journal))[1] == ""


async def test_nothing_that_is_written_has_an_address_or_a_secret_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with WebSink() as web, WebSink() as dead:
        dead.code = 500
        async with AlertDesk(tmp_path, web.target("ok"), dead.target("bad")) as desk:
            await desk.begins()
            await desk.happens(a_hold("kill switch", why="DU1234567 has secret-of-mine"))
            await desk.until(lambda: desk.alerting.standing.failing, "the failure")
            await desk.until(lambda: web.posted, "the alert")
            desk.looks()
            beat = read_beat(desk.journal, desk.variables)
            assert beat is not None
            files = files_of(tmp_path)
        assert len(files) == 2, "what alerting keeps, and that it lives"
        logged = [str(each.__dict__) for each in caplog.records if each.name != "aiosqlite"]
        said = [*logged, *desk.log.lines, *files, web.texts, repr(desk.alerting.standing)]
        said += [repr(each.target) for each in deliveries_in(desk.variables)]
        for planted in ("planted", "pass-word", "secret-of-mine", "DU1234567"):
            # The word in the event itself is redacted in what is said of it, not in what is kept.
            assert [text for text in said if planted in text] == []


def files_of(folder: Path) -> list[str]:
    return [path.read_bytes().decode() for path in folder.rglob("*.json")]


def test_what_is_no_address_is_refused_without_being_shown(tmp_path: Path) -> None:
    for wrong in ("phone=nowhere://token-1234", "token-1234", "UPPER=json://token-1234"):
        with pytest.raises(BadSecret) as refused:
            deliveries_in({"TRADED_ALERT_URLS": wrong, "HOME": str(tmp_path)})
        assert "token-1234" not in str(refused.value)
        assert "number 1" in str(refused.value)


async def test_alerting_says_that_it_lives_once_a_day_with_the_figures(tmp_path: Path) -> None:
    with WebSink() as web:
        async with AlertDesk(tmp_path, web.target()) as desk:
            await desk.begins(a_deposit("1234"))
            desk.after(24 * 3_600)  # 12:00 in New York, the alive message is due at 16:30.
            assert desk.waiting == []
            desk.after(5 * 3_600)
            desk.after(3_600)
            await desk.is_sent()
        alive = [each for each in web.posted if "the watch is alive, 2024-01-03" in each["title"]]
        assert len(alive) == 1
        assert "equity 1,234.00 USD" in alive[0]["message"]
