/**
 * Puts an exchange's answer on the wire: upstream's bytes as they come, folded for a client that asked for no stream, or Rotor's own.
 */
import { AppError } from "../base/errors.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../base/header-list.ts";
import type { ExchangeAnswer } from "../pool/engine.ts";
import { answerHeaders, mappedHeaders, type ToldInHeaders } from "./answer-headers.ts";
import { type AnswerContext, finalAnswer } from "./final-answer.ts";
import { foldStream } from "./fold.ts";
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

export interface AnswerOptions extends ToldInHeaders {
  readonly stream: boolean;
  readonly delivery: Delivery;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
}

export function answerExchange(answer: ExchangeAnswer, options: AnswerOptions): Response | Promise<Response> {
  const context = (): AnswerContext => ({ ...options, exchangeId: answer.exchangeId, nowMs: options.nowMs() });
  if (answer.kind === "refused") return ownAnswer(answer.error, context(), mappedHeaders(options));
  const headers = answerHeaders(answer.headers, options, answer.exchangeId);
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
  const response = new Response(body as ReadableStream<Uint8Array<ArrayBuffer>> | Uint8Array<ArrayBuffer> | null, {
    status,
  });
  // Given as a list they cost Bun 1.4.5 half as much again: it reads every entry as something iterable.
  const fields = response.headers;
  for (const [name, value] of headers) fields.append(name, value);
  return response;
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
