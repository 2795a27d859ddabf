/**
 * Seeded months: the real pool with twelve accounts and forty conversations, for thirty days. Windows fill and start again, accounts flap,
 * a login dies, an operator pins, disables, changes the strategy and keeps a reserve; what was promised holds all the time. A failure
 * prints its seed; ROTOR_SIM_SEED runs that one again, ROTOR_TEST_DEPTH=deep runs more. Reports how far the forecasts were off.
 */
import { expect, test } from "bun:test";
import type { Account, AccountId } from "../../src/domain/account.ts";
import { capacityOf } from "../../src/domain/balanced.ts";
import { holdsOn } from "../../src/domain/hold.ts";
import type { Observation } from "../../src/domain/outcome.ts";
import { STRATEGY_NAMES } from "../../src/domain/strategy.ts";
import { anAccount, anAsk } from "../support/builders.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";
import { createPoolRoom, rotate, type Script, seededDice } from "../support/pool-room.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MODEL = "gpt-5.5";
const DEEP = process.env.ROTOR_TEST_DEPTH === "deep";
const DAYS = 30;
const ACCOUNTS = 12;
const CONVERSATIONS = 40;
const SEEDS = process.env.ROTOR_SIM_SEED
  ? [Number(process.env.ROTOR_SIM_SEED)]
  : Array.from({ length: DEEP ? 12 : 1 }, (_, n) => n + 1);

/** A window as upstream keeps it: it starts with the first request after it ended, and counts requests. */
class Allowance {
  used = 0;
  resetsAtMs: number;
  constructor(
    readonly capacity: number,
    readonly lengthMs: number,
    firstResetMs: number,
  ) {
    this.resetsAtMs = firstResetMs;
  }

  hasRoom(nowMs: number): boolean {
    return nowMs >= this.resetsAtMs || this.used < this.capacity;
  }

  spend(nowMs: number): void {
    if (nowMs >= this.resetsAtMs) {
      this.used = 0;
      this.resetsAtMs = nowMs + this.lengthMs;
    }
    this.used++;
  }

  percent(nowMs: number): number {
    return nowMs >= this.resetsAtMs ? 0 : (100 * this.used) / this.capacity;
  }
}

/** One account as upstream sees it. */
interface Truth {
  readonly short: Allowance;
  readonly week: Allowance;
  badUntilMs: number;
  dead: boolean;
}

const hasRoom = ({ short, week }: Truth, nowMs: number) => short.hasRoom(nowMs) && week.hasRoom(nowMs);

function observation({ short, week }: Truth, nowMs: number): Observation {
  const reading = (slot: "primary" | "secondary", allowance: Allowance) => ({
    limit: "codex",
    slot,
    models: null,
    lengthMinutes: allowance.lengthMs / 60_000,
    usedPercent: allowance.percent(nowMs),
    resetsAtMs: allowance.resetsAtMs,
  });
  return { windows: [reading("primary", short), reading("secondary", week)], from: "header", tier: null };
}

/** A forecast that waits for the day after it. */
interface Guess {
  readonly atMs: number;
  readonly usedAfterADay: ReadonlyMap<AccountId, number>;
  /** Plus weeks in percent that the pool was to use in the day. */
  readonly demand: number;
  readonly served: number;
}

for (const seed of SEEDS) {
  test(`seed ${seed}: a month without a wall that need not be, a held account asked, or a pin that leaks`, async () => {
    const month = await runMonth(seed);
    console.log(`seed ${seed}: ${JSON.stringify(month.report)}`);
    expect(month.unused).toEqual([]);
    expect(month.report.served).toBeGreaterThan(1_500);
    expect(month.report.walls).toBeGreaterThan(0);
    // A pace of yesterday is no oracle, but it must not be noise: nothing at all would be off by half.
    expect(month.report.windowErrorPoints).toBeLessThan(15);
    expect(month.report.poolErrorPercent).toBeLessThan(60);
  }, 300_000);
}

