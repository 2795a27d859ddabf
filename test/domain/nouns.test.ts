/** The small nouns: account names, windows, pins, refusals, bursts, tokens, keys, settings. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { countExchange, defaultAlias, exchangesInLastWeek, isAlias, isSameIdentity } from "../../src/domain/account.ts";
import { NO_BURST, noteFailure, noteServed, pauseEndMs } from "../../src/domain/burst.ts";
import { parseClientKey } from "../../src/domain/client-key.ts";
import { PLAN_RECORD_MAX_HELD, recordPlan } from "../../src/domain/plan.ts";
import { rank } from "../../src/domain/rank.ts";
import { refusalOf } from "../../src/domain/refusal.ts";
import { readSetting, resolveSettings, SETTING_KEYS, SETTINGS } from "../../src/domain/setting.ts";
import { PRESETS } from "../../src/domain/setting-preset.ts";
import { readLoginClaims, readTokenClaims } from "../../src/domain/token-claims.ts";
import { mergeWindows } from "../../src/domain/window.ts";
import { accountId, anAccount, anAsk, selectionArb, windowArb } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { tokenFor } from "../support/pool-room.ts";

describe("aliases", () => {
  test("are short, lower case and never a number", () => {
    for (const good of ["a", "plus-2", "work.pro", "0x", "a".repeat(40)]) expect(isAlias(good)).toBe(true);
    for (const bad of ["", "A", "1", "42", "-a", "a b", "a@b.c", "ä", "a".repeat(41), "a\n"])
      expect(isAlias(bad)).toBe(false);
  });

  test("by default come from the tier, are always free and always valid", () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.constantFrom("plus", "plus-2", "account", "pro")), (tier, taken) => {
        const alias = defaultAlias(tier, new Set(taken));
        expect(isAlias(alias)).toBe(true);
        expect(taken).not.toContain(alias);
      }),
    );
    expect(defaultAlias("plus", new Set(["plus", "plus-2"]))).toBe("plus-3");
    expect(defaultAlias("unknown", new Set())).toBe("account");
  });
});

test("identity is user and workspace and issuer, not e-mail", () => {
  const me = anAccount({ n: 1 });
  expect(isSameIdentity(me, { ...me, email: "other@example.test" } as typeof me)).toBe(true);
  expect(isSameIdentity(me, { ...me, workspaceId: "team" })).toBe(false);
  expect(isSameIdentity(me, { ...me, userId: "other" })).toBe(false);
  expect(isSameIdentity(me, { ...me, issuer: "https://other.test" })).toBe(false);
});

test("exchanges are counted by day and forgotten after a week, clocks that jump back included", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (days) => {
      let table: ReturnType<typeof countExchange> = [];
      for (const day of days) table = countExchange(table, T0 + day * 86_400_000);
      expect(table.length).toBeLessThanOrEqual(8);
      const account = anAccount({ use: { ...anAccount().use, exchangesByDay: table } });
      const sorted = days.every((day, i) => i === 0 || day >= days[i - 1]!);
      const last = days.at(-1) ?? 0;
      if (sorted)
        expect(exchangesInLastWeek(account, T0 + last * 86_400_000)).toBe(days.filter((day) => day > last - 7).length);
    }),
  );
});

test("window readings merge to the newest of each, in any order of arrival", () => {
  fc.assert(
    fc.property(fc.array(windowArb, { maxLength: 12 }), fc.infiniteStream(fc.nat()), (windows, shuffle) => {
      const distinct = windows.map((window, i) => ({
        ...window,
        models: null,
        observedAtMs: window.observedAtMs * 100 + i,
      }));
      const lay = (list: typeof distinct) => {
        let known: ReturnType<typeof mergeWindows> = [];
        for (const { observedAtMs, observedFrom, ...reading } of list)
          known = mergeWindows(known, [reading], observedAtMs, observedFrom);
        const key = ({ limit, slot }: (typeof known)[number]) => `${limit}/${slot}`;
        return [...known].sort((a, b) => key(a).localeCompare(key(b)));
      };
      const shuffled = distinct.map((window) => ({ window, key: shuffle.next().value })).sort((a, b) => a.key - b.key);
      expect(lay(shuffled.map(({ window }) => window))).toEqual(lay(distinct));
    }),
  );
});

describe("a refusal", () => {
  const until = (untilMs: number) => ({ untilMs, sinceMs: T0, reason: "rate_limited" as const, failures: 1 });
  const needsLogin = { kind: "needs_login" as const, reason: "x", sinceMs: T0 };
  const refuse = (accounts: ReturnType<typeof anAccount>[], change = {}) => {
    const ask = anAsk({ model: "gpt-5.5", ...change });
    return refusalOf(rank(accounts, ask), ask);
  };

  test("names what is in the way", () => {
    expect(refuse([])).toEqual({ kind: "no_accounts" });
    expect(refuse([anAccount({ login: needsLogin }), anAccount({ n: 2, enabled: false })])).toEqual({
      kind: "no_usable_account",
      kinds: ["needs_login", "disabled"],
    });
    expect(refuse([anAccount({ enabled: false }), anAccount({ n: 2, cooldown: until(T0 + 9) })])).toEqual({
      kind: "pool_exhausted",
      untilMs: T0 + 9,
    });
    const unsupported = [{ model: "gpt-5.5", untilMs: T0 + 9 }];
    const nobodys = [anAccount({ unsupportedModels: unsupported }), anAccount({ n: 2, login: needsLogin })];
    expect(refuse(nobodys)).toEqual({ kind: "model_unsupported", model: "gpt-5.5" });
    const busy = new Map([[accountId(1), 32]]);
    expect(refuse([anAccount()], { openLeases: busy })).toEqual({ kind: "at_capacity" });
    const pin = { accountId: accountId(1), sinceMs: T0, untilMs: null };
    expect(refuse([anAccount({ cooldown: until(T0 + 9) }), anAccount({ n: 2 })], { pin })).toEqual({
      kind: "pinned_account_held",
      untilMs: T0 + 9,
    });
    expect(refuse([anAccount()], { tried: new Set([accountId(1)]) })).toEqual({ kind: "attempts_exhausted" });
  });

  test("gives a time only when somebody is usable then", () => {
    fc.assert(
      fc.property(selectionArb, ({ accounts, ask }) => {
        const plan = rank(accounts, { ...ask, tried: new Set() });
        if (plan.usableCount > 0) return;
        const refusal = refusalOf(plan, ask);
        if (refusal.kind !== "pool_exhausted") return;
        expect(rank(accounts, { ...ask, tried: new Set(), nowMs: refusal.untilMs }).usableCount).toBeGreaterThan(0);
      }),
    );
  });
});

test("a burst pauses when it is across accounts, is over when somebody is served, and forgets what is old", () => {
  const fail = (ids: number[], gapMs: number) =>
    ids.reduce((burst, id, i) => noteFailure(burst, accountId(id), T0 + i * gapMs), NO_BURST);
  expect(pauseEndMs(fail([1, 2, 1, 2, 1], 100), T0 + 500)).toBe(T0 + 400 + 5_000);
  expect(fail([1, 1, 1, 1, 1, 1, 1], 100).pauseUntilMs).toBeNull();
  expect(fail([1, 2, 1, 2, 1], 5_000).pauseUntilMs).toBeNull();
  expect(noteServed(fail([1, 2, 1, 2, 1], 100))).toBe(NO_BURST);
  expect(pauseEndMs(fail([1, 2, 1, 2, 1], 100), T0 + 60_000)).toBeNull();
});

test("the record of a plan stays small however large the pool is", () => {
  const accounts = Array.from({ length: 500 }, (_, n) => anAccount({ n, enabled: false }));
  const record = recordPlan(rank(accounts, anAsk()));
  expect([record.held.length, record.heldCount]).toEqual([PLAN_RECORD_MAX_HELD, 500]);
});

describe("tokens", () => {
  test("say who, where, which tier and until when", () => {
    expect(readTokenClaims(tokenFor(anAccount({ n: 3 }), T0))).toEqual({
      userId: "user-3",
      workspaceId: "workspace-3",
      email: null,
      tier: "plus",
      expiresAtMs: T0,
    });
  });

  test("that are none say nothing and break nothing", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fc.base64String(), { minLength: 3, maxLength: 3 }).map((p) => p.join(".")),
        ),
        (text) => {
          const claims = readTokenClaims(text);
          expect(claims === null || typeof claims === "object").toBe(true);
        },
      ),
    );
    expect(readLoginClaims(null, "opaque")).toBeNull();
  });

  test("keep letters beyond ASCII", () => {
    const payload = Buffer.from(JSON.stringify({ email: "jürgen@例え.jp" })).toString("base64url");
    expect(readTokenClaims(`a.${payload}.b`)!.email).toBe("jürgen@例え.jp");
  });
});

test("a client key is its exact form and nothing around it", () => {
  const secret = "A".repeat(43);
  expect(parseClientKey(`rtr_0123456789_${secret}`)).toEqual({ id: "0123456789", secret });
  for (const bad of [
    `rtr_012345678_${secret}`,
    `rtr_0123456789_${secret}A`,
    ` rtr_0123456789_${secret}`,
    `rtr_0123456789_${secret}\n`,
    "Bearer x",
  ]) {
    expect(parseClientKey(bad)).toBeNull();
  }
});

describe("settings", () => {
  test("every default and every preset is a value that would be accepted", () => {
    for (const key of SETTING_KEYS)
      expect(readSetting(key, String(SETTINGS[key].default))).toEqual({ ok: true, value: SETTINGS[key].default });
    for (const preset of Object.values(PRESETS)) {
      for (const [key, value] of Object.entries(preset))
        expect(readSetting(key as "affinity", String(value)).ok).toBe(true);
    }
  });

  test("numbers are whole and within bounds; words are on or off", () => {
    for (const bad of ["", "1.5", "1e2", "0x10", "-1", "601", "NaN", "twenty"])
      expect(readSetting("wait_seconds", bad).ok).toBe(false);
    expect(readSetting("wait_seconds", " 30 ")).toEqual({ ok: true, value: 30 });
    expect([readSetting("affinity", "ON"), readSetting("affinity", "0")]).toMatchObject([
      { value: true },
      { value: false },
    ]);
  });

  test("an unreadable entry is reported and the next source counts", () => {
    const { states, problems } = resolveSettings({
      env: { wait_seconds: "soon" },
      config: { wait_seconds: "5" },
      saved: {},
    });
    expect(states.find((state) => state.key === "wait_seconds")).toMatchObject({ value: 5, source: "config" });
    expect(problems).toHaveLength(1);
  });
});
