/**
 * The daemon is killed at the n-th thing that it writes for good while it does something that matters, or at the instant after it said
 * that it did it. It starts again, and everything that was acknowledged is there once and works (product §5, contracts §15).
 * ROTOR_TEST_SEED shows a failure again, ROTOR_TEST_DEPTH=deep takes 500 points, ROTOR_TEST_POINTS any number of them.
 */
import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createProxyClient } from "./support/client.ts";
import type { AccountJson, KeyJson } from "./support/control.ts";
import {
  ACT_NAMES,
  type Act,
  type ActName,
  type CrashRoom,
  isWholeLogin,
  makeAct,
  PASSPHRASE,
} from "./support/crash-acts.ts";
import type { DaemonProcess } from "./support/daemon-process.ts";
import { IS_DEEP, SEED, seeded } from "./support/seed.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until, within } from "./support/until.ts";

const POINTS = Number(process.env.ROTOR_TEST_POINTS ?? (IS_DEEP ? 500 : 15));
/** A point takes about a second with its restarts; this only says "hangs". */
const TEST_MS = POINTS > 20 ? 3_600_000 : 600_000;
const GRACE_SECONDS = 3_600;
const IS_LONG = IS_DEEP || POINTS > 20;
/** How many points an act has nobody knows before it ran once: a short run guesses, a long one lets it end once and counts. */
const POINTS_AT_FIRST = 8;
/** In a long run no act may be cut off less often than this share of its turn. */
const LEAST_SHARE = 0.25;
/** A start that has nothing to mend has fewer. */
const POINTS_OF_A_START = 12;
/** Never reached: only counted. */
const ENDLESS = 1_000_000;

const ROOT = resolve(import.meta.dir, "../..");
/** From source, whatever else is tested: nothing can be put into a compiled program. */
const PROGRAM = [
  process.execPath,
  "--preload",
  join(import.meta.dir, "support/die-at-write.ts"),
  join(ROOT, "src/main.ts"),
];

interface Death {
  /** Lets the next point but `count - 1` be the last. */
  arm(count: number): void;
  /** Points that were passed since. */
  passed(): number;
  disarm(): void;
  /** Where it died; null when it lives. */
  place(): string | null;
}

function createDeath(folder: string): Death {
  mkdirSync(folder);
  const [left, died] = [join(folder, "left"), join(folder, "died")];
  let armed = 0;
  return {
    arm(count) {
      rmSync(died, { force: true });
      writeFileSync(left, String(count));
      armed = count;
    },
    passed: () => armed - Number(readFileSync(left, "utf8")),
    disarm: () => rmSync(left, { force: true }),
    place: () => (existsSync(died) ? readFileSync(died, "utf8") : null),
  };
}

const start = (stage: Stage, death: string) =>
  stage.start({
    program: PROGRAM,
    env: {
      ROTOR_PASSPHRASE: PASSPHRASE,
      ROTOR_TEST_DEATH: death,
      ROTOR_SETTING_WAIT_SECONDS: "0",
      // Else it starts itself again for this, without what was put before it.
      BUN_CONFIG_MAX_HTTP_REQUESTS: "16384",
      BUN_JSC_forceRAMSize: String(256 * 1024 * 1024),
      BUN_JSC_thresholdForFTLOptimizeAfterWarmUp: "1000000",
    },
  });

const problems: string[] = [];
const note = (isRight: boolean, problem: string) => void (isRight || problems.push(problem));

/** What the store's file says of itself. */
function lookAtFile(home: string): void {
  const db = new Database(join(home, "rotor.db"), { readonly: true });
  try {
    const [check] = db.query("PRAGMA quick_check").values();
    note(String(check) === "ok", `quick_check: ${check}`);
    note(db.query("PRAGMA foreign_key_check").values().length === 0, "a row belongs to none");
  } finally {
    db.close();
  }
}

const unique = (values: readonly string[]) => new Set(values).size === values.length;

/** What there is now against what must and what may be there; afterwards what there is counts. */
async function lookAtPool(room: CrashRoom, act: Act, answered: boolean): Promise<readonly AccountJson[]> {
  const { control } = room.daemon;
  const { state, notices } = await daemonOf(room);
  note(state === "DAEMON_STATE_READY", `it is ${state}`);
  note((notices ?? []).length === 0, `it says ${notices}`);
  const accounts = await control.accounts();
  const emails = accounts.map(({ email }) => email!);
  note(unique(emails), `accounts are there twice: ${emails}`);
  note(unique(accounts.map(({ alias }) => alias)), "two accounts have one alias");
  agree("account", room.accounts, new Set(emails), answered, act.adds ?? [], act.removes ?? []);
  room.accounts.clear();
  for (const email of emails) room.accounts.add(email);
  const { keys = [] } = await control.call<{ keys?: (KeyJson & { revokeTime?: string })[] }>("KeyService/ListKeys");
  const names = keys.filter(({ revokeTime }) => revokeTime === undefined).map(({ name }) => name);
  note(unique(names), `keys are there twice: ${names}`);
  const list = (name?: string) => (name === undefined ? [] : [name]);
  const known = new Set([...room.keys.keys()].filter((name) => name !== act.addsKey));
  agree("key", known, new Set(names), answered, list(act.addsKey), list(act.removesKey));
  for (const name of room.keys.keys()) if (!names.includes(name)) room.keys.delete(name);
  // Made, and cut off before its secret was told.
  for (const name of names) if (!room.keys.has(name)) room.keys.set(name, "");
  return accounts;
}

