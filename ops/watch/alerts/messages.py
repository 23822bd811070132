"""An alert as it is read on a phone: what happened, what is known, what is not, and what to run.

Whatever text is not ours is one line of bounded length in it; secrets and account numbers are not.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from events import utc_from_nanoseconds
from ops.daemon_state import Running
from ops.log.redaction import Redaction
from ops.order_sentences import order_text
from ops.render import moment, money, one_line, percent, price, quantity
from ops.stops import breaker_text, kill_text
from ops.watch.alerts.alert import RANKS, Alert, Severity
from ops.watch.alerts.conditions import Facts
from ops.watch.alerts.routing import Parcel
from projections.order_states import RESERVED, OrderState

SHOWN: Final = 6
"""So many alerts, orders or positions are told whole; the rest is counted."""
TEXT_LONGEST: Final = 400
SUBJECT_LONGEST: Final = 160
BODY_LONGEST: Final = 3_500
"""Telegram takes 4,096 characters."""


class Message(msgspec.Struct, frozen=True):
    """What is sent to one target; so many `alerts` are in it."""

    severity: Severity
    subject: str
    body: str
    made_at: int
    alerts: int


class Writer:
    """Writes messages; `host` says where they are from."""

    def __init__(self, host: str, redaction: Redaction) -> None:
        """Redact what is written."""
        self._host = host
        self._redaction = redaction

    def message(self, parcel: Parcel, facts: Facts, at: int) -> Message:
        """Return the message that tells a parcel, and how things stand."""
        first, *_ = alerts = sorted(
            parcel.alerts, key=lambda each: (-RANKS[each.severity], each.at)
        )
        count = len(alerts) + sum(parcel.more.values())
        others = f" and {count - 1:,} more" if count > 1 else ""
        subject = f"{first.severity.upper()} {first.title}{others}"
        if parcel.is_digest:
            subject = f"after the quiet hours: {first.title}{others}"
        body = "\n".join([*_told(alerts, parcel), "", *story(facts), "", f"Next: {first.next}"])
        return Message(
            parcel.severity, *self._clean(subject, body, facts.status.account), at, count
        )

    def alone(self, alert: Alert, stands: Iterable[str], alias: str) -> Message:
        """Return the message that tells one alert, and how things stand, in lines."""
        subject = f"{alert.severity.upper()} {alert.title}"
        told = _told([alert], Parcel("", [alert], {}))
        body = "\n".join([*told, "", *stands, "", f"Next: {alert.next}"])
        return Message(alert.severity, *self._clean(subject, body, alias), alert.at, 1)

    def test(self, alias: str, at: int) -> Message:
        """Return a message that was asked for to see whether it arrives."""
        when = moment(utc_from_nanoseconds(at))
        body = f"{when} UTC: `traded alert --test` was run, and this arrived. Nothing to do."
        return Message(Severity.INFO, *self._clean("TEST of the alerts", body, alias), at, 1)

    def _clean(self, subject: str, body: str, alias: str) -> tuple[str, str]:
        whose = one_line(alias or "traded", 40)
        subject = one_line(f"[{whose}@{self._host}] {subject}", SUBJECT_LONGEST)
        lines = [one_line(line, 2 * TEXT_LONGEST) for line in body.split("\n")]
        body = "\n".join(lines)
        if len(body) > BODY_LONGEST:
            last = lines[-1]
            body = f"{body[: BODY_LONGEST - len(last) - 10]}\n...\n{last}"
        return self._redaction.text(subject), self._redaction.text(body)


def _told(alerts: list[Alert], parcel: Parcel) -> Iterator[str]:
    for alert in alerts[:SHOWN]:
        at = moment(utc_from_nanoseconds(alert.at))
        yield f"{at} UTC, {alert.severity}: {alert.title}"
        yield f"  {one_line(alert.text, TEXT_LONGEST)}"
    left = alerts[SHOWN:]
    more = dict(parcel.more)
    for alert in left:
        more[alert.kind] = more.get(alert.kind, 0) + 1
    if more:
        kinds = sorted(more.items(), key=lambda each: -each[1])[:SHOWN]
        named = ", ".join(f"{count:,} of {kind}" for kind, count in kinds)
        yield f"and {sum(more.values()):,} more: {named}; `traded tail` has all of them"


def story(facts: Facts) -> Iterator[str]:
    """Yield how things stand: what is known, what is not, open orders and positions."""
    status = facts.status
    where = f"event {status.seq:,}, {moment(status.at)} UTC" if status.seq else "an empty journal"
    yield f"Known, as of {where}:"
    yield from (f"  {line}" for line in _known(facts))
    yield f"Not known: {'; '.join(_unknown(facts)) or 'nothing that is missed'}."
    yield _listed("Open orders", list(_orders(facts)))
    yield _listed("Positions", list(_positions(facts)))


def figures(facts: Facts) -> str:
    """Return the day in figures."""
    status = facts.status
    return (
        f"equity {money(status.equity_usd)} USD, the day {money(status.day_pnl_usd)}, drawdown "
        f"{percent(status.drawdown)}; {status.positions} positions, {status.open_orders} open "
        f"orders, {status.bars:,} bars in all"
    )


def _known(facts: Facts) -> Iterator[str]:
    status = facts.status
    mode = status.mode or "no mode yet"
    yield f"{_daemon(facts)}; mode {mode}, {'orders leave' if facts.sends else 'nothing leaves'}"
    tripped = one_line(breaker_text(status.circuit_breaker_trips), TEXT_LONGEST)
    stops = f"kill switch {kill_text(killed=status.kill_switch_engaged)}; circuit breaker {tripped}"
    link = status.broker
    way = "" if link is None else f"; broker {'connected' if link.connected else 'away'}"
    yield f"{stops}; holds {len(status.holds)}; breaks {len(status.breaks)}{way}"
    yield f"equity {money(status.equity_usd)} USD, the day {money(status.day_pnl_usd)}"


def _daemon(facts: Facts) -> str:
    daemon = facts.daemon
    if facts.gone:
        ended = one_line(facts.status.ended, 100)
        return "the daemon does not run" + (f" ({ended})" if ended else "")
    word = {Running.STOPPED: "was not asked yet", Running.UNHEARD: "runs, and is not heard"}
    who = f", process {daemon.pid}" if daemon.pid else ""
    return f"the daemon {word.get(daemon.running, f'is {daemon.running}')}{who}"


def _unknown(facts: Facts) -> Iterator[str]:
    status = facts.status
    if facts.problem:
        yield f"anything after that: {one_line(facts.problem, 200)}"
    lost = [one_line(each.client_order_id, 70) for each in status.unknown_orders]
    if lost:
        yield f"whether {_some(lost)} reached the broker"
    away = status.broker is not None and not status.broker.connected
    if facts.sends and (facts.gone or away):
        yield "what has filled at the broker since"
    if status.breaks:
        differ = [
            one_line(each.difference.symbol or each.difference.kind) for each in status.breaks
        ]
        yield f"whose books are right of {_some(sorted(set(differ)))}"
    unpriced = [
        one_line(symbol)
        for symbol, each in facts.state.positions.account.items()
        if each.quantity and symbol not in facts.state.market.last
    ]
    if unpriced:
        yield f"what {_some(unpriced)} is worth"
    stale = sorted(map(one_line, facts.state.freshness.stale))
    if stale:
        yield f"the price of {_some(stale)} now: its data is stale"


def _orders(facts: Facts) -> Iterator[str]:
    for order in facts.state.orders.open.values():
        if order.state in RESERVED:
            word = "UNKNOWN, " if order.state is OrderState.UNKNOWN else ""
            yield f"{word}{one_line(order.symbol)} {order_text(order.intent)}"


def _positions(facts: Facts) -> Iterator[str]:
    for symbol, held in sorted(facts.state.positions.account.items()):
        if not held.quantity:
            continue
        bar = facts.state.market.last.get(symbol)
        at = f" at {price(bar.close)}" if bar else ""
        yield f"{quantity(held.quantity)} {one_line(symbol)}{at}"


def _listed(what: str, names: list[str]) -> str:
    return f"{what}: {len(names)}: {_some(names)}" if names else f"{what}: none"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
