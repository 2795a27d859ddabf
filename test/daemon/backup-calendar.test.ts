/**
 * The daily backup under a clock that the test moves: days, a laptop that slept, a clock set back, a disk that is full for a while.
 */
import { expect, test } from "bun:test";
import { AppError } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import { createBackupCalendar } from "../../src/daemon/backup-calendar.ts";
import { type BackupReason, backupName, backupsToPrune, type KeptBackup } from "../../src/domain/backup.ts";
import { createManualClock, settle, T0 } from "../support/manual-clock.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const KEEP = { daily: 7, weekly: 4 };

/** The calendar, over a folder that is a list. */
function openCalendar(before: readonly KeptBackup[] = []) {
  const clock = createManualClock();
  const errors: string[] = [];
  const folder: KeptBackup[] = [...before];
  const state = { wanted: true, failure: null as AppError | null, wait: Promise.resolve() };
  const add = (reason: BackupReason) => {
    const name = backupName(clock.nowMs(), reason, (taken) => folder.some((kept) => kept.name === taken));
    folder.push({ name, createdAtMs: clock.nowMs(), reason, good: true, accountCount: 1 });
  };
  const calendar = createBackupCalendar({
    clock,
    log: { ...silentLog, error: (event) => void errors.push(event) },
    wanted: () => state.wanted,
    list: () => folder,
    async make() {
      await state.wait;
      if (state.failure !== null) throw state.failure;
      add("daily");
      for (const name of backupsToPrune(folder, KEEP)) {
        folder.splice(
          folder.findIndex((kept) => kept.name === name),
          1,
        );
      }
    },
  });
  /** When daily backups were made, in hours since the start. */
  const hours = () => folder.map(({ createdAtMs }) => Math.floor((createdAtMs - T0) / HOUR_MS));
  return { clock, calendar, state, errors, folder, add, hours };
}

const FULL = new AppError("internal", "no space left on the disk");

test("one soon after the start, and one a day from then on; a month leaves a week of days and weeks behind it", async () => {
  const { clock, folder, hours, calendar } = openCalendar();
  await clock.advance(29_000);
  expect(folder).toEqual([]);
  await clock.advance(2_000);
  expect(hours()).toEqual([0]);
  await clock.advance(DAY_MS - HOUR_MS);
  expect(hours()).toEqual([0]);
  await clock.advance(2 * HOUR_MS);
  expect(hours()).toEqual([0, 24]);
  for (let day = 0; day < 60; day++) await clock.advance(DAY_MS);
  const ages = folder.map(({ createdAtMs }) => (clock.nowMs() - createdAtMs) / DAY_MS);
  // The newest is of the last day, the week before it is whole, and nothing is older than weeks that are kept.
  expect(Math.min(...ages)).toBeLessThan(1.1);
  expect(ages.filter((age) => age < 7.2).length).toBeGreaterThanOrEqual(KEEP.daily);
  expect(folder.length).toBeLessThanOrEqual(KEEP.daily + KEEP.weekly);
  expect(Math.max(...ages)).toBeGreaterThan(14);
  expect(calendar.problem()).toBeNull();
});

test("a machine that slept for days makes one at its next look, not one for every day", async () => {
  const { clock, hours } = openCalendar();
  await clock.advance(HOUR_MS);
  clock.jumpTo(clock.nowMs() + 5 * DAY_MS);
  await clock.advance(HOUR_MS);
  expect(hours()).toHaveLength(2);
  await clock.advance(3 * HOUR_MS);
  expect(hours()).toHaveLength(2);
});

test("a clock that was set back finds its newest backup in the future, and makes one of today", async () => {
  const { clock, folder } = openCalendar();
  await clock.advance(HOUR_MS);
  clock.jumpTo(T0 - 10 * DAY_MS);
  await clock.advance(HOUR_MS);
  expect(folder).toHaveLength(2);
  expect(folder[1]!.createdAtMs).toBeLessThan(T0);
  await clock.advance(3 * HOUR_MS);
  expect(folder).toHaveLength(2);
});

test("a backup that somebody ordered takes no daily one's place", async () => {
  const { clock, folder, add } = openCalendar();
  add("manual");
  await clock.advance(HOUR_MS);
  expect(folder.map(({ reason }) => reason)).toEqual(["manual", "daily"]);
});

test("a failure is said once and tried again every hour, until one goes well", async () => {
  const { clock, calendar, state, errors, hours } = openCalendar();
  state.failure = FULL;
  await clock.advance(5 * HOUR_MS);
  expect(calendar.problem()).toBe(FULL);
  expect(errors).toEqual(["backup.failed"]);
  state.failure = null;
  await clock.advance(HOUR_MS);
  expect([calendar.problem(), hours()]).toEqual([null, [5]]);
  state.failure = FULL;
  await clock.advance(26 * HOUR_MS);
  expect(errors).toEqual(["backup.failed", "backup.failed"]);
});

test("switched off, or with nothing to back up, it makes none; switched on, one within the hour", async () => {
  const { clock, state, folder } = openCalendar();
  state.wanted = false;
  await clock.advance(3 * DAY_MS);
  expect(folder).toEqual([]);
  state.wanted = true;
  await clock.advance(HOUR_MS);
  expect(folder).toHaveLength(1);
});

test("closed, it waits for the one that is being made, and makes no other", async () => {
  const { clock, calendar, state, folder } = openCalendar();
  const disk = Promise.withResolvers<void>();
  state.wait = disk.promise;
  await clock.advance(31_000);
  let isClosed = false;
  const closing = calendar.close().then(() => {
    isClosed = true;
  });
  await settle();
  expect([isClosed, folder.length]).toEqual([false, 0]);
  disk.resolve();
  await closing;
  expect(folder).toHaveLength(1);
  await clock.advance(5 * DAY_MS);
  expect([folder.length, clock.pending()]).toEqual([1, 0]);
});
