// What the watcher sends: read by hand, so that its signs of life count as well. A stream that says
// nothing for ALIVE_MAX_MS is taken for dropped, however open it looks.

const ALIVE_MAX_MS = 7_500;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const NEEDS_TOKEN = new Set([401, 403, 429]);

export class Refused extends Error {}

/** Ask for a path of the API. Throws Refused where the token is not taken (any more). */
export async function ask(path, signal) {
  const response = await fetch(`/api/v1/${path}`, { signal, cache: "no-store" });
  if (NEEDS_TOKEN.has(response.status)) throw new Refused(String(response.status));
  const found = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(found.error ?? `the watcher answered ${response.status}`);
  return found;
}

/** Follows the stream for ever. `on` has event, status, reset, gap, open, lost and refused. */
export class Live {
  constructor(on) {
    this.on = on;
    this.seq = null;
    this.heardAt = 0;
    this.isOpen = false;
    this.failures = 0;
    this.why = "";
  }

  /** How long the watcher has been silent, in seconds; null before its first word. */
  silentFor() {
    return this.heardAt ? (Date.now() - this.heardAt) / 1000 : null;
  }

  async run() {
    while (!this.isOver) {
      const stop = new AbortController();
      this.stop = stop;
      try {
        await this.#read(stop);
      } catch (error) {
        if (error instanceof Refused) {
          this.on.refused();
          return;
        }
      }
      stop.abort();
      if (this.isOver) return;
      this.isOpen = false;
      const wait = RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)] * (0.8 + 0.4 * Math.random());
      this.failures += 1;
      this.on.lost({ retryAt: Date.now() + wait });
      await this.#pause(wait);
    }
  }

  /** Try again at once, as after the machine slept or the network came back. */
  retry() {
    this.wake?.();
  }

  /** Listen no more. */
  end() {
    this.isOver = true;
    this.stop?.abort();
  }

  #pause(ms) {
    return new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, ms);
    });
  }

  async #read(stop) {
    this.why = "";
    let timer = setTimeout(() => stop.abort(), ALIVE_MAX_MS);
    const after = this.seq === null ? "" : `?after=${this.seq}`;
    try {
      const response = await fetch(`/api/v1/stream${after}`, { signal: stop.signal, cache: "no-store" });
      if (NEEDS_TOKEN.has(response.status)) throw new Refused(String(response.status));
      if (!response.ok) {
        const found = await response.json().catch(() => ({}));
        this.why = `the watcher refuses the stream: ${found.error ?? response.status}`;
        throw new Error(this.why);
      }
      this.isOpen = true;
      this.why = "";
      this.failures = 0;
      this.heardAt = Date.now();
      this.on.open();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        clearTimeout(timer);
        timer = setTimeout(() => stop.abort(), ALIVE_MAX_MS);
        this.heardAt = Date.now();
        const frames = (text + value).split("\n\n");
        text = frames.pop();
        frames.forEach((frame) => this.#take(frame));
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #take(frame) {
    const fields = {};
    for (const line of frame.split("\n")) {
      const at = line.indexOf(": ");
      if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
    }
    if (fields.id) this.seq = Number(fields.id);
    if (!fields.event || !fields.data) return;
    this.on[fields.event]?.(JSON.parse(fields.data));
  }
}
