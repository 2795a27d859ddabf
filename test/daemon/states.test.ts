/**
 * What the daemon is when something of it is broken (contracts §11): up and saying so wherever it can, and gone with a code and a sentence
 * where it cannot. Nothing that was there is lost by it.
 */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createProxyClient, DRESSES, speakerOf } from "./support/client.ts";
import type { ControlError } from "./support/control.ts";
import { runCtl } from "./support/ctl.ts";
import type { DaemonProcess } from "./support/daemon-process.ts";
import { openStage, type Stage } from "./support/stage.ts";

/** A home that served already: an account, a key, an exchange, and a daemon that ended in order. */
async function livedIn(stage: Stage): Promise<{ home: string; key: string }> {
  const daemon = await stage.start();
  await daemon.control.importLogin(stage.sim.accounts[0], "alpha");
  const key = await daemon.control.createKey("test");
  await createProxyClient(daemon.proxyUrl, key).ask("codex");
  await daemon.terminate();
  return { home: daemon.home, key };
}

const openOne = () => openStage({ accounts: [{ alias: "alpha" }] });

/** What a daemon in any state but `ready` does: it answers for itself, refuses the rest, and tells every client with a 400. */
async function expectStanding(
  daemon: DaemonProcess,
  state: string,
  reason: RegExp,
  key: string,
  stage: Stage,
): Promise<void> {
  const about = await daemon.control.daemon();
  expect(about.state).toBe(`DAEMON_STATE_${state.toUpperCase()}`);
  const code = state === "locked" ? "store_locked" : "not_ready";
  expect(about.stateReason).toMatch(reason);
  for (const method of [
    "AccountService/ListAccounts",
    "TransferService/ImportAccounts",
    "PoolService/GetPool",
    "PoolService/ExplainSelection",
    "ExchangeService/ListExchanges",
    "KeyService/ListKeys",
    "KeyService/CreateKey",
    "SettingService/ListSettings",
  ]) {
    const refused: ControlError = await daemon.control.call(method).then(
      () => expect.unreachable(`${method} answered`),
      (error) => error,
    );
    expect(`${method} ${refused.code} ${refused.connectCode}`).toBe(`${method} ${code} failed_precondition`);
    expect(refused.message).toMatch(reason);
    if (state === "locked") expect(refused.hint).toBe("rotor seal unlock");
  }
  const { findings } = await daemon.control.call<{ findings: { check: string; level: string }[] }>(
    "DaemonService/RunDiagnostics",
  );
  expect(findings.find(({ check }) => check === "daemon.state")?.level).toBe("FINDING_LEVEL_ERROR");
  const client = createProxyClient(daemon.proxyUrl, key);
  for (const dress of DRESSES) {
    const received = await client.ask(dress);
    expect(received.status).toBe(400);
    const { error } = JSON.parse(received.text) as { error: { code: string; message: string } };
    expect(error.code).toBe(code);
    expect(error.message).toMatch(reason);
  }
  expect((await client.get("/health")).status).toBe(200);
  const ready = await client.get("/ready");
  expect(ready.status).toBe(503);
  expect(JSON.parse(ready.text)).toMatchObject({ status: state });
  const status = await runCtl(["status"], stage.env());
  expect(status.exit).toBe(0);
  expect(status.stdout).toContain(state);
  expect((await runCtl(["doctor", "--json"], stage.env())).exit).not.toBe(0);
  expect(stage.sim.requests().filter(({ atMs }) => atMs > Date.parse(startOf(daemon)))).toEqual([]);
  expect(await daemon.terminate()).toBe(0);
}

/** When the daemon logged its start. */
function startOf(daemon: DaemonProcess): string {
  const line = daemon
    .logText()
    .split("\n")
    .find((text) => text.includes('"daemon.started"'));
  return (JSON.parse(line!) as { time: string }).time;
}

