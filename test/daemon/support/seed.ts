/**
 * Chance that can be had again: every random choice of these tests comes from one number, and a failure prints it.
 */

/** A fixed one unless told otherwise: a run that nobody changed anything for shows what it showed before. */
const DEFAULT_SEED = 20_261_121;

export const SEED = Number(process.env.ROTOR_TEST_SEED ?? DEFAULT_SEED);

/** The deep run takes larger samples. */
export const IS_DEEP = process.env.ROTOR_TEST_DEPTH === "deep";

/** `ROTOR_TEST_PART=3/8`: the third of eight parts of a deep run, each of other cases than the others. */
const PART = /^([1-9]\d*)\/([1-9]\d*)$/.exec(process.env.ROTOR_TEST_PART ?? "1/1");
if (PART === null || Number(PART[1]) > Number(PART[2])) throw new Error("ROTOR_TEST_PART is the like of 3/8");
const [PART_NUMBER, PARTS] = [Number(PART[1]), Number(PART[2])];

/** How many of `total` cases fall into this part, and the number that the nth of them has in the whole. */
export function partOf(total: number): { readonly count: number; numberOf(nth: number): number } {
  const count = Math.floor(total / PARTS) + (PART_NUMBER <= total % PARTS ? 1 : 0);
  return { count, numberOf: (nth) => nth * PARTS + PART_NUMBER - 1 };
}

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

/** One case of many, with a chance of its own; when it fails, the error says which it was. */
export async function seededCase<T>(name: string, number: number, run: (chance: Chance) => Promise<T>): Promise<T> {
  try {
    return await run(createChance(SEED ^ Bun.hash.crc32(`${name} ${number}`)));
  } catch (cause) {
    throw new Error(`${name} ${number}: ${(cause as Error).message}`, { cause });
  }
}