async function runMonth(seed: number) {
  const clock = createManualClock();
  const dice = seededDice(seed);
  const tiers = (n: number) => (n === 0 ? "pro" : n < 8 ? "plus" : n < 11 ? "team" : "free");
  const accounts = Array.from({ length: ACCOUNTS }, (_, n) => anAccount({ n: n + 1, tier: tiers(n) }));
  const truths = new Map<string, Truth>(
    accounts.map((account) => {
      const week = 45 * capacityOf(account.tier);
      return [
        account.workspaceId,
        {
          week: new Allowance(week, 7 * DAY_MS, T0 + dice.fraction() * 7 * DAY_MS),
          short: new Allowance(week / 3, 5 * HOUR_MS, T0),
          badUntilMs: 0,
          dead: false,
        },
      ];
    }),
  );
  const truthOf = (account: Account) => truths.get(account.workspaceId)!;
  const served = new Map<AccountId, number>();
  let keepsReserve = false;
  const room = await createPoolRoom({
    accounts,
    clock,
    seed,
    issuer: rotate(accounts, T0 + 60 * DAY_MS),
    settings: { wait_seconds: "0", exchanges_kept: "100" },
    observe: ({ workspaceId }) => observation(truths.get(workspaceId)!, clock.nowMs()),
    upstream: ({ workspaceId }): Script => {
      const nowMs = clock.nowMs();
      const account = room.engine.accounts.list().find((one) => one.workspaceId === workspaceId)!;
      const pin = room.engine.selection.view().pin;
      const thresholds = { ...anAsk().thresholds, critical_action: keepsReserve ? "hold" : "warn" } as const;
      const ask = anAsk({ nowMs, model: MODEL, affinity: account.id, pin, thresholds });
      expect({ seed, asked: account.alias, holds: holdsOn(account, ask) }).toMatchObject({ holds: [] });
      expect({ seed, asked: pin?.accountId ?? account.id }).toEqual({ seed, asked: account.id });
      const truth = truths.get(workspaceId)!;
      if (truth.dead) return { kind: "login_rejected", reason: "account_deactivated" };
      if (nowMs < truth.badUntilMs) return { kind: "rate_limited", untilMs: truth.badUntilMs, message: "" };
      if (!hasRoom(truth, nowMs)) {
        const untilMs = truth.week.hasRoom(nowMs) ? truth.short.resetsAtMs : truth.week.resetsAtMs;
        return { kind: "window_exhausted", untilMs, message: "" };
      }
      truth.short.spend(nowMs);
      truth.week.spend(nowMs);
      served.set(account.id, (served.get(account.id) ?? 0) + 1);
      return "serve";
    },
  });
  const { selection, settings, history } = room.engine;

  /** Who could serve now, and is held by nothing that is so: with any of them, a refusal would be a wall without need. */
  const able = () => {
    const nowMs = clock.nowMs();
    const { pin } = selection.view();
    return room.engine.accounts.list().filter((account) => {
      const truth = truthOf(account);
      if (truth.dead || nowMs < truth.badUntilMs || !hasRoom(truth, nowMs)) return false;
      if (pin !== null && pin.accountId !== account.id) return false;
      return selection
        .holdsOn(account)
        .every((hold) => hold.kind === "window_exhausted" || hold.kind === "needs_login");
    });
  };

  const touched = new Set<AccountId>();
  const guesses: Guess[] = [];
  const windowErrors: number[] = [];
  const poolErrors: number[] = [];
  let walls = 0;
  let total = 0;
  let day = -1;
  const operate = async () => {
    await selection.setStrategy(STRATEGY_NAMES[(seed + day) % STRATEGY_NAMES.length]!);
    keepsReserve = day % 5 === 3;
    await settings.set("critical_action", keepsReserve ? "hold" : "warn");
    const one = accounts[1 + (day % (ACCOUNTS - 1))]!;
    if (day % 4 === 1) await selection.pin(one.id, clock.nowMs() + 2 * HOUR_MS);
    if (day === 5 || day === 8) {
      touched.add(accounts[2]!.id);
      await room.engine.accounts.update(accounts[2]!.id, { enabled: day === 8, force: true });
    }
    if (day === 10) {
      touched.add(accounts[4]!.id);
      truthOf(accounts[4]!).dead = true;
    }
    await guess();
  };
  /** Compares the forecast of a day ago with today, and makes the next. */
  const guess = async () => {
    const before = guesses.at(-1);
    const nowMs = clock.nowMs();
    if (before !== undefined && nowMs - before.atMs < 1.2 * DAY_MS) {
      for (const account of accounts) {
        const foreseen = before.usedAfterADay.get(account.id);
        if (foreseen !== undefined && nowMs < truthOf(account).week.resetsAtMs)
          windowErrors.push(Math.abs(foreseen - truthOf(account).week.percent(nowMs)));
      }
      const done = ((total - before.served) * 100) / 45;
      if (before.demand > 0) poolErrors.push((100 * Math.abs(before.demand - done)) / done);
    }
    const forecast = await history.forecast({ model: MODEL, without: new Set(), extraTiers: [] });
    const long = forecast.supplies.find(({ kind }) => kind === "long");
    const usedAfterADay = new Map<AccountId, number>();
    for (const { accountId, windows } of forecast.accounts) {
      const week = windows.find(({ window }) => window.slot === "secondary");
      const resets = week?.window.resetsAtMs ?? 0;
      if (week?.pace != null && resets > nowMs + DAY_MS)
        usedAfterADay.set(accountId, Math.min(100, week.window.usedPercent + week.pace.percentPerHour * 24));
    }
    guesses.push({ atMs: nowMs, usedAfterADay, demand: (long?.demandPercentPerHour ?? 0) * 24, served: total });
  };

  while (clock.nowMs() < T0 + DAYS * DAY_MS) {
    const today = Math.floor((clock.nowMs() - T0) / DAY_MS);
    if (today !== day) {
      day = today;
      await operate();
    }
    if (dice.fraction() < 0.05) {
      const one = accounts[Math.floor(dice.fraction() * ACCOUNTS)]!;
      truthOf(one).badUntilMs = clock.nowMs() + dice.fraction() * HOUR_MS;
    }
    const ables = able();
    const before = room.seen.length;
    const answer = await room.ask({ conversation: `thread-${Math.floor(dice.fraction() * CONVERSATIONS)}` });
    if (answer.kind === "opened") {
      total++;
      await answer.body.cancel();
    } else {
      walls++;
      const tried = room.seen.length - before;
      const code = answer.kind === "refused" ? answer.error.code : answer.kind;
      // Three accounts that fail in a row are the bound of one exchange, not a wall.
      const excused = ables.length === 0 || (code === "attempts_exhausted" && tried >= 3);
      expect({ seed, day, code, tried, able: excused ? [] : ables.map((one) => one.alias) }).toMatchObject({
        able: [],
      });
    }
    room.seen.length = 0;
    // Nights are quiet: a request every twelve minutes by day, one an hour by night.
    const isNight = clock.nowMs() % DAY_MS < 8 * HOUR_MS;
    await clock.advance(Math.floor(dice.fraction() * (isNight ? 2 : 0.3) * HOUR_MS));
  }
  expect(room.engine.openLeases()).toBe(0);
  const mean = (list: readonly number[]) => list.reduce((sum, one) => sum + one, 0) / list.length;
  return {
    unused: accounts.filter((one) => !touched.has(one.id) && !served.has(one.id)).map((one) => one.alias),
    report: {
      served: total,
      walls,
      windowErrorPoints: Number(mean(windowErrors).toFixed(1)),
      poolErrorPercent: Number(mean(poolErrors).toFixed(1)),
    },
  };
}
