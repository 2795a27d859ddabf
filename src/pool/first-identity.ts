/**
 * Finds out whose a login is that came without a name (contracts §1: identity is person and workspace), from the tokens of its first
 * refresh. Those are on the disk before it begins, so it may be cut off at any instant and done again. An account that turns out to be
 * here already takes the login, and the nameless one is gone. Sends nothing to anybody.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type Account, type AccountId, isProvisional, isSameIdentity } from "../domain/account.ts";
import { readLoginClaims } from "../domain/token-claims.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import { withLogin } from "./incoming-login.ts";
import type { Keeper } from "./keeper.ts";

export type Identified =
  /** It was known, or is now. */
  | { readonly kind: "itself" }
  /** It is the login of this account, which has it now. */
  | { readonly kind: "joined"; readonly twin: Account }
  /** Its tokens do not say. */
  | { readonly kind: "unknown" };

export interface FirstIdentity {
  identify(id: AccountId): Promise<Identified>;
}

/** A refresh of the twin that ends at the same moment moves its generation on by one. */
const STALE_TRIES = 4;

export function createFirstIdentity(deps: {
  keeper: Keeper;
  store: Store;
  clock: Clock;
  audit: AuditNotes;
  log: Log;
}): FirstIdentity {
  const { keeper, store, clock, audit, log } = deps;

  const identifyOnce = async (id: AccountId): Promise<Identified | "stale"> => {
    const nameless = keeper.require(id);
    const { credentials, generation } = await store.loadCredentials(id);
    const claims = readLoginClaims(credentials.idToken, credentials.accessToken);
    const unsaid = { kind: isProvisional(nameless) ? "unknown" : "itself" } as const;
    if (claims?.workspaceId == null) return unsaid;
    const { userId, workspaceId } = claims;
    // Its workspace was known, and the person still is not.
    if (userId === null && !isProvisional(nameless)) return unsaid;
    const login = {
      credentials,
      claims: { ...claims, workspaceId },
      refreshedAtMs: nameless.credentials.refreshedAtMs,
    };
    const identity = { userId, workspaceId, issuer: nameless.issuer };
    const twin = keeper.accounts().find((one) => one.id !== id && isSameIdentity(one, identity));
    const named = (before: Account, after: number) =>
      withLogin(twin ? before : { ...before, userId, workspaceId }, login, after, clock.nowMs());
    const target = twin ?? nameless;
    const expectedGeneration = twin ? twin.credentials.generation : generation;
    const end = await store.applyBatch({
      added: [],
      replaced: [{ account: named(target, expectedGeneration + 1), credentials, expectedGeneration }],
      removed: twin ? [id] : [],
      pool: null,
      keys: [],
      settings: new Map(),
      profiles: [],
      budgets: [],
      rules: null,
    });
    if (end === "stale") return "stale";
    const account = named(keeper.get(target.id) ?? target, expectedGeneration + 1);
    keeper.adopt([account]);
    if (!twin) {
      log.info("account.identified", { account: nameless.alias });
      return { kind: "itself" };
    }
    if (keeper.pin()?.accountId === id) keeper.adoptPool({ strategy: keeper.strategy(), pin: null });
    keeper.forget(id);
    const subjects = [nameless, account].map((one) => ({ id: one.id, name: one.alias }));
    audit.own({ action: "account.join", subjects, text: `${nameless.alias} turned out to be ${account.alias}` });
    log.info("account.joined", { account: account.alias, was: nameless.alias });
    return { kind: "joined", twin: account };
  };

  return {
    async identify(id) {
      for (let tries = 1; ; tries++) {
        const found = await identifyOnce(id);
        if (found !== "stale") return found;
        if (tries >= STALE_TRIES) return { kind: "unknown" };
      }
    },
  };
}
