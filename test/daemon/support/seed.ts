/**
 * Chance that can be had again: every random choice of these tests comes from one number, and a failure prints it.
 */

/** A fixed one unless told otherwise: a run that nobody changed anything for shows what it showed before. */
const DEFAULT_SEED = 20_261_121;

export const SEED = Number(process.env.ROTOR_TEST_SEED ?? DEFAULT_SEED);

/** The deep run takes larger samples. */
export const IS_DEEP = process.env.ROTOR_TEST_DEPTH === "deep";

export interface Chance {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  pick<T>(from: readonly T[]): T;
}

/** mulberry32 (public domain, Tommy Ettinger): 32 bits of state are plenty for choosing moments. */
export function createChance(seed: number): Chance {
  let state = seed >>> 0;
  const fraction = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number) => low + Math.floor(fraction() * (high - low + 1));
  return { fraction, between, pick: (from) => from[between(0, from.length - 1)]! };
}

/** Runs a random test; when it fails, the error says how to see it again. */
export async function seeded(name: string, run: (chance: Chance) => Promise<void>): Promise<void> {
  try {
    await run(createChance(SEED ^ Bun.hash.crc32(name)));
  } catch (cause) {
    throw new Error(`${name}: ROTOR_TEST_SEED=${SEED} shows it again: ${(cause as Error).message}`, { cause });
  }
}
