/**
 * Puts an exchange's answer on the wire: upstream's bytes as they come, folded for a client that asked for no stream, or Rotor's own.
 */
import { AppError } from "../base/errors.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../base/header-list.ts";
import type { Surface } from "../domain/exchange.ts";
import { type ModelMapping, mappingText } from "../domain/model-choice.ts";
import type { ExchangeAnswer } from "../pool/engine.ts";
import { type AnswerContext, exchangeHeader, finalAnswer } from "./final-answer.ts";
import { foldStream } from "./fold.ts";
import { forClient } from "./header-hygiene.ts";
import { type Told, withPooledLimits } from "./pooled-words.ts";
import { failureBody, type StreamError, statusOfFailure } from "./stream-error.ts";

type Json = Readonly<Record<string, unknown>>;

/** How the client wants what upstream streams: as it comes (edited by the exchange's filter, if at all), or as one JSON object. */
export interface Delivery {
  /** Makes that object of the finished response; null for a client that streams. */
  readonly fold: ((response: Json) => Json) | null;
  /** Puts upstream's refusal into the client's words; null passes it byte for byte. */
  readonly refusal: ((body: Uint8Array) => Json | null) | null;
}

/** For who gets upstream's own bytes, streamed or not. */
export const AS_IT_COMES: Delivery = { fold: null, refusal: null };

export interface AnswerOptions extends ToldOfModels {
  readonly surface: Surface;
  readonly stream: boolean;
  readonly delivery: Delivery;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
  /** What its limit headers are to say instead of one account's figures; null leaves them as they came. */
  readonly pooled: Told | null;
}

export interface ToldOfModels {
  /** How the request was sent, when not as it was asked. */
  readonly mapping?: ModelMapping | null;
  /** Tag of the model list that clients are given: one account's own would make them fetch it again and again (wire §7). */
  readonly modelsEtag?: string | null;
}

export function answerExchange(answer: ExchangeAnswer, options: AnswerOptions): Response | Promise<Response> {
  const context = (): AnswerContext => ({ ...options, exchangeId: answer.exchangeId, nowMs: options.nowMs() });
  if (answer.kind === "refused") return ownAnswer(answer.error, context(), withModels([], options));
  const passed = withModels(forClient(answer.headers), options);
  const limits = withPooledLimits(passed, options.surface, options.pooled, options.nowMs());
  const headers = [...limits, ...exchangeHeader(answer.exchangeId)];
  if (answer.kind === "rejected") return rejectedAnswer(answer.status, headers, answer.body, options.delivery);
  // A client that hung up while the exchange opened has no stream left to cancel: it is cancelled for it.
  if (options.signal.aborted || hasNoBody(answer.status)) {
    const bodyless = () => respond(answer.status, headers, null);
    return answer.body.cancel(options.signal.reason).then(bodyless, bodyless);
  }
  const { fold } = options.delivery;
  if (fold === null || !isPlainEventStream(answer.headers)) return respond(answer.status, headers, answer.body);
  return foldedAnswer(answer.body, withoutHeaders(headers, STREAM_ONLY), options.signal, fold, context);
}

/**
 * A Codex client takes `openai-model` with another name than it asked for a rerouting and warns of it (wire §0.3): after a mapping that was
 * asked for it is left out.
 */
export function withModels(headers: HeaderList, { mapping, modelsEtag }: ToldOfModels): HeaderList {
  const said: HeaderList = mapping ? [["x-rotor-model", mappingText(mapping)]] : [];
  const own = mapping ? [...withoutHeaders(headers, MODEL_NAME), ...said] : headers;
  if (!modelsEtag) return own;
  return own.map(([name, value]) => [name, name === "x-models-etag" ? modelsEtag : value] as const);
}

const MODEL_NAME: ReadonlySet<string> = new Set(["openai-model"]);
const STREAM_ONLY: ReadonlySet<string> = new Set(["cache-control", "content-type"]);
const BODY_ONLY: ReadonlySet<string> = new Set(["content-encoding", "content-type"]);
const JSON_TYPE: HeaderList = [["content-type", "application/json"]];

async function foldedAnswer(
  body: ReadableStream<Uint8Array>,
  headers: HeaderList,
  signal: AbortSignal,
  fold: (response: Json) => Json,
  context: () => AnswerContext,
): Promise<Response> {
  const folded = await foldStream(body, signal);
  switch (folded.kind) {
    case "response":
      return respond(200, [...headers, ...JSON_TYPE], jsonBytes(fold(folded.response)));
    case "failed":
      return failureAnswer(folded.error, headers);
    case "cut":
      return ownAnswer(
        new AppError("upstream_cut", "upstream ended the stream before the response was complete"),
        context(),
      );
    case "malformed":
      return ownAnswer(
        new AppError("upstream_malformed", `upstream's stream cannot be read: ${folded.reason}`),
        context(),
      );
  }
}

/** Upstream's own words under the status that they would have had without a stream. */
function failureAnswer(error: StreamError, headers: HeaderList): Response {
  const status = statusOfFailure(error);
  const isPassing = status === 429 || status >= 500;
  const wait: HeaderList = isPassing && headerValue(headers, "retry-after") === null ? [RETRY_AFTER] : [];
  return respond(status, [...headers, ...JSON_TYPE, ...wait], jsonBytes(failureBody(error)));
}

/** An answer that is in the client's own words already keeps its bytes. */
function rejectedAnswer(status: number, headers: HeaderList, body: Uint8Array, { refusal }: Delivery): Response {
  const worded = refusal === null ? null : refusal(body);
  if (worded === null) return respond(status, headers, body);
  return respond(status, [...withoutHeaders(headers, BODY_ONLY), ...JSON_TYPE], jsonBytes(worded));
}

/** Said with every passing failure: without it OpenCode comes back ever slower, and SDKs at once (wire §4.4). */
const RETRY_AFTER: readonly [string, string] = ["retry-after", "5"];

function ownAnswer(error: AppError, context: AnswerContext, more: HeaderList = []): Response {
  const { status, headers, body } = finalAnswer(error, context);
  return respond(status, [...headers, ...more], body);
}

function respond(status: number, headers: HeaderList, body: Uint8Array | ReadableStream<Uint8Array> | null): Response {
  return new Response(body as ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | null, {
    status,
    headers: headers as [string, string][],
  });
}

/** An encoded stream is passed on as it is: it was asked for by nobody, and looking into it is not worth decoding it. */
function isPlainEventStream(headers: HeaderList): boolean {
  const encoding = headerValue(headers, "content-encoding");
  const type = headerValue(headers, "content-type") ?? "";
  return (encoding === null || encoding === "identity") && type.toLowerCase().startsWith("text/event-stream");
}

/** RFC 9110 §6.4.1. */
function hasNoBody(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

function jsonBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
