/**
 * The SQLite file: how it is opened, with which guarantees, and what its failures mean in Rotor's words.
 * Two connections: `durable` waits for the disk at every commit (logins, operators' orders), `relaxed` does not (observations,
 * exchanges: the last of them may be lost when the power fails, never when the process dies). No table is known here.
 */
import { Database, SQLiteError, type SQLQueryBindings, type Statement } from "bun:sqlite";
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { AppError } from "../base/errors.ts";

export type SqlValue = string | number | null | Uint8Array;
export type SqlRow = Record<string, SqlValue>;

export interface Connection {
  /** All rows of a query. */
  all(sql: string, ...values: SqlValue[]): SqlRow[];
  /** The first row, or null. */
  first(sql: string, ...values: SqlValue[]): SqlRow | null;
  /** Runs a statement; how many rows it changed, cascades not counted. */
  run(sql: string, ...values: SqlValue[]): number;
  /** Statements without values, several at once. */
  script(sql: string): void;
  /** All or nothing. Takes the write lock at its start: a lock taken half-way could only fail. */
  transaction<T>(work: () => T): T;
  close(): void;
}

export interface StoreDatabase {
  readonly path: string;
  readonly durable: Connection;
  readonly relaxed: Connection;
  /** Files that SQLite keeps: the database, its write-ahead log and the index of that. */
  readonly files: readonly string[];
  close(): void;
}

/** Opens the file, creating it (0600) and its folder (0700) when absent. Rejects files that are no database. */
export function openDatabase(path: string): StoreDatabase {
  const files = [path, `${path}-wal`, `${path}-shm`];
  try {
    finishSwap(path);
    createPrivately(path);
    for (const file of files) tighten(file);
  } catch (cause) {
    throw unreachable(path, cause);
  }
  if (statSync(path).size === 0) throw new AppError("store_damaged", `${path} is empty: its contents are gone`);
  return translated(path, () => {
    const durable = connect(path, "FULL");
    let relaxed: Connection;
    try {
      relaxed = connect(path, "NORMAL");
    } catch (cause) {
      durable.close();
      throw cause;
    }
    return {
      path,
      durable,
      relaxed,
      files,
      close() {
        relaxed.close();
        durable.close();
      },
    };
  });
}

/**
 * Nobody else writes to this file (rotor.lock), but a worker or an operator's `sqlite3` may hold it for a moment. Waiting blocks
 * every stream, so it is short.
 */
const BUSY_TIMEOUT_MS = 250;
/** A log that once grew large (a big import) is cut back to this when it is next reset. */
const WAL_KEPT_BYTES = 16 * 1024 * 1024;

function connect(path: string, synchronous: "FULL" | "NORMAL"): Connection {
  const database = new Database(path, { readwrite: true, create: false, strict: true });
  try {
    database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    database.run("PRAGMA journal_mode = WAL");
    database.run(`PRAGMA synchronous = ${synchronous}`);
    database.run(`PRAGMA journal_size_limit = ${WAL_KEPT_BYTES}`);
    database.run("PRAGMA foreign_keys = ON");
    // Sorting must not leave rows in files outside the data folder.
    database.run("PRAGMA temp_store = MEMORY");
    if (synchronous === "FULL") {
      // On macOS a plain fsync leaves the bytes in the drive's cache; elsewhere this changes nothing.
      database.run("PRAGMA fullfsync = ON");
      // A removed login leaves no sealed remains in free pages.
      database.run("PRAGMA secure_delete = ON");
    }
  } catch (cause) {
    database.close();
    throw cause;
  }
  return wrap(path, database);
}

/** A file that nobody else works on: a draft, a copy. No log beside it, so that the file alone is the whole of it. */
export function openAside(path: string): Connection {
  return translated(path, () => {
    const database = new Database(path, { readwrite: true, create: true, strict: true });
    database.run("PRAGMA journal_mode = DELETE");
    database.run("PRAGMA foreign_keys = ON");
    database.run("PRAGMA temp_store = MEMORY");
    return wrap(path, database);
  });
}

/** A store that the daemon has open, to be read beside it. A log that a dead process left is read, too. */
export function openBeside(path: string): Connection {
  return translated(path, () => {
    const database = new Database(path, { readwrite: true, create: false, strict: true });
    database.run(`PRAGMA busy_timeout = ${BESIDE_TIMEOUT_MS}`);
    return wrap(path, database);
  });
}

/** No stream waits for a worker: it may be patient. */
const BESIDE_TIMEOUT_MS = 10_000;

/** The name under which a whole, tested store waits to take the place of the one that is there. */
const nextOf = (path: string) => `${path}.next`;

/**
 * Ends a change of stores that began: from the moment the next store has its name, it is the store, whatever dies when. The log of the
 * old one must go first, or SQLite would write it into the new one.
 */
