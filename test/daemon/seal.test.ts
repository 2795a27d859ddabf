/**
 * The seal of a real daemon: locked it says so and loses nothing, unlocked it serves, and whatever a change of its guard is killed in the
 * middle of, every login opens afterwards. ROTOR_TEST_SEED shows a failure of the random part again.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type FakeKeychain, writeFakeKeychain } from "../support/fake-keychain.ts";
import { createProxyClient, DRESSES, speakerOf } from "./support/client.ts";
import type { ControlError } from "./support/control.ts";
import { runCtl } from "./support/ctl.ts";
import type { DaemonProcess } from "./support/daemon-process.ts";
import { IS_DEEP, seeded } from "./support/seed.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until, within } from "./support/until.ts";

const PASSPHRASE = "correct horse battery staple";

interface SealJson {
  readonly guard: string;
  readonly place: string;
  readonly locked?: boolean;
  readonly lockReason?: string;
  readonly fingerprint?: string;
  readonly dataKeyNumber?: string;
  readonly options: readonly { readonly guard: string; readonly available?: boolean; readonly refusal?: string }[];
}

const openOne = () => openStage({ accounts: [{ alias: "alpha" }, { alias: "beta" }] });
const sealOf = async ({ control }: DaemonProcess) =>
  (await control.call<{ seal: SealJson }>("SealService/GetSeal")).seal;
const change = ({ control }: DaemonProcess, guard: string, passphrase = "") =>
  control.call("SealService/ChangeSeal", { guard: `SEAL_GUARD_${guard}`, passphrase });
const unlock = ({ control }: DaemonProcess, passphrase = "") => control.call("SealService/UnlockSeal", { passphrase });
const refusalOf = (call: Promise<unknown>): Promise<ControlError> =>
  call.then(
    () => expect.unreachable("it was not refused"),
    (error) => error as ControlError,
  );

function withKeychain(stage: Stage): { keychain: FakeKeychain; env: Record<string, string> } {
  const keychain = writeFakeKeychain(stage.folder, process.platform === "darwin" ? "security" : "secret-tool");
  return { keychain, env: { PATH: `${keychain.bin}:/usr/bin:/bin` } };
}

/** Every login opens: the only way to renew it is with what is sealed. */
async function expectLogins(daemon: DaemonProcess, aliases: readonly string[]): Promise<void> {
  for (const alias of aliases) {
    const { id, credentials } = await daemon.control.account(alias);
    const { account } = await daemon.control.call<{ account: { credentials: { generation: string } } }>(
      "AccountService/RefreshAccount",
      { accountId: id },
    );
    expect(Number(account.credentials.generation)).toBe(Number(credentials.generation) + 1);
  }
}

