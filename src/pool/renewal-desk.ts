/**
 * Brings renewed tokens to the disk, patiently: upstream has given the old ones away already, so these are the only copy there is.
 * What the disk will not take is kept in memory and tried again before anything else is sent for that account.
 */
import type { Clock } from "../base/clock.ts";
import { fromUnknown } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import type { Credentials } from "../domain/credentials.ts";
import type { TokenClaims } from "../domain/token-claims.ts";
import { type AccountEvent, transition } from "../domain/transition.ts";
import type { Store } from "../store/store.ts";
import { type Keeper, LADDERS } from "./keeper.ts";

/** New tokens on their way to the disk. */
export interface Renewal {
  /** The generation that they replace. */
  readonly generation: number;
  readonly credentials: Credentials;
  readonly claims: TokenClaims | null;
  readonly atMs: number;
}

export type RenewalEnd =
  | { readonly kind: "saved"; readonly account: Account }
  /** Newer ones were there already. */
  | { readonly kind: "stale" }
  | { readonly kind: "account_removed" };

export interface RenewalDesk {
  /** Resolves when the tokens are on disk and the pool knows. Rejects when the disk will not take them; they are kept then. */
  save(id: AccountId, renewal: Renewal): Promise<RenewalEnd>;
  /** Tokens that the disk would not take before. */
  unsaved(id: AccountId): Renewal | null;
  forget(id: AccountId): void;
  /** Tries everything once more, for the last time. */
  saveAll(): Promise<void>;
}

/** Four tries within about two seconds; after that the tokens wait for the next refresh of the account. */
const SAVE_TRIES = 4;
const SAVE_AGAIN_MS = 250;

export function createRenewalDesk(deps: { keeper: Keeper; store: Store; clock: Clock; log: Log }): RenewalDesk {
  const { keeper, store, clock, log } = deps;
  const waiting = new Map<AccountId, Renewal>();

  const commit = async (id: AccountId, account: Account, renewal: Renewal): Promise<"committed" | "stale"> => {
    waiting.set(id, renewal);
    for (let tries = 1; ; tries++) {
      try {
        const end = await store.commitRefresh(account, renewal.generation, renewal.credentials);
        waiting.delete(id);
        return end;
      } catch (error) {
        if (fromUnknown(error).code === "account_not_found") waiting.delete(id);
        log.error("credentials.save_failed", { account: account.alias, tries, error });
        if (tries >= SAVE_TRIES || !waiting.has(id)) throw error;
        await clock.sleep(SAVE_AGAIN_MS * 2 ** (tries - 1));
      }
    }
  };

  const save = async (id: AccountId, renewal: Renewal): Promise<RenewalEnd> => {
    const { generation, claims, atMs } = renewal;
    const event: AccountEvent = {
      kind: "credentials_renewed",
      atMs,
      generation: generation + 1,
      accessExpiresAtMs: claims?.expiresAtMs ?? null,
      tier: claims?.tier ?? null,
      email: claims?.email ?? null,
    };
    const { account } = transition(keeper.require(id), event, LADDERS);
    if ((await commit(id, account, renewal)) === "stale") return { kind: "stale" };
    const renewed = keeper.apply(id, event);
    return renewed === null ? { kind: "account_removed" } : { kind: "saved", account: renewed };
  };

  return {
    save,
    unsaved: (id) => waiting.get(id) ?? null,
    forget: (id) => void waiting.delete(id),
    async saveAll() {
      await Promise.allSettled([...waiting].map(([id, renewal]) => save(id, renewal)));
    },
  };
}