export function finishSwap(path: string): boolean {
  if (!existsSync(nextOf(path))) return false;
  for (const file of [`${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
  renameSync(nextOf(path), path);
  syncFolder(dirname(path));
  return true;
}

/** Removes what a dead process had begun beside the store at `path`: drafts and previews of restores. For a start, before anybody works there. */
export function sweepDrafts(path: string): readonly string[] {
  const begun = ["draft", "preview"].map((end) => `${basename(path)}.${end}`);
  const drafts = readdirSync(dirname(path)).filter((name) => begun.some((start) => name.startsWith(start)));
  for (const name of drafts) rmSync(join(dirname(path), name), { force: true });
  return drafts;
}

/** Puts a closed, whole `draft` in the place of the store at `path`, which must be closed. Whole or not at all. */
export function swapIn(draft: string, path: string): void {
  const file = openSync(draft, "r+");
  fsyncSync(file);
  closeSync(file);
  renameSync(draft, nextOf(path));
  syncFolder(dirname(path));
  finishSwap(path);
}

function wrap(path: string, database: Database): Connection {
  // bun:sqlite's own cache holds 20 statements; the store has more, and preparing costs more than running.
  const statements = new Map<string, Statement<SqlRow, SQLQueryBindings[]>>();
  let open = true;
  const prepared = (sql: string) => {
    if (!open) throw new AppError("internal", "the store is closed");
    let statement = statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare<SqlRow, SQLQueryBindings[]>(sql);
      statements.set(sql, statement);
    }
    return statement;
  };
  return {
    all: (sql, ...values) => translated(path, () => prepared(sql).all(...values)),
    first: (sql, ...values) => translated(path, () => prepared(sql).get(...values) ?? null),
    run: (sql, ...values) => translated(path, () => prepared(sql).run(...values).changes),
    script: (sql) => translated(path, () => void database.run(sql)),
    transaction(work) {
      if (!open) throw new AppError("internal", "the store is closed");
      return translated(path, () => database.transaction(work).immediate());
    },
    close() {
      if (!open) return;
      open = false;
      // An unfinished statement would keep the file open and its log undeleted.
      for (const statement of statements.values()) statement.finalize();
      statements.clear();
      database.close();
    },
  };
}

/** Is this a broken UNIQUE or PRIMARY KEY rule? Left as it is by {@link translated}: only the table knows what it means. */
export function isUniqueViolation(thrown: unknown): boolean {
  return (
    thrown instanceof SQLiteError &&
    (thrown.code === "SQLITE_CONSTRAINT_UNIQUE" || thrown.code === "SQLITE_CONSTRAINT_PRIMARYKEY")
  );
}

function translated<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw thrown instanceof SQLiteError ? meaningOf(thrown, path) : thrown;
  }
}

function meaningOf(cause: SQLiteError, path: string): unknown {
  const code = cause.code ?? "";
  if (code.startsWith("SQLITE_NOTADB") || code.startsWith("SQLITE_CORRUPT"))
    return new AppError("store_damaged", `${path} is damaged`, { cause });
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED"))
    return new AppError("store_busy", `another program holds ${path}`, { cause });
  if (code === "SQLITE_FULL") return new AppError("disk_full", `the disk of ${path} is full`, { cause });
  if (/^SQLITE_(CANTOPEN|READONLY|IOERR|PERM)/.test(code)) return unreachable(path, cause);
  return cause;
}

function unreachable(path: string, cause: unknown): AppError {
  return new AppError("start_failed", `${path} cannot be read or written`, {
    cause,
    hint: "check who owns that file and its folder, and the disk",
  });
}

/**
 * 0600 from its first byte: SQLite gives `-wal` and `-shm` the mode of the database. It gets its name only once it has a header, so
 * that an empty file is never a young store but always one that was cut to nothing.
 */
function createPrivately(path: string): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (existsSync(path)) return;
  const draft = `${path}.new`;
  rmSync(draft, { force: true });
  closeSync(openSync(draft, "wx", 0o600));
  const database = new Database(draft, { readwrite: true, create: false });
  database.run("PRAGMA journal_mode = WAL");
  database.close();
  renameSync(draft, path);
  syncFolder(folder);
}

/** A file's name is on the disk only when its folder is. */
export function syncFolder(folder: string): void {
  // Windows cannot open a folder as a file, and writes names through by itself.
  if (process.platform === "win32") return;
  const handle = openSync(folder, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Takes the rights of group and others off a file of ours; true when it had any. Windows has no such bits. */
export function tighten(file: string): boolean {
  if (!isLoose(file)) return false;
  chmodSync(file, 0o600);
  return true;
}

/** Does its mode let group or others in? An absent file lets nobody in. */
export function isLoose(file: string): boolean {
  if (process.platform === "win32") return false;
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat !== undefined && (stat.mode & 0o077) !== 0;
}
