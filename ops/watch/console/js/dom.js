// The page is built from elements and texts alone: no markup is ever made of data.

import { oneLine } from "./format.js";

export const $ = (id) => document.getElementById(id);

/** An element with attributes (`class`, `data-...`, `aria-...`, `on...`) and children. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) {
      made.setAttribute(name, value);
    }
  }
  put(made, ...children);
  return made;
}

/** Replace the children of `parent`. */
export function put(parent, ...children) {
  parent.replaceChildren(
    ...children.flat().filter((each) => each !== null && each !== undefined && each !== false)
      .map((each) => (each instanceof Node ? each : document.createTextNode(oneLine(each, 4000)))),
  );
}

/** Set a text where it is another one: what is the same is not announced again. */
export function say(element, text) {
  const shown = oneLine(text, 4000);
  if (element.textContent !== shown) element.textContent = shown;
}

/** A symbol of the page's own drawing, beside a word that says the same. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/**
 * Make the rows of `body` those of `items`, keeping what is there: no flicker, no lost focus.
 * `cells(item)` returns {key, cells: [text | {text, class, title, button, element}], class}.
 */
export function rows(body, items, cells, onOpen) {
  const titles = [...body.parentElement.querySelectorAll("th")].map((each) => each.textContent);
  const known = new Map([...body.rows].map((row) => [row.dataset.key, row]));
  const wanted = items.map((item) => {
    const shown = cells(item);
    const row = known.get(shown.key) ?? el("tr", { "data-key": shown.key });
    known.delete(shown.key);
    row.className = shown.class ?? "";
    shown.cells.forEach((cell, at) => fill(row, at, cell, titles[at]));
    row.opened = onOpen && (() => onOpen(item));
    return row;
  });
  for (const row of known.values()) row.remove();
  wanted.forEach((row, at) => {
    if (body.rows[at] !== row) body.insertBefore(row, body.rows[at] ?? null);
  });
  rove(body);
}

function fill(row, at, given, title) {
  const cell = typeof given === "object" ? given : { text: given };
  const td = row.cells[at] ?? row.insertCell();
  if (cell.head && td.tagName === "TD") td.setAttribute("role", "rowheader");
  td.className = cell.class ?? "";
  td.dataset.title = title;
  if (cell.element) {
    td.replaceChildren(cell.element);
    return;
  }
  let holder = td;
  if (cell.button) {
    holder = td.querySelector("button") ?? td.appendChild(el("button", { type: "button", class: "row-open", tabindex: "-1" }));
    if (cell.button !== true) holder.setAttribute("aria-label", oneLine(cell.button));
  }
  say(holder, cell.text ?? "");
}

/** One row of a table is reached by Tab, the others by the arrows. */
function rove(body) {
  const buttons = [...body.querySelectorAll("button.row-open")];
  if (buttons.length && !buttons.some((each) => each.tabIndex === 0)) buttons[0].tabIndex = 0;
  if (body.dataset.roves) return;
  body.dataset.roves = "yes";
  body.addEventListener("click", (event) => {
    const row = event.target.closest("tr");
    const selected = getSelection();
    // Whoever marks a text to copy it wants nothing opened; a key has no such detail.
    if (event.detail && !selected.isCollapsed && row?.contains(selected.anchorNode)) return;
    row?.opened?.();
  });
  body.addEventListener("focusin", (event) => {
    for (const each of body.querySelectorAll("button.row-open")) {
      each.tabIndex = each === event.target ? 0 : -1;
    }
  });
  body.addEventListener("keydown", (event) => {
    const all = [...body.querySelectorAll("button.row-open")];
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    all[Math.min(Math.max(to, 0), all.length - 1)]?.focus();
  });
}

/** A command to be typed elsewhere, with a button that copies it. */
export function command(text) {
  const code = el("code", {}, text);
  const button = el("button", { type: "button", class: "copy", "aria-label": `Copy: ${oneLine(text)}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      say(button, "Copied");
    } catch {
      getSelection().selectAllChildren(code);
      say(button, "Selected");
    }
    setTimeout(() => say(button, "Copy"), 2000);
  });
  return el("span", { class: "command" }, code, button);
}
