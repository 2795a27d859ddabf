/**
 * How others choose, as formulas and not as their code: each takes the accounts without a hold and says which one is next. All of them
 * are given what ours has (a conversation stays where it is while that may serve), and what they add to it.
 */

import type { Account, AccountId } from "../../../src/domain/account.ts";
import { holdsOn } from "../../../src/domain/hold.ts";
import { NO_PACING } from "../../../src/domain/pace.ts";
import { usedPercentNow, type Window } from "../../../src/domain/window.ts";
import { SETTINGS_NOW } from "../../support/builders.ts";
import type { Chooser, Moment } from "./month.ts";

export interface Rival {
  readonly name: string;
  /** A new one for every month: some remember. */
  create(): Chooser;
}

type Pick = (usable: readonly Account[], moment: Moment) => Account;

/** The frame that all share. `leaves` says when a conversation leaves a home that may serve. */
function rival(
  name: string,
  pick: () => Pick,
  leaves: (home: Account, usable: readonly Account[], moment: Moment) => boolean = () => false,
): Rival {
  return {
    name,
    create() {
      const choose = pick();
      return {
        choose(moment) {
          const { nowMs, openLeases, tried } = moment;
          const thresholds = { ...SETTINGS_NOW, low_action: "off", critical_action: "off" } as const;
          const ask = {
            nowMs,
            model: null,
            affinity: moment.home,
            pin: null,
            openLeases,
            maxLeases: 32,
            pacing: NO_PACING,
            thresholds,
            rules: null,
          };
          const usable = moment.accounts.filter(
            (account) => !tried.has(account.id) && holdsOn(account, ask).length === 0,
          );
          if (usable.length === 0) return null;
          const home = usable.find((account) => account.id === moment.home);
          if (home !== undefined && !leaves(home, usable, moment)) return home.id;
          return choose(usable, moment).id;
        },
      };
    },
  };
}

// What they look at

const windowOf = (account: Account, isLong: boolean): Window | null =>
  account.windows.find((window) => (window.lengthMinutes ?? 0) > 1_440 === isLong) ?? null;
const used = (account: Account, isLong: boolean, nowMs: number): number => {
  const window = windowOf(account, isLong);
  return window === null ? 0 : usedPercentNow(window, nowMs);
};
const fullest = (account: Account, nowMs: number) => Math.max(used(account, false, nowMs), used(account, true, nowMs));
/** Time to a reset; of a window that has not begun, its whole length. */
const restMs = (account: Account, isLong: boolean, nowMs: number): number => {
  const window = windowOf(account, isLong);
  if (window?.resetsAtMs == null) return isLong ? 604_800_000 : 18_000_000;
  return window.resetsAtMs > nowMs ? window.resetsAtMs - nowMs : window.lengthMinutes! * 60_000;
};

function least<T>(list: readonly T[], ...keys: ((item: T) => number)[]): T {
  return list.reduce((best, item) => {
    for (const key of keys) {
      const [a, b] = [key(best), key(item)];
      if (a !== b) return b < a ? item : best;
    }
    return best;
  });
}

function draw(list: readonly Account[], weights: readonly number[], fraction: number): Account {
  let rest = fraction * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [n, weight] of weights.entries()) if ((rest -= weight) < 0) return list[n]!;
  return list[list.length - 1]!;
}

const lastUse = (account: Account) => account.use.lastLeaseOrder;

// codex-lb (peers §6)

const CREDITS: Readonly<Record<string, number>> = { free: 1_134, pro: 50_400 };
const credits = (account: Account) => CREDITS[account.tier] ?? 7_560;
/** What is in flight counts as used: 2.5 points a stream, and the tokens of an unfinished request over the plan's credits. */
const pressure = (account: Account, { openLeases }: Moment) =>
  (openLeases.get(account.id) ?? 0) * (2.5 + (10_240 / credits(account)) * 100);
const usedUnderPressure = (account: Account, isLong: boolean, moment: Moment) =>
  Math.min(100, used(account, isLong, moment.nowMs) + pressure(account, moment));
const leftInWeek = (account: Account, moment: Moment) =>
  credits(account) * (1 - usedUnderPressure(account, true, moment) / 100);

