/** What events do to an account. The rules: an older event never undoes a newer one; stated times win; the login is lost only for good reasons. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Account } from "../../src/domain/account.ts";
import { holdsOn } from "../../src/domain/hold.ts";
import { NOTHING_OBSERVED, type Outcome } from "../../src/domain/outcome.ts";
import { type AccountEvent, type AttemptEnded, type Ladders, transition } from "../../src/domain/transition.ts";
import { anAccount, anAsk, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const LADDERS: Ladders = {
  cooldownFirstMs: 30_000,
  cooldownLongestMs: 600_000,
  refreshFirstMs: 60_000,
  ownerLateFirstMs: 5_000,
  modelUnsupportedMs: 3_600_000,
};
const on = (account: Account, event: AccountEvent) => transition(account, event, LADDERS);
const ended = (outcome: Outcome, change: Partial<AttemptEnded> = {}): AttemptEnded => ({
  kind: "attempt_ended",
  startedAtMs: T0,
  atMs: T0 + 1_000,
  generation: 1,
  model: "gpt-5.5",
  outcome,
  observation: NOTHING_OBSERVED,
  ...change,
});
const throttled = (untilMs: number | null): Outcome => ({ kind: "rate_limited", untilMs, message: "" });

describe("a rate limit", () => {
  test("cools down until the stated time", () => {
    const { account } = on(anAccount(), ended(throttled(T0 + 2_300)));
    expect(account.cooldown).toMatchObject({ untilMs: T0 + 2_300, reason: "rate_limited", failures: 1 });
  });

  test("without a stated time climbs 30 s, 60 s, 120 s … to ten minutes", () => {
    let account = anAccount();
    let atMs = T0;
    const lengths: number[] = [];
    for (let i = 0; i < 7; i++) {
      account = on(account, ended(throttled(null), { startedAtMs: atMs, atMs })).account;
      lengths.push(account.cooldown!.untilMs - atMs);
      atMs = account.cooldown!.untilMs + 1;
    }
    expect(lengths).toEqual([30_000, 60_000, 120_000, 240_000, 480_000, 600_000, 600_000]);
  });

  test("requests that fail together are one failure", () => {
    let account = anAccount();
    for (let i = 0; i < 8; i++) account = on(account, ended(throttled(null), { atMs: T0 + i })).account;
    expect(account.cooldown!.failures).toBe(1);
  });

  test("never ends earlier because of another error", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 90_000 }), fc.integer({ min: -90_000, max: 90_000 }), (first, offset) => {
        const before = on(anAccount(), ended(throttled(T0 + first), { atMs: T0 })).account;
        const after = on(before, ended(throttled(T0 + 1_300 + offset), { atMs: T0 + offset })).account;
        expect(after.cooldown!.untilMs).toBeGreaterThanOrEqual(before.cooldown!.untilMs);
      }),
    );
  });
});

describe("an older event", () => {
  test("never extends a newer cooldown", () => {
    const newer = on(anAccount(), ended(throttled(T0 + 5_000), { atMs: T0 + 4_000 })).account;
    expect(on(newer, ended(throttled(T0 + 999_000), { atMs: T0 + 3_000 })).account).toBe(newer);
  });

  test("never undoes a newer window figure", () => {
    const known = anAccount({ windows: [aWindow({ usedPercent: 80, observedAtMs: T0 + 5_000 })] });
    const { observedAtMs: _at, observedFrom: _from, ...reading } = aWindow({ usedPercent: 20 });
    const observation = { windows: [reading], from: "header" as const, tier: null };
    const after = on(known, ended({ kind: "served", usage: null }, { observation, atMs: T0 + 4_000 })).account;
    expect(after.windows[0]!.usedPercent).toBe(80);
  });

  test("of old credentials does not take a renewed login away", () => {
    const renewed = anAccount({ credentials: { generation: 2, accessExpiresAtMs: null, refreshedAtMs: T0 } });
    expect(on(renewed, ended({ kind: "login_rejected", reason: "x" }, { generation: 1 })).account.login.kind).toBe(
      "ok",
    );
    expect(on(renewed, { kind: "login_rejected", atMs: T0, generation: 1, reason: "x" }).account).toBe(renewed);
  });

  test("of an older generation does not overwrite newer credentials", () => {
    const account = anAccount({ credentials: { generation: 3, accessExpiresAtMs: null, refreshedAtMs: T0 } });
    const event = {
      kind: "credentials_renewed",
      atMs: T0 + 1,
      generation: 3,
      accessExpiresAtMs: 1,
      tier: null,
      email: null,
    } as const;
    expect(on(account, event).account).toBe(account);
  });
});

describe("a healthy answer", () => {
  test("clears a hold that it is newer than", () => {
    const cooled = on(anAccount(), ended(throttled(T0 + 60_000), { atMs: T0 })).account;
    expect(on(cooled, ended({ kind: "served", usage: null }, { startedAtMs: T0 + 1 })).account.cooldown).toBeNull();
  });

  test("to a request sent before the failure clears nothing", () => {
    const cooled = on(anAccount(), ended(throttled(T0 + 60_000), { atMs: T0 })).account;
    expect(on(cooled, ended({ kind: "served", usage: null }, { startedAtMs: T0 - 1 })).account.cooldown).toEqual(
      cooled.cooldown,
    );
  });

  test("drops a window that it proves not to be used up", () => {
    const account = anAccount({ windows: [aWindow({ usedPercent: 100, observedAtMs: T0 })] });
    expect(on(account, ended({ kind: "served", usage: null }, { startedAtMs: T0 + 1 })).account.windows).toEqual([]);
  });
});

describe("a used-up window", () => {
  const exhausted = (untilMs: number | null): Outcome => ({ kind: "window_exhausted", untilMs, message: "" });

  test("holds until the stated reset, in the window whose reset that is", () => {
    const known = anAccount({
      windows: [aWindow({ resetsAtMs: T0 + 3_600_000 }), aWindow({ slot: "secondary", resetsAtMs: T0 + 90_000_000 })],
    });
    const { account } = on(known, ended(exhausted(T0 + 90_000_500)));
    expect(account.windows.map((window) => window.usedPercent)).toEqual([10, 100]);
    expect(holdsOn(account, anAsk({ nowMs: T0 + 2_000 }))).toMatchObject([
      { kind: "window_exhausted", untilMs: T0 + 90_000_500 },
    ]);
  });

  test("of a kind never seen before holds all the same", () => {
    const { account } = on(anAccount(), ended(exhausted(T0 + 50_000)));
    expect(holdsOn(account, anAsk({ nowMs: T0 + 2_000 }))).toMatchObject([
      { kind: "window_exhausted", untilMs: T0 + 50_000 },
    ]);
  });

  test("without any time cools down by the ladder", () => {
    const { account } = on(anAccount(), ended(exhausted(null)));
    expect(account.cooldown).toMatchObject({ untilMs: T0 + 31_000, reason: "rate_limited" });
  });
});

describe("a lost login", () => {
  test("is loud once", () => {
    const first = on(anAccount(), { kind: "login_rejected", atMs: T0, generation: 1, reason: "invalid_grant" });
    expect(first.effects.map((effect) => effect.kind)).toEqual(["persist_durably", "announce", "log", "audit"]);
    const second = on(first.account, { kind: "login_rejected", atMs: T0 + 1, generation: 1, reason: "invalid_grant" });
    expect(second).toEqual({ account: first.account, effects: [] });
  });

  test("comes back with new credentials", () => {
    const lost = on(anAccount(), { kind: "login_rejected", atMs: T0, generation: 1, reason: "invalid_grant" }).account;
    const event = {
      kind: "credentials_renewed",
      atMs: T0,
      generation: 2,
      accessExpiresAtMs: T0,
      tier: "pro",
      email: null,
    } as const;
    expect(on(lost, event).account).toMatchObject({ login: { kind: "ok" }, tier: "pro", email: lost.email });
  });

  test("is not what a passing refresh failure means: 60 s, doubling, login kept", () => {
    const once = on(anAccount(), { kind: "refresh_failed", atMs: T0 }).account;
    expect(once).toMatchObject({ login: { kind: "ok" }, cooldown: { untilMs: T0 + 60_000, reason: "refresh_failed" } });
    const twice = on(once, { kind: "refresh_failed", atMs: T0 + 60_001 }).account;
    expect(twice.cooldown!.untilMs).toBe(T0 + 60_001 + 120_000);
  });
});

test("a refused model holds for that model alone", () => {
  const { account } = on(anAccount(), ended({ kind: "model_unsupported", model: "gpt-5.5", message: "" }));
  expect(holdsOn(account, anAsk({ nowMs: T0 + 2_000, model: "gpt-5.5" })).map((hold) => hold.kind)).toEqual([
    "model_unsupported",
  ]);
  expect(holdsOn(account, anAsk({ nowMs: T0 + 2_000, model: "gpt-6-luna" }))).toEqual([]);
});

test("what is not the account's fault leaves it as it was", () => {
  const outcomes: Outcome[] = [
    { kind: "client_gone" },
    { kind: "unreachable", message: "" },
    { kind: "challenged", message: "" },
    { kind: "upstream_failed", status: 503, message: "", retryAtMs: null },
    { kind: "timed_out", phase: "first_byte", message: "" },
    { kind: "cut", message: "" },
    { kind: "unauthorized", message: "" },
  ];
  const account = anAccount();
  for (const outcome of outcomes) expect(on(account, ended(outcome))).toEqual({ account, effects: [] });
});
