/** Names, retention and due times of backups. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  BACKUP_REASONS,
  backupName,
  backupsToPrune,
  dailyBackupDueAtMs,
  type KeptBackup,
  parseBackupName,
} from "../../src/domain/backup.ts";

const DAY_MS = 86_400_000;
const AT = Date.UTC(2026, 10, 21, 10, 15);
const reasons = fc.constantFrom(...BACKUP_REASONS);
const instants = fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1_000);

test("a name says when and why", () => {
  expect(backupName(AT, "daily", () => false)).toBe("20261121T101500Z-daily.rotor-backup");
  const taken = new Set(["20261121T101500Z-daily.rotor-backup"]);
  expect(backupName(AT + 999, "daily", (name) => taken.has(name))).toBe("20261121T101500Z-daily-2.rotor-backup");
});

test("every name is read back, also one with a number", () => {
  fc.assert(
    fc.property(instants, reasons, fc.nat({ max: 3 }), (createdAtMs, reason, others) => {
      let left = others;
      const name = backupName(createdAtMs, reason, () => left-- > 0);
      expect(parseBackupName(name)).toEqual({ createdAtMs, reason });
    }),
  );
});

test("no path and no other file is taken for a backup", () => {
  for (const name of [
    "../x",
    "a/20261121T101500Z-daily.rotor-backup",
    ".20261121T101500Z-daily.rotor-backup.draft",
    "",
  ])
    expect(parseBackupName(name)).toBeNull();
});

const backups = fc.array(
  fc.record({
    createdAtMs: instants,
    reason: reasons,
    good: fc.boolean(),
    accountCount: fc.nat({ max: 3 }),
  }),
  { maxLength: 60 },
);
const named = (list: readonly Omit<KeptBackup, "name">[]): KeptBackup[] =>
  list.map((one, i) => ({ ...one, name: `backup-${i}` }));

test("pruning never takes the newest good one, the newest with accounts, what a person made, or what cannot be read", () => {
  fc.assert(
    fc.property(backups, fc.nat({ max: 10 }), fc.nat({ max: 10 }), (list, daily, weekly) => {
      const all = named(list);
      const gone = new Set(backupsToPrune(all, { daily, weekly }));
      const left = all.filter(({ name }) => !gone.has(name));
      const newest = (of: readonly KeptBackup[]) =>
        of.filter(({ good }) => good).reduce((latest, { createdAtMs }) => Math.max(latest, createdAtMs), -1);
      const filled = (of: readonly KeptBackup[]) => of.filter(({ accountCount }) => accountCount > 0);
      expect(newest(left)).toBe(newest(all));
      expect(newest(filled(left))).toBe(newest(filled(all)));
      for (const { name, reason, good } of all) if (reason === "manual" || !good) expect(gone.has(name)).toBe(false);
      // What is left is left for good: pruning again finds nothing.
      expect(backupsToPrune(left, { daily, weekly })).toEqual([]);
    }),
  );
});

test("seven days and four weeks are kept of a year of daily ones", () => {
  const year = named(
    Array.from({ length: 365 }, (_, day) => ({
      createdAtMs: AT - day * DAY_MS,
      reason: "daily" as const,
      good: true,
      accountCount: 2,
    })),
  );
  const gone = new Set(backupsToPrune(year, { daily: 7, weekly: 4 }));
  const ages = year.map((_, day) => day).filter((day) => !gone.has(`backup-${day}`));
  // 21 November 2026 is a Saturday: the newest of earlier weeks are Sundays.
  expect(ages).toEqual([0, 1, 2, 3, 4, 5, 6, 13, 20]);
});

test("a daily backup is due a day after the last good one; one from the future does not count", () => {
  const one = (createdAtMs: number, changes: Partial<KeptBackup> = {}): KeptBackup => ({
    name: "x",
    createdAtMs,
    reason: "daily",
    good: true,
    accountCount: 1,
    ...changes,
  });
  expect(dailyBackupDueAtMs([], AT)).toBe(AT);
  expect(dailyBackupDueAtMs([one(AT - 1_000)], AT)).toBe(AT - 1_000 + DAY_MS);
  expect(dailyBackupDueAtMs([one(AT - 2 * DAY_MS)], AT)).toBe(AT);
  expect(dailyBackupDueAtMs([one(AT + DAY_MS)], AT)).toBe(AT);
  expect(dailyBackupDueAtMs([one(AT, { good: false }), one(AT, { reason: "manual" })], AT)).toBe(AT);
});
