/**
 * The `fetch` that OpenCode's `openai` provider gets: sends its requests to the daemon, with the key of the handshake in place of whatever
 * OpenCode would have shown, and fails closed with a 400 in words when there is no daemon (a 5xx or 429 would be asked again and again).
 * A request that is not for OpenAI goes where it was going, as it was.
 */
import type { Link } from "./link.ts";
import { RpcError } from "./rpc.ts";

/**
 * Where OpenCode believes that its requests go: a port of this machine on which nothing listens, so that nothing leaves it where this file
 * is not asked (OpenCode's experimental runtime leaves a `fetch` out).
 */
export const NOWHERE = "http://127.0.0.1:1/v1";

const OURS: ReadonlySet<string> = new Set([new URL(NOWHERE).origin, "https://api.openai.com", "https://chatgpt.com"]);

/** What names a person, or shows a credential of theirs. */
const THEIRS = [
  "authorization",
  "api-key",
  "x-api-key",
  "chatgpt-account-id",
  "cookie",
  "openai-organization",
  "openai-project",
  "x-openai-internal-codex-residency",
];

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface Sent {
  readonly response: Response;
  readonly headers: Headers;
}

export interface Told {
  /** Each answer of the daemon. */
  readonly onAnswer: (sent: Sent) => void;
  /** Each request that found none. */
  readonly onDown: (message: string) => void;
  /** A request that has no answer for longer than a person thinks nothing of. */
  readonly onSlow: () => void;
}

/** Models begin to answer within a few seconds; Rotor itself may wait twenty for an account. */
const SLOW_AFTER_MS = 6_000;

/** `others` is for what is not ours. */
export function createFetch(link: Link, told: Told, others: Fetch, slowAfterMs = SLOW_AFTER_MS): Fetch {
  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (!OURS.has(url.origin)) return await others(input, init);
    const asked = input instanceof Request ? await unpacked(input, init) : init;
    let last: unknown = null;
    for (let turn = 0; turn < 2; turn++) {
      let base: string;
      let key: string;
      try {
        ({ proxyUrl: base = "", key = "" } = await link.greet());
      } catch (error) {
        last = error;
        break;
      }
      const headers = headersFor(asked.headers, key);
      const timer = setTimeout(told.onSlow, slowAfterMs);
      timer.unref?.();
      try {
        const response = await fetch(base + targetPath(url), { ...asked, headers, redirect: "manual" });
        // A daemon that was started since knows the key no more, until it is shown it again.
        if (response.status === 401 && turn === 0) {
          await response.body?.cancel().catch(() => {});
          link.forget();
          continue;
        }
        told.onAnswer({ response, headers });
        return response;
      } catch (error) {
        if (asked.signal?.aborted) throw error;
        last = error;
        link.forget();
      } finally {
        clearTimeout(timer);
      }
    }
    const message = downMessage(last);
    told.onDown(message);
    return Response.json(
      { error: { message, type: "invalid_request_error", code: "rotor_not_reachable", param: null } },
      { status: 400 },
    );
  };
}

/** `/v1/responses`, whatever OpenCode was pointed at. */
function targetPath(url: URL): string {
  return `/v1${url.pathname.replace(/^\/(?:v1|backend-api\/codex)(?=\/|$)/, "")}${url.search}`;
}

function headersFor(given: ConstructorParameters<typeof Headers>[0], key: string): Headers {
  const headers = withoutTheirs(given);
  headers.set("authorization", `Bearer ${key}`);
  return headers;
}

/** A copy without anything that names a person or shows a credential of theirs. */
export function withoutTheirs(given: ConstructorParameters<typeof Headers>[0]): Headers {
  const headers = new Headers(given);
  for (const name of THEIRS) headers.delete(name);
  return headers;
}

/** A Request can be sent once; its parts as often as need be. */
async function unpacked(request: Request, init: RequestInit): Promise<RequestInit> {
  const body = request.body === null ? undefined : await request.arrayBuffer();
  const { method, headers, signal } = request;
  return { method, headers, signal, ...(body === undefined ? {} : { body }), ...init };
}

/** One sentence and the command that mends it. Must not say "unavailable", "timeout" or "try again": OpenCode takes that for a reason to. */
export function downMessage(error: unknown): string {
  const hint = error instanceof RpcError && error.hint !== "" ? error.hint : "rotor up";
  const why = error instanceof Error ? error.message : String(error);
  const plain = why
    .replace(/\b(?:unavailable|time[d ]*-?outs?|try again(?: later)?)\b/gi, "not there")
    .replace(/[.\s]+$/, "");
  return `Rotor does not answer: ${plain}. Nothing was sent. To mend it: ${hint}`;
}