describe("a store that cannot be used leaves the daemon up, and saying so", () => {
  test("damaged: not a database any more", async () => {
    await using stage = await openOne();
    const { home, key } = await livedIn(stage);
    const database = join(home, "rotor.db");
    const bytes = readFileSync(database);
    bytes.fill(0x58, 0, 4_096);
    writeFileSync(database, bytes);
    await expectStanding(await stage.start(), "damaged", /damaged/, key, stage);
    // Set aside or left: never overwritten by an empty one.
    expect(Buffer.compare(readFileSync(database), bytes)).toBe(0);
  });

  test("damaged: cut to nothing", async () => {
    await using stage = await openOne();
    const { home, key } = await livedIn(stage);
    truncateSync(join(home, "rotor.db"), 0);
    for (const ending of ["-wal", "-shm"]) rmSync(join(home, `rotor.db${ending}`), { force: true });
    await expectStanding(await stage.start(), "damaged", /empty/, key, stage);
  });

  test("damaged: the pages of its tables overwritten", async () => {
    await using stage = await openOne();
    const { home, key } = await livedIn(stage);
    const database = join(home, "rotor.db");
    const bytes = readFileSync(database);
    bytes.fill(0xff, 4_096);
    writeFileSync(database, bytes);
    await expectStanding(await stage.start(), "damaged", /damaged/, key, stage);
  });

  test("written by a newer Rotor", async () => {
    await using stage = await openOne();
    const { home, key } = await livedIn(stage);
    const database = new Database(join(home, "rotor.db"));
    database.run("PRAGMA user_version = 4711");
    database.close();
    const daemon = await stage.start();
    await expectStanding(daemon, "damaged", /newer/, key, stage);
  });

  test("locked: the key file is missing, and back again", async () => {
    await using stage = await openOne();
    const { home, key } = await livedIn(stage);
    const keyFile = join(home, "rotor.key");
    copyFileSync(keyFile, join(stage.folder, "kept.key"));
    rmSync(keyFile);
    await expectStanding(await stage.start(), "locked", /rotor\.key is missing/, key, stage);
    expect(existsSync(keyFile)).toBe(false);
    copyFileSync(join(stage.folder, "kept.key"), keyFile);
    const mended = await stage.start();
    expect(speakerOf((await createProxyClient(mended.proxyUrl, key).ask("codex")).text)).toBe("alpha");
  });

  test("locked: the key file of another installation", async () => {
    await using stage = await openOne();
    const { home, key } = await livedIn(stage);
    const stranger = await stage.start({ home: "stranger" });
    await stranger.control.importLogin(stage.sim.login("alpha"), "alpha");
    await stranger.terminate();
    copyFileSync(join(stranger.home, "rotor.key"), join(home, "rotor.key"));
    await expectStanding(await stage.start(), "locked", /not the one/, key, stage);
  });
});

