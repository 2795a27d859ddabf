/**
 * Several installations side by side, and how a ctl finds the right daemon from environments that know less than the one that started it
 * (contracts §10, §12): cron, ssh, several ctl at once, and what a kill -9 left behind.
 */
import { describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createProxyClient, speakerOf } from "./support/client.ts";
import { pidOfStatus, runCtl } from "./support/ctl.ts";
import { readDaemonFile } from "./support/daemon-process.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until } from "./support/until.ts";

const modeOf = (path: string) => (lstatSync(path).mode & 0o777).toString(8);

/** A daemon that a ctl starts takes its port from the config: never the default one in a test. */
function withAnyPort(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, "config.toml"), "[proxy]\nport = 0\n");
  return folder;
}

const upstreamOf = (stage: Stage) => ({
  ROTOR_UPSTREAM_BASE_URL: stage.sim.url,
  ROTOR_UPSTREAM_ISSUER: stage.sim.issuer,
  ROTOR_SEAL_GUARD: "key_file",
  ROTOR_SETTING_USAGE_POLL: "off",
});

test("two homes: two daemons, each with its own accounts, keys and sockets", async () => {
  await using stage = await openStage({ accounts: [{ alias: "left" }, { alias: "right" }] });
  const names = ["left", "right"] as const;
  const daemons = await Promise.all(names.map((home) => stage.start({ home })));
  const keys = await Promise.all(
    daemons.map(async ({ control }, i) => {
      await control.importLogin(stage.sim.accounts[i], names[i]!);
      return control.createKey("test");
    }),
  );
  for (const [i, { proxyUrl, home, pid, socket }] of daemons.entries()) {
    const listed = await runCtl(["account", "list", "--json"], stage.env({ home: names[i]! }));
    expect((JSON.parse(listed.stdout) as { accounts: { alias: string }[] }).accounts.map(({ alias }) => alias)).toEqual(
      [names[i]!],
    );
    expect(await pidOfStatus({ ROTOR_HOME: home })).toBe(pid);
    expect(speakerOf((await createProxyClient(proxyUrl, keys[i]!).ask("codex")).text)).toBe(names[i]!);
    expect((await createProxyClient(proxyUrl, keys[1 - i]!).ask("sdk")).status).toBe(401);
    expect([modeOf(home), modeOf(socket), modeOf(join(home, "daemon.json")), modeOf(join(home, "rotor.db"))]).toEqual([
      "700",
      "600",
      "600",
      "600",
    ]);
  }
  // The end of one is nothing to the other.
  expect((await runCtl(["down"], stage.env({ home: "left" }))).exit).toBe(0);
  expect(await daemons[0]!.exited).toBe(0);
  expect(await pidOfStatus(stage.env({ home: "left" }))).toBeNull();
  expect(await pidOfStatus(stage.env({ home: "right" }))).toBe(daemons[1]!.pid);
});

describe("a ctl finds the daemon from an environment that knows less", () => {
  test("cron: nothing but PATH and ROTOR_HOME; no HOME", async () => {
    await using stage = await openStage({ accounts: [] });
    const { pid, home } = await stage.start();
    expect(await pidOfStatus({ PATH: "/usr/bin:/bin", ROTOR_HOME: home })).toBe(pid);
    expect(await pidOfStatus({ ROTOR_HOME: home })).toBe(pid);
    // A folder by another of its names is the same folder.
    expect(await pidOfStatus({ ROTOR_HOME: `${home}/../home/` })).toBe(pid);
  });

  test("cron: HOME alone, for a daemon that was started with a runtime folder", async () => {
    await using stage = await openStage({ accounts: [] });
    const HOME = stage.folder;
    const runtime = join(stage.folder, "runtime");
    mkdirSync(runtime, { mode: 0o700 });
    withAnyPort(join(HOME, ".config", "rotor"));
    const data = join(HOME, ".local", "share", "rotor");
    const daemon = await stage.startIn(data, { HOME, XDG_RUNTIME_DIR: runtime, ...upstreamOf(stage) });
    expect(daemon.socket).toBe(join(runtime, "rotor", "rotor.sock"));
    expect(modeOf(dirname(daemon.socket))).toBe("700");
    expect(await pidOfStatus({ PATH: "/usr/bin:/bin", HOME })).toBe(daemon.pid);
    expect(await pidOfStatus({ HOME, XDG_RUNTIME_DIR: join(stage.folder, "another") })).toBe(daemon.pid);
  });

  test("ssh: a runtime folder, for a daemon that was started without one", async () => {
    await using stage = await openStage({ accounts: [] });
    const HOME = stage.folder;
    withAnyPort(join(HOME, ".config", "rotor"));
    const daemon = await stage.startIn(join(HOME, ".local", "share", "rotor"), { HOME, ...upstreamOf(stage) });
    expect(await pidOfStatus({ HOME, XDG_RUNTIME_DIR: stage.home("runtime") })).toBe(daemon.pid);
    // Another data folder is another installation, whatever else is the same.
    expect(await pidOfStatus({ HOME, XDG_DATA_HOME: stage.home("data") })).toBeNull();
  });

  test("no HOME at all: the password file knows it", async () => {
    const { exit, stdout } = await runCtl(["path", "data"], { PATH: "/usr/bin:/bin" });
    expect(exit).toBe(0);
    // The shell looks it up in the password file too; this process would answer with its own HOME.
    const home = execFileSync("sh", ["-c", "eval echo ~$(id -un)"], { encoding: "utf8" }).trim();
    expect(stdout).toStartWith(home);
  });

  test("a home so deep that no socket fits into it", async () => {
    await using stage = await openStage({ accounts: [] });
    const { pid, socket, home } = await stage.start({ home: join("d".repeat(60), "e".repeat(60)) });
    expect(socket).not.toStartWith(home);
    expect(modeOf(dirname(socket))).toBe("700");
    expect(await pidOfStatus({ ROTOR_HOME: home })).toBe(pid);
    // The only thing that is not in the stage's folder.
    rmSync(dirname(socket), { recursive: true });
  });
});

