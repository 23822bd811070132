// Numbers and times as the commands print them. Decimals come as text and stay exact: nothing here
// turns one into a float, except for the width of a bar or a point on a chart.

export const NOTHING = "-";

/** Whole digits and places of a decimal's text, as one BigInt of 10^-scale. */
function parsed(text) {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(String(text));
  if (!match || !(match[2] + match[3])) return null;
  const [, sign, whole, fraction, exponent = "0"] = match;
  let digits = BigInt(whole + fraction);
  let scale = fraction.length - Number(exponent);
  if (scale < 0) {
    digits *= 10n ** BigInt(-scale);
    scale = 0;
  }
  return { negative: sign === "-", digits, scale };
}

/** `text` rounded half to even at `places`, with thousands; null is shown as nothing. */
function fixed(text, places, shift = 0) {
  if (text === null || text === undefined) return NOTHING;
  const number = parsed(text);
  if (!number) return String(text);
  let { digits, scale } = number;
  scale -= shift;
  if (scale < places) digits *= 10n ** BigInt(places - scale);
  if (scale > places) {
    const unit = 10n ** BigInt(scale - places);
    const rest = (digits % unit) * 2n;
    digits /= unit;
    if (rest > unit || (rest === unit && digits % 2n)) digits += 1n;
  }
  const shown = digits.toString().padStart(places + 1, "0");
  const whole = shown.slice(0, shown.length - places).replace(/\B(?=(\d{3})+$)/g, ",");
  const sign = number.negative && digits ? "-" : "";
  return sign + whole + (places ? "." + shown.slice(-places) : "");
}

/** How many places a decimal has without its trailing zeros. */
function placesOf(text) {
  const number = parsed(text);
  if (!number) return 0;
  let { digits, scale } = number;
  while (scale > 0 && digits % 10n === 0n) {
    digits /= 10n;
    scale -= 1;
  }
  return scale;
}

export const money = (text) => fixed(text, 2);
export const percent = (text) => (text === null ? NOTHING : `${fixed(text, 2, 2)} %`);
export const multiple = (text) => (text === null ? NOTHING : `${fixed(text, 3)}x`);

export function price(text) {
  const places = placesOf(text);
  return fixed(text, places > 8 ? 4 : Math.max(places, 2));
}

export function quantity(text) {
  return fixed(text, placesOf(text));
}

/** A check's value in the check's own unit, which its name says. */
export function measure(name, text) {
  if (text === null || text === undefined) return NOTHING;
  if (name.endsWith("_usd") || name.endsWith("_loss")) return `${money(text)} USD`;
  if (["drawdown", "outlier", "collar_last", "collar_close"].includes(name)) return percent(text);
  if (name.endsWith("leverage")) return multiple(text);
  if (name.startsWith("price")) return `${price(text)} USD`;
  const rounded = placesOf(text) > 4 ? fixed(text, 4) : quantity(text);
  if (name.endsWith("_s")) return `${rounded} s`;
  return name.endsWith("_shares") || name === "strategy_position" ? `${rounded} sh` : rounded;
}

export const signOf = (text) => {
  const number = parsed(text);
  return !number || number.digits === 0n ? 0 : number.negative ? -1 : 1;
};

export const abs = (text) => String(text).replace(/^[-+]/, "");
export const count = (number) => fixed(String(number), 0);

/** How long something takes in the largest unit that fits: `6.5 h`, `1 min`, `30 s`. */
export function span(seconds) {
  for (const [unit, name] of [[86400, "days"], [3600, "h"], [60, "min"]]) {
    if (Math.abs(seconds) >= unit) {
      return `${(Math.round((seconds / unit) * 10) / 10).toLocaleString("en-US")} ${name}`;
    }
  }
  return `${Math.round(seconds)} s`;
}

export const ago = (seconds) => (seconds < 0 ? `${span(-seconds)} ahead` : `${span(seconds)} ago`);

export const stamp = (at) => Date.parse(at);
export const moment = (at) => (at ? new Date(at).toISOString().slice(0, 19).replace("T", " ") : NOTHING);
export const clock = (at) => (at ? new Date(at).toISOString().slice(11, 19) : NOTHING);

/** `text` without what breaks the line, hides, or turns its direction: such is shown by its code. */
export function oneLine(text, longest = 400) {
  const shown = String(text ?? "").replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu,
    (each) => `\\u{${each.codePointAt(0).toString(16)}}`,
  );
  return shown.length > longest ? `${shown.slice(0, longest - 3)}...` : shown;
}
