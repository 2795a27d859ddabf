/**
 * What every door to a turn does alike: reads the request, says whose conversation it is, and hands an SDK's request to the pool in the
 * form that upstream takes.
 */
import { bodyOf } from "../base/body-bytes.ts";
import type { ByteFilter } from "../base/byte-filter.ts";
import { headerValue, withoutHeaders } from "../base/header-list.ts";
import { conversationKeyOf } from "../domain/affinity.ts";
import type { ExchangeRequest } from "../pool/engine.ts";
import { forUpstream, forUpstreamRewritten } from "./header-hygiene.ts";
import { type Edit, memberPieces } from "./json-splice.ts";
import { mapModel, withDefaultEffort } from "./model-splice.ts";
import { normaliseRequest } from "./normalise.ts";
import { editForLite, LITE_HEADER } from "./normalise-lite.ts";
import { PooledEventFilter } from "./pooled-event-filter.ts";
import { decodeBody, type RequestBody, readBytes } from "./request-body.ts";
import { type ScannedBody, scanBody, textOf, turnFacts } from "./request-facts.ts";
import type { Visit } from "./visit.ts";

const UPSTREAM_PATH = "/codex/responses";

/**
 * Codex gives up when no event has come for its idle time (300 s unless its configuration says less); comments do not count, an event of any type
 * does, and this one means nothing to it (wire §4.2, seen over HTTP and WebSocket). To an SDK's types no event is harmless, and every byte counts.
 */
const EVENT_BRIDGE = new TextEncoder().encode('event: keepalive\ndata: {"type":"keepalive"}\n\n');
const COMMENT_BRIDGE = new TextEncoder().encode(": keepalive\n\n");

export interface ReceivedTurn {
  readonly body: RequestBody;
  readonly scanned: ScannedBody;
}

export async function receiveTurn({ request, headers, bodyMaxBytes, engine, clock }: Visit): Promise<ReceivedTurn> {
  const bytes = await readBytes(request, bodyMaxBytes, clock);
  const encoding = headerValue(headers, "content-encoding");
  const body = encoding === null ? { bytes, plain: bytes } : await decodeBody(bytes, encoding, bodyMaxBytes);
  const scanned = scanBody(body.plain);
  const wait = engine.catalogue.prepare(textOf(scanned, "model"));
  if (wait !== null) await wait;
  return { body, scanned };
}

/** A turn may come in a request of its own, or inside a connection. */
export type TurnVisit = Omit<Visit, "request" | "clock">;

type Common = Omit<ExchangeRequest, "headers" | "body" | "plainBody" | "model" | "mapping" | "filter" | "unpack">;

export function commonOf(visit: TurnVisit, scanned: ScannedBody): Common {
  const { surface, path, query, keyId, only, signal, headers } = visit;
  const promptCacheKey = textOf(scanned, "prompt_cache_key");
  const header = (name: string) => headerValue(headers, name);
  const { project, effort, tier } = turnFacts(header, scanned);
  const common: Common = {
    surface,
    method: "POST",
    path,
    upstreamPath: UPSTREAM_PATH + query,
    stream: true,
    bridge: surface === "codex" ? EVENT_BRIDGE : COMMENT_BRIDGE,
    socket: null,
    conversation: conversationKeyOf({ header, promptCacheKey, keyId }),
    keyId,
    project,
    effort,
    tier,
    profile: header("x-rotor-profile"),
    signal,
  };
  return only === null ? common : { ...common, only };
}

/** Which models this client may ask for, by its key and its profile; null = every one. */
export function modelsAllowed({ engine, keyId, headers }: Pick<TurnVisit, "engine" | "keyId" | "headers">) {
  const project = headerValue(headers, "x-rotor-project");
  return engine.profiles.modelsFor({ keyId, profile: headerValue(headers, "x-rotor-profile"), project });
}

/** The tag of the model list that this client is given. A profile that is gone meanwhile has no list of its own. */
export function modelsEtagFor(visit: Pick<TurnVisit, "engine" | "keyId" | "headers">): string | null {
  try {
    return visit.engine.catalogue.etag(modelsAllowed(visit));
  } catch {
    return visit.engine.catalogue.etag();
  }
}

/** For a client that gets upstream's events as they are. Asked when the event is there: what it says is as new as it can be. */
export function pooledEvents({ words }: TurnVisit): ExchangeRequest["filter"] {
  return words.isInForce() ? () => new PooledEventFilter(words.event) : null;
}

/**
 * A Codex client's own bytes, still compressed if they came so; only a name that stands for something else costs a splice. A model in
 * another form than the client thinks gets the request in its form.
 */
export function codexTurn(
  visit: Pick<TurnVisit, "engine" | "headers">,
  body: RequestBody,
  scanned: ScannedBody,
): Pick<ExchangeRequest, "headers" | "body" | "plainBody" | "model" | "mapping"> {
  const { catalogue } = visit.engine;
  const headers = forUpstream(visit.headers);
  const { body: mapped, mapping } = mapModel(scanned, catalogue);
  if (mapping === null) {
    return { headers, body: body.bytes, plainBody: body.plain, model: textOf(scanned, "model"), mapping };
  }
  const { sent } = mapping;
  const becomesLite = catalogue.isLite(sent) && headerValue(headers, LITE_HEADER[0]) === null;
  const edits = new Map<string, Edit>();
  if (becomesLite) editForLite(mapped, edits);
  const bytes = edits.size === 0 ? mapped.bytes : bodyOf(memberPieces(mapped.bytes, mapped.members, edits));
  const said = [...withoutHeaders(headers, OF_THE_BYTES), ...(becomesLite ? [LITE_HEADER] : [])];
  const facts = turnFacts((name) => headerValue(visit.headers, name), mapped);
  const sentHeaders = said.map((header) => hinted(header, sent));
  return { ...facts, headers: sentHeaders, body: bytes, plainBody: bytes, model: sent, mapping };
}

const OF_THE_BYTES: ReadonlySet<string> = new Set(["content-encoding"]);

/** The official client names the model in a header, too (wire §3.2). */
function hinted([name, value]: readonly [string, string], model: string): readonly [string, string] {
  return name === "x-codex-routing-hint"
    ? [name, value.replace(/(^|[;,]\s*)model=[^;,]*/, `$1model=${model}`)]
    : [name, value];
}

export interface SdkTurn {
  readonly exchange: ExchangeRequest;
  readonly wantsStream: boolean;
}

/** `asked` is the Responses request: the client's own, or what was made of it. `filter` is for a client that streams. */
export function sdkTurn(
  visit: TurnVisit,
  body: RequestBody,
  asked: ScannedBody,
  filter: (model: string | null) => ByteFilter,
): SdkTurn {
  const { catalogue } = visit.engine;
  const { body: mapped, mapping } = mapModel(asked, catalogue);
  const { bytes, model, lite, wantsStream } = normaliseRequest(withDefaultEffort(mapped, catalogue), catalogue.isLite);
  const unedited = bytes === body.plain;
  const headers = forUpstreamRewritten(visit.headers, unedited);
  if (lite) headers.push(LITE_HEADER);
  const exchange: ExchangeRequest = {
    ...commonOf(visit, mapped),
    headers,
    body: unedited ? body.bytes : bytes,
    plainBody: bytes,
    model,
    mapping,
    filter: wantsStream ? () => filter(model) : null,
    unpack: true,
    statusForRefusals: true,
  };
  return { exchange, wantsStream };
}
