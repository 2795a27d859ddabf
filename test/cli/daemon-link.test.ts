/** Which daemon is found, and what is said when none is. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import http2 from "node:http2";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { lastWords } from "../../src/cli/daemon-start.ts";
import { isAlive } from "../../src/cli/process-table.ts";
import type { DaemonFacts } from "../../src/control/daemon-facts.ts";
import { createFakeFacts, type Door, openDoor } from "../control/harness.ts";
import { accountOf } from "../support/fake-engine.ts";
import { runIn, tempHome } from "./harness.ts";

let home: string;
const doors: Door[] = [];
beforeEach(() => {
  home = tempHome();
});
afterEach(async () => {
  for (const door of doors.splice(0)) await door.close();
  rmSync(home, { recursive: true, force: true });
});

/** A daemon that says that it owns `dataDir`, with one account called `alias`. */
async function daemonOf(dataDir: string, alias: string): Promise<Door> {
  const base = createFakeFacts("");
  const facts: DaemonFacts = { ...base, snapshot: () => ({ ...base.snapshot(), dataDir }) };
  const door = await openDoor({ deps: { facts } });
  door.engine.put(accountOf(alias));
  doors.push(door);
  return door;
}

function folder(name: string): string {
  const path = join(home, name);
  mkdirSync(path, { recursive: true });
  return path;
}

function leaveTrace(dataDir: string, socket: string): void {
  writeFileSync(join(dataDir, "daemon.json"), JSON.stringify({ pid: 1, version: "0.1.0", socket, proxy_url: null }));
}

const list = (env: Record<string, string>, ...more: string[]) =>
  runIn(home, { env }, ["account", "list", "--no-start", ...more]);

test("daemon.json leads to the daemon, whatever socket the environment would give", async () => {
  const data = folder("a");
  leaveTrace(data, (await daemonOf(data, "mine")).path);
  expect((await list({ ROTOR_HOME: data })).out).toContain("mine");
});

test("cron: neither HOME nor XDG_RUNTIME_DIR, the password file's home is enough", async () => {
  const data = folder(".local/share/rotor");
  leaveTrace(data, (await daemonOf(data, "mine")).path);
  expect((await list({ PATH: "/usr/bin:/bin" })).out).toContain("mine");
});

test("two homes never mix: each finds its own daemon", async () => {
  for (const name of ["a", "b"]) leaveTrace(folder(name), (await daemonOf(folder(name), `of-${name}`)).path);
  for (const name of ["a", "b"]) expect((await list({ ROTOR_HOME: join(home, name) })).out).toContain(`of-${name}`);
});

test("a copied data folder does not steer the original's daemon", async () => {
  const original = folder("a");
  const copy = folder("b");
  leaveTrace(copy, (await daemonOf(original, "of-a")).path);
  const { exit, err, out } = await list({ ROTOR_HOME: copy });
  expect({ exit, out }).toEqual({ exit: 3, out: "" });
  expect(err).toContain(`no daemon runs for ${copy}`);
});

test("a socket of another installation is named, not used", async () => {
  const data = folder("a");
  const theirs = folder("theirs");
  const door = await daemonOf(theirs, "theirs");
  const { exit, err } = await runIn(home, { env: { XDG_DATA_HOME: data, XDG_RUNTIME_DIR: folder("run") } }, ["status"]);
  expect({ exit, err: err.split("\n")[0] }).toEqual({ exit: 3, err: `rotor status: no daemon runs for ${data}/rotor` });
  const link = folder("run/rotor");
  const { symlinkSync } = await import("node:fs");
  symlinkSync(door.path, join(link, "rotor.sock"));
  const mixed = await runIn(home, { env: { XDG_DATA_HOME: data, XDG_RUNTIME_DIR: folder("run") } }, ["status"]);
  expect(mixed.exit).toBe(3);
  expect(mixed.err).toContain(`belongs to ${theirs}, not to ${data}/rotor`);
});

