/** What is kept of a login: the tokens. Lives sealed in the store; exists open only on its way between issuer, seal and request. */
export interface Credentials {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly idToken: string | null;
}
