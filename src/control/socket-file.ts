/**
 * The file side of the control socket: its folder, what already lies at its path, and binding without a moment in which
 * others could connect. Removes nothing but a socket that nobody answers on.
 */
import { chmodSync, lstatSync, mkdirSync, readdirSync, type Stats, statSync, unlinkSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";

/** A living daemon accepts within microseconds; one that does not within 2 s is stuck, not gone. */
const PROBE_MS = 2_000;
const OTHERS_ANY = 0o077;
const OTHERS_WRITE = 0o022;

/**
 * Makes sure that the folder of the socket is there and ours alone. A folder that we make is 0700. One that was there must be
 * owned by `ownUid`; when it holds nothing but Rotor's own files it is closed to others, otherwise (a home, `/run`) its mode is not
 * ours to change: it is refused when others may write in it, because they could put their own socket in our place.
 */
export function prepareFolder(folder: string, ownUid: number, log: Log): void {
  const made = makeFolder(folder);
  const facts = statSync(folder);
  if (process.platform === "win32") return;
  if (made !== undefined) chmodSync(folder, 0o700);
  if (facts.uid !== ownUid)
    throw refusal(
      `${folder} belongs to another user (uid ${facts.uid})`,
      "set ROTOR_SOCKET to a path in a folder of yours",
    );
  if (made !== undefined || (facts.mode & OTHERS_ANY) === 0) return;
  if (holdsOnlyOurs(folder)) {
    chmodSync(folder, 0o700);
    log.info("socket_folder.closed_to_others", { folder });
  } else if (facts.mode & OTHERS_WRITE) {
    throw refusal(`others may write in ${folder}, the folder of the control socket`, `chmod 700 ${folder}`);
  } else {
    log.warn("socket_folder.left_open", { folder, mode: (facts.mode & 0o777).toString(8) });
  }
}

/** The topmost folder that had to be made; undefined when all were there. */
function makeFolder(folder: string): string | undefined {
  try {
    return mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    const hint = "set ROTOR_SOCKET to another path";
    throw new AppError("start_failed", `the folder ${folder} cannot be made`, { facts: { folder }, hint, cause });
  }
}

/** Names that Rotor gives its files (base/paths.ts): `rotor.db`, `rotor.sock`, `rotor.lock` … */
function holdsOnlyOurs(folder: string): boolean {
  return readdirSync(folder).every((name) => /^(rotor\..*|daemon\.json|config\.toml|run|logs)$/.test(name));
}

/**
 * Clears the way at `path`. Nothing there: fine. A socket that nobody answers on is left over from a daemon that was killed, and goes.
 * A living one stays: `already_running`. Anything else is not ours to remove: `address_in_use`.
 */
export async function claimPath(path: string, clock: Clock): Promise<void> {
  const before = lstatOrNull(path);
  if (before === null) return;
  if (!before.isSocket()) {
    throw new AppError("address_in_use", `${path} exists and is not a socket`, {
      facts: { path },
      hint: "move that file away, or set ROTOR_SOCKET to another path",
    });
  }
  if (await isAnswered(path, clock)) {
    throw new AppError("already_running", `a daemon already answers at ${path}`, { facts: { path } });
  }
  // Between the probe and now another daemon may have replaced the same leftover: its socket has another inode.
  const now = lstatOrNull(path);
  if (now !== null && now.ino === before.ino && now.ctimeMs === before.ctimeMs) unlinkSync(path);
}

/** Binds under umask 0177, so that the socket is 0600 from its first instant: chmod afterwards would leave a gap. */
export async function bindPrivately(server: Server, path: string): Promise<void> {
  const listening = new Promise<void>((resolve, reject) => {
    server.once("listening", resolve);
    server.once("error", reject);
  });
  const umask = process.umask(0o177);
  try {
    // bind(2) runs inside this call (Bun 1.4.5 and Node): no other file of this process is made under the narrow umask.
    server.listen(path);
  } finally {
    process.umask(umask);
  }
  try {
    await listening;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE")
      throw new AppError("start_failed", `the control socket cannot be opened at ${path}`, { facts: { path }, cause });
    throw new AppError("already_running", `another daemon opened ${path} at the same moment`, {
      facts: { path },
      cause,
    });
  }
  if (process.platform === "win32") return;
  const mode = lstatSync(path).mode & 0o777;
  if (mode === 0o600) return;
  server.close();
  throw new AppError("start_failed", `${path} came into being with mode ${mode.toString(8)} instead of 600`);
}

/** Does the socket that `bound` describes still lie at `path`? */
export function isSameFile(path: string, bound: Stats): boolean {
  const now = lstatOrNull(path);
  return now !== null && now.ino === bound.ino && now.dev === bound.dev;
}

export function folderOf(path: string): string {
  return dirname(path);
}

function lstatOrNull(path: string): Stats | null {
  return lstatSync(path, { throwIfNoEntry: false }) ?? null;
}

/** Does anybody accept at `path`? Only a refusal proves that nobody does; whatever else goes wrong must not cost a living daemon its socket. */
function isAnswered(path: string, clock: Clock): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const finish = (settle: () => void) => {
      timer.cancel();
      socket.destroy();
      settle();
    };
    const timer = clock.after(PROBE_MS, () => finish(() => resolve(true)));
    socket.once("connect", () => finish(() => resolve(true)));
    socket.once("error", (cause: NodeJS.ErrnoException) => {
      if (cause.code === "ECONNREFUSED" || cause.code === "ENOENT") return finish(() => resolve(false));
      if (cause.code === "EAGAIN") return finish(() => resolve(true));
      finish(() => reject(new AppError("start_failed", `${path} cannot be probed`, { facts: { path }, cause })));
    });
  });
}

function refusal(message: string, hint: string): AppError {
  return new AppError("start_failed", message, { hint });
}
