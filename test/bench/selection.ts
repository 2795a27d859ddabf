/**
 * How long one selection takes: `rank` over pools of several sizes, as an exchange asks for it: with what is remembered from ask to ask,
 * while time passes, leases come and go and answers change accounts. Every strategy; then thresholds, rules and a profile.
 *
 *     npm run bench:selection
 *
 * Prints medians and the 99th percentile in microseconds. Nothing is asserted: figures belong to the machine that they were taken on.
 */
import { EXCHANGE_MAX_ATTEMPTS } from "../../src/base/bounds.ts";
import type { Account, AccountId } from "../../src/domain/account.ts";
import type { Ask } from "../../src/domain/ask.ts";
import { rank } from "../../src/domain/rank.ts";
import { compileRules } from "../../src/domain/rule-set.ts";
import { parseRules } from "../../src/domain/rule-syntax.ts";
import { Standings } from "../../src/domain/standing.ts";
import { STRATEGY_NAMES } from "../../src/domain/strategy.ts";
import { anAccount, anAsk, aWindow, SETTINGS_NOW } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { seededDice } from "../support/pool-room.ts";

const HOUR_MS = 3_600_000;
const ROUNDS = 3_000;
const WARM_UP = 500;
/** Between two asks; 100 a second. */
const STEP_MS = 10;
/** Asks in flight, each on an account of its own. */
const OPEN = 16;

const RULES = [
  "keep 20% of tag:team weekly",
  "prefer tier:pro",
  "avoid tag:slow for gpt-5*",
  "off tag:nights 08:00-18:00",
  "keep 10% of all short for gpt-6*",
  "only tag:team, tag:slow, tag:nights, tier:pro on sat, sun",
  "prefer tag:team on mon-fri",
  "avoid plus-7, plus-14, plus-21",
];

interface Case {
  readonly name: string;
  readonly change: Partial<Ask>;
}

const TAGS = ["team", "slow", "nights", "other"];

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
    const orders = { ...anAccount().orders, tags: [TAGS[n % TAGS.length]!] };
    return anAccount({ n, tier: n % 7 === 0 ? "pro" : "plus", windows, use, orders });
  });
}

/** What an answer does to the account that gave it: its figures move, and it was the last one used. */
function served(account: Account, order: number): Account {
  const windows = account.windows.map((window) => ({
    ...window,
    usedPercent: Math.min(99, window.usedPercent + 0.01),
  }));
  return { ...account, windows, use: { ...account.use, lastLeaseOrder: order, turn: order / 1_000 } };
}

function microsOf(pool: Account[], { change }: Case, standings: Standings | null): number[] {
  const taken: number[] = [];
  const openLeases = new Map<AccountId, number>();
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    const home = pool[(round * 7) % pool.length]!.id;
    const nowMs = T0 + round * STEP_MS;
    const ask = anAsk({ model: "gpt-5.5", affinity: home, dice: (round % 97) / 97, nowMs, openLeases, ...change });
    const startMs = performance.now();
    rank(pool, ask, EXCHANGE_MAX_ATTEMPTS, standings);
    if (round >= WARM_UP) taken.push((performance.now() - startMs) * 1_000);
    const place = (round * 13) % pool.length;
    pool[place] = served(pool[place]!, 1e6 + round);
    if (pool.length > OPEN) openLeases.set(pool[place]!.id, 1);
    if (openLeases.size > OPEN) openLeases.delete(openLeases.keys().next().value!);
  }
  return taken.sort((a, b) => a - b);
}

const thresholds = { ...SETTINGS_NOW, critical_action: "hold", low_action: "prefer-others" } as const;
const rules = compileRules([{ profile: null, rules: parseRules(RULES).rules }], () => 120);
const profile = {
  name: "demo",
  accounts: [{ kind: "tag", name: "team" } as const, { kind: "tier", name: "pro" } as const],
};
const CASES: Case[] = [
  ...STRATEGY_NAMES.map((strategy) => ({ name: strategy, change: { strategy } })),
  { name: "balanced, thresholds", change: { thresholds } },
  { name: `balanced, ${RULES.length} rules`, change: { rules } },
  { name: "balanced, a profile", change: { profile } },
  { name: "balanced, thresholds, rules, a profile", change: { thresholds, rules, profile } },
];

console.log(
  "| what | accounts | median µs | p99 µs | median µs, nothing remembered |\n| --- | --- | --- | --- | --- |",
);
for (const size of [3, 100, 1_000]) {
  for (const one of CASES) {
    const [kept, fresh] = [microsOf(poolOf(size), one, new Standings()), microsOf(poolOf(size), one, null)];
    const at = (taken: number[], share: number) => taken[Math.floor(taken.length * share)]!.toFixed(1);
    console.log(`| ${one.name} | ${size} | ${at(kept, 0.5)} | ${at(kept, 0.99)} | ${at(fresh, 0.5)} |`);
  }
}