/** Draining accounts only when nobody is well, and those under 95 % of the short window before the others. */
function lbPool(usable: readonly Account[], { nowMs }: Moment): readonly Account[] {
  const well = usable.filter((account) => used(account, false, nowMs) < 85 && used(account, true, nowMs) < 90);
  const pool = well.length > 0 ? well : usable;
  const safe = pool.filter((account) => used(account, false, nowMs) <= 95);
  return safe.length > 0 ? safe : pool;
}

const lbLeaves = (home: Account, usable: readonly Account[], moment: Moment) => {
  const isPressed = (account: Account) =>
    usedUnderPressure(account, false, moment) > 95 || usedUnderPressure(account, true, moment) > 100;
  return isPressed(home) && usable.some((account) => account.id !== home.id && !isPressed(account));
};

const lb = (strategy: string, pick: Pick, pooled = true) =>
  rival(
    `codex-lb ${strategy}`,
    () => (usable, moment) => pick(pooled ? lbPool(usable, moment) : usable, moment),
    lbLeaves,
  );

const LB: readonly Rival[] = [
  lb("capacity-weighted", (pool, moment) => {
    const weights = pool.map((account) => leftInWeek(account, moment));
    if (weights.some((weight) => weight > 0)) return draw(pool, weights, moment.dice.fraction());
    return least(
      pool,
      (account) => used(account, true, moment.nowMs),
      (account) => used(account, false, moment.nowMs),
      lastUse,
    );
  }),
  lb("relative-availability", (pool, moment) => {
    const raw = pool.map(
      (account) => leftInWeek(account, moment) / Math.max(restMs(account, true, moment.nowMs) / 1_000, 300),
    );
    const top = Math.max(...raw, 1e-9);
    const norms = raw.map((value) => (value / top) ** 2);
    const fifth = norms.toSorted((a, b) => b - a)[Math.min(4, norms.length - 1)]!;
    return draw(
      pool,
      norms.map((value) => (value < 0.1 || value < fifth ? 0 : value)),
      moment.dice.fraction(),
    );
  }),
  lb("usage-weighted", (pool, moment) =>
    least(
      pool,
      (account) => usedUnderPressure(account, true, moment),
      (account) => usedUnderPressure(account, false, moment),
      lastUse,
    ),
  ),
  lb("round-robin", (pool) => least(pool, lastUse)),
  lb("fill-first", (pool, { nowMs }) =>
    least(
      pool,
      (account) => -used(account, false, nowMs),
      (account) => -used(account, true, nowMs),
    ),
  ),
  lb("sequential-drain", (pool) => least(pool, credits), false),
  lb("reset-drain", (pool, { nowMs }) =>
    least(
      pool,
      (account) => Math.floor(restMs(account, true, nowMs) / 86_400_000),
      (account) => used(account, true, nowMs),
      (account) => used(account, false, nowMs),
      (account) => restMs(account, true, nowMs),
    ),
  ),
];

// codex-multi-auth (§2 of its page): hours since the last use and a client-side bucket; its preemptive deferral at 5 % left

function hybrid(): Pick {
  const buckets = new Map<AccountId, { left: number; atMs: number }>();
  return (usable, { nowMs }) => {
    const tokens = (account: Account) => {
      const { left, atMs } = buckets.get(account.id) ?? { left: 50, atMs: nowMs };
      return Math.min(50, left + ((nowMs - atMs) / 60_000) * 6);
    };
    const near = usable.filter((account) => fullest(account, nowMs) < 95);
    const pool = near.length > 0 ? near : usable;
    const hours = (account: Account) => (nowMs - (account.use.lastLeasedAtMs ?? -1e12)) / 3_600_000;
    const sticky = pool.reduce((last, account) => (lastUse(account) > lastUse(last) ? account : last));
    const isFresh = (account: Account) => account === sticky && nowMs - (account.use.lastLeasedAtMs ?? -1e12) < 60_000;
    const chosen = least(
      pool,
      (account) => -(tokens(account) * 5 + hours(account) * 2 + (isFresh(account) ? 1_000 : 0)),
    );
    buckets.set(chosen.id, { left: tokens(chosen) - 1, atMs: nowMs });
    return chosen;
  };
}

