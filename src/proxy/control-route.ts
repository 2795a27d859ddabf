/**
 * Everything else that a Codex client asks of its backend (usage, settings, files, …): passed through with an account of the pool, body
 * and answer untouched. Two calls are answered here: which workspaces the client's own login has, and, unless a setting says otherwise, what is left: of the pool.
 */
import { AppError } from "../base/errors.ts";
import { headerValue } from "../base/header-list.ts";
import { conversationKeyOf } from "../domain/affinity.ts";
import { AS_IT_COMES, answerExchange } from "./exchange-answer.ts";
import { forUpstream } from "./header-hygiene.ts";
import { pooledUsageBody } from "./pooled-words.ts";
import { decodeBody, readBytes } from "./request-body.ts";
import { scanBody, textOf, turnFacts } from "./request-facts.ts";
import type { Visit } from "./visit.ts";

export async function answerControl(visit: Visit): Promise<Response> {
  const upstreamPath = upstreamPathOf(visit.path);
  if (upstreamPath === null) throw new AppError("route_not_found", "there is nothing at this path");
  if (upstreamPath === "/wham/accounts/check" && visit.request.method === "GET") return accountsCheck(visit);
  const { request, engine, headers, surface, keyId, only, nowMs, words } = visit;
  const own = engine.usage.isPooled() ? pooledAnswer(visit, `${request.method} ${upstreamPath}`) : null;
  if (own !== null) return own;
  const body = hasBody(request.method) ? await readBytes(request, visit.bodyMaxBytes, visit.clock) : null;
  const facts = await factsOf(visit, upstreamPath, body);
  const answer = await engine.exchanges.run({
    surface,
    method: request.method,
    path: visit.path,
    upstreamPath: upstreamPath + visit.query,
    headers: forUpstream(headers),
    body,
    plainBody: facts.plain,
    model: facts.model,
    mapping: null,
    stream: false,
    filter: null,
    unpack: false,
    socket: null,
    conversation: facts.conversation,
    keyId,
    ...facts.turn,
    profile: headerValue(headers, "x-rotor-profile"),
    ...(only === null ? {} : { only }),
    signal: request.signal,
  });
  return answerExchange(answer, {
    surface,
    stream: false,
    delivery: AS_IT_COMES,
    signal: request.signal,
    nowMs,
    words,
  });
}

/**
 * What the client shows and stops itself by: upstream would answer for the account that we lease. Reset credits are redeemed by an order
 * about one account (`rotor account redeem`): a client would do it for whichever comes next.
 */
function pooledAnswer({ engine, headers, nowMs }: Visit, asked: string): Response | null {
  if (asked === "GET /wham/usage" || asked === "GET /codex/usage") {
    const usage = engine.usage.told();
    if (usage === null) return null;
    return Response.json(pooledUsageBody(usage, headerValue(headers, "chatgpt-account-id"), nowMs()));
  }
  if (asked === "GET /wham/rate-limit-reset-credits")
    return Response.json({ credits: [], available_count: 0, total_earned_count: 0 });
  if (asked === "POST /wham/rate-limit-reset-credits/consume")
    return Response.json({ code: "no_credit", windows_reset: [], credit: null });
  return null;
}

/** Path below upstream's base. `/api/codex/…` is what Codex calls `/wham/…` when its base URL has no `/backend-api` (wire §3.0). */
function upstreamPathOf(path: string): string | null {
  const below = path.startsWith("/backend-api/")
    ? path.slice("/backend-api".length)
    : path.startsWith("/api/codex/")
      ? `/wham${path.slice("/api/codex".length)}`
      : null;
  return below === null || climbs(below) ? null : below;
}

/** A path that leaves upstream's base by dots, also encoded ones, would be sent with an account's token to something else. */
function climbs(path: string): boolean {
  let decoded: string;
  try {
    decoded = decodeURIComponent(path);
  } catch {
    return true;
  }
  return /(^|[\\/])\.{1,2}([\\/]|$)/.test(decoded) || decoded.startsWith("//");
}

function hasBody(method: string): boolean {
  return method !== "GET" && method !== "HEAD";
}

/**
 * Calls below `/codex/` (compaction, searches) name a model and belong to a conversation like a turn does. Read where it can be, because
 * the right account matters; what cannot be read is passed on all the same.
 */
async function factsOf(visit: Visit, upstreamPath: string, body: Uint8Array | null) {
  const { headers, keyId, bodyMaxBytes } = visit;
  const header = (name: string) => headerValue(headers, name);
  const turn = turnFacts(header, null);
  const unread = {
    plain: null,
    model: null,
    turn,
    conversation: conversationKeyOf({ header, promptCacheKey: null, keyId }),
  };
  const isJson = header("content-type")?.toLowerCase().startsWith("application/json") === true;
  if (body === null || body.length === 0 || !isJson || !upstreamPath.startsWith("/codex/")) return unread;
  try {
    const { plain } = await decodeBody(body, header("content-encoding"), bodyMaxBytes);
    const scanned = scanBody(plain);
    const promptCacheKey = textOf(scanned, "prompt_cache_key");
    return {
      plain,
      model: textOf(scanned, "model"),
      turn: turnFacts(header, scanned),
      conversation: conversationKeyOf({ header, promptCacheKey, keyId }),
    };
  } catch (thrown) {
    if (thrown instanceof AppError && thrown.code === "body_too_large") throw thrown;
    return unread;
  }
}

/**
 * The client sends the workspace id of its own login and refuses to work unless that id comes back (wire §3.1). Upstream would answer for
 * the account that we lease, which is another one.
 */
function accountsCheck({ headers, engine }: Visit): Response {
  const id = headerValue(headers, "chatgpt-account-id");
  if (id === null || id === "") {
    throw new AppError("invalid_request", "the request names no chatgpt-account-id to check", {
      facts: { param: "chatgpt-account-id" },
    });
  }
  // What the client may do is what the pool may do.
  const tier = engine.accounts.list().find((account) => account.enabled)?.tier ?? "unknown";
  const account = {
    id,
    plan_type: tier,
    name: "Rotor",
    structure: "personal",
    profile_picture_url: null,
    // The client wants an https origin here and uses it only where its two base URLs have one origin (wire §3.1).
    workspace_backend_origin: "https://chatgpt.com",
    account_routing_override: "NO_CONSTRAINT",
  };
  return Response.json({ accounts: [account], account_ordering: [id], default_account_id: id });
}
