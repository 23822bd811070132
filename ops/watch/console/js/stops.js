// What is not known, what stops orders, and the command that ends it: to be typed elsewhere.

import { $, command, el, icon, put, say } from "./dom.js";
import { ago, count, money, moment, oneLine, quantity, span } from "./format.js";

const ENDS = {
  operator: "lifted by an operator",
  condition: "lifts by itself",
  "next session": "lifts with the next session",
};

export const isEverything = (hold) => hold.scope === "all";

const onWhat = (hold) =>
  ({ all: "everything", strategy: `strategy ${oneLine(hold.target)}` })[hold.scope] ?? oneLine(hold.target);

export const holdText = (hold) => `${hold.level} on ${onWhat(hold)}: ${oneLine(hold.cause)}: ${oneLine(hold.why)}`;

export function differenceText(difference) {
  const cash = difference.kind === "cash";
  const amount = (number) =>
    number === null ? "nothing" : cash ? `${money(number)} USD` : quantity(number);
  const what = [difference.kind, difference.symbol, difference.subject].filter(Boolean).join(" ");
  const note = difference.note ? `; ${difference.note}` : "";
  const cause = difference.likely_cause === "unknown" ? "cause unknown" : `likely ${difference.likely_cause}`;
  return oneLine(`${what}: here ${amount(difference.internal)}, at the broker ${amount(difference.broker)}${note}; ${cause}`);
}

/** A line of a list: how bad, what, and what to do. */
function finding(how, title, text, ...further) {
  return el(
    "li",
    {},
    el("span", { class: how === "none" ? "soft" : how }, icon(how === "none" ? "dot" : how)),
    el("div", {}, title && el("strong", {}, title), title && text ? ": " : "", text, ...further),
  );
}

/** Make `list` show `lines` again where they are others than before: focus and selection stay. */
function shown(list, of, lines) {
  const now = JSON.stringify(of);
  if (list.dataset.of === now) return;
  list.dataset.of = now;
  put(list, ...lines());
}

/** Orders of unknown whereabouts, breaks, stale symbols, positions without a mark. */
export function showUnknown(status, positions, stale, openOrder) {
  const unmarked = positions.positions.filter((each) => each.mark === null && !/^-?0*\.?0*$/.test(each.quantity));
  const never = status.data.filter((each) => each.age_s === null).map((each) => each.symbol);
  const lacks = status.look_lacks;
  const of = [status.unknown_orders, status.breaks, stale, unmarked.map((each) => each.symbol), never, lacks, status.reconcile_overdue, status.hours_doubts];
  const number = status.unknown_orders.length + status.breaks.length + stale.length + unmarked.length;
  say($("unknown-note"), number ? `${count(number)} to be settled` : "");
  shown($("unknown-list"), of, () => {
    const lines = [
      ...status.unknown_orders.map((each) => {
        const open = el("button", { type: "button", class: "row-like" }, each.client_order_id);
        open.addEventListener("click", () => openOrder(each.client_order_id));
        return finding("bad", "UNKNOWN order", "", " ", open, el("div", { class: "soft" }, each.reason || "nobody knows where it is"));
      }),
      ...status.breaks.map((each) => finding("bad", "Break", differenceText(each.difference))),
      ...unmarked.map((each) => finding("bad", "No mark", `${oneLine(each.symbol)} is held and has no price, so equity is not known`)),
      ...(stale.length ? [finding("warn", "Stale data", stale.map((each) => oneLine(each)).join(", "))] : []),
      ...(never.length ? [finding("warn", "No bar yet", never.map((each) => oneLine(each)).join(", "))] : []),
      ...(status.reconcile_overdue ? [finding("warn", "Not compared", "the books were not compared with the broker's in time")] : []),
      ...(lacks.length ? [finding("warn", "Last look incomplete", `it has not got: ${lacks.join(", ")}`)] : []),
      ...status.hours_doubts.map((each) => finding("warn", `Hours of ${oneLine(each.exchange)}`, each.text ?? "")),
    ];
    return lines.length
      ? lines
      : [finding("ok", "", "Nothing: no UNKNOWN order, no break, no stale symbol, no position without a mark.")];
  });
}