describe("a second daemon", () => {
  test("on the same folder refuses and names the first, which goes on", async () => {
    await using stage = await openStage({ accounts: [] });
    const first = await stage.start();
    const environments: Record<string, string>[] = [{}, { ROTOR_SOCKET: join(stage.folder, "other.sock") }];
    for (const env of environments) {
      const second = stage.spawn({ env, args: ["--foreground", "--port", "0"] });
      expect(await second.exited).toBe(5);
      const said = await second.stderr();
      expect(said).toContain("already_running");
      expect(said).toContain(String(first.pid));
    }
    expect((await first.control.daemon()).pid).toBe(String(first.pid));
    expect(readDaemonFile(first.home)?.pid).toBe(first.pid);
    const up = await runCtl(["up", "--json"], stage.env());
    expect((JSON.parse(up.stdout) as { daemon: { pid: string } }).daemon.pid).toBe(String(first.pid));
    expect((await runCtl(["up", "--port", "0"], stage.env())).exit).toBe(5);
  });

  test("on another folder but the same socket refuses, and leaves the socket alone", async () => {
    await using stage = await openStage({ accounts: [] });
    const first = await stage.start();
    const second = stage.spawn({
      home: "other",
      env: { ROTOR_SOCKET: first.socket },
      args: ["--foreground", "--port", "0"],
    });
    expect(await second.exited).toBe(5);
    expect(await second.stderr()).toContain("already_running");
    expect((await first.control.daemon()).pid).toBe(String(first.pid));
    // And a ctl of the other folder does not take it for its own.
    expect((await runCtl(["status"], { ROTOR_HOME: stage.home("other"), ROTOR_SOCKET: "" })).exit).toBe(3);
  });
});

describe("what a kill -9 left behind", () => {
  test("socket and daemon.json of a dead daemon: found out, and in nobody's way", async () => {
    await using stage = await openStage({ accounts: [] });
    const first = await stage.start();
    await first.kill();
    expect(statSync(first.socket).isSocket()).toBe(true);
    expect(readDaemonFile(first.home)?.pid).toBe(first.pid);
    expect(await pidOfStatus(stage.env())).toBeNull();
    const second = await stage.start();
    expect(await pidOfStatus(stage.env())).toBe(second.pid);
    expect(modeOf(second.socket)).toBe("600");
  });

  test("a daemon.json that names a process of somebody else", async () => {
    await using stage = await openStage({ accounts: [] });
    const first = await stage.start();
    const file = readDaemonFile(first.home)!;
    await first.kill();
    writeFileSync(join(first.home, "daemon.json"), JSON.stringify({ ...file, pid: process.pid }));
    expect(await pidOfStatus(stage.env())).toBeNull();
    expect((await runCtl(["down"], stage.env())).exit).toBe(0);
    const second = await stage.start();
    expect(readDaemonFile(first.home)?.pid).toBe(second.pid);
  });

  test("a daemon.json that is half written", async () => {
    await using stage = await openStage({ accounts: [] });
    const daemon = await stage.start();
    writeFileSync(join(daemon.home, "daemon.json"), '{"pid": 12');
    expect(await pidOfStatus(stage.env())).toBe(daemon.pid);
  });
});

describe("a daemon on demand", () => {
  const startsOf = (home: string) =>
    readFileSync(join(home, "rotor.log"), "utf8").split('"event":"daemon.started"').length - 1;

  test("many ctl at once start exactly one, and all of them are served", async () => {
    await using stage = await openStage({ accounts: [] });
    const home = withAnyPort(stage.home());
    const asked = await Promise.all(
      Array.from({ length: 6 }, () => runCtl(["account", "list", "--json"], stage.env())),
    );
    expect(asked.map(({ exit, stderr }) => `${exit} ${stderr}`)).toEqual(Array(6).fill("0 "));
    expect(startsOf(home)).toBe(1);
    const pid = await pidOfStatus(stage.env());
    expect(readDaemonFile(home)?.pid).toBe(pid!);
    expect((await runCtl(["down"], stage.env())).exit).toBe(0);
    await until(() => readDaemonFile(home) === null, "the end of the daemon's file");
  });

  test("--no-start, and commands that start nothing: exit 3, and nothing runs", async () => {
    await using stage = await openStage({ accounts: [] });
    const home = withAnyPort(stage.home());
    for (const args of [["account", "list", "--no-start"], ["status"]]) {
      const { exit, stderr } = await runCtl([...args, "--json"], stage.env());
      expect(exit).toBe(3);
      expect((JSON.parse(stderr) as { error: { code: string } }).error.code).toBe("daemon_unreachable");
    }
    expect((await runCtl(["down"], stage.env())).exit).toBe(0);
    expect(readDaemonFile(home)).toBeNull();
  });

  test("after a kill -9 the next command has its answer from a new one", async () => {
    await using stage = await openStage({ accounts: [{ alias: "alpha" }] });
    withAnyPort(stage.home());
    const first = await stage.start();
    await first.control.importLogin(stage.sim.accounts[0], "alpha");
    await first.kill();
    const { exit, stdout } = await runCtl(["account", "list", "--json"], stage.env());
    expect(exit).toBe(0);
    expect((JSON.parse(stdout) as { accounts: { alias: string }[] }).accounts[0]?.alias).toBe("alpha");
    expect(await pidOfStatus(stage.env())).not.toBe(first.pid);
  });
});
