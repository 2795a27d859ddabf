/** The file side of the socket: modes, leftovers, living daemons, and what is not ours to touch. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import net from "node:net";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { AppError } from "../../src/base/errors.ts";
import { listenControl } from "../../src/control/server.ts";
import { type LogLine, OWN_UID, recordingLog, tempFolder } from "./harness.ts";

let folder: string;
let lines: LogLine[];
beforeEach(() => {
  folder = tempFolder();
  lines = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const listen = (path: string, ownUid = OWN_UID) =>
  listenControl({ path, ownUid, routes: () => {}, clock: systemClock, log: recordingLog(lines) });

async function refusalOf(path: string, ownUid = OWN_UID): Promise<AppError> {
  try {
    await (await listen(path, ownUid)).close(0);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(AppError);
    return thrown as AppError;
  }
  throw new Error("the door opened");
}

const modeOf = (path: string) => (lstatSync(path).mode & 0o777).toString(8);

/** A socket file as `kill -9` leaves it: made by a process that is gone. */
function leaveSocket(path: string): void {
  const script = `require("node:net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  Bun.spawnSync([process.execPath, "-e", script]);
  expect(lstatSync(path).isSocket()).toBe(true);
}

test("the folder that it makes is 0700 and the socket 0600, whatever the umask", async () => {
  for (const umask of [0o000, 0o022, 0o077]) {
    const path = join(folder, `umask-${umask}`, "deep", "rotor.sock");
    const before = process.umask(umask);
    const server = await listen(path);
    expect(process.umask(before)).toBe(umask);
    expect(modeOf(path)).toBe("600");
    expect(modeOf(dirname(path))).toBe("700");
    await server.close(0);
    expect(existsSync(path)).toBe(false);
  }
});

test("the socket is 0600 from its first instant", async () => {
  const path = join(folder, "rotor.sock");
  const opening = listen(path);
  // Bound inside the first turn: no other code of this process ran in between, and the mode is already right.
  await Promise.resolve();
  expect(modeOf(path)).toBe("600");
  await (await opening).close(0);
});

test("a folder with nothing but our own files is closed to others", async () => {
  const home = join(folder, "home");
  mkdirSync(home);
  chmodSync(home, 0o777);
  for (const name of ["rotor.db", "rotor.db-wal", "daemon.json", "config.toml"]) writeFileSync(join(home, name), "");
  await (await listen(join(home, "rotor.sock"))).close(0);
  expect(modeOf(home)).toBe("700");
});

test("a folder of others' files keeps its mode: refused when others may write there, else said in the log", async () => {
  const home = join(folder, "home");
  mkdirSync(home);
  writeFileSync(join(home, "letter.txt"), "");
  chmodSync(home, 0o775);
  const error = await refusalOf(join(home, "rotor.sock"));
  expect([error.code, error.hint]).toEqual(["start_failed", `chmod 700 ${home}`]);
  chmodSync(home, 0o755);
  await (await listen(join(home, "rotor.sock"))).close(0);
  expect(modeOf(home)).toBe("755");
  expect(lines.find((line) => line.event === "socket_folder.left_open")?.fields).toEqual({ folder: home, mode: "755" });
});

test("a folder of another user is refused", async () => {
  const error = await refusalOf(join(folder, "rotor.sock"), OWN_UID + 1);
  expect(error.code).toBe("start_failed");
  expect(error.message).toContain("belongs to another user");
});

test("a file where the folder should be is refused", async () => {
  writeFileSync(join(folder, "home"), "");
  expect((await refusalOf(join(folder, "home", "rotor.sock"))).code).toBe("start_failed");
});

test("a socket that a killed daemon left is replaced", async () => {
  const path = join(folder, "rotor.sock");
  leaveSocket(path);
  const server = await listen(path);
  await expect(refusalOf(path)).resolves.toMatchObject({ code: "already_running" });
  await server.close(0);
});

test("a living daemon is respected, and still answers afterwards", async () => {
  const path = join(folder, "rotor.sock");
  const server = await listen(path);
  const { ino } = statSync(path);
  for (let i = 0; i < 3; i++) {
    const error = await refusalOf(path);
    expect([error.code, error.facts.path]).toEqual(["already_running", path]);
  }
  expect(statSync(path).ino).toBe(ino);
  await server.close(0);
});

test("of several that start at once over a leftover, one gets the door", async () => {
  const path = join(folder, "rotor.sock");
  leaveSocket(path);
  const starts = await Promise.allSettled([0, 1, 2, 3].map(() => listen(path)));
  const opened = starts.filter((start) => start.status === "fulfilled").map((start) => start.value);
  expect(opened).toHaveLength(1);
  for (const start of starts) if (start.status === "rejected") expect(start.reason.code).toBe("already_running");
  await opened[0]!.close(0);
});

test("what is not a socket is left as it is", async () => {
  const path = join(folder, "rotor.sock");
  writeFileSync(path, "a letter");
  const error = await refusalOf(path);
  expect([error.code, error.facts.path]).toEqual(["address_in_use", path]);
  expect(readFileSync(path, "utf8")).toBe("a letter");
  rmSync(path);
  symlinkSync(join(folder, "elsewhere"), path);
  expect((await refusalOf(path)).code).toBe("address_in_use");
  expect(lstatSync(path).isSymbolicLink()).toBe(true);
});

test("a daemon that is stopped, its queue full, is a living one", async () => {
  const path = join(folder, "rotor.sock");
  const script = `require("node:net").createServer().listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => console.log("up"))`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
  await child.stdout.getReader().read();
  child.kill("SIGSTOP");
  const queued = Array.from({ length: 8 }, () => net.connect(path).on("error", () => {}));
  try {
    expect((await refusalOf(path)).code).toBe("already_running");
    expect(lstatSync(path).isSocket()).toBe(true);
  } finally {
    for (const socket of queued) socket.destroy();
    child.kill("SIGKILL");
    await child.exited;
  }
});