describe("what keeps a daemon from starting is said in words, with a code", () => {
  interface Refusal {
    readonly exit: number;
    readonly error: { readonly code: string; readonly message: string };
  }

  async function refusal(stage: Stage, args = ["--foreground", "--port", "0"]): Promise<Refusal> {
    const spawned = stage.spawn({ args });
    const exit = await spawned.exited;
    const lines = (await spawned.stderr()).trim().split("\n");
    const last = JSON.parse(lines.at(-1)!) as { event: string; error: Refusal["error"] };
    expect(last.event).toBe("daemon.not_started");
    return { exit, error: last.error };
  }

  test("the port is taken", async () => {
    await using stage = await openOne();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    const { exit, error } = await refusal(stage, ["--foreground", "--port", String(port)]);
    expect(exit).toBe(1);
    expect(error.code).toBe("address_in_use");
    expect(error.message).toContain(String(port));
    const up = await runCtl(["up", "--port", String(port), "--json"], stage.env());
    expect(up.exit).toBe(3);
    expect(up.stderr).toContain(String(port));
    taken.close();
    // Nothing of the failed start is in the way of the next.
    expect((await (await stage.start()).control.daemon()).state).toBe("DAEMON_STATE_READY");
  });

  test("a config that cannot be read names its file and line", async () => {
    await using stage = await openOne();
    const config = join(stage.home(), "config.toml");
    for (const [text, line] of [
      ["[proxy]\nport = 0\nhost = [\n", /line [34]/],
      ["[proxy]\n\nprot = 4747\n", /line 3.*prot/],
      ["# ours\n[proxi]\nport = 1\n", /line 2.*proxi/],
      ['[proxy]\nport = "any"\n', /proxy\.port must be a whole number/],
    ] as const) {
      writeFileSync(config, text);
      const { exit, error } = await refusal(stage);
      expect(`${exit} ${error.code}`).toBe("2 config_invalid");
      expect(error.message).toContain(config);
      expect(error.message).toMatch(line);
    }
  });

  test("arguments that mean nothing", async () => {
    await using stage = await openOne();
    for (const args of [
      ["--port", "seventy"],
      ["--prot", "1"],
    ]) {
      const { exit, error } = await refusal(stage, args);
      expect(`${exit} ${error.code}`).toBe("2 bad_usage");
    }
  });

  test("the socket's path is taken by a file that is no socket, which stays", async () => {
    await using stage = await openOne();
    const path = join(stage.home(), "rotor.sock");
    writeFileSync(path, "precious");
    const { exit, error } = await refusal(stage);
    expect(`${exit} ${error.code}`).toBe("1 address_in_use");
    expect(readFileSync(path, "utf8")).toBe("precious");
  });

  /** Daemon and ctl name the place, and blame nothing else. */
  async function expectPlaceNamed(stage: Stage, home: string, more: Record<string, string> = {}): Promise<void> {
    const env = { ...stage.env(), ...more, ROTOR_HOME: home };
    const spawned = stage.spawn({ env, args: ["--foreground", "--port", "0"] });
    expect(await spawned.exited).toBeGreaterThan(0);
    const said = await spawned.stderr();
    expect(said).toContain(home);
    expect(said).not.toContain('"internal"');
    const up = await runCtl(["up", "--json"], env);
    expect(up.exit).toBe(3);
    const { error } = JSON.parse(up.stderr) as { error: { code: string; message: string } };
    expect(error.code).toBe("start_failed");
    expect(error.message).toContain(home);
  }

  test("a data folder that is a file", async () => {
    await using stage = await openOne();
    const home = join(stage.folder, "blocked");
    writeFileSync(home, "");
    await expectPlaceNamed(stage, home);
  });

  test.skipIf(process.platform !== "linux")("a data folder that nobody can make", async () => {
    await using stage = await openOne();
    await expectPlaceNamed(stage, "/proc/rotor");
  });

  // Root writes everywhere, whatever the mode says.
  test.skipIf(process.getuid?.() === 0)("a data folder that may only be read", async () => {
    await using stage = await openOne();
    const { home } = await livedIn(stage);
    chmodSync(home, 0o500);
    try {
      await expectPlaceNamed(stage, home);
      await expectPlaceNamed(stage, home, { ROTOR_LOG_FILE: join(stage.folder, "rotor.log") });
    } finally {
      chmodSync(home, 0o700);
    }
  });

  test("folders and files that others may read are closed to them at the start", async () => {
    await using stage = await openOne();
    const { home } = await livedIn(stage);
    for (const name of ["rotor.db", "rotor.key"]) chmodSync(join(home, name), 0o644);
    chmodSync(home, 0o755);
    await stage.start();
    for (const name of ["", "rotor.db", "rotor.key", "rotor.sock", "rotor.log", "daemon.json"]) {
      expect(`${name} ${(statSync(join(home, name)).mode & 0o077).toString(8)}`).toBe(`${name} 0`);
    }
  });
});
