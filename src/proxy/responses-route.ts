/**
 * `POST …/responses`: the request that everything else is for. A Codex client's bytes go on untouched, still compressed if they came so;
 * an SDK's are normalised.
 */
import { headerValue } from "../base/header-list.ts";
import { conversationKeyOf } from "../domain/affinity.ts";
import type { ExchangeRequest } from "../pool/engine.ts";
import { answerExchange, type Delivery } from "./exchange-answer.ts";
import { forUpstream, forUpstreamRewritten } from "./header-hygiene.ts";
import { normaliseRequest } from "./normalise.ts";
import { decodeBody, type RequestBody, readBytes } from "./request-body.ts";
import { type ScannedBody, scanBody, textOf } from "./request-facts.ts";
import { createVendorEventFilter } from "./vendor-events.ts";
import type { Visit } from "./visit.ts";

const UPSTREAM_PATH = "/codex/responses";

export async function answerResponses(visit: Visit): Promise<Response> {
  const { request, headers, bodyMaxBytes, surface, nowMs } = visit;
  const bytes = await readBytes(request, bodyMaxBytes);
  const encoding = headerValue(headers, "content-encoding");
  const body = encoding === null ? { bytes, plain: bytes } : await decodeBody(bytes, encoding, bodyMaxBytes);
  const scanned = scanBody(body.plain);
  const { exchange, delivery } = surface === "codex" ? ofCodex(visit, body, scanned) : ofSdk(visit, body, scanned);
  const answer = await visit.engine.exchanges.run(exchange);
  return answerExchange(answer, { surface, stream: true, signal: request.signal, nowMs, delivery });
}

interface Turn {
  readonly exchange: ExchangeRequest;
  readonly delivery: Delivery;
}

function ofCodex(visit: Visit, body: RequestBody, scanned: ScannedBody): Turn {
  const exchange: ExchangeRequest = {
    ...asked(visit, scanned),
    headers: forUpstream(visit.headers),
    body: body.bytes,
    plainBody: body.plain,
    model: textOf(scanned, "model"),
    filter: null,
  };
  return { exchange, delivery: "as_it_comes" };
}

function ofSdk(visit: Visit, body: RequestBody, scanned: ScannedBody): Turn {
  const { bytes, model, wantsStream } = normaliseRequest(scanned);
  const unedited = bytes === body.plain;
  const exchange: ExchangeRequest = {
    ...asked(visit, scanned),
    headers: forUpstreamRewritten(visit.headers, unedited),
    body: unedited ? body.bytes : bytes,
    plainBody: bytes,
    model,
    filter: wantsStream ? createVendorEventFilter : null,
  };
  return { exchange, delivery: wantsStream ? "as_it_comes" : "folded" };
}

function asked(
  visit: Visit,
  scanned: ScannedBody,
): Omit<ExchangeRequest, "headers" | "body" | "plainBody" | "model" | "filter"> {
  const { surface, path, query, keyId, request, headers } = visit;
  const promptCacheKey = textOf(scanned, "prompt_cache_key");
  const header = (name: string) => headerValue(headers, name);
  return {
    surface,
    method: "POST",
    path,
    upstreamPath: UPSTREAM_PATH + query,
    stream: true,
    conversation: conversationKeyOf({ header, promptCacheKey, keyId }),
    keyId,
    signal: request.signal,
  };
}
