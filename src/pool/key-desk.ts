/** Client keys: made, listed, revoked, and verified on every request from memory. The secret exists in one answer and never again. */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { createUlid, type Dice, randomToken, sha256Hex } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { isAlias } from "../domain/account.ts";
import { type ClientKey, type KeyTerms, NO_TERMS, parseClientKey, termsProblem } from "../domain/client-key.ts";
import { limitProblem } from "../domain/limit.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { Scheduler } from "./scheduler.ts";

/** "Last used" is for people; a minute late is soon enough and spares a write per request. */
const TOUCH_AFTER_MS = 60_000;
const SECRET_BYTES = 32;

export interface NewKey {
  readonly key: ClientKey;
  readonly secret: string;
}

export interface KeyDesk {
  create(name: string, terms?: KeyTerms): Promise<NewKey>;
  list(): readonly ClientKey[];
  /** null when there is none. */
  get(id: string): ClientKey | null;
  setTerms(id: string, terms: KeyTerms): Promise<ClientKey>;
  /** A new secret; the one before stays good for so long. */
  renew(id: string, graceMs: number): Promise<NewKey>;
  revoke(id: string): Promise<ClientKey>;
  /** The key that a client showed, if it is one of ours and valid. No disk, no slow hash. */
  verify(text: string): ClientKey | null;
  /** The key of this id, noted as used now; null when it is not valid. For who has shown that it may use it. */
  use(id: string): ClientKey | null;
}

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

  const use = (id: string): ClientKey | null => {
    const key = keys.get(id);
    if (key === undefined || key.revokedAtMs !== null) return null;
    if (key.terms.expiresAtMs !== null && clock.nowMs() >= key.terms.expiresAtMs) return null;
    touch(key);
    return keys.get(id) ?? null;
  };
  const valid = (id: string): ClientKey => {
    const key = keys.get(id);
    if (key === undefined || key.revokedAtMs !== null) throw new AppError("key_not_found", `there is no key ${id}`);
    return key;
  };
  const save = async (key: ClientKey) => {
    await store.saveKey(key);
    keys.set(key.id, key);
    return key;
  };
  const makeSecret = (id: string) => {
    const secret = randomToken(dice, SECRET_BYTES);
    return { text: `rtr_${id}_${secret}`, hash: { algorithm: "sha256", hex: sha256Hex(secret) } as const };
  };

  return {
    async create(name, terms = NO_TERMS) {
      if (!isAlias(name))
        throw new AppError("bad_usage", `"${name}" cannot be a key's name: 1 to 40 of a-z 0-9 . _ -, not only digits`);
      refuseBadTerms(terms);
      // The random half of a ULID: ten characters, 50 bits, never reused in practice and checked all the same.
      const id = createUlid(clock.nowMs(), dice).slice(16);
      const { text, hash } = makeSecret(id);
      const createdAtMs = clock.nowMs();
      const key: ClientKey = {
        id,
        name,
        hash,
        former: null,
        terms,
        createdAtMs,
        revokedAtMs: null,
        lastUsedAtMs: null,
      };
      if (keys.has(id)) throw new AppError("internal", "a key id came up twice");
      await store.addKey(key);
      keys.set(id, key);
      audit.say({ action: "key.create", subjects: [{ id, name }], text: "" });
      log.info("key.created", { key: name, key_id: id });
      return { key, secret: text };
    },
    get: (id) => keys.get(id) ?? null,
    async setTerms(id, terms) {
      refuseBadTerms(terms);
      const key = await save({ ...valid(id), terms });
      audit.say({ action: "key.limit", subjects: [{ id, name: key.name }], text: "" });
      return key;
    },
    async renew(id, graceMs) {
      const before = valid(id);
      const { text, hash } = makeSecret(id);
      const former = graceMs > 0 ? { hash: before.hash, untilMs: clock.nowMs() + graceMs } : null;
      const key = await save({ ...before, hash, former });
      audit.say({ action: "key.rotate", subjects: [{ id, name: key.name }], text: "" });
      log.info("key.renewed", { key: key.name, key_id: id });
      return { key, secret: text };
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
      await save(revoked);
      audit.say({ action: "key.revoke", subjects, text: "" });
      log.info("key.revoked", { key: key.name, key_id: id });
      return revoked;
    },
    verify(text) {
      const key = keyShown(keys, text, clock.nowMs());
      return key === null ? null : use(key.id);
    },
    use,
    adopt(added) {
      for (const key of added) keys.set(key.id, key);
    },
    flush,
  };
}

function keyShown(keys: ReadonlyMap<string, ClientKey>, text: string, nowMs: number): ClientKey | null {
  const shown = parseClientKey(text);
  if (shown !== null) {
    const key = keys.get(shown.id);
    return key !== undefined && opens(key, sha256Hex(shown.secret), nowMs) ? key : null;
  }
  // Keys of other products name nobody: each of those that came with an import is looked at, and all of them.
  const digest = sha256Hex(text);
  let found: ClientKey | null = null;
  for (const key of keys.values())
    if (key.hash.algorithm === "sha256-text" && isSameDigest(digest, key.hash.hex)) found = key;
  return found;
}

function opens({ hash, former }: ClientKey, hex: string, nowMs: number): boolean {
  if (hash.algorithm === "sha256" && isSameDigest(hex, hash.hex)) return true;
  return (
    former !== null &&
    nowMs < former.untilMs &&
    former.hash.algorithm === "sha256" &&
    isSameDigest(hex, former.hash.hex)
  );
}

function refuseBadTerms(terms: KeyTerms): void {
  const problem = termsProblem(terms) ?? terms.limits.map(limitProblem).find((found) => found !== null) ?? null;
  if (problem !== null) throw new AppError("invalid_limit", problem);
}

/** Looks at every character, so that the time it takes says nothing about where they differ. */
function isSameDigest(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
