/** The audit part of the contract of a store; a part of store.suite.ts. */
import { expect, test } from "bun:test";
import type { AuditEntry } from "../../src/domain/audit.ts";
import type { Store } from "../../src/store/store.ts";
import { T0 } from "../support/manual-clock.ts";

const DAY_MS = 86_400_000;
const idOf = (n: number) => `01AUDIT${String(n).padStart(19, "0")}`;

function entryLike(n: number, changes: Partial<AuditEntry> = {}): AuditEntry {
  return {
    id: idOf(n),
    atMs: T0 + n * DAY_MS,
    actor: { kind: "ctl", uid: 1000, pid: null },
    action: "account.rename",
    subjects: [{ id: "A1", name: "work" }],
    text: "home → work",
    errorCode: null,
    ...changes,
  };
}

export function audit(store: () => Store): void {
  const ids = async (query: Parameters<Store["listAudit"]>[0]) => (await store().listAudit(query)).map(({ id }) => id);

  test("audit entries come back whole, newest first, whatever the order of arrival", async () => {
    const refused = entryLike(2, { actor: { kind: "rotor" }, subjects: [], text: "", errorCode: "alias_taken" });
    await store().appendAudit([refused], 0);
    await store().appendAudit([entryLike(1), refused], 0);
    expect(await store().listAudit({ limit: 9 })).toEqual([refused, entryLike(1)]);
    expect(await ids({ limit: 1 })).toEqual([idOf(2)]);
    expect(await ids({ limit: 9, before: idOf(2) })).toEqual([idOf(1)]);
  });

  test("audit entries are found by time, action or its noun, actor, subject and refusal", async () => {
    const second = entryLike(2, { action: "account.remove", subjects: [{ id: "A2", name: "spare" }] });
    const third = entryLike(3, { action: "accountant.pay", actor: { kind: "key", keyId: "K" }, errorCode: "internal" });
    const both = [
      { id: "A1", name: "office" },
      { id: "A2", name: "second" },
    ];
    await store().appendAudit(
      [entryLike(1), second, third, entryLike(4, { action: "account.tag", subjects: both })],
      0,
    );
    expect(await ids({ limit: 9, sinceMs: T0 + 3 * DAY_MS })).toEqual([4, 3].map(idOf));
    expect(await ids({ limit: 9, action: "account" })).toEqual([4, 2, 1].map(idOf));
    expect(await ids({ limit: 9, action: "account.remove" })).toEqual([idOf(2)]);
    expect(await ids({ limit: 9, actor: "key" })).toEqual([idOf(3)]);
    expect(await ids({ limit: 9, subject: "A2" })).toEqual([4, 2].map(idOf));
    expect(await ids({ limit: 9, subject: "spare" })).toEqual([idOf(2)]);
    expect(await ids({ limit: 9, failed: true })).toEqual([idOf(3)]);
    expect(await ids({ limit: 9, action: "account", subject: "A1", sinceMs: T0 + 2 * DAY_MS })).toEqual([idOf(4)]);
  });

  test("audit entries older than what is kept go with the next one", async () => {
    await store().appendAudit([entryLike(1), entryLike(2)], 0);
    await store().appendAudit([entryLike(3)], T0 + 2 * DAY_MS);
    expect(await ids({ limit: 9 })).toEqual([3, 2].map(idOf));
    await store().appendAudit([], T0 + 3 * DAY_MS);
    expect(await ids({ limit: 9 })).toEqual([idOf(3)]);
  });
}
