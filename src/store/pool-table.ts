/** Strategy and pin, client keys, watched files and saved settings in SQL. What cannot be understood (another version wrote it) is told and left out. */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { AccountId } from "../domain/account.ts";
import { type ClientKey, isKeyHashAlgorithm, type KeyTerms, NO_TERMS } from "../domain/client-key.ts";
import type { Pin } from "../domain/pin.ts";
import { isSettingKey, readSetting, SETTINGS, type SettingKey, type SettingValue } from "../domain/setting.ts";
import { DEFAULT_STRATEGY, isStrategyName, type StrategyName } from "../domain/strategy.ts";
import type { WatchedFile } from "../domain/watched-file.ts";
import { type Connection, isUniqueViolation } from "./database.ts";
import { numberOf, numberOrNull, textOf, textOrNull, wholeMs, wholeMsOrNull } from "./row.ts";

export function readPool(db: Connection, log: Log): { strategy: StrategyName; pin: Pin | null } {
  const row = db.first("SELECT * FROM pool");
  if (row === null) return { strategy: DEFAULT_STRATEGY, pin: null };
  const strategy = textOf(row, "strategy");
  if (!isStrategyName(strategy)) log.warn("pool.strategy_dropped", { strategy, instead: DEFAULT_STRATEGY });
  const accountId = textOrNull(row, "pin_account_id");
  return {
    strategy: isStrategyName(strategy) ? strategy : DEFAULT_STRATEGY,
    pin:
      accountId === null
        ? null
        : {
            accountId: accountId as AccountId,
            sinceMs: numberOrNull(row, "pin_since_ms") ?? 0,
            untilMs: numberOrNull(row, "pin_until_ms"),
          },
  };
}

export function writePool(db: Connection, strategy: StrategyName, pin: Pin | null): void {
  db.run(
    `INSERT INTO pool (id, strategy, pin_account_id, pin_since_ms, pin_until_ms) VALUES (1, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET strategy = excluded.strategy, pin_account_id = excluded.pin_account_id,
       pin_since_ms = excluded.pin_since_ms, pin_until_ms = excluded.pin_until_ms`,
    strategy,
    pin?.accountId ?? null,
    wholeMsOrNull(pin?.sinceMs ?? null),
    wholeMsOrNull(pin?.untilMs ?? null),
  );
}

/** In the order in which they were added. A hash of an unknown kind could admit nobody: such a key is left out. */
export function readKeys(db: Connection, log: Log): ClientKey[] {
  const keys: ClientKey[] = [];
  for (const row of db.all("SELECT * FROM client_key ORDER BY position")) {
    const algorithm = textOf(row, "hash_algorithm");
    const id = textOf(row, "id");
    if (!isKeyHashAlgorithm(algorithm)) {
      log.warn("key.dropped", { key_id: id, algorithm });
      continue;
    }
    keys.push({
      id,
      name: textOf(row, "name"),
      hash: { algorithm, hex: textOf(row, "hash_hex") },
      former: readJson<ClientKey["former"]>(textOrNull(row, "former_hash"), null),
      terms: { ...NO_TERMS, ...readJson<Partial<KeyTerms>>(textOf(row, "terms"), {}) },
      createdAtMs: numberOf(row, "created_at_ms"),
      revokedAtMs: numberOrNull(row, "revoked_at_ms"),
      lastUsedAtMs: numberOrNull(row, "last_used_at_ms"),
    });
  }
  return keys;
}

function readJson<T>(text: string | null, otherwise: T): T {
  return text === null ? otherwise : (JSON.parse(text) as T);
}

function formerText({ former }: ClientKey): string | null {
  return former === null ? null : JSON.stringify(former);
}

export function insertKey(db: Connection, key: ClientKey): void {
  refusingTakenName(key, () =>
    db.run(
      `INSERT INTO client_key (id, name, hash_algorithm, hash_hex, former_hash, terms, created_at_ms, revoked_at_ms,
         last_used_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      key.id,
      key.name,
      key.hash.algorithm,
      key.hash.hex,
      formerText(key),
      JSON.stringify(key.terms),
      wholeMs(key.createdAtMs),
      wholeMsOrNull(key.revokedAtMs),
      wholeMsOrNull(key.lastUsedAtMs),
    ),
  );
}

export function updateKey(db: Connection, key: ClientKey): void {
  const changed = refusingTakenName(key, () =>
    db.run(
      `UPDATE client_key SET name = ?, hash_algorithm = ?, hash_hex = ?, former_hash = ?, terms = ?, created_at_ms = ?,
         revoked_at_ms = ?, last_used_at_ms = ? WHERE id = ?`,
      key.name,
      key.hash.algorithm,
      key.hash.hex,
      formerText(key),
      JSON.stringify(key.terms),
      wholeMs(key.createdAtMs),
      wholeMsOrNull(key.revokedAtMs),
      wholeMsOrNull(key.lastUsedAtMs),
      key.id,
    ),
  );
  if (changed === 0) throw new AppError("key_not_found", "there is no such key");
}

export function touchKey(db: Connection, id: string, lastUsedAtMs: number): void {
  const atMs = wholeMs(lastUsedAtMs);
  db.run("UPDATE client_key SET last_used_at_ms = max(ifnull(last_used_at_ms, 0), ?) WHERE id = ?", atMs, id);
}

function refusingTakenName<T>(key: ClientKey, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    if (!isUniqueViolation(cause)) throw cause;
    throw new AppError("key_exists", `there is already a key named ${key.name}`, { cause });
  }
}

/** In the order in which they were added. */
export function readWatchedFiles(db: Connection): WatchedFile[] {
  return db
    .all("SELECT * FROM watched_file ORDER BY position")
    .map((row) => ({ path: textOf(row, "path"), addedAtMs: numberOf(row, "added_at_ms") }));
}

export function insertWatchedFile(db: Connection, file: WatchedFile): void {
  const sql = "INSERT INTO watched_file (path, added_at_ms) VALUES (?, ?) ON CONFLICT (path) DO NOTHING";
  db.run(sql, file.path, wholeMs(file.addedAtMs));
}

export function deleteWatchedFile(db: Connection, path: string): void {
  db.run("DELETE FROM watched_file WHERE path = ?", path);
}

export function readSettings(db: Connection, log: Log): Partial<Record<SettingKey, SettingValue>> {
  const settings: Partial<Record<SettingKey, SettingValue>> = {};
  for (const row of db.all("SELECT key, value FROM setting ORDER BY key")) {
    const key = textOf(row, "key");
    const text = textOf(row, "value");
    const reading = isSettingKey(key) ? readSetting(key, text) : null;
    if (isSettingKey(key) && reading?.ok) settings[key] = reading.value;
    else log.warn("setting.dropped", { key, known: Object.hasOwn(SETTINGS, key) });
  }
  return settings;
}

/** As text, read back by the catalogue that also reads what an operator types. */
export function writeSetting(db: Connection, key: SettingKey, value: SettingValue | null): void {
  if (value === null) {
    db.run("DELETE FROM setting WHERE key = ?", key);
    return;
  }
  const sql = "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
  db.run(sql, key, String(value));
}