describe("a passphrase", () => {
  test("locks the next start; wrong it is refused, right it opens, and then requests are served", async () => {
    await using stage = await openOne();
    const first = await stage.start();
    await first.control.importLogin(stage.sim.login("alpha"), "alpha");
    const key = await first.control.createKey("test");
    await change(first, "PASSPHRASE", PASSPHRASE);
    expect(existsSync(join(first.home, "rotor.key"))).toBe(false);
    expect(await first.terminate()).toBe(0);

    const daemon = await stage.start();
    const locked = await sealOf(daemon);
    expect(locked).toMatchObject({ guard: "SEAL_GUARD_PASSPHRASE", locked: true });
    expect(locked.lockReason).toMatch(/passphrase, and none was given/);
    const client = createProxyClient(daemon.proxyUrl, key);
    for (const dress of DRESSES) {
      const { status, text } = await client.ask(dress);
      expect([status, JSON.parse(text).error.code]).toEqual([400, "store_locked"]);
    }
    const added = await refusalOf(daemon.control.importLogin(stage.sim.login("beta"), "beta"));
    expect([added.code, added.hint]).toEqual(["store_locked", "rotor seal unlock"]);
    for (const method of ["ChangeSeal", "RotateDataKey"]) {
      const refused = await refusalOf(
        daemon.control.call(`SealService/${method}`, method === "ChangeSeal" ? { guard: "SEAL_GUARD_KEY_FILE" } : {}),
      );
      expect(refused.code).toBe("store_locked");
    }
    expect((await refusalOf(unlock(daemon))).code).toBe("passphrase_required");
    const wrong = await refusalOf(unlock(daemon, "correct horse"));
    expect([wrong.code, wrong.connectCode]).toEqual(["passphrase_wrong", "permission_denied"]);
    expect((await sealOf(daemon)).locked).toBe(true);

    await unlock(daemon, PASSPHRASE);
    expect((await sealOf(daemon)).locked ?? false).toBe(false);
    expect(speakerOf((await client.ask("codex")).text)).toBe("alpha");
    await daemon.control.importLogin(stage.sim.login("beta"), "beta");
    await expectLogins(daemon, ["alpha", "beta"]);
    expect(`${first.logText()}${daemon.logText()}`).not.toContain("correct horse");
  });

  test("from the environment opens the seal at the start, and a wrong one is told as what it is", async () => {
    await using stage = await openOne();
    const env = { ROTOR_SEAL_GUARD: "auto", ROTOR_PASSPHRASE: PASSPHRASE };
    const first = await stage.start({ env });
    await first.control.importLogin(stage.sim.login("alpha"), "alpha");
    expect((await sealOf(first)).place).toBe("ROTOR_PASSPHRASE");
    await first.terminate();
    const wrong = await stage.start({ env: { ...env, ROTOR_PASSPHRASE: "something else" } });
    expect((await sealOf(wrong)).lockReason).toMatch(/not the passphrase/);
    await unlock(wrong, PASSPHRASE);
    await wrong.terminate();
    const right = await stage.start({ env });
    expect((await right.control.daemon()).state).toBe("DAEMON_STATE_READY");
    await expectLogins(right, ["alpha"]);
    for (const name of readdirSync(right.home)) {
      if (!name.endsWith(".sock")) expect(readFileSync(join(right.home, name)).includes("correct horse")).toBe(false);
    }
  });

  test("of a new store is set by whoever unlocks it first", async () => {
    await using stage = await openOne();
    const env = { ROTOR_SEAL_GUARD: "passphrase" };
    const first = await stage.start({ env });
    expect((await first.control.daemon()).state).toBe("DAEMON_STATE_LOCKED");
    await unlock(first, PASSPHRASE);
    await first.control.importLogin(stage.sim.login("alpha"), "alpha");
    await first.terminate();
    const again = await stage.start({ env });
    expect((await refusalOf(unlock(again, "another"))).code).toBe("passphrase_wrong");
    await unlock(again, PASSPHRASE);
    await expectLogins(again, ["alpha"]);
  });
});

describe("locking", () => {
  test("lets an answer under way run to its end and refuses the next; the log of orders names it", async () => {
    await using stage = await openOne();
    const daemon = await stage.start();
    await daemon.control.importLogin(stage.sim.login("alpha"), "alpha");
    const client = createProxyClient(daemon.proxyUrl, await daemon.control.createKey("test"));
    stage.sim.addFault({ at: "responses", kind: "pause", point: "middle", delayMs: 2_000 });
    const open = client.open("codex");
    await until(() => open.text().includes("output_text.delta"), "the first words of the answer");
    await daemon.control.call("SealService/LockSeal");
    expect((await client.ask("codex")).status).toBe(400);
    const { status, whole, text } = await within(open.received, "the answer that was under way");
    expect([status, whole, speakerOf(text)]).toEqual([200, true, "alpha"]);
    expect(text).toContain("response.completed");
    // A key file needs nobody.
    await unlock(daemon);
    expect((await client.ask("codex")).status).toBe(200);
    // The answer that outlived the lock is in the book too.
    expect((await daemon.control.exchanges()).map((exchange) => exchange.status)).toEqual([200, 200]);
    const { stdout } = await runCtl(["audit", "list", "--json"], stage.env());
    expect(stdout).toContain('"seal.lock"');
    expect(stdout).toContain('"seal.unlock"');
  });

  test("waits for a renewal under way: its tokens reach the disk", async () => {
    await using stage = await openStage({ accounts: [{ alias: "alpha" }], oauth: { graceSeconds: 0 } });
    const daemon = await stage.start();
    const { id } = await daemon.control.importLogin(stage.sim.login("alpha"), "alpha");
    stage.sim.addFault({ at: "refresh", kind: "late_answer", delayMs: 1_000 });
    const renewal = daemon.control.call("AccountService/RefreshAccount", { accountId: id });
    renewal.catch(() => {});
    await until(() => stage.sim.requests().some(({ path }) => path === "/oauth/token"), "the renewal");
    await daemon.control.call("SealService/LockSeal");
    // What its caller is told does not matter here; what is on the disk does.
    await Promise.allSettled([renewal]);
    await unlock(daemon);
    expect((await daemon.control.account("alpha")).credentials.generation).toBe("2");
    await expectLogins(daemon, ["alpha"]);
  });

  test("twice is once, and unlocking what is open changes nothing", async () => {
    await using stage = await openOne();
    const daemon = await stage.start();
    await unlock(daemon);
    await Promise.all([1, 2, 3].map(() => daemon.control.call("SealService/LockSeal")));
    expect((await daemon.control.daemon()).state).toBe("DAEMON_STATE_LOCKED");
    await Promise.all([1, 2, 3].map(() => unlock(daemon)));
    expect((await daemon.control.daemon()).state).toBe("DAEMON_STATE_READY");
  });
});

