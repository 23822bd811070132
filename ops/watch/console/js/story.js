// One order from the bar it was decided on to the position it left: what `traded explain` tells.

import { $, el, put, say } from "./dom.js";
import { abs, count, measure, moment, money, oneLine, price, quantity } from "./format.js";
import { ask } from "./live.js";
import { orderWish } from "./books.js";

const dialog = () => $("story");
let wanted = "";

/** Open the story of an order over the page; Esc closes it, and the focus goes back. */
export async function openStory(orderId) {
  wanted = orderId;
  say($("story-title"), orderId);
  put($("story-body"), el("p", { class: "soft" }, "reading the journal"));
  if (!dialog().open) dialog().showModal();
  try {
    const story = await ask(`orders/${encodeURIComponent(orderId)}`);
    if (wanted === orderId) put($("story-body"), ...told(story));
  } catch (error) {
    if (wanted === orderId) put($("story-body"), el("p", { class: "bad" }, error.message));
  }
}

export function wireStory() {
  $("story-close").addEventListener("click", () => dialog().close());
  dialog().addEventListener("click", (event) => {
    if (event.target === dialog()) dialog().close();
  });
}

function told(story) {
  const { intent } = story;
  const state = `it is ${story.state}${story.reason ? `: ${oneLine(story.reason)}` : ""}`;
  return [
    el("p", { class: "lead" }, `${oneLine(intent.strategy)} wanted to ${orderWish(intent)}; ${state}`),
    story.amended && el("p", { class: "bad" }, `somebody else has changed it: ${story.amended}`),
    el("p", { class: "note" }, `as of event ${count(story.as_of.seq)}, ${moment(story.as_of.at)} UTC`),
    el("ol", { class: "chain", role: "list" }, ...steps(story)),
  ];
}

function* steps(story) {
  if (!story.because.length) yield step("Because", null, el("p", {}, "nothing in the journal led to it"));
  for (const line of story.because) yield step(line.type === "bar.closed" ? "Bar" : "Because", line);
  yield step("Intent", story.intended, values(story.intent.values));
  for (const line of story.margin) yield step("Margin", line);
  yield decision(story);
  for (const line of story.reports) yield step(name(line.type), line, ...about(line, story));
  yield outcome(story);
}

function step(title, line, ...further) {
  return el(
    "li",
    {},
    el("p", { class: "step" }, title),
    line && el("p", { class: "text" }, line.symbol && !line.text.includes(line.symbol) ? `${oneLine(line.symbol)}: ` : "", line.text),
    ...further,
    line && el("p", { class: "meta" }, `event ${count(line.seq)}, ${moment(line.at)} UTC`),
  );
}

const NAMES = {
  "order.sending": "Sending", "order.acknowledged": "Acknowledged", "order.working": "Working",
  "order.filled": "Fill", "commission.charged": "Commission", "order.unknown": "UNKNOWN",
  "order.cancelled": "Cancelled", "order.rejected": "Rejected", "order.expired": "Expired",
  "order.withheld": "Withheld", "cancel.sending": "Cancel",
};
const name = (type) => NAMES[type] ?? type.replaceAll(".", " ");

function values(found) {
  const entries = Object.entries(found ?? {});
  if (!entries.length) return null;
  return el("dl", { class: "values", "aria-label": "Values it was decided on" },
    ...entries.flatMap(([key, value]) => [el("dt", {}, key), el("dd", {}, value)]));
}

function decision(story) {
  if (!story.decision) return step("Gate", null, el("p", {}, "the gate has not answered"));
  const failed = story.checks.filter((each) => !each.passed);
  const passed = story.checks.filter((each) => each.passed);
  const made = step(
    failed.length ? "Gate: refused" : "Gate: passed",
    story.decision,
    failed.length > 0 && checks(failed),
    passed.length > 0 && el("details", {}, el("summary", {}, `${count(passed.length)} checks passed`), checks(passed)),
  );
  if (failed.length) made.className = "refused";
  return made;
}

function checks(lines) {
  const cell = (text) => el("td", { class: "number" }, text);
  return el("div", { class: "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, ...["Check", "", "Value", "At most", "Left", "Note"].map((each, at) =>
      el("th", { scope: "col", class: at > 1 && at < 5 ? "number" : "" }, each)))),
    el("tbody", {}, ...lines.map((each) => el("tr", {},
      el("td", {}, each.name.replaceAll("_", " ")),
      el("td", { class: each.passed ? "ok" : "bad" }, each.passed ? "ok" : "FAILED"),
      cell(measure(each.name, each.value)), cell(measure(each.name, each.limit)), cell(measure(each.name, each.headroom)),
      el("td", { class: "wrap" }, each.note)))),
  ));
}

function* about(line, story) {
  const fill = story.fills.find((each) => each.seq === line.seq);
  if (!fill) return;
  yield el("p", {}, `cash ${money(fill.cash_usd)} USD, execution `, el("code", {}, fill.execution_id));
  if (fill.bar) yield el("p", { class: "soft" }, `in the bar of event ${count(fill.bar.seq)}: ${fill.bar.text}`);
}

function outcome(story) {
  const filled = !Number(story.filled)
    ? `nothing was filled of ${quantity(abs(story.intent.quantity))}`
    : `filled ${quantity(abs(story.filled))} of ${quantity(abs(story.intent.quantity))} at ${price(story.average_fill_price)} USD on average, commission ${money(story.commission_usd)} USD, cash ${money(story.cash_usd)} USD with it`;
  const after = story.position_after;
  return el("li", {},
    el("p", { class: "step" }, "In all"),
    el("p", { class: "text" }, filled),
    after && el("p", {}, `the position after it: ${quantity(after.quantity)} ${oneLine(story.intent.symbol)}${Number(after.quantity) ? ` at ${price(after.average_entry_price)} USD on average` : ""}, realised ${money(after.realised_usd)} USD so far`));
}
