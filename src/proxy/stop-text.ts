/**
 * Ends a text at the first of a few stop sequences, as it arrives piece by piece: what may be the beginning of one is held back until it
 * is decided. The sequence that is complete first counts; of two that are complete at once, the longer. It itself is never let through.
 */
export class StopText {
  readonly #stops: readonly string[];
  #held = "";
  /** A stop sequence was met: nothing more comes. */
  stopped = false;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** What may be shown now. */
  feed(piece: string): string {
    if (this.stopped) return "";
    const text = this.#held + piece;
    const cut = this.#cutOf(text);
    if (cut !== null) {
      this.stopped = true;
      this.#held = "";
      return text.slice(0, cut);
    }
    const keep = this.#openLength(text);
    this.#held = text.slice(text.length - keep);
    return text.slice(0, text.length - keep);
  }

  /** The text ended: what was held back was no stop sequence after all. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  #cutOf(text: string): number | null {
    let from = -1;
    let to = Number.POSITIVE_INFINITY;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at < 0) continue;
      const end = at + stop.length;
      if (end < to || (end === to && at < from)) [from, to] = [at, end];
    }
    return from < 0 ? null : from;
  }

  /** How much of the end may be the beginning of a stop sequence. */
  #openLength(text: string): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--) {
        if (text.endsWith(stop.slice(0, length))) longest = length;
      }
    }
    return longest;
  }
}
