/** The audit book: one entry an order, whoever does the work; what goes on later is still theirs. */
import { beforeEach, expect, test } from "bun:test";
import fc from "fast-check";
import { AppError } from "../../src/base/errors.ts";
import type { Actor, AuditEntry } from "../../src/domain/audit.ts";
import { SETTINGS, type Settings } from "../../src/domain/setting.ts";
import { type AuditBook, createAuditBook } from "../../src/pool/audit-book.ts";
import { anAccount } from "../support/builders.ts";
import { createManualClock, type ManualClock, T0 } from "../support/manual-clock.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createPoolRoom, rotate, seededDice } from "../support/pool-room.ts";
import { recordingLog } from "../support/recording-log.ts";

const ANN: Actor = { kind: "ctl", uid: 1, pid: 10 };
const BOB: Actor = { kind: "dashboard" };
const WORK = { id: "A", name: "work" };
const DAY_MS = 86_400_000;

let clock: ManualClock;
let store: ReturnType<typeof createMemoryStore>;
let lines: string[];
let book: AuditBook;
beforeEach(() => {
  clock = createManualClock();
  store = createMemoryStore();
  lines = [];
  const settings = { audit_days_kept: SETTINGS.audit_days_kept.default } as unknown as Settings;
  book = createAuditBook({ store, clock, dice: seededDice(1), settings: () => settings, log: recordingLog(lines) });
});

const entries = () => book.list({ limit: 99 });
const short = (entry: AuditEntry) => [entry.actor.kind, entry.action, entry.text, entry.errorCode];

test("an order leaves one entry with all that was said, and it is there when the order is done", async () => {
  const answer = await book.order({ actor: ANN, action: "account.update" }, async () => {
    book.say({ action: "account.rename", subjects: [WORK], text: "home → work" });
    await clock.advance(1);
    book.say({ action: "account.rename", subjects: [{ id: "B", name: "spare" }], text: "" });
    return 7;
  });
  expect(answer).toBe(7);
  const found = await store.listAudit({ limit: 9 });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatchObject({ actor: ANN, action: "account.rename", text: "work: home → work", errorCode: null });
  expect(found[0]!.subjects.map(({ name }) => name)).toEqual(["work", "spare"]);
});

test("an order about which nobody says anything, and one that is refused, leave an entry too", async () => {
  await book.order({ actor: ANN, action: "pool.unpin" }, async () => {});
  const refused = book.order({ actor: ANN, action: "account.remove" }, async () => {
    throw new AppError("account_not_found", "the words of an error are not kept");
  });
  await expect(refused).rejects.toThrow("the words of an error");
  const broken = book.order({ actor: BOB, action: "key.create" }, () => Promise.reject(new Error("boom")));
  await expect(broken).rejects.toThrow("boom");
  expect((await entries()).map(short).reverse()).toEqual([
    ["ctl", "pool.unpin", "", null],
    ["ctl", "account.remove", "", "account_not_found"],
    ["dashboard", "key.create", "", "internal"],
  ]);
  expect(JSON.stringify(await entries())).not.toContain("words of an error");
});

test("what is said without an order is Rotor's own; what goes on after an order is of whoever gave it", async () => {
  book.say({ action: "account.renew", subjects: [], text: "" });
  let later: Promise<void> = Promise.resolve();
  await book.order({ actor: ANN, action: "login.start" }, async () => {
    const giver = book.actor();
    later = (async () => {
      await clock.sleep(1_000);
      await book.as(giver, async () => book.say({ action: "account.add", subjects: [WORK], text: "" }));
    })();
    book.own({ action: "account.needs_login", subjects: [WORK], text: "revoked" });
  });
  await clock.advance(1_000);
  await later;
  expect((await entries()).map(short).reverse()).toEqual([
    ["rotor", "account.renew", "", null],
    ["rotor", "account.needs_login", "revoked", null],
    ["ctl", "login.start", "", null],
    ["ctl", "account.add", "", null],
  ]);
});

test("orders that run side by side do not mix, in any order of their steps", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(fc.nat(20), { maxLength: 4 }), { maxLength: 6 }), async (orders) => {
      const own = createMemoryStore();
      const settings = { audit_days_kept: 1 } as unknown as Settings;
      const other = createAuditBook({
        store: own,
        clock,
        dice: seededDice(2),
        settings: () => settings,
        log: recordingLog(lines),
      });
      const runs = orders.map((waits, n) =>
        other.order({ actor: { kind: "key", keyId: `${n}` }, action: "none" }, async () => {
          for (const wait of waits) {
            for (let turn = 0; turn < wait; turn++) await Promise.resolve();
            other.say({ action: `order.${n}`, subjects: [{ id: `${n}`, name: "" }], text: "" });
          }
        }),
      );
      await Promise.all(runs);
      const found = await other.list({ limit: 99 });
      expect(found).toHaveLength(orders.length);
      for (const entry of found) {
        const n = entry.actor.kind === "key" ? Number(entry.actor.keyId) : -1;
        expect(entry.action).toBe(orders[n]!.length === 0 ? "none" : `order.${n}`);
        expect(entry.subjects.every(({ id }) => id === `${n}`)).toBe(true);
      }
    }),
    { numRuns: 50 },
  );
});

