// Puts the page together: what is asked when, and what is shown of it.

import { showData, showDecisions, showLimits, showOrders, showPositions, showStrategies } from "./books.js";
import { redraw, showBars, showEquity } from "./charts.js";
import { $, el, put, say } from "./dom.js";
import { clock, span } from "./format.js";
import { showAsOf, showFigures, showGlance } from "./glance.js";
import { Live, Refused, ask } from "./live.js";
import { showBreaks, showHealth, showSessions, showStops, showUnknown } from "./stops.js";
import { openStory, wireStory } from "./story.js";
import { Tail } from "./tail.js";

const ORDERS = 40;
const BARS = 200;
const STALE_AFTER_S = 8;
/** The books are asked for when something has happened, at most so often; and without, so often. */
const BOOKS_MS = { least: 2_000, most: 5_000 };
const PAST_MS = { least: 5_000, most: 60_000 };

const seen = { status: null, statusAt: 0, positions: null, summary: null, symbol: null, silence: "", closed: false };

const live = new Live({
  open: () => {
    books.wish();
    past.wish();
    tick();
  },
  status: (summary) => {
    seen.summary = summary;
    showHealth(summary);
    books.wish();
    tick();
  },
  event: (line) => {
    tail.add(line);
    books.wish();
    past.wish();
  },
  reset: () => begin(),
  gap: (found) => tail.gap(found),
  lost: ({ retryAt }) => {
    live.retryAt = retryAt;
    tick();
  },
  refused: () => closeGate(),
});
const tail = new Tail(openStory);

/** Asks again when it is worth it: at once after a while of rest, and not while nobody looks. */
class Asker {
  constructor(times, work) {
    Object.assign(this, { times, work, wanted: true, running: false, at: 0 });
  }

  wish() {
    this.wanted = true;
  }

  async look() {
    const age = Date.now() - this.at;
    const due = this.wanted ? age >= this.times.least : age >= this.times.most;
    if (!due || this.running || seen.closed || document.hidden) return;
    this.running = true;
    this.wanted = false;
    try {
      await this.work();
    } finally {
      this.running = false;
      this.at = Date.now();
    }
  }
}

/** Ask for `path` and show it in the panels named; where that fails they say so and turn grey. */
async function load(path, panels, show) {
  let failed = "";
  try {
    const found = await ask(path);
    if (seen.closed) return;
    if (found.problem && found.as_of.seq) failed = found.problem;
    show(found);
  } catch (error) {
    if (error instanceof Refused) {
      closeGate();
      return;
    }
    if (seen.closed) return;
    failed = live.isOpen ? error.message : "";
  }
  for (const id of panels) {
    const panel = $(id);
    panel.classList.toggle("old", Boolean(failed));
    if (!failed) {
      panel.querySelector(":scope > .note.error")?.remove();
      panel.dataset.at = new Date().toISOString();
      continue;
    }
    const since = panel.dataset.at ? `, as of ${clock(panel.dataset.at)} UTC` : "";
    const note = panel.querySelector(":scope > .note.error") ?? el("p", { class: "note error" });
    say(note, `not up to date${since}: ${failed}`);
    panel.querySelector("header").after(note);
  }
}

const loadStatus = () =>
  load("status", ["health", "limits", "data", "unknown"], (status) => {
    seen.status = status;
    seen.statusAt = Date.now();
    showLimits(status);
    showStrategies(status);
    fillSymbols(status.data.map((each) => each.symbol).sort());
    tick();
  });

/** Whether there is a journal to ask: before the first event nothing can be read from it. */
const isEmpty = () => !seen.status?.as_of.seq;

const books = new Asker(BOOKS_MS, async () => {
  await loadStatus();
  await Promise.all([
    load("positions", ["positions"], (account) => {
      seen.positions = account;
      showPositions(account, openSymbol);
      tick();
    }),
    isEmpty()
      ? showOrders({ orders: [] }, openStory)
      : load(`orders?limit=${ORDERS}`, ["orders"], (found) => showOrders(found, openStory)),
    load("holds?limit=0", ["stops"], (found) => {
      seen.holds = found;
      tick();
    }),
    load("breaks?limit=0", ["breaks"], showBreaks),
  ]);
});

const past = new Asker(PAST_MS, () =>
  Promise.all([
    load("equity", ["money"], (found) => {
      showEquity(found);
      if (!found.complete) past.wish();
    }),
    isEmpty()
      ? showDecisions({ decisions: 0, data: [] })
      : load("decisions?limit=500&top=6", ["decisions"], showDecisions),
    loadBars(),
  ]),
);

async function loadBars() {
  const { symbol } = seen;
  if (symbol === null) {
    showBars({ bars: [], complete: true });
    return;
  }
  await load(`bars/${encodeURIComponent(symbol)}?limit=${BARS}`, ["market"], (found) => {
    if (seen.symbol === symbol) showBars(found);
  });
}

function openSymbol(symbol) {
  seen.symbol = symbol;
  $("symbol").value = symbol;
  loadBars();
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  $("market").scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
}

