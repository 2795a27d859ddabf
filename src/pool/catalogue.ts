/**
 * Upstream's model list, in upstream's own bytes, kept for a few minutes. Fetched as an ordinary exchange when a client asks and it is old;
 * one fetch at a time.
 */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { headerValue } from "../base/header-list.ts";
import type { CatalogueAnswer, CatalogueDesk, ExchangeAnswer, ExchangeRequest } from "./engine.ts";

/** Models change within days; five minutes keep a client's start off the network and a new model from being missed for long. */
const FRESH_MS = 300_000;
/** The query that the official client sends; upstream leaves out models that a client is too old for. */
const CLIENT_VERSION = "0.169.0";

export function createCatalogue(deps: {
  clock: Clock;
  run: (request: ExchangeRequest) => Promise<ExchangeAnswer>;
}): CatalogueDesk {
  let kept: { answer: Extract<CatalogueAnswer, { kind: "models" }>; atMs: number } | null = null;
  let running: Promise<CatalogueAnswer> | null = null;
  let lite: ReadonlyMap<string, boolean> = new Map();

  const fetchModels = async (request: Parameters<CatalogueDesk["models"]>[0]): Promise<CatalogueAnswer> => {
    const answer = await deps.run({
      ...request,
      // A fetch that several clients share must not die with the first of them.
      signal: new AbortController().signal,
      method: "GET",
      upstreamPath: `/codex/models?client_version=${CLIENT_VERSION}`,
      body: null,
      plainBody: null,
      model: null,
      stream: false,
      filter: null,
      unpack: true,
      socket: null,
      conversation: null,
      project: null,
      effort: null,
      tier: null,
    });
    if (answer.kind === "refused") return { kind: "refused", error: answer.error };
    if (answer.kind === "rejected") {
      return {
        kind: "refused",
        error: new AppError("upstream_rejected", `upstream answered ${answer.status} to the request for its models`),
      };
    }
    const body = new Uint8Array(await new Response(answer.body).arrayBuffer());
    lite = liteModels(body) ?? lite;
    const models = { kind: "models", body, etag: headerValue(answer.headers, "etag") } as const;
    kept = { answer: models, atMs: deps.clock.nowMs() };
    return models;
  };

  return {
    isLite: (model) => lite.get(model) ?? LITE_BY_NAME.test(model),
    async models(request) {
      if (kept !== null && deps.clock.nowMs() - kept.atMs < FRESH_MS) return kept.answer;
      running ??= fetchModels(request).finally(() => {
        running = null;
      });
      const answer = await running;
      // An old list is better than none: the client only wants names and limits.
      return answer.kind === "refused" && kept !== null ? kept.answer : answer;
    },
  };
}

/** Until a list was fetched, and for models that no list names: as they were in the official client's list of 2026-11-21 (wire §3.6). */
const LITE_BY_NAME = /^gpt-(?:5\.6|6(?:\.\d+)?|daybreak)-|^codex-auto-review$/;

/** By model, what the list says of it; null when it cannot be read. */
function liteModels(body: Uint8Array): ReadonlyMap<string, boolean> | null {
  let list: unknown;
  try {
    list = (JSON.parse(new TextDecoder().decode(body)) as { models?: unknown }).models;
  } catch {
    return null;
  }
  if (!Array.isArray(list)) return null;
  const entries = list as readonly ({ slug?: unknown; use_responses_lite?: unknown } | null)[];
  return new Map(entries.map((entry) => [String(entry?.slug), entry?.use_responses_lite === true]));
}