test("entries of one millisecond, and of a clock that was put back, stand in the order in which they happened", async () => {
  for (let n = 0; n < 20; n++) {
    if (n === 10) clock.jumpTo(T0 - DAY_MS);
    book.own({ action: `step.${n}`, subjects: [], text: "" });
  }
  expect((await entries()).map(({ action }) => action).reverse()).toEqual(
    Array.from({ length: 20 }, (_, n) => `step.${n}`),
  );
});

test("what is older than the setting says goes", async () => {
  book.own({ action: "first", subjects: [], text: "" });
  await book.flush();
  clock.jumpTo(T0 + 366 * DAY_MS);
  book.own({ action: "second", subjects: [], text: "" });
  expect((await entries()).map(({ action }) => action)).toEqual(["second"]);
});

test("a text is one short line", async () => {
  book.own({ action: "a.b", subjects: [], text: `one\ntwo\u001b[31m${"x".repeat(999)}` });
  const [entry] = await entries();
  expect(entry!.text).toStartWith("one two [31mxxx");
  expect(entry!.text.length).toBeLessThanOrEqual(300);
});

test("a log that cannot be written is told, and the order stands", async () => {
  store.appendAudit = () => Promise.reject(new Error("the disk is full"));
  expect(await book.order({ actor: ANN, action: "pool.pin" }, async () => 1)).toBe(1);
  expect(lines.some((line) => line.startsWith("audit.save_failed") && line.includes("pool.pin"))).toBe(true);
});

test("an account that loses its login is Rotor's own entry, once, and never with a token", async () => {
  const accounts = [anAccount({ n: 1 })];
  const issuer = () => ({ kind: "refused", code: "refresh_token_reused", message: "used" }) as const;
  const room = await createPoolRoom({ accounts, issuer });
  const order = { actor: ANN, action: "account.refresh" };
  for (const _ of [1, 2])
    await expect(room.engine.audit.order(order, () => room.engine.accounts.refresh(accounts[0]!.id))).rejects.toThrow();
  const found = await room.engine.audit.list({ limit: 9 });
  expect(found.map(short).reverse()).toEqual([
    ["rotor", "account.needs_login", "refresh_token_reused", null],
    ["ctl", "account.refresh", "", "login_rejected"],
    ["ctl", "account.refresh", "", "login_rejected"],
  ]);
  expect(JSON.stringify(found)).not.toContain("refresh-");
  expect(room.logged.filter(({ event }) => event === "account.needs_login").map(({ level }) => level)).toEqual([
    "warn",
  ]);
  await room.engine.close();
});

test("desks say what they did: rename, switch, pin, setting, key, remove", async () => {
  const accounts = [anAccount({ n: 1 }), anAccount({ n: 2 })];
  const room = await createPoolRoom({ accounts, issuer: rotate(accounts, T0 + 9_000_000) });
  const { engine } = room;
  const [first] = accounts;
  const id = first!.id;
  const did = (work: () => Promise<unknown>) => engine.audit.order({ actor: ANN, action: "none.said" }, work);
  await did(() => engine.accounts.update(id, { alias: "renamed", force: false }));
  await did(() => engine.accounts.update(id, { enabled: false, force: false }));
  await did(() => engine.accounts.refresh(id));
  await did(() => engine.selection.setStrategy("random"));
  await did(() => engine.selection.pin(id, null));
  await did(() => engine.selection.unpin());
  await did(() => engine.settings.set("wait_seconds", "7"));
  await did(() => engine.keys.create("laptop"));
  await did(() => engine.accounts.clearCooldown(id));
  await did(() => engine.accounts.remove(id));
  const found = (await engine.audit.list({ limit: 99 })).toReversed();
  expect(found.map(({ action, text, subjects }) => [action, text, subjects.map(({ name }) => name).join()])).toEqual([
    ["account.rename", `${first!.alias} → renamed`, "renamed"],
    ["account.disable", "", "renamed"],
    ["account.refresh", "", "renamed"],
    ["pool.strategy", "balanced → random", ""],
    ["pool.pin", "until it is taken off", "renamed"],
    ["pool.unpin", "", "renamed"],
    ["setting.set", "wait_seconds 20 → 7", "wait_seconds"],
    ["key.create", "", "laptop"],
    ["account.clear_cooldown", "", "renamed"],
    ["account.remove", "", "renamed"],
  ]);
  await engine.close();
});
