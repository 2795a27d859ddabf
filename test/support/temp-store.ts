/** A SQLite store in a folder of its own, for tests; `remove` closes it and takes the folder away. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemDice } from "../../src/base/id.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { createManualClock } from "./manual-clock.ts";

export interface TempFolder {
  readonly folder: string;
  readonly paths: { readonly database: string; readonly keyFile: string };
  /** Opens the store in it; may be called again after a close. */
  open(log?: Log): Promise<Store>;
  remove(): Promise<void>;
}

export function createTempFolder(): TempFolder {
  const folder = mkdtempSync(join(tmpdir(), "rotor-store-"));
  const paths = { database: join(folder, "data", "rotor.db"), keyFile: join(folder, "config", "rotor.key") };
  const opened: Store[] = [];
  return {
    folder,
    paths,
    async open(log = silentLog) {
      const store = await openSqliteStore({ paths, dice: systemDice, clock: createManualClock(), log });
      opened.push(store);
      return store;
    },
    async remove() {
      for (const store of opened) await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
