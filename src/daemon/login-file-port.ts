/**
 * Watched files on the real file system (contracts §16). Opens only plain files that belong to us and that nobody else may write, follows
 * their links at every look, and writes whole or not at all. Must never be handed a path that did not come over the socket.
 */
import {
  closeSync,
  constants,
  existsSync,
  type FSWatcher,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  watch as watchFolder,
  writeFileSync,
} from "node:fs";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { LOGIN_FILE_MAX_BYTES } from "../base/bounds.ts";
import type { Clock, Timer } from "../base/clock.ts";
import { formatInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { type Dice, randomToken } from "../base/id.ts";
import type { FilePort, FileReading } from "../pool/file-port.ts";

/** A folder that is not there (yet) is looked for again this much later. */
const FOLDER_AGAIN_MS = 5_000;
/** More links than any sane set of dotfiles has; a loop ends here. */
const LINKS_MAX = 16;
/** What stands after the name of the file: a copy's own end, and eight characters of chance. */
const TEMPORARY = /^(rotor-[\w-]+\.bak\.)?[\w-]{8}\.tmp$/;
const COPY_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

export function createLoginFilePort(deps: { uid: number; clock: Clock; dice: Dice }): FilePort {
  const { uid, clock, dice } = deps;

  /** null = absent. Throws with the reason in words. */
  const readOwn = (path: string): Uint8Array | null => {
    const target = targetOf(path);
    const folder = statSync(dirname(target), { throwIfNoEntry: false });
    if (folder === undefined) return null;
    refuseOpenFolder(folder, dirname(target));
    let fd: number;
    try {
      // Not to wait for the other end of a pipe that somebody has put there.
      fd = openSync(target, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
      throw cause;
    }
    try {
      refuseForeign(fstatSync(fd), uid);
      return new Uint8Array(readFileSync(fd));
    } finally {
      closeSync(fd);
    }
  };
  const putWhole = (target: string, bytes: Uint8Array, place: (temporary: string) => boolean): boolean => {
    const temporary = join(dirname(target), `.${basename(target)}.${randomToken(dice, 6)}.tmp`);
    const fd = openSync(temporary, COPY_FLAGS, 0o600);
    try {
      fchmodSync(fd, 0o600);
      writeFileSync(fd, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    try {
      if (place(temporary)) return true;
      unlinkSync(temporary);
      return false;
    } catch (error) {
      if (existsSync(temporary)) unlinkSync(temporary);
      throw error;
    }
  };

  return {
    accept(path) {
      if (!isAbsolute(path)) throw refused(path, "the path must be absolute");
      const folder = dirname(resolve(path));
      let real: string;
      try {
        real = realpathSync(folder);
      } catch (cause) {
        throw new AppError("invalid_login_file", `${path}: the folder ${folder} is not there`, { cause });
      }
      const accepted = join(real, basename(path));
      try {
        if (statSync(accepted, { throwIfNoEntry: false })?.isDirectory()) throw new Error("it is a folder");
        readOwn(accepted);
      } catch (cause) {
        throw refused(path, reasonOf(cause), cause);
      }
      return accepted;
    },
    async read(path): Promise<FileReading> {
      try {
        const bytes = readOwn(path);
        return bytes === null ? { kind: "absent" } : { kind: "present", bytes };
      } catch (thrown) {
        return { kind: "refused", reason: reasonOf(thrown) };
      }
    },
    async write(path, bytes, expected) {
      try {
        const target = targetOf(path);
        const written = putWhole(target, bytes, (temporary) => {
          // Looked at last thing before it is replaced.
          const now = readOwn(path);
          const same = now === null || expected === null ? now === expected : Buffer.from(now).equals(expected);
          if (same) renameSync(temporary, target);
          return same;
        });
        if (written) syncFolder(dirname(target));
        return written ? "written" : "changed";
      } catch (cause) {
        throw refused(path, reasonOf(cause), cause);
      }
    },
    async backUp(path, bytes) {
      const stamp = formatInstant(clock.nowMs()).replace(/[:.]/g, "-");
      const copy = `${path}.rotor-${stamp}-${randomToken(dice, 3)}.bak`;
      try {
        putWhole(copy, bytes, (temporary) => {
          renameSync(temporary, copy);
          return true;
        });
      } catch (cause) {
        throw refused(copy, reasonOf(cause), cause);
      }
      return copy;
    },
    watch(path, onChange) {
      sweep(targetOf(path), uid);
      return watchFile(path, onChange, clock);
    },
  };
}

/** Takes away what a process that died while it wrote has left: whole logins under names that only we give. */
function sweep(target: string, uid: number): void {
  const folder = dirname(target);
  const start = `.${basename(target)}.`;
  try {
    for (const name of readdirSync(folder)) {
      if (!name.startsWith(start) || !TEMPORARY.test(name.slice(start.length))) continue;
      const stat = lstatSync(join(folder, name));
      if (stat.isFile() && stat.uid === uid) unlinkSync(join(folder, name));
    }
  } catch {
    // A folder that cannot be read now is looked at again at the next start; watching says what is wrong with it.
  }
}

/** Where the links of a file lead; the folder of each is its own. */
function targetOf(path: string): string {
  let target = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    let next: string;
    try {
      next = readlinkSync(target);
    } catch {
      return target;
    }
    target = resolve(dirname(target), next);
  }
  throw new Error("its links go round in a circle");
}

function refuseForeign(stats: Stats, uid: number): void {
  if (!stats.isFile()) throw new Error("it is not a plain file");
  if (stats.uid !== uid) throw new Error("it belongs to somebody else");
  if ((stats.mode & 0o002) !== 0) throw new Error("everybody may write to it (chmod o-w mends that)");
  if (stats.size > LOGIN_FILE_MAX_BYTES) throw new Error("it is too large to be a login");
}

/** In a folder that everybody may write to, everybody may put another file in its place; a sticky one (/tmp) keeps owners apart. */
function refuseOpenFolder(folder: Stats, path: string): void {
  if ((folder.mode & 0o002) !== 0 && (folder.mode & 0o1000) === 0)
    throw new Error(`everybody may write to its folder ${path} (chmod o-w mends that)`);
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(fd);
  } catch {
    // Not every file system can; the rename itself stands.
  } finally {
    closeSync(fd);
  }
}

/** The folders of the file and of what it links to: a file that is replaced is another file, a folder stays. */
function watchFile(path: string, onChange: () => void, clock: Clock): () => void {
  let watchers: FSWatcher[] = [];
  let timer: Timer | null = null;
  let ended = false;
  const stop = () => {
    for (const watcher of watchers) watcher.close();
    watchers = [];
    timer?.cancel();
    timer = null;
  };
  const again = () => {
    stop();
    if (ended) return;
    timer = clock.after(FOLDER_AGAIN_MS, start);
    onChange();
  };
  const start = () => {
    stop();
    if (ended) return;
    try {
      const places = [path, targetOf(path)].map((file) => ({ folder: dirname(file), name: basename(file) }));
      for (const { folder, name } of places.filter(
        (one, i) => places.findIndex((p) => p.folder === one.folder) === i,
      )) {
        const watcher = watchFolder(folder, { persistent: false }, (_event, file) => {
          if (!existsSync(folder)) return again();
          if (file === null || file === name) onChange();
        });
        watcher.on("error", again);
        watchers.push(watcher);
      }
    } catch {
      stop();
      timer = clock.after(FOLDER_AGAIN_MS, start);
    }
  };
  start();
  return () => {
    ended = true;
    stop();
  };
}

function reasonOf(thrown: unknown): string {
  const { code, message } = thrown as NodeJS.ErrnoException;
  if (code === "EACCES" || code === "EPERM") return "it may not be read or written";
  if (code === "EISDIR") return "it is a folder";
  if (code === "ELOOP") return "its links change";
  if (code === "ENOSPC") return "the disk is full";
  if (code !== undefined) return `the system refuses it (${code})`;
  return message;
}

function refused(path: string, reason: string, cause?: unknown): AppError {
  return new AppError("invalid_login_file", `${path}: ${reason}`, { cause });
}
