/**
 * The issuer's side of a login (wire §1.2, §1.3, §1.6): the address to open, the exchange of a code for tokens, the device flow. Keeps
 * nothing between calls; codes, verifiers and tokens leave it as Secret or Credentials and stand in no message and no log line.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { type Dice, randomToken } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { Secret } from "../base/secret.ts";
import type { Credentials } from "../domain/credentials.ts";
import { readLoginClaims, type TokenClaims } from "../domain/token-claims.ts";
import { callIssuer, type IssuerAnswer } from "./issuer-call.ts";
import { numberAt, parseObject, textAt } from "./json.ts";
import { DEFAULT_SELF } from "./request-headers.ts";
import { safeText } from "./safe-text.ts";
import { readErrorAnswer } from "./upstream-error.ts";

export interface LoginIssuer {
  /** A fresh address to open, with what proves later that the answer belongs to it. */
  authorize(options: AuthorizeOptions): Authorization;
  /** Trades a code for tokens; a code is good once, so it is never sent twice. Rejects with an AppError. */
  exchange(grant: CodeGrant, signal: AbortSignal): Promise<NewLogin>;
  /** Asks for a code to type. Rejects with an AppError. */
  startDevice(signal: AbortSignal): Promise<DeviceAuthorization>;
  /** Has somebody typed it? Rejects with `login_refused` when the issuer says no for good. */
  pollDevice(device: DeviceAuthorization, signal: AbortSignal): Promise<DevicePoll>;
}

export interface AuthorizeOptions {
  readonly redirectUri: string;
  /** Makes the page ask who signs in, although the browser is signed in already. */
  readonly askWho: boolean;
  readonly loginHint: string | null;
  /** The one workspace that may be signed in to (wire §1.2); absent: the person chooses. */
  readonly workspaceId?: string | undefined;
}

export interface Authorization {
  readonly url: string;
  readonly state: string;
  readonly redirectUri: string;
  readonly verifier: Secret;
}

export interface CodeGrant {
  readonly code: Secret;
  readonly verifier: Secret;
  /** The one that the code was asked for with. */
  readonly redirectUri: string;
}

/** Tokens of a person who has just signed in, and whose they are. */
export interface NewLogin {
  readonly credentials: Credentials;
  readonly claims: TokenClaims & { readonly workspaceId: string };
}

export interface DeviceAuthorization {
  readonly id: Secret;
  readonly userCode: string;
  readonly verificationUrl: string;
  readonly intervalMs: number;
}

export type DevicePoll =
  /** `slower`: the issuer asked for longer pauses. `problem`: why there was no plain "not yet". */
  | { readonly kind: "pending"; readonly slower: boolean; readonly problem: string | null }
  | { readonly kind: "approved"; readonly grant: CodeGrant };

