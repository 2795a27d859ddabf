/**
 * How long one selection takes: `rank` over pools of several sizes, for every strategy, with the limit that an exchange uses.
 *
 *     node build/with-bun.mjs test/bench/selection.ts
 *
 * Prints medians and the 99th percentile in microseconds. Nothing is asserted: figures belong to the machine that they were taken on.
 */
import { EXCHANGE_MAX_ATTEMPTS } from "../../src/base/bounds.ts";
import type { Account } from "../../src/domain/account.ts";
import { rank } from "../../src/domain/rank.ts";
import { STRATEGY_NAMES } from "../../src/domain/strategy.ts";
import { anAccount, anAsk, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { seededDice } from "../support/pool-room.ts";

const HOUR_MS = 3_600_000;
const ROUNDS = 3_000;
const WARM_UP = 500;

/** Every tenth account is held, every fifth runs low: a pool in use. */
function poolOf(size: number): Account[] {
  const dice = seededDice(size);
  return Array.from({ length: size }, (_, n) => {
    const used = n % 10 === 0 ? 100 : n % 5 === 1 ? 90 : dice.fraction() * 80;
    const windows = [
      aWindow({ usedPercent: used, resetsAtMs: T0 + dice.fraction() * 5 * HOUR_MS }),
      aWindow({
        slot: "secondary",
        lengthMinutes: 10_080,
        usedPercent: dice.fraction() * 90,
        resetsAtMs: T0 + dice.fraction() * 168 * HOUR_MS,
      }),
    ];
    const use = { ...anAccount().use, lastLeaseOrder: Math.floor(dice.fraction() * 1e6), turn: dice.fraction() * 100 };
    return anAccount({ n, tier: n % 7 === 0 ? "pro" : "plus", windows, use });
  });
}

function microsOf(pool: readonly Account[], strategy: (typeof STRATEGY_NAMES)[number]): number[] {
  const taken: number[] = [];
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const home = pool[(round * 7) % pool.length]!.id;
    const ask = anAsk({ strategy, model: "gpt-5.5", affinity: home, dice: (round % 97) / 97, nowMs: T0 + round });
    const startMs = performance.now();
    rank(pool, ask, EXCHANGE_MAX_ATTEMPTS);
    if (round >= WARM_UP) taken.push((performance.now() - startMs) * 1_000);
  }
  return taken.sort((a, b) => a - b);
}

console.log("| strategy | accounts | median µs | p99 µs |\n| --- | --- | --- | --- |");
for (const size of [3, 100, 1_000]) {
  const pool = poolOf(size);
  for (const strategy of STRATEGY_NAMES) {
    const taken = microsOf(pool, strategy);
    const at = (share: number) => taken[Math.floor(taken.length * share)]!.toFixed(1);
    console.log(`| ${strategy} | ${size} | ${at(0.5)} | ${at(0.99)} |`);
  }
}
