/**
 * Seeded days: the real pool against an upstream with windows that fill and reset, a login that dies, an upstream that fails in bursts
 * and clients that hang up. A failure prints its seed; ROTOR_SIM_SEED runs that one again, ROTOR_TEST_DEPTH=deep runs many more.
 */
import { expect, test } from "bun:test";
import type { Account } from "../../src/domain/account.ts";
import { holdsOn } from "../../src/domain/hold.ts";
import type { Observation } from "../../src/domain/outcome.ts";
import { STRATEGY_NAMES } from "../../src/domain/strategy.ts";
import { anAccount, anAsk } from "../support/builders.ts";
import { createManualClock, T0 } from "../support/manual-clock.ts";
import { createPoolRoom, rotate, type Script, seededDice } from "../support/pool-room.ts";

const HOUR_MS = 3_600_000;
const DAYS = 1;
const SEEDS = process.env.ROTOR_SIM_SEED
  ? [Number(process.env.ROTOR_SIM_SEED)]
  : Array.from({ length: process.env.ROTOR_TEST_DEPTH === "deep" ? 60 : 4 }, (_, i) => i + 1);

/** One account as upstream sees it: a five-hour window that fills by requests. */
class Allowance {
  used = 0;
  resetsAtMs = T0 + 5 * HOUR_MS;
  constructor(readonly capacity: number) {}

  /** True when this request still fits. */
  spend(nowMs: number): boolean {
    while (nowMs >= this.resetsAtMs) {
      this.resetsAtMs += 5 * HOUR_MS;
      this.used = 0;
    }
    if (this.used >= this.capacity) return false;
    this.used++;
    return true;
  }
}

for (const seed of SEEDS) {
  test(`seed ${seed}: no wall while any account could serve, no held account asked, everybody used`, async () => {
    const clock = createManualClock();
    const dice = seededDice(seed);
    const accounts = Array.from({ length: 6 }, (_, n) => anAccount({ n: n + 1, tier: n === 0 ? "pro" : "plus" }));
    const allowances = new Map(accounts.map((account, n) => [account.workspaceId, new Allowance(n === 0 ? 60 : 12)]));
    let badUntilMs = 0;
    const room = await createPoolRoom({
      accounts,
      clock,
      seed,
      issuer: rotate(accounts, T0 + 30 * 24 * HOUR_MS),
      settings: { wait_seconds: "0" },
      observe: ({ workspaceId }): Observation => {
        const { used, capacity, resetsAtMs } = allowances.get(workspaceId)!;
        const window = {
          limit: "codex",
          slot: "primary" as const,
          models: null,
          lengthMinutes: 300,
          usedPercent: (used / capacity) * 100,
          resetsAtMs,
        };
        return { windows: [window], from: "header", tier: null };
      },
      upstream: ({ workspaceId }): Script => {
        const account = room.engine.accounts.list().find((one) => one.workspaceId === workspaceId)!;
        const others = holdsOn(account, anAsk({ nowMs: clock.nowMs(), model: "gpt-5.5" }));
        expect(others.map((hold) => hold.kind)).toEqual([]);
        if (clock.nowMs() < badUntilMs) return { kind: "upstream_failed", status: 503, message: "", retryAtMs: null };
        const allowance = allowances.get(workspaceId)!;
        if (!allowance.spend(clock.nowMs()))
          return { kind: "window_exhausted", untilMs: allowance.resetsAtMs, message: "" };
        return "serve";
      },
    });
    await room.engine.selection.setStrategy(STRATEGY_NAMES[seed % STRATEGY_NAMES.length]!);
    const served = new Map<string, number>();
    const endMs = T0 + DAYS * 24 * HOUR_MS;
    while (clock.nowMs() < endMs) {
      if (dice.fraction() < 0.01) badUntilMs = clock.nowMs() + 20_000;
      const room_ = hasRoom(allowances, clock.nowMs());
      const asked = room.ask({ conversation: `thread-${Math.floor(dice.fraction() * 8)}` });
      const before = room.seen.length;
      await clock.advance(4_000);
      const answer = await asked;
      const wasBad = clock.nowMs() - 4_000 < badUntilMs;
      if (answer.kind === "opened") {
        const { servedByAlias } = await room.engine.exchanges.get(answer.exchangeId);
        served.set(servedByAlias!, (served.get(servedByAlias!) ?? 0) + 1);
      } else if (answer.kind === "refused" && answer.error.code === "pool_exhausted") {
        expect({ seed, wall: room_, tried: room.seen.length - before }).toMatchObject({ wall: false });
        expect(answer.error.retryAtMs!).toBeLessThanOrEqual(
          Math.min(...[...allowances.values()].map((one) => one.resetsAtMs)) + 1,
        );
      } else {
        expect({
          seed,
          kind: answer.kind,
          excused: wasBad || (answer.kind === "refused" && answer.error.code === "attempts_exhausted"),
        }).toMatchObject({
          excused: true,
        });
      }
      await clock.advance(Math.floor(dice.fraction() * 300_000));
    }
    expect(room.engine.openLeases()).toBe(0);
    expect(accounts.filter((account: Account) => !served.has(account.alias)).map((account) => account.alias)).toEqual(
      [],
    );
  }, 60_000);
}

function hasRoom(allowances: ReadonlyMap<string, Allowance>, nowMs: number): boolean {
  return [...allowances.values()].some((one) => one.used < one.capacity || nowMs >= one.resetsAtMs);
}