function sequential(): Pick {
  let active: AccountId | null = null;
  return (usable) => {
    const chosen =
      usable.find((account) => account.id === active) ??
      usable.find((account) => active === null || account.id > active) ??
      usable[0]!;
    active = chosen.id;
    return chosen;
  };
}

// opencode-multi-auth: a Pro is always asked before any other plan; lifetime counters; "random" is the better half

const proFirst = (usable: readonly Account[]): readonly Account[] => {
  const pro = usable.filter((account) => account.tier === "pro");
  return pro.length > 0 ? pro : usable;
};

function positional(pool: (usable: readonly Account[]) => readonly Account[]): () => Pick {
  return () => {
    let index = 0;
    return (usable) => {
      const list = pool(usable);
      const at = index % list.length;
      index = at + 1;
      return list[at]!;
    };
  };
}

function lifetime(): Pick {
  const counts = new Map<AccountId, number>();
  return (usable) => {
    const chosen = least(proFirst(usable), (account) => counts.get(account.id) ?? 0);
    counts.set(chosen.id, (counts.get(chosen.id) ?? 0) + 1);
    return chosen;
  };
}

const OPENCODE: readonly Rival[] = [
  rival("opencode-multi-auth round-robin", positional(proFirst)),
  rival("opencode-multi-auth least-used", lifetime),
  rival("opencode-multi-auth random", () => (usable, { dice }) => {
    const pool = proFirst(usable);
    return pool[Math.floor(dice.fraction() * Math.ceil(pool.length / 2))]!;
  }),
];

// The others of peers §6.8

function smart(): Pick {
  let cursor = 0;
  return (usable, { nowMs, openLeases }) => {
    const busiest = Math.max(1, ...usable.map((account) => openLeases.get(account.id) ?? 0));
    cursor++;
    const turned = usable.map((_, n) => usable[(n + cursor) % usable.length]!);
    return least(
      turned,
      (account) => -(1 - (openLeases.get(account.id) ?? 0) / busiest + 0.8 * (1 - fullest(account, nowMs) / 100)),
    );
  };
}

const OTHERS: readonly Rival[] = [
  rival("codex-proxy-rs smart", smart),
  rival(
    "codex-proxy-rs quota-reset",
    () =>
      (usable, { nowMs, openLeases }) =>
        least(
          usable,
          (account) => Math.min(restMs(account, false, nowMs), restMs(account, true, nowMs)),
          (account) => openLeases.get(account.id) ?? 0,
          lastUse,
        ),
  ),
  rival("codex-proxy-rs sticky", () => (usable) => least(usable, (account) => -lastUse(account))),
  rival(
    "CLIProxyAPI round-robin",
    positional((usable) => usable),
  ),
  rival("CLIProxyAPI fill-first", () => (usable) => usable[0]!),
  rival(
    "better-ccflare least-used",
    () =>
      (usable, { nowMs }) =>
        least(
          usable,
          (account) => fullest(account, nowMs) + (nowMs - (account.use.lastLeasedAtMs ?? -1e12) < 500 ? 100 : 0),
        ),
  ),
  rival(
    "better-ccflare drain-soonest",
    () =>
      (usable, { nowMs }) =>
        least(usable, (account) => restMs(account, true, nowMs)),
  ),
  rival("ccflare session", () => (usable, { nowMs }) => {
    const recent = usable.filter((account) => nowMs - (account.use.lastLeasedAtMs ?? -1e12) < 18_000_000);
    return recent.length > 0 ? least(recent, (account) => -lastUse(account)) : usable[0]!;
  }),
];

export const RIVALS: readonly Rival[] = [
  ...LB,
  rival(
    "codex-multi-auth hybrid",
    hybrid,
    (home, usable, { nowMs }) => fullest(home, nowMs) >= 95 && usable.some((account) => fullest(account, nowMs) < 95),
  ),
  rival("codex-multi-auth sequential", sequential),
  ...OPENCODE,
  ...OTHERS,
];