export interface LoginIssuerOptions {
  /** E.g. `https://auth.openai.com`. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
}

/** The two ports that are registered for the client id, in the order in which the official client tries them (wire §1.1). */
export const CALLBACK_PORTS: readonly number[] = [1455, 1457];
export const CALLBACK_PATH = "/auth/callback";

export function callbackUri(port: number): string {
  return `http://127.0.0.1:${port}${CALLBACK_PATH}`;
}

const SCOPE = "openid profile email offline_access api.connectors.read api.connectors.invoke";
/**
 * What the official client sends along with this client id. The id and its simplified sign-in are registered by that client, and with
 * it goes the name; whether the page takes another one could not be tried. Requests of our own say that they are Rotor's.
 */
const AUTHORIZE_ORIGINATOR = "codex_cli_rs";
const VERIFIER_BYTES = 64;
const STATE_BYTES = 32;
/** Used when the issuer names no pause, and its bounds: a wrong number must neither hammer the issuer nor make a login seem dead. */
const POLL_DEFAULT_SECONDS = 5;
const POLL_LEAST_SECONDS = 1;
const POLL_MOST_SECONDS = 60;

export function createLoginIssuer(options: LoginIssuerOptions): LoginIssuer {
  const { clientId, clock, dice, log } = options;
  const issuer = options.issuer.replace(/\/+$/, "");
  const post = async (path: string, type: string, body: string, signal: AbortSignal) => {
    const headers = [["content-type", type] as const, ["user-agent", DEFAULT_SELF.userAgent] as const];
    const startedMs = clock.monotonicMs();
    const answer = await callIssuer(clock, { url: `${issuer}${path}`, headers, body }, signal);
    const status = answer.kind === "answered" ? answer.status : null;
    log.debug("issuer.answered", { path, status, took_ms: Math.round(clock.monotonicMs() - startedMs) });
    return answer;
  };
  const postJson = (path: string, body: object, signal: AbortSignal) =>
    post(path, "application/json", JSON.stringify(body), signal);

  return {
    authorize({ redirectUri, askWho, loginHint, workspaceId }) {
      const verifier = randomToken(dice, VERIFIER_BYTES);
      const state = randomToken(dice, STATE_BYTES);
      const query = new URLSearchParams({
        response_type: "code",
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: SCOPE,
        code_challenge: createHash("sha256").update(verifier).digest("base64url"),
        code_challenge_method: "S256",
        id_token_add_organizations: "true",
        codex_cli_simplified_flow: "true",
        state,
        originator: AUTHORIZE_ORIGINATOR,
      });
      if (askWho) query.set("prompt", "login");
      if (loginHint !== null) query.set("login_hint", loginHint);
      if (workspaceId !== undefined) query.set("allowed_workspace_id", workspaceId);
      return { url: `${issuer}/oauth/authorize?${query}`, state, redirectUri, verifier: new Secret(verifier) };
    },
    async exchange({ code, verifier, redirectUri }, signal) {
      // No API key is asked for afterwards, as the official client does: nothing here would use it.
      const form = new URLSearchParams({
        grant_type: "authorization_code",
        client_id: clientId,
        code: code.reveal(),
        redirect_uri: redirectUri,
        code_verifier: verifier.reveal(),
      });
      return readTokens(await post("/oauth/token", "application/x-www-form-urlencoded", String(form), signal));
    },
    async startDevice(signal) {
      const answer = await postJson("/api/accounts/deviceauth/usercode", { client_id: clientId }, signal);
      return readDevice(answer, `${issuer}/codex/device`);
    },
    async pollDevice({ id, userCode }, signal) {
      const body = { device_auth_id: id.reveal(), user_code: userCode };
      const answer = await postJson("/api/accounts/deviceauth/token", body, signal);
      return readPoll(answer, `${issuer}/deviceauth/callback`);
    },
  };
}

function readTokens(answer: IssuerAnswer): NewLogin {
  const body = bodyOf(answer);
  const accessToken = body && textAt(body, "access_token");
  const refreshToken = body && textAt(body, "refresh_token");
  if (!body || !accessToken || !refreshToken) {
    const missing = !body ? "cannot be read" : accessToken ? "holds no refresh token" : "holds no access token";
    throw new AppError("upstream_malformed", `the issuer's answer ${missing}; sign in again`);
  }
  const idToken = textAt(body, "id_token");
  const claims = readLoginClaims(idToken, accessToken);
  const workspaceId = claims?.workspaceId ?? null;
  if (claims === null || workspaceId === null)
    throw new AppError("login_refused", "this login has no ChatGPT account: its tokens name none");
  return { credentials: { accessToken, refreshToken, idToken }, claims: { ...claims, workspaceId } };
}

function readDevice(answer: IssuerAnswer, verificationUrl: string): DeviceAuthorization {
  if (answer.kind === "answered" && answer.status === 404) {
    throw new AppError("login_refused", "the issuer offers no device logins", { hint: "rotor login --manual" });
  }
  const body = bodyOf(answer);
  const id = body && textAt(body, "device_auth_id");
  const userCode = body && (textAt(body, "user_code") ?? textAt(body, "usercode"));
  if (!body || !id || !userCode) throw new AppError("upstream_malformed", "the issuer's answer holds no code to type");
  const seconds = numberAt(body, "interval") ?? POLL_DEFAULT_SECONDS;
  return {
    id: new Secret(id),
    userCode: safeText(userCode),
    verificationUrl,
    intervalMs: Math.min(Math.max(seconds, POLL_LEAST_SECONDS), POLL_MOST_SECONDS) * 1000,
  };
}

/** Statuses that mean "not yet" or "not now"; 403 and 404 are the issuer's own way of saying that nobody has typed the code. */
const NOT_YET: ReadonlySet<number> = new Set([403, 404, 408, 429]);

function readPoll(answer: IssuerAnswer, redirectUri: string): DevicePoll {
  if (answer.kind === "unanswered") return { kind: "pending", slower: false, problem: answer.message };
  const { status } = answer;
  if (NOT_YET.has(status) || status >= 500) {
    const problem = status === 403 || status === 404 ? null : `the issuer answered ${status}`;
    // RFC 8628 §3.5: who is told to slow down waits longer from then on.
    return { kind: "pending", slower: status === 429, problem };
  }
  const body = bodyOf(answer);
  const code = body && textAt(body, "authorization_code");
  const verifier = body && textAt(body, "code_verifier");
  if (!code || !verifier) throw new AppError("upstream_malformed", "the issuer approved the login without a code");
  return { kind: "approved", grant: { code: new Secret(code), verifier: new Secret(verifier), redirectUri } };
}

/** The JSON object of a good answer, null when it is none; a refusal, or no answer at all, is thrown. */
function bodyOf(answer: IssuerAnswer) {
  if (answer.kind === "unanswered") throw new AppError("upstream_unreachable", answer.message);
  const { status, headers, text, broken } = answer;
  if (status >= 200 && status < 300) {
    const body = parseObject(text);
    if (body === null && broken !== null) throw new AppError("upstream_unreachable", broken);
    return body;
  }
  const error = readErrorAnswer(status, headers, text);
  const words = safeText(error.message);
  const code = safeText(error.codes[0] ?? "");
  const said = [words, code === "" ? "" : `(${code})`].filter((part) => part !== "").join(" ");
  const sentence = `the issuer answered ${status}${said === "" ? "" : `: ${said}`}`;
  if (error.isPage)
    throw new AppError("upstream_rejected", `the issuer answered ${status} with a page that is meant for a browser`);
  const isPassing = status < 400 || status === 408 || status === 429 || status >= 500;
  throw new AppError(isPassing ? "upstream_unreachable" : "login_refused", sentence);
}
