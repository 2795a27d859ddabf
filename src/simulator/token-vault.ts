/**
 * Logins and their tokens. A login is a family: one refresh token after another, each good once, and for a grace time
 * after its use. Replay after the grace is told, and may end the whole family. Knows nothing of HTTP.
 */
import { type Dice, randomToken } from "../base/id.ts";
import type { Roster, SimAccount } from "./accounts.ts";
import { asObject, asText } from "./json.ts";
import { accessTokenClaims, createTokenSigner, idTokenClaims } from "./jwt.ts";

/** What the issuer can be told to do differently; README lists it. */
export interface OauthSettings {
  clientId: string;
  /** How long a used refresh token still works. */
  graceSeconds: number;
  accessTokenSeconds: number;
  idTokenSeconds: number;
  /** Refresh tokens older than this are expired; null for never. */
  refreshTokenSeconds: number | null;
  /** A replay after the grace ends the family, as upstream may do. */
  replayEndsFamily: boolean;
  /** HTTP status of a refused refresh token: upstream was seen with both. */
  refusalStatus: 400 | 401;
  /** False answers a refresh without a new refresh token: the old one stays good. */
  rotate: boolean;
  deviceEnabled: boolean;
  /** True lets the API-key exchange after a browser login succeed. */
  apiKeyExchange: boolean;
  /** Consent without a person: `hint` for the account that `login_hint` names, or the alias of one account. */
  autoApprove: string | null;
  /** Redirects to any loopback port are accepted, not the two registered ones alone: for tests that run side by side. */
  anyRedirectPort: boolean;
}

/** One hour: what a maintainer of the client said of the real service (wire reference §1.5). */
const DEFAULT_GRACE_SECONDS = 3_600;

export const DEFAULT_OAUTH: OauthSettings = {
  clientId: "app_EMoamEEZ73f0CkXaXp7hrann",
  graceSeconds: DEFAULT_GRACE_SECONDS,
  // Ten days and one hour: `exp - iat` of tokens in the wild (wire reference §1.5).
  accessTokenSeconds: 864_000,
  idTokenSeconds: 3_600,
  refreshTokenSeconds: null,
  replayEndsFamily: false,
  refusalStatus: 401,
  rotate: true,
  deviceEnabled: true,
  apiKeyExchange: false,
  autoApprove: null,
  anyRedirectPort: false,
};

export interface TokenSet {
  idToken: string;
  accessToken: string;
  refreshToken: string;
  scope: string;
}

export type RefreshRefusal = "refresh_token_reused" | "refresh_token_expired" | "refresh_token_invalidated";
export type RefreshResult =
  | { ok: true; account: SimAccount; tokens: TokenSet; rotated: boolean }
  | { ok: false; account: SimAccount | null; refusal: RefreshRefusal };

export type AccessRefusal = "unauthorized" | "token_expired" | "token_revoked" | "token_invalidated";
/** A refusal names the account when the token was once good. */
export type AccessResult =
  | { ok: true; account: SimAccount }
  | { ok: false; account: SimAccount | null; refusal: AccessRefusal };

interface Family {
  id: string;
  account: SimAccount;
  scope: string;
  revoked: boolean;
}

interface IssuedRefreshToken {
  family: Family;
  issuedAtMs: number;
  usedAtMs: number | null;
}

/** What one answer does differently from the settings. */
export interface IssueOptions {
  rotate?: boolean;
  accessTokenSeconds?: number;
}

export interface TokenVault {
  /** A new login. */
  login(account: SimAccount, scope?: string, options?: IssueOptions): TokenSet;
  refresh(refreshToken: string, options?: IssueOptions): RefreshResult;
  /** Whose refresh token this is, used or not. */
  ownerOf(refreshToken: string): SimAccount | null;
  checkAccess(accessToken: string): AccessResult;
  /** Ends the login that a refresh or access token belongs to. */
  revoke(token: string): SimAccount | null;
  /** Ends every login of the account. */
  revokeAll(account: SimAccount): void;
  /** Every access token issued so far counts as expired. */
  expireAccess(account: SimAccount): void;
}

export const DEFAULT_SCOPE = "openid profile email offline_access api.connectors.read api.connectors.invoke";

