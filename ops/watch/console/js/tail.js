// The newest events, bounded, pausable; one that is about an order opens its story.

import { $, rows, say } from "./dom.js";
import { count, moment, oneLine } from "./format.js";

const SHOWN_MAX = 300;
const TONES = [
  [/^(order\.unknown|strategy\.failed|break\.opened|broker\.unparsed|order\.rejected)/, "lost"],
  [/^(hold\.placed|intent\.refused|broker\.disconnected|order\.withheld|bar\.missing|clock\.jumped)/, "attention"],
];

export class Tail {
  constructor(openOrder) {
    this.lines = [];
    this.waiting = 0;
    this.isPaused = false;
    this.openOrder = openOrder;
    this.drawn = false;
    const button = $("pause");
    button.addEventListener("click", () => {
      this.isPaused = !this.isPaused;
      button.setAttribute("aria-pressed", String(this.isPaused));
      say(button, this.isPaused ? "Go on" : "Pause");
      if (!this.isPaused) this.waiting = 0;
      this.draw();
    });
  }

  /** Begin with what is there. */
  begin(events) {
    this.lines = [...events].reverse().slice(0, SHOWN_MAX);
    this.paused = null;
    this.draw();
  }

  add(line) {
    if (this.lines[0] && line.seq <= this.lines[0].seq) return;
    this.lines.unshift(line);
    this.lines.length = Math.min(this.lines.length, SHOWN_MAX);
    if (this.isPaused) this.waiting += 1;
    if (this.pending) return;
    this.pending = true;
    setTimeout(() => {
      this.pending = false;
      this.draw();
    }, 150);
  }

  gap(found) {
    this.add({ seq: found.upto, at: null, type: "gap", symbol: null, client_order_id: null, text: `events ${count(found.after + 1)} to ${count(found.upto)} are not shown here: \`traded tail\`` });
  }

  draw() {
    const note = this.lines.length ? `the newest ${count(this.lines.length)}, newest first` : "none yet";
    say($("tail-note"), this.isPaused ? `paused, ${count(this.waiting)} came since` : note);
    if (this.isPaused && this.drawn) return;
    this.drawn = true;
    rows($("tail-rows"), this.lines, (each) => {
      const order = each.client_order_id;
      const about = [each.symbol].filter(Boolean).map((symbol) => `${oneLine(symbol)}: `).join("");
      return {
        key: String(each.seq),
        class: TONES.find(([kind]) => kind.test(each.type))?.[1] ?? "",
        cells: [
          order ? { text: count(each.seq), button: `Event ${each.seq}: why order ${order}`, class: "number" } : { text: count(each.seq), class: "number soft" },
          { text: each.at ? moment(each.at) : "", class: "time" },
          { text: each.type, class: "kind" },
          { text: `${about}${each.text}`, class: "wrap" },
        ],
      };
    }, (each) => each.client_order_id && this.openOrder(each.client_order_id));
  }
}

