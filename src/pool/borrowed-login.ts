/**
 * Takes over what another program has renewed. A login that comes out of a watched file belongs to that file's program from then on:
 * Rotor uses it and does not renew it, until `rotor account take` (contracts §15). Sends nothing to anybody.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type Account, type AccountId, isSameIdentity, type RefreshOwner } from "../domain/account.ts";
import { type Credentials, isFresher } from "../domain/credentials.ts";
import type { FileComparison } from "../domain/file-verdict.ts";
import { loginFamily } from "../domain/token-claims.ts";
import type { FoundLogin } from "../transfer/codex-auth.ts";
import type { Keeper } from "./keeper.ts";
import type { LoginFiles } from "./login-files.ts";

export interface BorrowedLogins {
  /** Before a refresh: when a file holds this very sign-in in a newer state, ours is spent. True = taken over. */
  adoptRenewed(id: AccountId, mine: Credentials): Promise<boolean>;
  /** After a refusal for good: any newer login of the same person and workspace will do. True = taken over. */
  adoptAfterRefusal(id: AccountId, refused: Credentials): Promise<boolean>;
}

/** Writes the login over the account's and gives the account that owner. Comes from the intake; see create-engine. */
export type Adopt = (id: AccountId, login: FoundLogin, owner: RefreshOwner) => Promise<Account>;

/** Who renewed the token has it before it is in the file: between the two lie milliseconds, on a busy disk a second. */
const REFUSAL_LOOKS = 4;
const REFUSAL_LOOK_EVERY_MS = 300;

export function createBorrowedLogins(deps: {
  keeper: Keeper;
  files: LoginFiles;
  adopt: Adopt;
  clock: Clock;
  log: Log;
}): BorrowedLogins {
  const { keeper, files, clock, log } = deps;

  /** Every login of this account in a watched file, the owner's first. */
  const find = async (account: Account): Promise<{ path: string; login: FoundLogin }[]> => {
    const found: { path: string; login: FoundLogin }[] = [];
    for (const { path } of files.list()) {
      const sight = await files.lookPatiently(path);
      if (sight.kind !== "login" || !isOf(account, sight.login)) continue;
      if (account.refreshOwner.kind === "file" && account.refreshOwner.path === path) found.unshift({ path, ...sight });
      else found.push({ path, ...sight });
    }
    return found;
  };
  const take = async (id: AccountId, { path, login }: { path: string; login: FoundLogin }): Promise<true> => {
    const { alias } = await deps.adopt(id, login, { kind: "file", path });
    log.info("credentials.adopted", { account: alias, path });
    return true;
  };

  return {
    async adoptRenewed(id, mine) {
      const account = keeper.require(id);
      const isBorrowed = account.refreshOwner.kind === "file";
      for (const found of await find(account)) {
        const { age, shared } = compare(account, mine, found.login);
        if (age === "newer" && (shared || isBorrowed)) return take(id, found);
      }
      return false;
    },
    async adoptAfterRefusal(id, refused) {
      for (let looks = 1; ; looks++) {
        const account = keeper.require(id);
        const all = await find(account);
        const newer = all.find((found) => compare(account, refused, found.login).age === "newer");
        if (newer) return take(id, newer);
        if (all.length === 0 || looks >= REFUSAL_LOOKS) return false;
        await clock.sleep(REFUSAL_LOOK_EVERY_MS);
      }
    },
  };
}

/** Same person in the same workspace. */
export function isOf(account: Account, { claims }: FoundLogin): boolean {
  const identity = { userId: claims.userId, workspaceId: claims.workspaceId, issuer: account.issuer };
  return isSameIdentity(account, identity);
}

export function compare(account: Account, mine: Credentials, login: FoundLogin): FileComparison {
  const theirs = login.credentials;
  if (theirs.refreshToken === mine.refreshToken && theirs.accessToken === mine.accessToken)
    return { age: "same", shared: true };
  const families = [loginFamily(mine.accessToken), loginFamily(theirs.accessToken)];
  const known = families[0] !== null && families[1] !== null;
  const shared = theirs.refreshToken === mine.refreshToken || !known || families[0] === families[1];
  const newer = isFresher(
    { accessExpiresAtMs: login.claims.expiresAtMs, refreshedAtMs: login.refreshedAtMs },
    account.credentials,
  );
  // An issuer may answer with a new access token alone: one and the same login, then.
  const isSame = theirs.refreshToken === mine.refreshToken;
  return { age: newer ? "newer" : isSame ? "same" : "older", shared };
}
