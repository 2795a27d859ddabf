/** Edits of accounts: what is sound is taken whole, what is not is refused whole, and the holds follow. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Account } from "../../src/domain/account.ts";
import { type AccountEdit, editAccount, editChanges } from "../../src/domain/account-edit.ts";
import { holdsOn } from "../../src/domain/hold.ts";
import { anAccount, anAsk } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";

const edited = (edit: AccountEdit, account: Account = anAccount()): Account => {
  const end = editAccount(account, edit, T0);
  if (!end.ok) throw new Error(end.reason);
  return end.account;
};
const reason = (edit: AccountEdit) => {
  const end = editAccount(anAccount(), edit, T0);
  return end.ok ? null : end.reason;
};
const kinds = (account: Account, nowMs: number, affinity: Account["id"] | null = null) =>
  holdsOn(account, anAsk({ nowMs, affinity })).map(({ kind }) => kind);

describe("tags", () => {
  test("are a set in alphabetical order: put in place, added, taken away", () => {
    const first = edited({ addTags: ["team", "eu", "team"] });
    expect(first.orders.tags).toEqual(["eu", "team"]);
    expect(edited({ removeTags: ["eu", "absent"] }, first).orders.tags).toEqual(["team"]);
    expect(edited({ tags: ["b"], addTags: ["a"] }, first).orders.tags).toEqual(["a", "b"]);
    expect(edited({ tags: [] }, first).orders.tags).toEqual([]);
  });

  test("of another form are refused, and too many", () => {
    for (const tag of ["", "Team", "a b", "ü", "x".repeat(33), "a\n", "a,b"])
      expect(reason({ addTags: [tag] })).toContain("tag");
    expect(reason({ addTags: ["x".repeat(32), "a.b_c-1"] })).toBeNull();
    expect(reason({ tags: Array.from({ length: 33 }, (_, n) => `t${n}`) })).toContain("more than 32");
  });
});

test("a note is one line of at most 500 characters", () => {
  expect(edited({ note: " paid until May " }).orders.note).toBe("paid until May");
  expect(reason({ note: "x".repeat(500) })).toBeNull();
  for (const note of ["x".repeat(501), "two\nlines", "\u001b[31m", "\u2028"])
    expect(reason({ note })).toContain("a note");
});

test("a weight is above 0 and finite, a priority is whole", () => {
  for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1_000.1])
    expect(reason({ weight })).toContain("weight");
  for (const priority of [0.5, 1e9, Number.NaN]) expect(reason({ priority })).toContain("priority");
  expect(edited({ weight: 0.001, priority: -5 }).orders).toMatchObject({ weight: 0.001, priority: -5 });
});

test("what an edit leaves out stays as it is, and nothing is refused in part", () => {
  const sound = fc.record(
    {
      enabled: fc.boolean(),
      addTags: fc.array(fc.constantFrom("a", "b", "c")),
      removeTags: fc.array(fc.constantFrom("a", "b", "c")),
      note: fc.constantFrom("", "one", "two"),
      weight: fc.constantFrom(0.5, 1, 2),
      priority: fc.integer({ min: -9, max: 9 }),
      pauseUntilMs: fc.constantFrom(null, T0 + 1, T0 + 9),
      draining: fc.boolean(),
      resume: fc.boolean(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(sound, { maxLength: 5 }), (edits) => {
      let account = anAccount();
      for (const edit of edits) {
        const before = account;
        account = edited(edit, account);
        const { orders: was, ...rest } = before;
        const { orders: is, ...others } = account;
        expect({ ...others, enabled: null }).toEqual({ ...rest, enabled: null } as never);
        if (edit.note === undefined) expect(is.note).toBe(was.note);
        if (edit.weight === undefined) expect(is.weight).toBe(was.weight);
        if (edit.enabled === undefined) expect(account.enabled).toBe(before.enabled);
        expect([...is.tags]).toEqual([...new Set(is.tags)].sort());
        const same = JSON.stringify([is, account.enabled]) === JSON.stringify([was, before.enabled]);
        if (same) expect(editChanges(before, account)).toEqual([]);
        else if (is.pause === was.pause) expect(editChanges(before, account)).not.toEqual([]);
      }
    }),
  );
});

test("a pause holds until its end and not a millisecond longer; without an end until it is resumed", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 0, max: 2e9 }), (lengthMs, laterMs) => {
      const paused = edited({ pauseUntilMs: T0 + lengthMs });
      expect(kinds(paused, T0 + laterMs)).toEqual(laterMs < lengthMs ? ["paused"] : []);
      expect(kinds(edited({ pauseUntilMs: null }), T0 + laterMs)).toEqual(["paused"]);
      expect(kinds(edited({ resume: true }, paused), T0 + laterMs)).toEqual([]);
    }),
  );
  expect(reason({ pauseUntilMs: T0 })).toContain("before it began");
});

test("a draining account keeps its conversations and nobody else's", () => {
  fc.assert(
    fc.property(fc.constantFrom(1, 2, 3), fc.constantFrom(1, 2, 3, null), (own, asked) => {
      const account = edited({ draining: true }, anAccount({ n: own }));
      const affinity = asked === null ? null : anAccount({ n: asked }).id;
      expect(kinds(account, T0, affinity)).toEqual(asked === own ? [] : ["draining"]);
      expect(kinds(edited({ resume: true }, account), T0)).toEqual([]);
    }),
  );
});

test("what an edit did is told without the words of the note", () => {
  const after = edited({
    alias: "new",
    enabled: false,
    addTags: ["x"],
    note: "secret words",
    weight: 2,
    draining: true,
  });
  const told = editChanges(anAccount(), after);
  expect(told.map(({ verb }) => verb)).toEqual(["rename", "disable", "tag", "note", "weight", "drain"]);
  expect(JSON.stringify(told)).not.toContain("secret");
});
