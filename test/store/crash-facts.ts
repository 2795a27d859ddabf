/** What the killed writer and its judge agree on: which accounts there are and what each generation of them contains. */
import { join } from "node:path";
import type { Credentials, RefreshIntent } from "../../src/store/store.ts";
import { accountLike } from "../support/store-samples.ts";

export const ACCOUNTS = [1, 2, 3] as const;

/** As large as real ones, so that a login spans database pages and can be torn. */
export function credentialsOf(n: number, generation: number): Credentials {
  const name = `${n}/${generation}`;
  return {
    accessToken: `access ${name} `.repeat(150),
    refreshToken: `refresh ${name}`,
    idToken: `id ${name} `.repeat(150),
  };
}

export function intentOf(n: number, generation: number): RefreshIntent {
  return { accountId: accountLike(n).id, generation, tokenHash: `hash ${n}/${generation}`, startedAtMs: generation };
}

export function storePaths(folder: string): { database: string; keyFile: string } {
  return { database: join(folder, "data", "rotor.db"), keyFile: join(folder, "config", "rotor.key") };
}