async function daemonOf({ daemon }: CrashRoom): Promise<{ state: string; notices?: string[] }> {
  return (await daemon.control.call<{ daemon: { state: string; notices?: string[] } }>("DaemonService/GetDaemon"))
    .daemon;
}

function agree(
  what: string,
  before: ReadonlySet<string>,
  now: ReadonlySet<string>,
  answered: boolean,
  adds: readonly string[],
  removes: readonly string[],
): void {
  for (const one of before) if (!removes.includes(one)) note(now.has(one), `the ${what} ${one} is lost`);
  for (const one of now) note(before.has(one) || adds.includes(one), `nobody knows the ${what} ${one}`);
  if (!answered) return;
  for (const one of adds) note(now.has(one), `the ${what} ${one} was acknowledged and is not there`);
  for (const one of removes) note(!now.has(one), `the ${what} ${one} was taken away and is there`);
}

/** Each login can be renewed, but for those that the issuer's want of grace may cost; and requests are served with a key that was given. */
async function lookAtLogins(room: CrashRoom, act: Act, accounts: readonly AccountJson[]): Promise<void> {
  const { control, proxyUrl } = room.daemon;
  note(isWholeLogin(room.authFile), "the file of the other program is broken");
  for (const { id, alias, email, ...rest } of accounts) {
    const { refreshOwnerFile = "" } = rest as { refreshOwnerFile?: string };
    try {
      if (refreshOwnerFile !== "") await control.call("TransferService/TakeAccount", { accountId: id });
      await control.call("AccountService/RefreshAccount", { accountId: id });
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      const isPrice = code === "login_rejected" && act.risks?.includes(email!);
      note(isPrice === true, `the login of ${alias} (${email}) does not work: ${code} ${message}`);
      const { alias: simAlias } = room.stage.sim.account(email!.split("@")[0]!);
      await control.importLogin(room.stage.sim.login(simAlias));
    }
  }
  const given = [...room.keys.values()].filter((secret) => secret !== "");
  const { status } = await createProxyClient(proxyUrl, room.chance.pick(given)).ask("codex");
  note(status === 200, `a request with a key that was given gets ${status}`);
}

interface EntryJson {
  readonly id: string;
  readonly action: string;
  readonly errorCode?: string;
}

/** An order that was answered is in the log of orders, once; and every entry is one. */
async function lookAtAudit(room: CrashRoom, act: Act, answered: boolean, newestBefore: string): Promise<void> {
  const { entries = [] } = await room.daemon.control.call<{ entries?: EntryJson[] }>("AuditService/ListAuditEntries", {
    pageSize: 100,
  });
  note(unique(entries.map(({ id }) => id)), "an entry of the audit log is there twice");
  if (!answered || act.action === "") return;
  const fresh = entries.filter(({ id, errorCode = "" }) => id > newestBefore && errorCode === "");
  note(
    fresh.some(({ action }) => action === act.action),
    `no ${act.action} in the audit log: ${fresh.map(({ action }) => action)}`,
  );
}

const KNOWN_FILES =
  /^(rotor\.(db|db-wal|db-shm|key|lock|lock-journal|log|sock)|daemon\.json|backups(\/[\w-]+\.rotor-backup)?|death(\/\w+)?)$/;

/** What a crash left half-made is swept away on order; there is nothing that the order does not know. */
async function lookAtLeftovers({ daemon }: CrashRoom): Promise<void> {
  await daemon.control.call("BackupService/MendStore");
  const names = readdirSync(daemon.home, { recursive: true }).map(String);
  const strange = names.filter((name) => !KNOWN_FILES.test(name));
  note(strange.length === 0, `nobody sweeps up ${strange}`);
}

const newestEntry = async ({ daemon }: CrashRoom) => {
  const { entries = [] } = await daemon.control.call<{ entries?: EntryJson[] }>("AuditService/ListAuditEntries", {
    pageSize: 1,
  });
  return entries[0]?.id ?? "";
};

