/**
 * GET /oauth/authorize and its consent page (wire reference §1.2): a person picks an account and agrees, or a setting does
 * it for tests. Never redirects to an address that is not registered.
 */
import type { SimAccount } from "./accounts.ts";
import { type Answer, htmlAnswer } from "./answer.ts";
import { accountPage, escapeHtml, messagePage } from "./html.ts";
import { headerOf } from "./http-request.ts";
import type { AuthorizeRequest, OauthDesk } from "./oauth-desk.ts";
import { serve, targetOf } from "./serve.ts";
import type { OauthSettings } from "./token-vault.ts";
import type { Call, World } from "./world.ts";

export const CONSENT_PATH = "/oauth/authorize/consent";
const SESSION_COOKIE = "sim_session";

export type ReadAuthorize =
  | { ok: true; request: AuthorizeRequest }
  /** `redirectUri` is null when it cannot be trusted: then the page itself says what is wrong. */
  | { ok: false; problem: string; redirectUri: string | null; state: string };

export function readAuthorize(query: URLSearchParams, settings: OauthSettings): ReadAuthorize {
  const redirectUri = query.get("redirect_uri") ?? "";
  const state = query.get("state") ?? "";
  if (query.get("client_id") !== settings.clientId)
    return { ok: false, problem: "unknown client_id", redirectUri: null, state };
  if (!isRegistered(redirectUri, settings))
    return { ok: false, problem: "redirect_uri is not registered", redirectUri: null, state };
  const refuse = (problem: string): ReadAuthorize => ({ ok: false, problem, redirectUri, state });
  if (query.get("response_type") !== "code") return refuse("response_type must be code");
  if (query.get("code_challenge_method") !== "S256") return refuse("code_challenge_method must be S256");
  const challenge = query.get("code_challenge") ?? "";
  if (!/^[A-Za-z0-9_-]{43}$/.test(challenge)) return refuse("code_challenge must be a SHA-256 in base64url");
  if (state === "") return refuse("state is missing");
  const scope = query.get("scope") ?? "";
  if (!scope.split(" ").includes("openid")) return refuse("scope must include openid");
  const request: AuthorizeRequest = {
    clientId: settings.clientId,
    redirectUri,
    scope,
    state,
    challenge,
    loginHint: query.get("login_hint"),
    workspaceId: query.get("allowed_workspace_id"),
    forceLogin: query.get("prompt") === "login",
  };
  return { ok: true, request };
}

/** The two names and two ports that the real client id has registered. */
function isRegistered(redirectUri: string, settings: OauthSettings): boolean {
  const match = /^http:\/\/(?:localhost|127\.0\.0\.1):(\d+)\/auth\/callback$/.exec(redirectUri);
  return match !== null && (settings.anyRedirectPort || match[1] === "1455" || match[1] === "1457");
}

export async function handleAuthorize(call: Call, desk: OauthDesk): Promise<void> {
  await serve(call, targetOf("authorize", null), () => {
    const { world, exchange } = call;
    const read = readAuthorize(exchange.request.query, world.oauth);
    if (!read.ok) {
      if (read.redirectUri === null)
        return htmlAnswer(400, messagePage("This sign-in link is not valid", read.problem));
      return redirect(errorUrl(read.redirectUri, "invalid_request", read.problem, read.state));
    }
    const { request } = read;
    const session = request.forceLogin ? null : desk.session(cookieOf(call) ?? "");
    const approved = approvedBy(world, request, session);
    if (approved) return redirect(successUrl(request, desk.grant(approved, request)));
    const offered = world.roster.list().filter((account) => mayChoose(account, request));
    const ticket = desk.openPage(request);
    return htmlAnswer(200, accountPage(CONSENT_PATH, { ticket }, offered, session ?? hinted(world, request)), [
      ["cache-control", "no-store"],
    ]);
  });
}

/** A client that is bound to one workspace signs in to no other. */
function mayChoose(account: SimAccount, request: AuthorizeRequest): boolean {
  return request.workspaceId === null || account.accountId === request.workspaceId;
}

/** Who consents without a person: see `autoApprove`. */
function approvedBy(world: World, request: AuthorizeRequest, session: SimAccount | null): SimAccount | null {
  const { autoApprove } = world.oauth;
  if (autoApprove === null) return null;
  return hinted(world, request) ?? (autoApprove === "hint" ? session : world.roster.resolve(autoApprove));
}

function hinted(world: World, request: AuthorizeRequest): SimAccount | null {
  return request.loginHint === null ? null : world.roster.resolve(request.loginHint);
}

/** POST of the consent page. */
export async function handleConsent(call: Call, desk: OauthDesk): Promise<void> {
  await serve(call, targetOf("authorize", null), () => {
    const form = new URLSearchParams(new TextDecoder().decode(call.exchange.request.body));
    const ticket = form.get("ticket") ?? "";
    const request = desk.page(ticket);
    if (!request) return htmlAnswer(400, messagePage("This page is no longer valid", "Start the sign-in again."));
    desk.closePage(ticket);
    if (form.get("action") !== "allow")
      return redirect(errorUrl(request.redirectUri, "access_denied", "The user said no", request.state));
    const account = call.world.roster.find(form.get("account") ?? "");
    if (!account || !mayChoose(account, request))
      return htmlAnswer(400, messagePage("No account was chosen", "Start the sign-in again and choose one."));
    const answer = redirect(successUrl(request, desk.grant(account, request)));
    answer.headers.push([
      "set-cookie",
      `${SESSION_COOKIE}=${desk.startSession(account)}; Path=/; HttpOnly; SameSite=Lax`,
    ]);
    return answer;
  });
}

function cookieOf(call: Call): string | null {
  const cookies = headerOf(call.exchange.request.headers, "cookie") ?? "";
  const pairs = cookies.split(";").map((pair) => pair.trim().split("="));
  return pairs.find(([name]) => name === SESSION_COOKIE)?.[1] ?? null;
}

export function successUrl(request: AuthorizeRequest, code: string): string {
  return `${request.redirectUri}?${new URLSearchParams({ code, scope: request.scope, state: request.state })}`;
}

export function errorUrl(redirectUri: string, error: string, description: string, state: string): string {
  return `${redirectUri}?${new URLSearchParams({ error, error_description: description, state })}`;
}

function redirect(url: string): Answer {
  const body = `<!DOCTYPE html><title>Redirecting</title><a href="${escapeHtml(url)}">Go on</a>`;
  return htmlAnswer(302, body, [["location", url]]);
}
