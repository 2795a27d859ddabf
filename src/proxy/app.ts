/**
 * The routes of the proxy: what clients may ask on the HTTP port. Handlers take `request` alone and return a finished `Response`:
 * Elysia decides from a handler's source text what to parse, and a body parsed here would be a body read twice.
 * Never serves the control API or the dashboard (contracts §8).
 */
import { Elysia } from "elysia";
import { BODY_MAX_BYTES } from "../base/bounds.ts";
import type { Clock } from "../base/clock.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { headerValue } from "../base/header-list.ts";
import type { HttpGuard } from "../base/http-guard.ts";
import type { Log } from "../base/log.ts";
import { withTimerLines } from "../base/timer-lines.ts";
import type { Engine } from "../pool/engine.ts";
import { answerKept } from "./background-route.ts";
import { answerChat } from "./chat-route.ts";
import { splitPathKey } from "./client-auth.ts";
import { answerControl } from "./control-route.ts";
import { headerListOf } from "./header-hygiene.ts";
import { answerCodexModels, answerModel, answerModels } from "./models-route.ts";
import { PooledWords } from "./pooled-words.ts";
import { answerResponses } from "./responses-route.ts";
import { answerCaller, type ProxyDeps, receive, refuse, splitUrl } from "./visit.ts";

export interface ProxyAppDeps {
  /** null while the daemon is not ready: nobody can be authenticated or served then. */
  readonly engine: () => Engine | null;
  /** The daemon's state (`ready`, `locked`, `damaged`, `migrating`) and why. */
  readonly state: () => { readonly state: string; readonly reason: string };
  readonly guard: HttpGuard;
  readonly clock: Clock;
  readonly log: Log;
  /** Largest request body, as received and decoded. */
  readonly bodyMaxBytes?: number;
}

/** Where a turn may be sent: SDKs, Codex, and spellings that older clients and other proxies use. */
export const RESPONSES_PATHS = [
  "/v1/responses",
  "/responses",
  "/backend-api/codex/responses",
  "/backend-api/codex/v1/responses",
] as const;

const CHAT_PATHS = ["/v1/chat/completions", "/chat/completions"] as const;

const RAW = { parse: "none" } as const;

export function createProxyApp(options: ProxyAppDeps) {
  const deps = proxyDeps(options);
  // `standardHostname: false`: Elysia 1.4.30 looks for the path from the 11th character on, and misses it after a host name of three.
  const app = new Elysia({ handler: { standardHostname: false } });
  app.onRequest(({ request }) => {
    const refused = options.guard.refuse(request.headers.get("host"), request.headers.get("origin"));
    if (refused !== null) return refuse(deps, forbidden(refused), { surface: "sdk", stream: false });
    const keyed = withPathKey(request);
    if (keyed !== null) return app.handle(keyed);
  });
  app.onError(({ error }) => refuse(deps, fromUnknown(error), { surface: "sdk", stream: false }));
  app.get("/health", () => Response.json({ status: "alive" }), RAW);
  app.get("/ready", () => readiness(deps), RAW);
  for (const path of RESPONSES_PATHS) {
    app.post(path, ({ request }) => receive(deps, request, true, answerResponses), RAW);
    app.head(path, () => new Response(null), RAW);
    // Only an upgrade gets this far with GET; without one there is nothing here.
    app.get(path, ({ request }) => receive(deps, request, false, nothingHere), RAW);
  }
  // Codex never asks for these; on its own paths they stay upstream's to answer.
  for (const path of ["/v1/responses/*", "/responses/*"]) {
    app.all(path, ({ request }) => receive(deps, request, false, answerKept), RAW);
  }
  for (const path of CHAT_PATHS) app.post(path, ({ request }) => receive(deps, request, true, answerChat), RAW);
  app.get("/v1/models", ({ request }) => receive(deps, request, false, answerModels), RAW);
  app.get("/v1/models/*", ({ request }) => receive(deps, request, false, answerModel), RAW);
  app.get("/backend-api/codex/models", ({ request }) => receive(deps, request, false, answerCodexModels), RAW);
  app.all("/backend-api/*", ({ request }) => receive(deps, request, false, answerControl), RAW);
  app.all("/api/codex/*", ({ request }) => receive(deps, request, false, answerControl), RAW);
  app.all("/*", ({ request }) => refuse(deps, unknownRoute(request), { surface: "sdk", stream: false }), RAW);
  return app;
}

export function proxyDeps(options: ProxyAppDeps): ProxyDeps {
  const { bodyMaxBytes = BODY_MAX_BYTES, clock } = options;
  const words = new PooledWords(() => options.engine()?.usage ?? null, clock.nowMs);
  return { ...options, clock: withTimerLines(clock), bodyMaxBytes, words };
}

/** A turn without the app around it: what it would answer, or null for what is the app's. */
export type TurnDoor = (request: Request) => Response | Promise<Response> | null;

/**
 * The routes of turns, by their exact paths, past Elysia: finding them there costs an eighth of such a request (1.4.30 on Bun 1.4.5), and nothing
 * of it is of use to them. The app has them too, for whatever comes in another spelling or with a key in its path.
 */
export function createTurnDoor(options: ProxyAppDeps): TurnDoor {
  const deps = proxyDeps(options);
  const handlers = new Map([
    ...RESPONSES_PATHS.map((path) => [path, answerResponses] as const),
    ...CHAT_PATHS.map((path) => [path, answerChat] as const),
  ] as [string, typeof answerResponses][]);
  return (request) => {
    if (request.method !== "POST") return null;
    const address = splitUrl(request.url);
    const handle = handlers.get(address.path);
    if (handle === undefined) return null;
    const headers = headerListOf(request.headers);
    const refused = options.guard.refuse(headerValue(headers, "host"), headerValue(headers, "origin"));
    if (refused !== null) return refuse(deps, forbidden(refused), { surface: "sdk", stream: false });
    return answerCaller(deps, { request, address, headers, stream: true }, handle);
  };
}

export type ProxyApp = ReturnType<typeof createProxyApp>;

/** Alive is whoever can answer. Ready is when requests can be served; which account may serve them is for each request to find out. */
function readiness(deps: ProxyDeps): Response {
  const { state, reason } = deps.state();
  const ready = state === "ready" && deps.engine() !== null;
  return ready
    ? Response.json({ status: "ready" })
    : Response.json({ status: state === "ready" ? "starting" : state, reason }, { status: 503 });
}

/**
 * A key in the path (contracts §2) becomes the request's authorization, in place of the client's own login, and the path is as if it had
 * not been there: nothing behind this line sees either.
 */
function withPathKey(request: Request): Request | null {
  const { path, query } = splitUrl(request.url);
  const split = splitPathKey(path);
  if (split === null) return null;
  const keyed = new Request(`http://localhost${split.rest}${query}`, request);
  keyed.headers.set("authorization", `Bearer ${split.key}`);
  return keyed;
}

export function forbidden(header: "host" | "origin"): AppError {
  return new AppError(
    "forbidden_host",
    header === "host"
      ? "the request names a host that this proxy does not answer to"
      : "requests of web pages from elsewhere are refused",
  );
}

function nothingHere(): never {
  throw new AppError("route_not_found", "responses are asked for with POST");
}

/** Names the method and not the path: a mistyped path may hold a key. */
function unknownRoute(request: Request): AppError {
  return new AppError(
    "route_not_found",
    `nothing answers ${request.method} at this path; the base URL ends in /v1 or /backend-api/codex`,
  );
}
