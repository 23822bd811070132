// The one line that says whether to get up: RUNNING, HELD, DOWN or STALE, and why.

import { $, el, put, say } from "./dom.js";
import { ago, count, moment, money, oneLine, percent, signOf, span } from "./format.js";
import { holdText, isEverything } from "./stops.js";

/** {state, word, why} of what the watcher shows; `silence` says why it is not of now, or is "". */
export function verdict(status, summary, silence) {
  if (silence) {
    const last = verdict(status, summary, "");
    return { state: "stale", word: "STALE", why: `${silence}; last known: ${last.word}, ${last.why}` };
  }
  const problem = summary?.problem || status.problem;
  if (problem && status.seq) return { state: "stale", word: "STALE", why: `this is not of now: ${problem}` };
  const down = downText(status, summary, problem);
  const stops = stopTexts(status);
  if (down) return { state: "down", word: "DOWN", why: more([down, ...stops.map((each) => `held as well: ${each}`)], 2) };
  if (stops.length) return { state: "held", word: heldWord(status), why: more(stops) };
  const notes = (summary?.reasons ?? []).map((each) => each.text);
  const dry = status.dry_run ? ["dry run: nothing is sent"] : [];
  return {
    state: "running",
    word: "RUNNING",
    why: more([...dry, ...notes, ...fullTexts(status)]) || "nothing is held, and nothing asks for a look",
  };
}

function downText(status, summary, problem) {
  const running = status.daemon?.running ?? (status.running ? "running" : "stopped");
  if (running === "hung") return "its trading loop does not answer; `traded kill --offline` stops it";
  if (running === "stopped") {
    if (!status.seq) return `not running, and it never was: ${problem || "the journal is empty"}`;
    if (status.ended) return `not running: ${status.ended}`;
    return "not running: it did not say why it stopped, so it was killed or crashed";
  }
  const silent = summary?.reasons?.find((each) => each.code === "heartbeat_old");
  return silent ? silent.text : "";
}

function heldWord(status) {
  const everything = status.kill_switch_engaged || status.permit_lost || status.holds.some(isEverything);
  return everything ? "HELD" : "HELD IN PART";
}

function stopTexts(status) {
  const texts = status.holds.map(holdText);
  if (status.permit_lost) texts.unshift("the permit to send is gone, so no order leaves");
  if (status.limits_not_set.length && status.seq) {
    texts.push(`limits are not set, so no order passes: ${status.limits_not_set.join(", ")}`);
  }
  const held = new Set(status.holds.map((each) => each.cause));
  for (const trip of status.circuit_breaker_trips) {
    if (!held.has(trip.cause)) texts.push(`${trip.cause}: ${trip.why}`);
  }
  return texts;
}

/** The limits that leave no room: what would go further is refused, all else is sent. */
function fullTexts(status) {
  const full = status.headroom.filter((each) => Number(each.share) >= 1);
  return full.map((each) => `no room under ${each.limit_name}${each.of ? ` (${oneLine(each.of)})` : ""}`);
}

/** The first of some texts, and how many more there are. */
function more(texts, shown = 1) {
  const left = texts.length - shown;
  return texts.slice(0, shown).join("; ") + (left > 0 ? ` (and ${left} more)` : "");
}

export function showGlance(status, summary, silence) {
  const found = verdict(status, summary, silence);
  $("glance").dataset.state = found.state;
  $("glance-icon").setAttribute("href", `#i-${found.state}`);
  say($("glance-word"), found.word);
  say($("glance-why"), oneLine(found.why, 300));
  document.title = `${found.word} - traded`;
}

/** Show mode, money and counts of `status`. */
export function showFigures(status, nowMs) {
  put(
    $("chips"),
    status.mode && el("span", { class: `chip ${status.mode === "live" ? "live" : ""}` }, status.mode),
    status.data_mode && el("span", { class: "chip" }, status.data_mode),
    status.account && el("span", { class: "chip", title: oneLine(status.account) }, `account ${status.account}`),
    status.dry_run && el("span", { class: "chip dry" }, "DRY RUN"),
  );
  const unknown = status.unknown_orders.length;
  const figures = [
    ["Equity", "equity", money(status.equity_usd), "USD"],
    ["Day's P&L", "day-pnl", money(status.day_pnl_usd), "USD", ["bad", "", "ok"][signOf(status.day_pnl_usd) + 1]],
    ["Drawdown", "drawdown", percent(status.drawdown), `worst ${percent(status.drawdown_max)}`],
    ["Positions", "positions", count(status.positions), "open"],
    ["Open orders", "open-orders", count(status.open_orders), `${count(unknown)} UNKNOWN`, unknown ? "bad" : ""],
    sessionFigure(status.sessions, nowMs),
  ];
  const list = $("figures");
  figures.forEach(([name, id, value, unit, tone], at) => {
    const box = list.children[at] ?? list.appendChild(el("div", {}, el("dt"), el("dd", {}, el("span"), " ", el("small"))));
    const [title, dd] = box.children;
    say(title, name);
    dd.firstChild.id = `figure-${id}`;
    dd.className = tone ?? "";
    say(dd.firstChild, value);
    say(dd.lastChild, unit);
  });
  say($("journal"), `Journal: ${status.journal}${status.pid ? `, daemon is process ${status.pid}` : ""}`);
}

function sessionFigure(sessions, nowMs) {
  const first = sessions[0];
  if (!first) return ["Session", "session", "-", ""];
  const next = first.is_open ? first.closes : first.opens;
  const left = next ? `${first.is_open ? "closes" : "opens"} in ${span((Date.parse(next) - nowMs) / 1000)}` : "";
  return ["Session", "session", first.is_open ? "open" : "closed", left || oneLine(first.exchange, 24)];
}

export function showAsOf(status, nowMs, heard) {
  const watched = heard === null ? "" : `; the watcher last spoke ${ago(heard)}`;
  if (!status.as_of.seq) {
    say($("asof"), `The journal is empty${watched}.`);
    return;
  }
  const age = ago((nowMs - Date.parse(status.as_of.at)) / 1000);
  say($("asof"), `As of event ${count(status.as_of.seq)}, ${moment(status.as_of.at)} UTC, ${age}${watched}.`);
}
