// Positions, orders, data age, strategies, decisions and the room under the limits.

import { $, el, put, rows, say } from "./dom.js";
import { abs, count, measure, moment, money, oneLine, percent, price, quantity, signOf, span } from "./format.js";

const number = (text, tone = "") => ({ text, class: `number ${tone}` });
const signed = (text) => number(money(text), ["bad", "", ""][signOf(text) + 1]);

export function showPositions(account, openSymbol) {
  const lines = account.positions;
  $("positions-empty").hidden = lines.length > 0;
  $("positions").querySelector(".scroll").hidden = !lines.length;
  rows($("positions-rows"), lines, (each) => ({
    key: each.symbol,
    class: each.mark === null && signOf(each.quantity) ? "lost" : "",
    cells: [
      { text: each.symbol, button: `Bars of ${each.symbol}`, class: "wrap", head: true },
      number(quantity(each.quantity)),
      number(price(each.average_entry_price)),
      number(each.mark === null && signOf(each.quantity) ? "NO MARK" : price(each.mark)),
      signed(each.value_usd),
      signed(each.unrealised_usd),
      signed(each.realised_usd),
    ],
  }), (each) => openSymbol(each.symbol));
  const sums = [
    ["Cash", account.cash_usd], ["Receivables", account.receivables_usd], ["Positions", account.value_usd],
    ["Equity", account.equity_usd], ["Paid in", account.deposits_less_withdrawals_usd],
    ["Result", account.result_usd], ["Fees paid", account.fees_usd], ["Dividends", account.dividends_usd],
  ];
  showSums($("sums"), sums.map(([name, amount]) => [name, `${money(amount)} USD`]));
}

function showSums(list, sums) {
  put(list, ...sums.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
}

const TONES = { UNKNOWN: "lost", REJECTED: "attention", REFUSED: "attention", WITHHELD: "attention" };

export function orderWish(order) {
  const side = signOf(order.quantity) < 0 ? "sell" : "buy";
  const limit = order.limit_price ? ` limit ${price(order.limit_price)}` : "";
  const stop = order.stop_price ? ` stop ${price(order.stop_price)}` : "";
  return `${side} ${quantity(abs(order.quantity))} ${order.symbol} ${order.order_type}${limit}${stop} ${order.time_in_force}`;
}

export function showOrders(found, openOrder) {
  const lines = [...found.orders].sort((a, b) => b.is_open - a.is_open || b.seq - a.seq);
  const open = lines.filter((each) => each.is_open).length;
  $("orders-empty").hidden = lines.length > 0;
  $("orders").querySelector(".scroll").hidden = !lines.length;
  say($("orders-note"), lines.length ? `${count(open)} open, the last ${count(lines.length - open)} that are over; Enter shows why` : "");
  rows($("orders-rows"), lines, (each) => ({
    key: each.client_order_id,
    class: TONES[each.state] ?? "",
    cells: [
      { text: each.client_order_id, button: `Why: ${each.client_order_id}`, class: "id", head: true },
      { text: `${each.state}${each.is_open ? " (open)" : ""}${each.amended ? ", CHANGED by somebody else" : ""}${each.reason ? `: ${each.reason}` : ""}`, class: "state" },
      { text: `${each.strategy}: ${orderWish(each)}`, class: "wrap" },
      number(quantity(each.filled)),
      number(price(each.average_fill_price)),
      number(money(each.commission_usd)),
      { text: moment(each.at), class: "time" },
    ],
  }), (each) => openOrder(each.client_order_id));
}

export function showData(status, stale, nowMs, atMs, openSymbol) {
  const old = new Set(stale);
  $("data-empty").hidden = status.data.length > 0;
  $("data").querySelector(".scroll").hidden = !status.data.length;
  say($("data-note"), old.size ? `${count(old.size)} stale` : status.data.length ? "the oldest first" : "");
  rows($("data-rows"), status.data, (each) => {
    const age = each.age_s === null ? "no bar yet" : span(each.age_s + (nowMs - atMs) / 1000);
    return {
      key: each.symbol,
      class: old.has(each.symbol) ? "attention" : "",
      cells: [
        { text: each.symbol, button: `Bars of ${each.symbol}`, class: "wrap", head: true },
        number(price(each.close)),
        { text: moment(each.bar_end), class: "time" },
        number(old.has(each.symbol) ? `STALE, ${age}` : age),
      ],
    };
  }, (each) => openSymbol(each.symbol));
}

export function showStrategies(status) {
  rows($("strategies-rows"), status.strategies, (each) => {
    const stands = each.declined.map((why) => `${why.stage}: ${why.reason} (${why.symbols.slice(0, 8).join(", ")}${why.symbols.length > 8 ? ` and ${why.symbols.length - 8} more` : ""})`);
    return {
      key: each.name,
      class: each.failed ? "lost" : "",
      cells: [
        { text: each.shadow ? `${each.name} (shadow)` : each.name, class: "wrap", head: true },
        number(count(each.intended)), number(count(each.approved)), number(count(each.refused)),
        { text: each.failed ? `FAILED: ${each.failed}` : stands.join("; ") || "-", class: "wrap" },
      ],
    };
  });
}

/** A bar with what it shows in words; `share` is text, 0 to 1. */
function meter(name, of, value, share, tone) {
  const fill = el("i");
  fill.style.width = `${Math.min(Math.max(Number(share) * 100, 0), 100)}%`;
  return el(
    "li",
    { class: tone },
    el("span", { class: "name" }, name, of && el("span", { class: "of" }, ` ${oneLine(of)}`)),
    el("span", { class: "value" }, value),
    el("span", { class: "track", "aria-hidden": "true" }, fill),
  );
}

export function showLimits(status) {
  const lines = status.headroom;
  const use = status.margin_use;
  const alert = use ? `; margin in use ${percent(use.share)}, alert at ${percent(use.alert_share)}` : "";
  say($("limits-note"), lines.length ? `with one more order, the tightest first${alert}` : "nothing to hold against a limit yet");
  put($("meters"), ...lines.map((each) => {
    const share = Number(each.share);
    const tone = share >= 1 ? "bad" : share >= 0.8 ? "warn" : "";
    const word = share >= 1 ? "FULL " : share >= 0.8 ? "TIGHT " : "";
    const now = measure(each.limit_name, each.value);
    const value = `${word}${now} of ${measure(each.limit_name, each.limit)}, ${percent(each.share)}`;
    return meter(each.limit_name, each.of, value, each.share, tone);
  }));
}

export function showDecisions(found) {
  const live = found.data.find((each) => each.group === "live");
  const shadow = found.data.find((each) => each.group === "shadow");
  say($("decisions-note"), found.decisions ? `the last ${count(found.decisions)}${shadow?.decisions ? `, ${count(shadow.decisions)} of them in shadow` : ""}` : "none yet");
  const group = live ?? { evaluations: 0, declined: 0, refused: 0, approved: 0, blockers: [] };
  showSums($("decision-sums"), [
    ["Asked", count(group.evaluations)], ["Declined", count(group.declined)],
    ["Refused", count(group.refused)], ["Passed", count(group.approved)],
  ]);
  put($("blockers"), ...group.blockers.map((each) =>
    meter(each.name, `by the ${each.source}`, `${count(each.evaluations)} times, ${percent(String(each.share))}`, each.share, ""),
  ));
}

