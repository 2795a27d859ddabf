/**
 * The open seal of one store: the only holder of the data key and of the key that wraps it. Opens and forgets them, moves them to another
 * guard, changes the data key. Whatever it is killed in the middle of, the store opens afterwards with the old key or with the new one.
 */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Secret } from "../base/secret.ts";
import { hasCredentials, readEnvelopes, writeEnvelope } from "./credential-table.ts";
import * as table from "./data-key-table.ts";
import type { Connection } from "./database.ts";
import { type Asker, fingerprintOf, type GuardKind, type Guards, KEY_BYTES } from "./key-guard.ts";
import { createSeal, type OpenKey, type Seal, unwrapKey, type WrappedKey, wrapKey } from "./seal.ts";

/** What may be shown of a seal. */
export interface SealFacts {
  readonly guard: GuardKind;
  /** Where the guard's key is. */
  readonly place: string;
  readonly isOpen: boolean;
  /** What follows is null until the first key is made. */
  readonly fingerprint: string | null;
  readonly guardedAtMs: number | null;
  readonly dataKeyNumber: number | null;
  readonly dataKeyAtMs: number | null;
}

export interface SealKeeper extends Seal {
  facts(): Promise<SealFacts>;
  /** Opens the seal, or makes the first one, when it is not open. Rejects with what keeps it shut; after `forget` with `store_locked`. */
  ready(): Promise<void>;
  /** The same on somebody's order, also after `forget`. `given` is a passphrase. */
  unlock(given: Secret | null): Promise<void>;
  /** Wipes the keys from memory; what is sealed stays as it is. */
  forget(): void;
  /** A copy of the data key for what makes and opens backups; null while the seal is not open. */
  exportKey(): OpenKey | null;
  /** Why a change to this guard cannot be made now, in words; null when it can. */
  refusal(guard: GuardKind): Promise<string | null>;
  placeOf(guard: GuardKind): string;
  /** Rejects with what would refuse `change` before it begins. */
  check(order: ChangeOrder): Promise<void>;
  /** Has the data key guarded by a new key. The old one works until that is on the disk, and is taken away after. */
  change(order: ChangeOrder): Promise<void>;
  /** Seals everything again under a new data key; how many logins that were. */
  rotate(): Promise<number>;
}

export interface ChangeOrder {
  readonly guard: GuardKind;
  /** The new passphrase, for that guard. */
  readonly given: Secret | null;
  /** Leave the old key where it is: backups that were made before are opened by it. */
  readonly keepOldKey: boolean;
}

interface Keys {
  readonly dataKey: Uint8Array;
  readonly guardKey: Uint8Array;
  readonly seal: Seal;
}

export interface SealKeeperDeps {
  readonly db: Connection;
  readonly guards: Guards;
  /** Asked once, for a store without a key. */
  readonly choose: () => Promise<GuardKind>;
  readonly dice: Dice;
  readonly clock: Clock;
  readonly log: Log;
}

export function createSealKeeper(deps: SealKeeperDeps): SealKeeper {
  return new Keeper(deps);
}

class Keeper implements SealKeeper {
  readonly #deps: SealKeeperDeps;
  #keys: Keys | null = null;
  #opening: Promise<void> | null = null;
  #isForgotten = false;
  #chosen: Promise<GuardKind> | null = null;

  constructor(deps: SealKeeperDeps) {
    this.#deps = deps;
  }

  seal: Seal["seal"] = (accountId, credentials) => this.#open().seal.seal(accountId, credentials);
  open: Seal["open"] = (accountId, envelope) => this.#open().seal.open(accountId, envelope);

