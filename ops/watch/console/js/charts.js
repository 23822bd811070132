// Equity and drawdown (uPlot), bars with fills (lightweight-charts). Both draw on canvases; colours
// are those of the style sheet, asked for again when the look changes.

import { $, el, put, say } from "./dom.js";
import { abs, count, moment, money, percent, price, quantity, signOf, span } from "./format.js";

function colour(name) {
  const probe = $("main").appendChild(el("span"));
  probe.style.color = `var(--${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function faint(found, share) {
  const [red, green, blue] = found.match(/[\d.]+/g);
  return `rgba(${red}, ${green}, ${blue}, ${share})`;
}

const FONT = "12px system-ui, sans-serif";
const DAY_S = 86_400;
/** Ticks by their distance in seconds: the format, and below it what is new with a year or a day. */
const TIMES = [
  [365 * DAY_S, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * DAY_S, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [DAY_S, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
];
let equity = null;
let bars = null;

function nothing(plot, text) {
  put(plot, el("p", { class: "none" }, text));
}

/** Draw the curve; while the past is still being read it says so. */
export function showEquity(found) {
  const plot = $("equity-plot");
  const points = found.points;
  const to = found.complete ? "" : `, still reading: up to event ${count(found.read_to_seq)}`;
  if (points.length < 2) {
    equity?.plot.destroy();
    equity = null;
    $("equity-key").hidden = true;
    say($("equity-note"), "");
    nothing(plot, found.complete ? "no curve yet: it begins with the second change of equity" : "the past is still being read");
    return;
  }
  const last = points.at(-1);
  const worst = points.reduce((most, each) => (Number(each.drawdown) > Number(most.drawdown) ? each : most));
  say($("equity-note"), `${moment(points[0].at).slice(0, 10)} to ${moment(last.at).slice(0, 10)}, one point a ${span(found.step_s)}${to}`);
  plot.setAttribute("aria-label", `Equity over time, last ${money(last.equity_usd)} USD at ${moment(last.at)} UTC; drawdown last ${percent(last.drawdown)}, worst ${percent(worst.drawdown)} at ${moment(worst.at)} UTC`);
  const data = [
    points.map((each) => Date.parse(each.at) / 1000),
    points.map((each) => Number(each.equity_usd)),
    points.map((each) => -100 * Number(each.drawdown)),
  ];
  const look = document.documentElement.dataset.look;
  if (equity && equity.look === look) {
    equity.plot.setData(data);
  } else {
    equity?.plot.destroy();
    plot.replaceChildren();
    equity = { look, plot: new uPlot(equityOptions(plot), data, plot) };
  }
  equity.found = found;
  showPoint(equity.plot);
}

/** Say the figures of the point that is looked at, or else of the newest. */
function showPoint(drawn) {
  const found = equity?.found.points;
  if (!found) return;
  const point = found[drawn.cursor.idx ?? -1] ?? found.at(-1);
  $("equity-key").hidden = false;
  say($("key-at"), `${moment(point.at)} UTC`);
  say($("key-equity"), `${money(point.equity_usd)} USD`);
  say($("key-drawdown"), percent(point.drawdown));
}

function equityOptions(plot) {
  const [accent, soft, line, bad] = ["accent", "soft", "line", "bad"].map(colour);
  const axis = { stroke: soft, font: FONT, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 } };
  const short = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 2 });
  return {
    width: plot.clientWidth,
    height: plot.clientHeight,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
    cursor: { points: { size: 6 }, drag: { x: true, y: false } },
    legend: { show: false },
    hooks: { setCursor: [showPoint] },
    scales: { drawdown: { range: (_, least) => [Math.min(least * 3, -1), 0] } },
    axes: [
      { ...axis, values: TIMES },
      { ...axis, size: 76, values: (_, all) => all.map(short) },
      { ...axis, scale: "drawdown", side: 1, size: 54, grid: { show: false }, values: (_, all) => all.map((each) => `${short(each)} %`) },
    ],
    series: [
      {},
      { stroke: accent, width: 1.6, points: { show: false } },
      { scale: "drawdown", stroke: bad, width: 1, dash: [4, 3], fill: faint(bad, 0.12), fillTo: 0, points: { show: false } },
    ],
  };
}

/** Draw the bars of one symbol and its fills. */
export function showBars(found) {
  const plot = $("bars-plot");
  const lines = unique(found.bars);
  const look = document.documentElement.dataset.look;
  if (!lines.length) {
    bars?.chart.remove();
    bars = null;
    say($("bars-note"), "");
    nothing(plot, found.complete ? "no bar yet" : "the past is still being read");
    return;
  }
  if (!bars || bars.look !== look) {
    bars?.chart.remove();
    plot.replaceChildren();
    bars = { look, ...barChart(plot) };
  }
  const isNew = bars.symbol !== found.symbol;
  bars.symbol = found.symbol;
  bars.found = found;
  bars.series.setData(lines.map((each) => ({
    time: Date.parse(each.end) / 1000, open: Number(each.open), high: Number(each.high), low: Number(each.low), close: Number(each.close),
  })));
  bars.markers.setMarkers(marks(found.fills, lines));
  if (isNew) bars.chart.timeScale().fitContent();
  const last = lines.at(-1);
  const day = last.span_s >= 86_400;
  bars.chart.applyOptions({ timeScale: { timeVisible: !day } });
  say($("bars-note"), `${count(lines.length)} bars of ${span(last.span_s)}, ${count(found.fills.length)} fills; last close ${price(last.close)} USD at ${moment(last.end)} UTC`);
  plot.setAttribute("aria-label", `Bars of ${found.symbol}, last close ${price(last.close)} USD, ${found.fills.length} fills marked`);
}

/** Bars in order of their end, the last of each: what a chart can take. */
function unique(lines) {
  const byEnd = new Map(lines.map((each) => [Date.parse(each.end), each]));
  return [...byEnd.keys()].sort((a, b) => a - b).map((end) => byEnd.get(end));
}

function barChart(plot) {
  const [accent, soft, line, ok, bad, panel] = ["accent", "soft", "line", "ok", "bad", "panel"].map(colour);
  const chart = LightweightCharts.createChart(plot, {
    autoSize: true,
    // Its own logo is drawn with an inline style, which this page does not allow: the credit below
    // the chart stands for it.
    layout: { attributionLogo: false, background: { color: panel }, textColor: soft, fontSize: 12, fontFamily: "system-ui, sans-serif" },
    grid: { vertLines: { color: line }, horzLines: { color: line } },
    rightPriceScale: { borderColor: line },
    timeScale: { borderColor: line, timeVisible: true, secondsVisible: false },
    crosshair: { mode: 0 },
    localization: { locale: "en-GB" },
    handleScroll: { mouseWheel: false, vertTouchDrag: false },
    handleScale: { mouseWheel: false },
  });
  const series = chart.addSeries(LightweightCharts.CandlestickSeries, {
    upColor: panel, downColor: soft, borderUpColor: soft, borderDownColor: soft, wickUpColor: soft, wickDownColor: soft,
    priceLineColor: accent,
  });
  const markers = LightweightCharts.createSeriesMarkers(series, []);
  return { chart, series, markers, colours: { ok, bad } };
}

/** Bought is an arrow from below, sold one from above: shape and place say it, not colour alone. */
function marks(fills, lines) {
  const ends = lines.map((each) => Date.parse(each.end));
  const shown = [];
  for (const fill of fills) {
    const end = ends.find((each) => each >= Date.parse(fill.at)) ?? ends.at(-1);
    const bought = signOf(fill.quantity) > 0;
    shown.push({
      time: end / 1000,
      position: bought ? "belowBar" : "aboveBar",
      shape: bought ? "arrowUp" : "arrowDown",
      color: bought ? bars.colours.ok : bars.colours.bad,
      text: `${bought ? "+" : "-"}${quantity(abs(fill.quantity))}`,
    });
  }
  return shown.sort((a, b) => a.time - b.time);
}

/** Draw again in the colours of now. */
export function redraw() {
  if (equity) showEquity(equity.found);
  if (bars) showBars(bars.found);
}

new ResizeObserver(([{ contentRect }]) => {
  if (contentRect.width) equity?.plot.setSize({ width: contentRect.width, height: contentRect.height });
}).observe($("equity-plot"));
