/** A login on its way into an account, and what an account is after it. Pure. */
import { type Account, isLoginCooldown } from "../domain/account.ts";
import type { Credentials } from "../domain/credentials.ts";
import type { TokenClaims } from "../domain/token-claims.ts";

/** Credentials with whose they are. */
export interface IncomingLogin {
  readonly credentials: Credentials;
  readonly claims: TokenClaims & { readonly workspaceId: string };
  /** null = now. */
  readonly refreshedAtMs: number | null;
}

export function withLogin(account: Account, login: IncomingLogin, generation: number, nowMs: number): Account {
  return {
    ...account,
    email: login.claims.email ?? account.email,
    userId: account.userId ?? login.claims.userId,
    tier: login.claims.tier ?? account.tier,
    login: { kind: "ok" },
    cooldown: isLoginCooldown(account.cooldown?.reason) ? null : account.cooldown,
    credentials: {
      generation,
      accessExpiresAtMs: login.claims.expiresAtMs,
      refreshedAtMs: login.refreshedAtMs ?? nowMs,
    },
  };
}