/** A start that may die as well, and then again. */
async function startAgain(
  room: CrashRoom,
  death: Death,
  folder: string,
): Promise<{ daemon: DaemonProcess; deaths: string[] }> {
  const deaths: string[] = [];
  for (;;) {
    const dies = deaths.length < 3 && room.chance.fraction() < 0.25;
    death.arm(dies ? room.chance.between(1, POINTS_OF_A_START) : ENDLESS);
    try {
      const daemon = await start(room.stage, folder);
      if (dies && death.place() !== null) await daemon.exited;
      else {
        death.disarm();
        return { daemon, deaths };
      }
    } catch (error) {
      if (death.place() === null) throw error;
    }
    deaths.push(`start: ${death.place()}`);
  }
}

test(
  `${POINTS} crashes at chosen points lose nothing that was acknowledged`,
  async () => {
    await seeded("crash points", async (chance) => {
      await using stage = await openStage({ accounts: [], oauth: { graceSeconds: GRACE_SECONDS } });
      const folder = join(stage.home(), "death");
      const death = createDeath(folder);
      const room: CrashRoom = {
        ...{ stage, chance, authFile: join(stage.folder, "auth.json"), accounts: new Set<string>() },
        ...{ keys: new Map<string, string>(), next: 0, daemon: await start(stage, folder) },
      };
      room.keys.set("first", await room.daemon.control.createKey("first"));
      for (let number = 0; number < 3; number++) {
        const { auth, account } = stage.sim.addAccount({ alias: `a${number}`, email: `a${number}@people.example` });
        await room.daemon.control.importLogin(auth, account.alias);
        room.accounts.add(`a${number}@people.example`);
      }
      const pointsOf = new Map<ActName, number>();
      const tally = new Map<string, number>();
      const count = (what: string) => tally.set(what, (tally.get(what) ?? 0) + 1);
      for (let point = 0; point < POINTS; point++) {
        // Each act once, before chance chooses.
        const wanted = point < ACT_NAMES.length ? ACT_NAMES[point]! : chance.pick(ACT_NAMES);
        const { name, act } = await makeAct(wanted, room);
        const newest = await newestEntry(room);
        stage.sim.oauth.graceSeconds = act.grace ? GRACE_SECONDS : 0;
        // One beyond the last is the instant after the answer.
        const most = pointsOf.get(name);
        const at = most === undefined && IS_LONG ? ENDLESS : chance.between(1, (most ?? POINTS_AT_FIRST) + 1);
        death.arm(at);
        const answered = await within(
          act.run().then(
            () => true,
            (error: { code?: string; message: string }) => {
              if (death.place() === null) problems.push(`${name} was refused: ${error.code} ${error.message}`);
              return false;
            },
          ),
          `${name} in a daemon that dies`,
        );
        if (answered) pointsOf.set(name, Math.max(1, death.passed()));
        const place = death.place();
        if (place === null) await room.daemon.kill();
        await room.daemon.exited;
        count(`${name}: ${place ?? "after its answer"}`);
        const again = await startAgain(room, death, folder);
        room.daemon = again.daemon;
        for (const one of again.deaths) count(one);
        await until(async () => (await daemonOf(room)).state !== "DAEMON_STATE_MIGRATING", "an open store");
        const accounts = await lookAtPool(room, act, answered);
        await lookAtAudit(room, act, answered, newest);
        await lookAtLogins(room, act, accounts);
        stage.sim.oauth.graceSeconds = GRACE_SECONDS;
        await lookAtLeftovers(room);
        lookAtFile(room.daemon.home);
        const told = problems.splice(0).join("; ");
        if (told !== "")
          throw new Error(
            `point ${point}, ${name} killed at ${at} (${place}), ${answered ? "answered" : "cut off"}, ${again.deaths}: ${told}`,
          );
      }
      const lines = [...tally].toSorted().map(([what, times]) => `${String(times).padStart(5)}  ${what}`);
      if (IS_LONG) console.log(`seed ${SEED}, ${POINTS} points:\n${lines.join("\n")}`);
      // The test has teeth only when acts were cut off inside.
      const inside = [...tally]
        .filter(([what]) => !what.endsWith("after its answer"))
        .reduce((sum, [, times]) => sum + times, 0);
      expect(inside).toBeGreaterThan(POINTS / 3);
      if (POINTS < 20 * ACT_NAMES.length) return;
      for (const name of ACT_NAMES) {
        const times = lines
          .filter((line) => line.includes(`  ${name}: `))
          .reduce((sum, line) => sum + parseInt(line, 10), 0);
        expect([name, times > (LEAST_SHARE * POINTS) / ACT_NAMES.length]).toEqual([name, true]);
      }
    });
  },
  TEST_MS,
);
