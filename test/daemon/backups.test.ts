/**
 * Backups through the real daemon: a broken store comes back by itself and says so, a restore is whole or did not happen, whatever is
 * killed when, and nothing of it holds up a stream. ROTOR_TEST_SEED shows a failure again, ROTOR_TEST_DEPTH=deep tries more.
 */
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ControlError } from "./support/control.ts";
import { runCtl } from "./support/ctl.ts";
import type { DaemonProcess } from "./support/daemon-process.ts";
import { IS_DEEP, seeded } from "./support/seed.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { within } from "./support/until.ts";

const ALIASES = ["alpha", "beta", "gamma"] as const;
const TEST_MS = IS_DEEP ? 1_800_000 : 400_000;

/** Nothing is backed up but what a test asks for: the daily backup comes half a minute after a start, which a slow machine lives to see. */
const QUIET = { env: { ROTOR_SETTING_BACKUP_DAILY: "off" } };

interface BackupJson {
  readonly name: string;
  readonly reason: string;
  readonly problem?: string;
}

async function openPool(): Promise<{ stage: Stage; daemon: DaemonProcess }> {
  const stage = await openStage({ accounts: ALIASES.map((alias) => ({ alias })), oauth: { graceSeconds: 3_600 } });
  const daemon = await stage.start(QUIET);
  for (const [i, alias] of ALIASES.entries()) await daemon.control.importLogin(stage.sim.accounts[i], alias);
  return { stage, daemon };
}

const create = async (daemon: DaemonProcess) =>
  (await daemon.control.call<{ backup: BackupJson }>("BackupService/CreateBackup")).backup;
const list = async (daemon: DaemonProcess) =>
  (await daemon.control.call<{ backups?: BackupJson[] }>("BackupService/ListBackups")).backups ?? [];
const aliases = async (daemon: DaemonProcess) => (await daemon.control.accounts()).map(({ alias }) => alias).toSorted();
const notices = async (daemon: DaemonProcess) =>
  (
    (await daemon.control.call<{ daemon: { notices?: string[] } }>("DaemonService/GetDaemon")).daemon.notices ?? []
  ).join();

function overwrite(path: string, at: number, length: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, at, Math.min(at + length, bytes.length));
  writeFileSync(path, bytes);
}

test.concurrent(
  "a store that is broken anywhere comes back with every login, keeps the broken file, and says so until it was read",
  () =>
    seeded("damage", async (chance) => {
      const { stage, daemon: first } = await openPool();
      await using _ = stage;
      await create(first);
      await first.terminate();
      const database = join(first.home, "rotor.db");
      const whole = readFileSync(database);
      let recovered = 0;
      for (let round = 0; round < (IS_DEEP ? 150 : 6); round++) {
        rmSync(join(first.home, "damaged"), { recursive: true, force: true });
        for (const end of ["-wal", "-shm"]) rmSync(database + end, { force: true });
        writeFileSync(database, whole);
        // The first is the head of the file, without which nothing is left of it.
        overwrite(database, round === 0 ? 0 : chance.between(0, whole.length - 1), chance.between(100, 20_000));
        const broken = readFileSync(database);
        const daemon = await stage.start(QUIET);
        expect((await daemon.control.daemon()).state).toBe("DAEMON_STATE_READY");
        expect(await aliases(daemon)).toEqual([...ALIASES]);
        for (const { id } of await daemon.control.accounts())
          await daemon.control.call("AccountService/RefreshAccount", { accountId: id });
        const folders = existsSync(join(daemon.home, "damaged")) ? readdirSync(join(daemon.home, "damaged")) : [];
        // Damage to history or to a free page is no reason to go back: then nothing was set aside.
        if (folders.length > 0) {
          recovered++;
          expect(readFileSync(join(daemon.home, "damaged", folders[0]!, "rotor.db")).equals(broken)).toBe(true);
          expect(await notices(daemon)).toContain("was damaged");
          await daemon.control.call("BackupService/MendStore");
        }
        expect(await notices(daemon)).toBe("");
        await daemon.terminate();
      }
      expect(recovered).toBeGreaterThan(0);
    }),
  TEST_MS,
);

test.concurrent(
  "without any backup a store that cannot be read stays where it is, and the daemon says what to do",
  async () => {
    const { stage, daemon: first } = await openPool();
    await using _ = stage;
    await first.terminate();
    const database = join(first.home, "rotor.db");
    rmSync(join(first.home, "backups"), { recursive: true, force: true });
    overwrite(database, 0, 60_000);
    const broken = readFileSync(database);
    const daemon = await stage.start(QUIET);
    expect((await daemon.control.daemon()).state).toBe("DAEMON_STATE_DAMAGED");
    const { findings } = await daemon.control.call<{ findings: { check: string; hint?: string }[] }>(
      "DaemonService/RunDiagnostics",
    );
    expect(findings.find(({ check }) => check === "daemon.state")?.hint).toContain("rotor restore");
    const { steps } = await daemon.control.call<{ steps: { message: string; done?: boolean }[] }>(
      "BackupService/MendStore",
    );
    expect(steps.map(({ done }) => done ?? false)).toEqual([false]);
    expect(readFileSync(database).equals(broken)).toBe(true);
  },
  TEST_MS,
);