test("a trace of a dead daemon is passed over", async () => {
  const data = folder("a");
  leaveTrace(data, join(home, "gone.sock"));
  const { exit, err } = await list({ ROTOR_HOME: data }, "--json");
  expect(exit).toBe(3);
  expect(JSON.parse(err)).toEqual({
    error: { code: "daemon_unreachable", message: `no daemon runs for ${data}`, hint: "rotor up", retry_time: null },
  });
  writeFileSync(join(data, "daemon.json"), "{ not json");
  expect((await list({ ROTOR_HOME: data })).exit).toBe(3);
});

test("a socket that we may not open says whose it is", async () => {
  if (process.getuid!() === 0) return;
  const locked = folder("locked");
  const door = await daemonOf(locked, "x");
  chmodSync(door.folder, 0o000);
  const { exit, err } = await list({ ROTOR_SOCKET: door.path });
  chmodSync(door.folder, 0o700);
  expect(exit).toBe(5);
  expect(err).toContain("belongs to another");
});

test("something else on the socket is no daemon", async () => {
  const path = join(home, "other.sock");
  const server: Server = createServer((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const { exit } = await list({ ROTOR_SOCKET: path });
  server.close();
  expect(exit).toBe(3);
});

test("a daemon that ends while it is asked was never there, however its connection ends", async () => {
  for (const end of ["destroy", "end"] as const) {
    const path = join(home, `${end}.sock`);
    const h2 = http2.createServer();
    h2.on("session", (session) => session.on("error", () => {}));
    const server: Server = createServer((socket) => {
      h2.on("stream", (stream) => {
        stream.on("error", () => {});
        server.close();
        socket[end]();
      });
      h2.emit("connection", socket);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const { exit, err } = await list({ ROTOR_SOCKET: path });
    expect({ end, exit, err }).toMatchObject({ end, exit: 3, err: expect.stringContaining("no daemon runs") });
  }
});

test("a start that fails says the daemon's own reason", async () => {
  const env = { ROTOR_HOME: folder("a") };
  const script = join(home, "fail.sh");
  writeFileSync(
    script,
    `#!/bin/sh\necho '{"level":"error","event":"daemon.not_started","error":{"message":"config.toml, line 3: no"}}'\nexit 2\n`,
    { mode: 0o755 },
  );
  const run = await runIn(home, { env, selfCommand: { command: script, args: [] } }, ["account", "list"]);
  expect(run).toEqual({
    out: "",
    err: "rotor account list: the daemon did not start: config.toml, line 3: no\n  try: rotor log\n",
    exit: 3,
  });
});

test("a program that cannot be run at all says so", async () => {
  const run = await runIn(home, { env: { ROTOR_HOME: folder("a") } }, ["account", "list", "--json"]);
  expect(run.exit).toBe(3);
  expect(JSON.parse(run.err).error.code).toBe("start_failed");
});

test("last words: the error line of the log, or the bare text of a crash", () => {
  const log = join(home, "log");
  const write = (text: string) => writeFileSync(log, text);
  write('old line\n{"level":"info","event":"daemon.started"}\n');
  expect(lastWords(log, "old line\n".length)).toBeNull();
  write("12 | source\nerror: Cannot find module 'x'\n\nBun v1\n");
  expect(lastWords(log, 0)).toBe("error: Cannot find module 'x'");
  expect(lastWords(join(home, "absent"), 0)).toBeNull();
});

test("of several that write at once, the one that we started says why it did not start", () => {
  const log = join(home, "log");
  const line = (pid: number, message: string) =>
    `{"level":"error","event":"daemon.not_started","pid":${pid},"error":{"message":"${message}"}}\n`;
  writeFileSync(log, line(7, "the port is taken") + line(8, "another daemon serves this folder"));
  expect(lastWords(log, 0, 7)).toBe("the port is taken");
  expect(lastWords(log, 0, 9)).toBe("another daemon serves this folder");
});

test("whoever was faster and failed leaves the folder to us: its failure is not ours to report", async () => {
  const script = join(home, "rotor.sh");
  // The first one finds the folder taken; by the second look its holder has given up.
  writeFileSync(
    script,
    `#!/bin/sh
say() { echo "{\\"level\\":\\"error\\",\\"event\\":\\"daemon.not_started\\",\\"pid\\":$$,\\"error\\":{\\"message\\":\\"$1\\"}}"; }
if [ ! -e '${home}/tried' ]; then touch '${home}/tried'; say 'another daemon serves this data folder'; exit 5; fi
say 'config.toml, line 3: no'; exit 2
`,
    { mode: 0o755 },
  );
  const selfCommand = { command: script, args: [] };
  const run = await runIn(home, { env: { ROTOR_HOME: folder("a") }, selfCommand }, ["account", "list"]);
  expect(run.exit).toBe(3);
  expect(run.err).toContain("the daemon did not start: config.toml, line 3: no");
});

test("a start that finds another daemon in its place takes its own back: it would come up after the other's end", async () => {
  const path = join(home, "rotor.sock");
  const next = await stoppable(join(home, "next.sock"), process.pid, () => {});
  next.engine.put(accountOf("theirs"));
  // The other one stands there as soon as ours has been started, and ours is slow.
  const script = join(home, "rotor.sh");
  writeFileSync(script, `#!/bin/sh\necho $$ > '${home}/pid'\nmv '${home}/next.sock' '${path}'\nexec sleep 600\n`, {
    mode: 0o755,
  });
  const env = { ROTOR_SOCKET: path, ROTOR_HOME: folder("a") };
  const run = await runIn(home, { env, selfCommand: { command: script, args: [] } }, ["account", "list"]);
  expect(run).toMatchObject({ exit: 0, out: expect.stringContaining("theirs") });
  const pid = Number(readFileSync(join(home, "pid"), "utf8"));
  while (isAlive(pid)) await Bun.sleep(5);
});

/** A process that has ended. */
const gonePid = () => Bun.spawnSync(["true"]).pid;

/** A daemon with a pid of its own choosing; `onStop` is what it does when it is asked to stop. */
async function stoppable(path: string, pid: number, onStop: () => void): Promise<Door> {
  const base = createFakeFacts(path);
  const facts: DaemonFacts = { ...base, snapshot: () => ({ ...base.snapshot(), pid }), stop: onStop };
  const door = await openDoor({ options: { path }, deps: { facts } });
  doors.push(door);
  return door;
}

test("down: another daemon that came up on the socket meanwhile is not the one that was to end", async () => {
  const path = join(home, "rotor.sock");
  const next = await stoppable(join(home, "next.sock"), process.pid, () => {});
  const first = await stoppable(path, gonePid(), () => {
    renameSync(join(home, "next.sock"), path);
    void first.server.close(0);
  });
  const { exit, err } = await runIn(home, { env: { ROTOR_SOCKET: path } }, ["down"]);
  expect({ exit, err }).toEqual({ exit: 0, err: expect.stringContaining("stopped the daemon") });
  expect(next.facts.stops()).toBe(0);
});

test("down: a daemon that is gone before it has answered has stopped", async () => {
  const path = join(home, "cut.sock");
  const clients = new Set<Socket>();
  // Between ctl and daemon, to be cut in the moment in which the order has arrived.
  const server: Server = createServer((client) => {
    clients.add(client);
    const daemon = connect(join(home, "real.sock"));
    for (const one of [client, daemon]) one.on("error", () => {});
    client.pipe(daemon).pipe(client);
  });
  const door = await stoppable(join(home, "real.sock"), gonePid(), () => {
    server.close();
    void door.server.close(0);
    for (const client of clients) client.destroy();
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const { exit, err } = await runIn(home, { env: { ROTOR_SOCKET: path } }, ["down"]);
  expect({ exit, err }).toEqual({ exit: 0, err: expect.stringContaining("stopped the daemon") });
});