function fillSymbols(symbols) {
  const select = $("symbol");
  const wanted = JSON.stringify(symbols);
  if (select.dataset.of === wanted) return;
  select.dataset.of = wanted;
  put(select, ...symbols.map((each) => el("option", { value: each }, each)));
  if (!symbols.includes(seen.symbol)) {
    const held = seen.positions?.positions.find((each) => Number(each.quantity));
    seen.symbol = held?.symbol ?? symbols[0] ?? null;
    loadBars();
  }
  if (seen.symbol !== null) select.value = seen.symbol;
}

/** The time at the daemon now: the watcher's, and what has passed since it told. */
const nowMs = () => Date.parse(seen.status.now) + (Date.now() - seen.statusAt);

/** Why what is shown is not of now; empty where it is. */
function silence() {
  const heard = live.silentFor();
  if (heard === null) return live.failures ? live.why || "the watcher does not answer" : "";
  if (!live.isOpen) return live.why || "the stream is down: see whether `traded watch` runs";
  if (heard > STALE_AFTER_S) return "the watcher is silent";
  return "";
}

/** Once a second: ages go on, and what is not of now says so. */
function tick() {
  if (seen.closed) return;
  seen.silence = silence();
  // Where there never was anything, nothing can be old.
  const problem = (seen.status?.seq && (seen.summary?.problem || seen.status.problem)) || "";
  const isStale = Boolean(seen.silence || problem);
  document.documentElement.classList.toggle("stale", isStale);
  $("banner").hidden = !isStale;
  if (isStale) say($("banner-text"), `STALE: ${seen.silence || `this is not of now: ${problem}`}`);
  $("retry").hidden = live.isOpen;
  $("feed").dataset.live = live.isOpen ? "yes" : "no";
  const heard = live.silentFor();
  say($("banner-age"), bannerAge(heard));
  say($("feed-text"), live.isOpen ? `live, ${span(heard)} ago` : heard === null ? "connecting" : "not live");
  const { status } = seen;
  if (!status) {
    if (seen.silence) showSilence();
    return;
  }
  showGlance(status, seen.summary, seen.silence);
  showFigures(status, nowMs());
  showAsOf(status, nowMs(), heard);
  showSessions(status, nowMs());
  const stale = seen.summary?.stale ?? [];
  showData(status, stale, nowMs(), Date.parse(status.now), openSymbol);
  if (seen.positions) showUnknown(status, seen.positions, stale, openStory);
  if (seen.holds) showStops(status, seen.holds, nowMs());
}

/** What goes on every second is apart from the alert: it would be read out every second. */
function bannerAge(heard) {
  const spoke = heard === null ? "" : `the watcher last spoke ${span(heard)} ago`;
  const wait = live.isOpen ? 0 : Math.max((live.retryAt ?? 0) - Date.now(), 0) / 1000;
  return [spoke, wait >= 1 && `trying again in ${span(wait)}`].filter(Boolean).join(", ");
}

function showSilence() {
  $("glance").dataset.state = "stale";
  $("glance-icon").setAttribute("href", "#i-stale");
  say($("glance-word"), "STALE");
  say($("glance-why"), seen.silence);
}

/** The token is not taken any more, as after the watcher was started anew with another one. */
function closeGate() {
  if (seen.closed) return;
  seen.closed = true;
  live.end();
  document.title = "TOKEN NEEDED - traded";
  document.documentElement.classList.remove("stale");
  $("banner").hidden = true;
  $("feed").dataset.live = "no";
  say($("feed-text"), "not live");
  if ($("story").open) $("story").close();
  put(
    $("main"),
    el("section", { class: "panel gate-closed", role: "alert", id: "gate-closed" },
      el("h2", {}, "This page needs its token again"),
      el("p", {}, "The watcher does not take the token this browser has: it was started anew with another one, or the cookie is gone."),
      el("p", {}, "Open ", el("code", {}, `${location.origin}/?token=TOKEN`), " with the token that ", el("code", {}, "traded watch"), " was started with.")),
  );
}

/** Begin anew: another history, or the first look. */
async function begin() {
  await loadStatus();
  books.wish();
  past.wish();
  if (isEmpty()) tail.begin([]);
  else await load("events?limit=300", ["events"], (found) => {
    tail.begin(found.events);
    live.seq ??= found.as_of.seq;
  });
}

const THEMES = ["system", "light", "dark"];

function wireTheme() {
  const button = $("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  const apply = () => {
    const chosen = root.dataset.theme ?? "system";
    root.dataset.look = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
    say(button, `Theme: ${chosen}`);
    redraw();
  };
  button.addEventListener("click", () => {
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("traded-theme", next);
    } catch {
      // No storage: it holds until the page is closed.
    }
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

wireTheme();
wireStory();
$("retry").addEventListener("click", () => live.retry());
$("symbol").addEventListener("change", (event) => {
  seen.symbol = event.target.value;
  loadBars();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) live.retry();
});
window.addEventListener("online", () => live.retry());
setInterval(() => {
  tick();
  books.look();
  past.look();
}, 500);
await begin();
books.look();
past.look();
live.run();