describe("the keychain", () => {
  test("is taken by a new store where it answers, and asked again at each start", async () => {
    await using stage = await openOne();
    const { keychain, env } = withKeychain(stage);
    const auto = { ...env, ROTOR_SEAL_GUARD: "auto" };
    const first = await stage.start({ env: auto });
    await first.control.importLogin(stage.sim.login("alpha"), "alpha");
    const { guard, fingerprint } = await sealOf(first);
    expect(guard).toBe("SEAL_GUARD_KEYCHAIN");
    expect(keychain.entries()).toEqual([fingerprint!]);
    expect(existsSync(join(first.home, "rotor.key"))).toBe(false);
    await first.terminate();

    keychain.mood = "locked";
    const locked = await stage.start({ env: auto });
    expect((await sealOf(locked)).lockReason).toMatch(/cannot be asked/);
    expect((await refusalOf(unlock(locked))).code).toBe("seal_key_missing");
    keychain.mood = "well";
    await unlock(locked);
    await expectLogins(locked, ["alpha"]);
    expect(keychain.calls()).not.toContain("rotor-key-v1");
  });

  test("that does not answer is passed over for the key file, with a word in the log", async () => {
    await using stage = await openOne();
    const { keychain, env } = withKeychain(stage);
    keychain.mood = "locked";
    const daemon = await stage.start({ env: { ...env, ROTOR_SEAL_GUARD: "auto" } });
    const seal = await sealOf(daemon);
    expect(seal.guard).toBe("SEAL_GUARD_KEY_FILE");
    expect(seal.options.find(({ guard }) => guard === "SEAL_GUARD_KEYCHAIN")?.refusal).toMatch(/failed/);
    expect(daemon.logText()).toContain("seal.keychain_passed_over");
    expect((await refusalOf(change(daemon, "KEYCHAIN"))).code).toBe("guard_unavailable");
    keychain.mood = "deaf";
    expect((await refusalOf(change(daemon, "KEYCHAIN"))).code).toBe("guard_unavailable");
    expect(await sealOf(daemon)).toMatchObject({ guard: "SEAL_GUARD_KEY_FILE", fingerprint: seal.fingerprint });
  });
});

const KILLS = IS_DEEP ? 150 : 14;
/** A change takes a few milliseconds, a quarter of a second with a passphrase: kills are spread over all of it. */
const KILL_WITHIN_MS = 320;

test("killed at any moment of a change, the store opens with the old guard or the new one, and nothing is left over", async () => {
  await seeded("seal kills", async (chance) => {
    await using stage = await openOne();
    const { keychain, env } = withKeychain(stage);
    const given = { ...env, ROTOR_PASSPHRASE: PASSPHRASE };
    let daemon = await stage.start({ env: given });
    for (const alias of ["alpha", "beta"]) await daemon.control.importLogin(stage.sim.login(alias), alias);
    for (let kill = 0; kill < KILLS; kill++) {
      const orders = Array.from({ length: 3 }, () => chance.pick(["KEY_FILE", "KEYCHAIN", "PASSPHRASE", "rotate"]));
      // One after the other, cut off wherever they are.
      const running = (async () => {
        for (const order of orders)
          await (order === "rotate" ? daemon.control.call("SealService/RotateDataKey") : change(daemon, order));
      })().catch(() => {});
      await Bun.sleep(chance.between(0, KILL_WITHIN_MS));
      await daemon.kill();
      await running;
      daemon = await stage.start({ env: given });
      expect((await daemon.control.daemon()).state).toBe("DAEMON_STATE_READY");
      await expectLogins(daemon, ["alpha", "beta"]);
      const { guard, fingerprint } = await sealOf(daemon);
      expect(keychain.entries()).toEqual(guard === "SEAL_GUARD_KEYCHAIN" ? [fingerprint!] : []);
      const keyFile = join(daemon.home, "rotor.key");
      const keys = existsSync(keyFile) ? readFileSync(keyFile, "utf8").split("rotor-key-v1").length - 1 : 0;
      expect(keys).toBe(guard === "SEAL_GUARD_KEY_FILE" ? 1 : 0);
    }
    for (const guard of ["PASSPHRASE", "KEYCHAIN", "KEY_FILE"]) {
      await change(daemon, guard);
      expect((await sealOf(daemon)).guard).toBe(`SEAL_GUARD_${guard}`);
      await expectLogins(daemon, ["alpha", "beta"]);
    }
  });
}, 600_000);