  async facts(): Promise<SealFacts> {
    const saved = table.readWrappedKey(this.#deps.db);
    const guard = saved?.guard ?? (await this.#choice());
    return {
      guard,
      place: this.#deps.guards[guard].place,
      isOpen: this.#keys !== null,
      fingerprint: saved?.fingerprint ?? null,
      guardedAtMs: saved?.guardedAtMs ?? null,
      dataKeyNumber: saved?.id ?? null,
      dataKeyAtMs: saved?.createdAtMs ?? null,
    };
  }

  async ready(): Promise<void> {
    if (this.#keys !== null) return;
    if (this.#isForgotten) throw locked();
    await this.#openOnce({ given: null, isPerson: false });
  }

  unlock(given: Secret | null): Promise<void> {
    return this.#openOnce({ given, isPerson: true });
  }

  #openOnce(asker: Asker): Promise<void> {
    if (this.#keys !== null) return Promise.resolve();
    this.#opening ??= this.#unlock(asker).finally(() => {
      this.#opening = null;
    });
    return this.#opening;
  }

  forget(): void {
    this.#isForgotten = true;
    this.#drop();
  }

  exportKey(): OpenKey | null {
    const wrapped = table.readWrappedKey(this.#deps.db);
    if (this.#keys === null || wrapped === null) return null;
    return { dataKey: Uint8Array.from(this.#keys.dataKey), wrapped };
  }

  refusal(guard: GuardKind): Promise<string | null> {
    return this.#deps.guards[guard].refusal();
  }

  placeOf(guard: GuardKind): string {
    return this.#deps.guards[guard].place;
  }

  async check({ guard, given }: ChangeOrder): Promise<void> {
    this.#open();
    const refusal = await this.#deps.guards[guard].refusal();
    if (refusal !== null) throw new AppError("guard_unavailable", refusal);
    await this.#deps.guards[guard].check(given);
  }

  async change({ guard, given, keepOldKey }: ChangeOrder): Promise<void> {
    const { db, guards, dice, clock, log } = this.#deps;
    await this.check({ guard, given, keepOldKey });
    const { key, recipe } = await guards[guard].make(dice, given);
    const spare = { guard, fingerprint: fingerprintOf(key) };
    // Written down before it is kept anywhere, so that a change that never comes about leaves nothing behind for good.
    db.transaction(() => table.insertSpareKey(db, spare));
    try {
      await guards[guard].keep(key, { given, isPerson: true });
      const { dataKey, seal } = this.#open();
      const before = table.readWrappedKey(db)!;
      const wrapped = wrapKey(before.id, dataKey, key, dice);
      db.transaction(() => {
        table.replaceWrappedKey(db, { ...before, ...spare, recipe, wrapped, guardedAtMs: clock.nowMs() });
        table.deleteSpareKey(db, spare);
        if (!keepOldKey) table.insertSpareKey(db, { guard: before.guard, fingerprint: before.fingerprint });
      });
      this.#keys?.guardKey.fill(0);
      this.#keys = { dataKey, guardKey: key, seal };
      log.info("seal.guard_changed", { from: before.guard, to: guard, fingerprint: spare.fingerprint });
    } catch (thrown) {
      key.fill(0);
      throw thrown;
    } finally {
      await this.#clearUp();
    }
  }

  async rotate(): Promise<number> {
    const { db, dice, clock, log } = this.#deps;
    const { seal: old, guardKey, dataKey } = this.#open();
    const before = table.readWrappedKey(db)!;
    if (fingerprintOf(guardKey) !== before.fingerprint)
      throw new AppError("internal", "the seal's guard changed behind its back; lock and unlock it first");
    const fresh = Uint8Array.from(dice.bytes(KEY_BYTES));
    const id = before.id + 1;
    const seal = createSeal(id, fresh, dice);
    const wrapped = wrapKey(id, fresh, guardKey, dice);
    // No await from here to the end: nobody seals with the old key what is read with the new one.
    const count = db.transaction(() => {
      const envelopes = readEnvelopes(db);
      for (const { accountId, envelope } of envelopes)
        writeEnvelope(db, accountId, seal.seal(accountId, old.open(accountId, envelope)));
      table.replaceWrappedKey(db, { ...before, id, wrapped, createdAtMs: clock.nowMs() });
      return envelopes.length;
    });
    dataKey.fill(0);
    this.#keys = { dataKey: fresh, guardKey, seal };
    this.#shortenLog();
    log.info("seal.data_key_rotated", { number: id, count });
    return count;
  }

  #open(): Keys {
    if (this.#keys === null) throw locked();
    return this.#keys;
  }

  #choice(): Promise<GuardKind> {
    this.#chosen ??= this.#deps.choose();
    return this.#chosen;
  }

  async #unlock(asker: Asker): Promise<void> {
    const { db, guards } = this.#deps;
    const saved = table.readWrappedKey(db);
    if (saved === null) await this.#begin(0, await this.#choice(), asker);
    else {
      const found = await guards[saved.guard].load(saved, asker);
      if (found.kind === "key") this.#take(saved, found.key);
      // With nothing sealed, a lost key loses nothing.
      else if (!hasCredentials(db)) await this.#begin(saved.id, saved.guard, asker);
      else
        throw new AppError("seal_key_missing", found.words, {
          facts: { place: guards[saved.guard].place, wanted: saved.fingerprint },
        });
    }
    this.#isForgotten = false;
    await this.#clearUp();
  }

  #take(saved: WrappedKey, guardKey: Uint8Array): void {
    const { dice } = this.#deps;
    const dataKey = unwrapKey(saved.id, saved.wrapped, guardKey);
    this.#keys = { dataKey, guardKey, seal: createSeal(saved.id, dataKey, dice) };
  }

  /** The guard's key is durable before anything is wrapped by it. */
  async #begin(lastId: number, guard: GuardKind, asker: Asker): Promise<void> {
    const { db, guards, dice, clock, log } = this.#deps;
    const { key, recipe } = await guards[guard].make(dice, asker.given);
    await guards[guard].keep(key, asker);
    const dataKey = Uint8Array.from(dice.bytes(KEY_BYTES));
    const [id, nowMs, fingerprint] = [lastId + 1, clock.nowMs(), fingerprintOf(key)];
    const wrapped = wrapKey(id, dataKey, key, dice);
    const saved = { id, guard, fingerprint, recipe, wrapped, createdAtMs: nowMs, guardedAtMs: nowMs };
    db.transaction(() => table.replaceWrappedKey(db, saved));
    this.#keys = { dataKey, guardKey: key, seal: createSeal(id, dataKey, dice) };
    log.info("seal.made", { guard, fingerprint });
  }

  /** Takes away keys that guard nothing. What cannot be reached now is tried again at the next opening. */
  async #clearUp(): Promise<void> {
    const { db, guards, log } = this.#deps;
    const spares = table.readSpareKeys(db);
    if (spares.length === 0) return;
    this.#shortenLog();
    for (const spare of spares) {
      try {
        if (spare.fingerprint !== table.readWrappedKey(db)?.fingerprint)
          await guards[spare.guard].forget(spare.fingerprint);
        db.transaction(() => table.deleteSpareKey(db, spare));
      } catch (error) {
        log.warn("seal.old_key_stays", { guard: spare.guard, place: guards[spare.guard].place, error });
      }
    }
  }

  /** The write-ahead log would keep what was wrapped by the old key for a while. */
  #shortenLog(): void {
    this.#deps.db.all("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  #drop(): void {
    this.#keys?.dataKey.fill(0);
    this.#keys?.guardKey.fill(0);
    this.#keys = null;
  }
}

function locked(): AppError {
  return new AppError("store_locked", "the seal is locked: logins can be neither read nor kept");
}
