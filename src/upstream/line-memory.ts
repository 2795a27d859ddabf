/**
 * What lines of heads were read as: most lines of an answer are the same bytes as in the answer before, and what they mean was looked at then. A line
 * counts as the same only byte for byte. Holds so many short lines and no more, and one that came only once is never among them.
 */

const SLOTS = 512;
const LINE_MAX_BYTES = 256;
const CR = 13;

interface Kept<T> {
  readonly bytes: Uint8Array;
  readonly meaning: T;
}

export class LineMemory<T> {
  /** Where the line that was read last ends: at a CR, or at the limit. */
  end = 0;
  readonly #read: (line: string) => T;
  readonly #kept: (Kept<T> | null)[] = new Array(SLOTS).fill(null);
  /** Of the line that was seen last at each place; what stands in two heads is worth keeping. */
  readonly #seen = new Int32Array(SLOTS);

  /** `read` makes something of a line in Latin-1, or throws; it must depend on nothing else. */
  constructor(read: (line: string) => T) {
    this.#read = read;
  }

  /** The line that starts at `from`, up to the next CR or to `limit`. */
  at(bytes: Buffer, from: number, limit: number): T {
    let hash = 1;
    let end = from;
    for (; end < limit; end++) {
      const byte = bytes[end]!;
      if (byte === CR) break;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    this.end = end;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const kept = this.#kept[slot]!;
    if (kept !== null && isSame(kept.bytes, bytes, from, end)) return kept.meaning;
    const meaning = this.#read(bytes.toString("latin1", from, end));
    if (this.#seen[slot] === hash && end - from <= LINE_MAX_BYTES) {
      this.#kept[slot] = { bytes: Uint8Array.prototype.slice.call(bytes, from, end), meaning };
    }
    this.#seen[slot] = hash;
    return meaning;
  }
}

function isSame(kept: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  const { length } = kept;
  if (length !== to - from) return false;
  for (let i = 0; i < length; i++) if (kept[i] !== bytes[from + i]) return false;
  return true;
}
