/**
 * The data key that opens a store's backups, found without an open store: a broken or locked one has backups, too. Holds none itself.
 */
import { existsSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import type { Dice } from "../base/id.ts";
import type { BackupLock } from "./backup-file.ts";
import { openBackupBox } from "./backup-work.ts";
import { readWrappedKey } from "./data-key-table.ts";
import { openBeside } from "./database.ts";
import { type Asker, fingerprintOf, type GuardKind, type Guards, KEY_BYTES } from "./key-guard.ts";
import { MIGRATIONS, schemaVersion } from "./migrations.ts";
import { type OpenKey, unwrapKey, type WrappedKey, wrapKey } from "./seal.ts";

export interface KeyRing {
  /** The key of the store at `database`, null when it has none. Rejects with `seal_key_missing`, `passphrase_required` or `store_damaged`. */
  ofStore(database: string): Promise<OpenKey | null>;
  /** The data key of a backup. Rejects with `seal_key_missing`, `passphrase_required` or `passphrase_wrong`. */
  ofBackup(lock: BackupLock, passphrase: string | null): Promise<Uint8Array>;
  /** A new data key under a new key of this machine's guard. */
  fresh(): Promise<OpenKey>;
}

export interface KeyRingDeps {
  readonly guards: Guards;
  readonly choose: () => Promise<GuardKind>;
  /** The key of the store that is open now, when its seal is: a passphrase that was typed is nowhere else. */
  readonly live: () => OpenKey | null;
  readonly dice: Dice;
  readonly clock: Clock;
}

/** Nobody waits for an answer here: what was given to the daemon has to do. */
const UNASKED: Asker = { given: null, isPerson: false };

export function createKeyRing({ guards, choose, live, dice, clock }: KeyRingDeps): KeyRing {
  const open = async (wrapped: WrappedKey): Promise<OpenKey> => {
    const found = await guards[wrapped.guard].load(wrapped, UNASKED);
    if (found.kind === "absent") throw new AppError("seal_key_missing", found.words);
    return { dataKey: unwrapKey(wrapped.id, wrapped.wrapped, found.key), wrapped };
  };
  return {
    async ofStore(database) {
      const now = live();
      if (now !== null) return now;
      if (!existsSync(database)) return null;
      const wrapped = readKeyAt(database);
      return wrapped === null ? null : await open(wrapped);
    },
    async ofBackup(lock, passphrase) {
      if (lock.kind === "passphrase") return openBackupBox(lock.box, passphrase);
      const now = live();
      if (now !== null && fingerprintOf(now.dataKey) === lock.print) return now.dataKey;
      return (await open(lock.key)).dataKey;
    },
    async fresh() {
      const guard = await choose();
      const { key, recipe } = await guards[guard].make(dice, null);
      await guards[guard].keep(key, UNASKED);
      const dataKey = Uint8Array.from(dice.bytes(KEY_BYTES));
      const [id, nowMs] = [1, clock.nowMs()];
      const made = { id, guard, recipe, fingerprint: fingerprintOf(key), createdAtMs: nowMs, guardedAtMs: nowMs };
      return { dataKey, wrapped: { ...made, wrapped: wrapKey(id, dataKey, key, dice) } };
    },
  };
}

function readKeyAt(database: string): WrappedKey | null {
  const db = openBeside(database);
  try {
    return readWrappedKey(db);
  } catch (thrown) {
    const error = fromUnknown(thrown);
    // A file without that table is no store of ours.
    if (error.code !== "internal") throw error;
    throw new AppError("store_damaged", `${database} is damaged`, { cause: thrown });
  } finally {
    db.close();
  }
}

/** Steps that the store still has to take; 0 when it is new, up to date, or cannot be read (opening it will say why). */
export function migrationsAhead(database: string): number {
  if (!existsSync(database)) return 0;
  try {
    const db = openBeside(database);
    try {
      const version = schemaVersion(db);
      return version === 0 ? 0 : Math.max(0, MIGRATIONS.length - version);
    } finally {
      db.close();
    }
  } catch {
    return 0;
  }
}