test.concurrent(
  "killed at any moment of backups and restores the store opens, with the accounts of before or of after, and no draft is in the list",
  () =>
    seeded("backup kills", async (chance) => {
      const { stage, daemon: first } = await openPool();
      await using _ = stage;
      let daemon = first;
      const { name } = await create(daemon);
      let cut = 0;
      for (let kill = 0; kill < (IS_DEEP ? 600 : 14); kill++) {
        // Before: two of three; after: all of them.
        const there = await daemon.control.accounts();
        if (there.length === ALIASES.length)
          await daemon.control.call("AccountService/RemoveAccount", { accountId: there[0]!.id });
        const before = await aliases(daemon);
        let done = false;
        const method = chance.fraction() < 0.3 ? "CreateBackup" : "RestoreBackup";
        const call = daemon.control.call(`BackupService/${method}`, method === "CreateBackup" ? {} : { name }).then(
          () => {
            done = true;
          },
          () => {},
        );
        // The first at once, so that one is cut off however fast the machine is.
        if (kill > 0) await Bun.sleep(chance.fraction() * 150);
        if (!done) cut++;
        await daemon.kill();
        await within(call, "the call of a daemon that was killed");
        daemon = await stage.start(QUIET);
        expect((await daemon.control.daemon()).state).toBe("DAEMON_STATE_READY");
        const after = await aliases(daemon);
        expect([before.join(), ALIASES.join()]).toContain(after.join());
        if (done && method === "RestoreBackup") expect(after).toEqual([...ALIASES]);
        for (const backup of await list(daemon)) expect(backup.problem ?? "").toBe("");
        expect(await notices(daemon)).toBe("");
      }
      expect(cut).toBeGreaterThan(0);
      // What is left half-made is swept away on order.
      await daemon.control.call("BackupService/MendStore");
      expect(readdirSync(join(daemon.home, "backups")).filter((entry) => entry.startsWith("."))).toEqual([]);
      for (const { id } of await daemon.control.accounts())
        await daemon.control.call("AccountService/RefreshAccount", { accountId: id });
    }),
  TEST_MS,
);

test.concurrent(
  "a restore keeps logins that were renewed since, names what changes, and can be taken back",
  async () => {
    const { stage, daemon } = await openPool();
    await using _ = stage;
    const { name } = await create(daemon);
    const [alpha, beta] = await daemon.control.accounts();
    await daemon.control.call("AccountService/RefreshAccount", { accountId: alpha!.id });
    await daemon.control.call("AccountService/RemoveAccount", { accountId: beta!.id });
    const { plan } = await daemon.control.call<{ plan: { accounts: { alias: string; action: string }[] } }>(
      "BackupService/RestoreBackup",
      { name },
    );
    expect(plan.accounts.map(({ alias, action }) => `${alias} ${action.replace("RESTORE_ACTION_", "")}`)).toEqual([
      "alpha KEEP_LOGIN",
      "beta ADD",
      "gamma SAME_LOGIN",
    ]);
    expect(Number((await daemon.control.account("alpha")).credentials.generation)).toBe(2);
    for (const { id } of await daemon.control.accounts())
      await daemon.control.call("AccountService/RefreshAccount", { accountId: id });
    expect((await list(daemon)).map(({ reason }) => reason)).toEqual(["before-restore", "manual"]);
    const undone = await runCtl(["restore", "--undo", "--yes"], stage.env());
    expect(undone.exit).toBe(0);
    expect(await aliases(daemon)).toEqual(["alpha", "gamma"]);
  },
  TEST_MS,
);

test.concurrent(
  "a backup that cannot be written is an error in words, and a damaged one is refused without touching anything",
  async () => {
    const { stage, daemon } = await openPool();
    await using _ = stage;
    const { name } = await create(daemon);
    const path = join(daemon.home, "backups", name);
    overwrite(path, statSync(path).size - 2_000, 10);
    const refused = await daemon.control.call("BackupService/RestoreBackup", { name }).then(
      () => expect.unreachable("it was restored"),
      (error: ControlError) => error.code,
    );
    expect(refused).toBe("backup_damaged");
    expect(await aliases(daemon)).toEqual([...ALIASES]);
    expect((await list(daemon)).map(({ reason }) => reason)).toEqual(["manual"]);
    rmSync(join(daemon.home, "backups"), { recursive: true });
    writeFileSync(join(daemon.home, "backups"), "in the way");
    const failed = await create(daemon).then(
      () => expect.unreachable("it was made"),
      (error: ControlError) => error.code,
    );
    expect(failed).toBe("start_failed");
    rmSync(join(daemon.home, "backups"));
    mkdirSync(join(daemon.home, "backups"), { mode: 0o755 });
    await create(daemon);
    const { steps } = await daemon.control.call<{ steps: { check: string }[] }>("BackupService/MendStore");
    expect(steps.map(({ check }) => check)).toEqual(["files.modes"]);
    expect(statSync(join(daemon.home, "backups")).mode & 0o777).toBe(0o700);
  },
  TEST_MS,
);
