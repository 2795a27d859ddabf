/** Client keys: made, listed, revoked, and verified on every request from memory. The secret exists in one answer and never again. */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { createUlid, type Dice, randomToken, sha256Hex } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { isAlias } from "../domain/account.ts";
import { type ClientKey, parseClientKey } from "../domain/client-key.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { KeyDesk } from "./engine.ts";
import type { Scheduler } from "./scheduler.ts";

/** "Last used" is for people; a minute late is soon enough and spares a write per request. */
const TOUCH_AFTER_MS = 60_000;
const SECRET_BYTES = 32;

export interface KeyDeskWithFlush extends KeyDesk {
  /** Takes over keys that the store has accepted. */
  adopt(keys: readonly ClientKey[]): void;
  flush(): Promise<void>;
}

export function createKeyDesk(deps: {
  stored: readonly ClientKey[];
  store: Store;
  clock: Clock;
  dice: Dice;
  scheduler: Scheduler;
  audit: AuditNotes;
  log: Log;
}): KeyDeskWithFlush {
  const { store, clock, dice, scheduler, audit, log } = deps;
  const keys = new Map(deps.stored.map((key) => [key.id, key]));
  const touched = new Map<string, number>();

  const flush = async () => {
    if (touched.size === 0) return;
    const batch = new Map(touched);
    touched.clear();
    await store.touchKeys(batch).catch((error) => log.error("keys.save_failed", { error }));
  };
  const touch = (key: ClientKey) => {
    const nowMs = clock.nowMs();
    if (key.lastUsedAtMs !== null && nowMs - key.lastUsedAtMs < TOUCH_AFTER_MS) return;
    keys.set(key.id, { ...key, lastUsedAtMs: nowMs });
    touched.set(key.id, nowMs);
    if (touched.size === 1) scheduler.at("keys.flush", nowMs + TOUCH_AFTER_MS, () => void flush());
  };

  return {
    async create(name) {
      if (!isAlias(name))
        throw new AppError("bad_usage", `"${name}" cannot be a key's name: 1 to 40 of a-z 0-9 . _ -, not only digits`);
      // The random half of a ULID: ten characters, 50 bits, never reused in practice and checked all the same.
      const id = createUlid(clock.nowMs(), dice).slice(16);
      const secret = randomToken(dice, SECRET_BYTES);
      const key: ClientKey = {
        id,
        name,
        hash: { algorithm: "sha256", hex: sha256Hex(secret) },
        createdAtMs: clock.nowMs(),
        revokedAtMs: null,
        lastUsedAtMs: null,
      };
      if (keys.has(id)) throw new AppError("internal", "a key id came up twice");
      await store.addKey(key);
      keys.set(id, key);
      audit.say({ action: "key.create", subjects: [{ id, name }], text: "" });
      log.info("key.created", { key: name, key_id: id });
      return { key, secret: `rtr_${id}_${secret}` };
    },
    list: () => [...keys.values()],
    async revoke(id) {
      const key = keys.get(id);
      if (key === undefined) throw new AppError("key_not_found", `there is no key ${id}`);
      const subjects = [{ id, name: key.name }];
      if (key.revokedAtMs !== null) {
        audit.say({ action: "key.revoke", subjects, text: "it was revoked already" });
        return key;
      }
      const revoked = { ...key, revokedAtMs: clock.nowMs() };
      await store.saveKey(revoked);
      keys.set(id, revoked);
      audit.say({ action: "key.revoke", subjects, text: "" });
      log.info("key.revoked", { key: key.name, key_id: id });
      return revoked;
    },
    verify(text) {
      const key = keyShown(keys, text);
      if (key === null || key.revokedAtMs !== null) return null;
      touch(key);
      return key;
    },
    adopt(added) {
      for (const key of added) keys.set(key.id, key);
    },
    flush,
  };
}

function keyShown(keys: ReadonlyMap<string, ClientKey>, text: string): ClientKey | null {
  const shown = parseClientKey(text);
  if (shown !== null) {
    const key = keys.get(shown.id);
    return key?.hash.algorithm === "sha256" && isSameDigest(sha256Hex(shown.secret), key.hash.hex) ? key : null;
  }
  // Keys of other products name nobody: each of those that came with an import is looked at, and all of them.
  const digest = sha256Hex(text);
  let found: ClientKey | null = null;
  for (const key of keys.values())
    if (key.hash.algorithm === "sha256-text" && isSameDigest(digest, key.hash.hex)) found = key;
  return found;
}

/** Looks at every character, so that the time it takes says nothing about where they differ. */
function isSameDigest(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