/** The kill switch, the circuit breaker, the permit and every hold with what ends it. */
export function showStops(status, holds, nowMs) {
  const trips = status.circuit_breaker_trips.map(
    (each) => `${oneLine(each.cause)}${each.target ? ` on ${oneLine(each.target)}` : ""}, ${oneLine(each.ends)}`,
  );
  const switches = [
    ["Kill switch", status.kill_switch_engaged ? "ENGAGED" : "off", status.kill_switch_engaged ? "bad" : "ok"],
    ["Circuit breaker", trips.length ? `TRIPPED (${trips.join("; ")})` : "ok", trips.length ? "bad" : "ok"],
    ["Permit to send", status.permit_lost ? "GONE" : status.seq ? "given" : "none yet", status.permit_lost ? "bad" : "ok"],
    ["Dry run", status.dry_run ? "YES: nothing is sent" : "no", status.dry_run ? "warn" : "ok"],
    ...(status.broker ? [["Broker", brokerText(status.broker), status.broker.connected ? "ok" : "bad"]] : []),
  ];
  shown($("switches"), switches, () =>
    switches.map(([name, text, tone]) =>
      el("div", {}, el("dt", {}, name), el("dd", { class: tone }, icon(tone), " ", text)),
    ),
  );
  const lost = status.permit_lost && !status.kill_switch_engaged;
  const notSet = status.seq ? status.limits_not_set : [];
  shown($("holds"), [holds.active, lost, notSet], () => [
    ...(lost
      ? [stop("halt", "No order leaves: the permit file is gone", "it is given again by an operator", "", ['traded resume --why "what you found"'])]
      : []),
    ...(notSet.length
      ? [stop("halt", "No order passes: limits are not set", notSet.join(", "), "set them in the configuration, then", ["traded reload"])]
      : []),
    ...holds.active.map((line) => {
      const { hold } = line;
      const since = el("span", { "data-since": line.placed_at });
      const ends = ENDS[hold.lifts] ?? hold.lifts;
      const how = hold.lifts === "operator" ? ends : `${ends}, or sooner with`;
      return stop(
        hold.level === "HALT" ? "halt" : "reduce",
        `${hold.level} on ${onWhat(hold)}: ${hold.cause}`,
        `${oneLine(hold.why)} (by ${oneLine(hold.by)}, working orders: ${String(hold.working ?? "KEEP").toLowerCase().replaceAll("_", " ")})`,
        how,
        [line.command],
        el("p", { class: "note" }, `placed ${moment(line.placed_at)} UTC, `, since, "; id ", el("code", {}, hold.hold_id)),
      );
    }),
  ]);
  for (const each of $("holds").querySelectorAll("[data-since]")) {
    say(each, ago((nowMs - Date.parse(each.dataset.since)) / 1000));
  }
}

function brokerText(broker) {
  const since = broker.since ? ` since ${moment(broker.since)} UTC` : "";
  const why = broker.reason && !broker.connected ? `: ${broker.reason}` : "";
  return oneLine(`${broker.connected ? "connected" : "NOT CONNECTED"}${since}${why}`);
}

function stop(level, what, why, how, commands, ...further) {
  return el(
    "li",
    { class: level },
    el("div", {}, el("p", { class: "what" }, what), el("p", { class: "said" }, why), ...further),
    el("div", {}, el("p", { class: "note" }, how), ...commands.map((each) => el("div", {}, command(each)))),
  );
}

export function showBreaks(breaks) {
  $("breaks").hidden = !breaks.open.length;
  shown($("breaks-list"), breaks.open, () =>
    breaks.open.map((line) =>
      stop(
        "halt",
        differenceText(line.opened.difference),
        `${oneLine(line.opened.break_id)}, opened ${moment(line.opened_at)} UTC`,
        "if the broker is right, take what it has into the books",
        [line.command],
      ),
    ),
  );
}

const LEVELS = { healthy: "ok", degraded: "warn", unhealthy: "bad" };

export function showHealth(summary) {
  say($("health-note"), summary.health ?? "");
  shown($("health-list"), summary.reasons, () =>
    summary.reasons.length
      ? summary.reasons.map((each) => finding(LEVELS[each.status] ?? "warn", each.status, each.text))
      : [finding("ok", "", "Nobody has to look.")],
  );
}

export function showSessions(status, nowMs) {
  const list = $("sessions");
  const lines = status.sessions.map((each) => {
    if (!each.opens && !each.closes) return [each, each.is_open ? "always open" : "no further session is known"];
    const [next, verb] = each.is_open ? [each.closes, "closes"] : [each.opens, "opens"];
    const half = each.is_half_day ? ", a half day" : "";
    const closed = each.closed_days.map((day) => `${day.day}${day.name ? ` ${day.name}` : ""}`).join(", ");
    const inside = span((Date.parse(next) - nowMs) / 1000);
    return [each, `${verb} ${moment(next)} UTC, in ${inside}${half}${closed ? `; closed on ${closed}` : ""}`];
  });
  shown(list, lines.map(([each, text]) => [each.exchange, text]), () =>
    lines.length
      ? lines.map(([each, text]) => finding(each.is_open ? "ok" : "none", `${oneLine(each.exchange)} ${each.is_open ? "open" : "closed"}`, text))
      : [finding("none", "", "no exchange is in use yet")],
  );
}