export function createTokenVault(options: {
  dice: Dice;
  roster: Roster;
  settings: OauthSettings;
  nowMs(): number;
  issuer(): string;
}): TokenVault {
  const { dice, roster, settings, nowMs } = options;
  const signer = createTokenSigner(dice);
  const families = new Map<string, Family>();
  const refreshTokens = new Map<string, IssuedRefreshToken>();

  const issue = (family: Family, keepRefreshToken: string | null, changed: IssueOptions = {}): TokenSet => {
    const lifetimes = { ...settings, accessTokenSeconds: changed.accessTokenSeconds ?? settings.accessTokenSeconds };
    const { account, scope } = family;
    const context = { issuer: options.issuer(), clientId: settings.clientId, nowMs: nowMs(), scope, dice };
    const claims = { ...context, familyId: family.id };
    const refreshToken = keepRefreshToken ?? `rt_${randomToken(dice, 48)}`;
    if (!keepRefreshToken) refreshTokens.set(refreshToken, { family, issuedAtMs: nowMs(), usedAtMs: null });
    return {
      idToken: signer.sign(idTokenClaims(account, claims, lifetimes)),
      accessToken: signer.sign(accessTokenClaims(account, claims, lifetimes)),
      refreshToken,
      scope,
    };
  };
  const familyOfAccess = (accessToken: string): Family | null => {
    const claims = signer.read(accessToken);
    return families.get(asText(claims?.session_id) ?? "") ?? null;
  };

  return {
    login(account, scope = DEFAULT_SCOPE, changed = {}) {
      const family: Family = { id: `authsess_${randomToken(dice, 18)}`, account, scope, revoked: false };
      families.set(family.id, family);
      account.counters.logins++;
      return issue(family, null, changed);
    },
    refresh(refreshToken, changed = {}) {
      const held = refreshTokens.get(refreshToken);
      if (!held) return { ok: false, account: null, refusal: "refresh_token_invalidated" };
      const refusal = refusalOf(held, settings, nowMs());
      if (refusal === "refresh_token_reused" && settings.replayEndsFamily) held.family.revoked = true;
      if (refusal) return { ok: false, account: held.family.account, refusal };
      held.family.account.counters.refreshes++;
      const rotated = changed.rotate ?? settings.rotate;
      if (rotated) held.usedAtMs ??= nowMs();
      const tokens = issue(held.family, rotated ? null : refreshToken, changed);
      return { ok: true, account: held.family.account, tokens, rotated };
    },
    ownerOf: (refreshToken) => refreshTokens.get(refreshToken)?.family.account ?? null,
    checkAccess(accessToken) {
      const claims = signer.read(accessToken);
      const family = familyOfAccess(accessToken);
      if (!claims || !family) return { ok: false, account: null, refusal: "unauthorized" };
      const account = roster.byAccountId(
        asText(asObject(claims["https://api.openai.com/auth"])?.chatgpt_account_id) ?? "",
      );
      // An id token is signed by us too, but it is no key to the API.
      if (!account || typeof claims.client_id !== "string") return { ok: false, account, refusal: "unauthorized" };
      if (family.revoked) return { ok: false, account, refusal: "token_revoked" };
      const epoch = Number(asText(claims.jti)?.split(".").at(-1));
      if (Number(claims.exp) * 1_000 <= nowMs() || epoch < account.accessEpoch)
        return { ok: false, account, refusal: "token_expired" };
      return { ok: true, account };
    },
    revoke(token) {
      const family = refreshTokens.get(token)?.family ?? familyOfAccess(token);
      if (!family) return null;
      family.revoked = true;
      return family.account;
    },
    revokeAll(account) {
      for (const family of families.values()) if (family.account === account) family.revoked = true;
    },
    expireAccess(account) {
      account.accessEpoch++;
    },
  };
}

function refusalOf(held: IssuedRefreshToken, settings: OauthSettings, nowMs: number): RefreshRefusal | null {
  if (held.family.revoked) return "refresh_token_invalidated";
  if (held.usedAtMs !== null && nowMs - held.usedAtMs > settings.graceSeconds * 1_000) return "refresh_token_reused";
  const { refreshTokenSeconds } = settings;
  if (refreshTokenSeconds !== null && nowMs - held.issuedAtMs > refreshTokenSeconds * 1_000)
    return "refresh_token_expired";
  return null;
}

/** An account's login in the form of the Codex client's auth.json (wire reference §2). */
export function authJsonOf(account: SimAccount, tokens: TokenSet, issuer: string, clientId: string, nowMs: number) {
  return {
    auth_mode: "chatgpt",
    OPENAI_API_KEY: null,
    tokens: {
      id_token: tokens.idToken,
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      account_id: account.accountId,
      oauth_provenance: { issuer, client_id: clientId },
    },
    last_refresh: new Date(nowMs).toISOString(),
  };
}
export type AuthJson = ReturnType<typeof authJsonOf>;
