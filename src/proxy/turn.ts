/**
 * What every door to a turn does alike: reads the request, says whose conversation it is, and hands an SDK's request to the pool in the
 * form that upstream takes.
 */
import type { ByteFilter } from "../base/byte-filter.ts";
import { headerValue } from "../base/header-list.ts";
import { conversationKeyOf } from "../domain/affinity.ts";
import type { ExchangeRequest } from "../pool/engine.ts";
import { forUpstreamRewritten } from "./header-hygiene.ts";
import { normaliseRequest } from "./normalise.ts";
import { LITE_HEADER } from "./normalise-lite.ts";
import { PooledEventFilter } from "./pooled-event-filter.ts";
import { pooledEvent } from "./pooled-words.ts";
import { decodeBody, type RequestBody, readBytes } from "./request-body.ts";
import { type ScannedBody, scanBody, textOf, turnFacts } from "./request-facts.ts";
import type { Visit } from "./visit.ts";

const UPSTREAM_PATH = "/codex/responses";

export interface ReceivedTurn {
  readonly body: RequestBody;
  readonly scanned: ScannedBody;
}

export async function receiveTurn({ request, headers, bodyMaxBytes }: Visit): Promise<ReceivedTurn> {
  const bytes = await readBytes(request, bodyMaxBytes);
  const encoding = headerValue(headers, "content-encoding");
  const body = encoding === null ? { bytes, plain: bytes } : await decodeBody(bytes, encoding, bodyMaxBytes);
  return { body, scanned: scanBody(body.plain) };
}

/** A turn may come in a request of its own, or inside a connection. */
export type TurnVisit = Omit<Visit, "request">;

type Common = Omit<ExchangeRequest, "headers" | "body" | "plainBody" | "model" | "filter" | "unpack">;

export function commonOf(visit: TurnVisit, scanned: ScannedBody): Common {
  const { surface, path, query, keyId, signal, headers } = visit;
  const promptCacheKey = textOf(scanned, "prompt_cache_key");
  const header = (name: string) => headerValue(headers, name);
  return {
    surface,
    method: "POST",
    path,
    upstreamPath: UPSTREAM_PATH + query,
    stream: true,
    socket: null,
    conversation: conversationKeyOf({ header, promptCacheKey, keyId }),
    keyId,
    ...turnFacts(header("x-rotor-project"), scanned),
    profile: header("x-rotor-profile"),
    signal,
  };
}

/** For a client that gets upstream's events as they are. Asked when the event is there: what it says is as new as it can be. */
export function pooledEvents({ engine, nowMs }: TurnVisit): ExchangeRequest["filter"] {
  if (!engine.usage.isPooled()) return null;
  return () =>
    new PooledEventFilter(() => {
      const pooled = engine.usage.told();
      return pooled === null ? null : pooledEvent(pooled, nowMs());
    });
}

export interface SdkTurn {
  readonly exchange: ExchangeRequest;
  readonly wantsStream: boolean;
}

/** `asked` is the Responses request: the client's own, or what was made of it. `filter` is for a client that streams. */
export function sdkTurn(visit: TurnVisit, body: RequestBody, asked: ScannedBody, filter: () => ByteFilter): SdkTurn {
  const { bytes, model, lite, wantsStream } = normaliseRequest(asked, visit.engine.catalogue.isLite);
  const unedited = bytes === body.plain;
  const exchange: ExchangeRequest = {
    ...commonOf(visit, asked),
    headers: [...forUpstreamRewritten(visit.headers, unedited), ...(lite ? [LITE_HEADER] : [])],
    body: unedited ? body.bytes : bytes,
    plainBody: bytes,
    model,
    filter: wantsStream ? filter : null,
    unpack: true,
  };
  return { exchange, wantsStream };
}
