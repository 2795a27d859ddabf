/** What is kept of a login: the tokens. Lives sealed in the store; exists open only on its way between issuer, seal and request. */
export interface Credentials {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly idToken: string | null;
}

/** How fresh a login is, as far as its bearer says. */
export interface LoginAge {
  readonly accessExpiresAtMs: number | null;
  readonly refreshedAtMs: number | null;
}

/** By when the access token ends; by the last refresh when that does not tell. An equal one is not fresher. */
export function isFresher(a: LoginAge, b: LoginAge): boolean {
  if (a.accessExpiresAtMs !== null && b.accessExpiresAtMs !== null && a.accessExpiresAtMs !== b.accessExpiresAtMs)
    return a.accessExpiresAtMs > b.accessExpiresAtMs;
  return a.refreshedAtMs !== null && b.refreshedAtMs !== null && a.refreshedAtMs > b.refreshedAtMs;
}
