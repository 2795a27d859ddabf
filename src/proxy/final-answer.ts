/**
 * Rotor's own answers: one table, AppError code × surface → status, headers, bytes (contracts §4). Every choice follows from what a
 * real client does with it: Codex sends the same request 6 times after most 4xx and 30 times after a 5xx, but once after 400 and 429;
 * OpenCode waits out a 429 or 503 that says how long, and loops without a pause on a failure inside a 200 (wire §4).
 * Never says a cause, a credential or an e-mail address: message and hint only.
 */
import type { AppError, ErrorCode } from "../base/errors.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { Surface } from "../domain/exchange.ts";
import { exchangeHeader } from "./answer-headers.ts";

export interface AnswerContext {
  readonly surface: Surface;
  /** An inference request, as opposed to a control call: only there does a Codex client understand a stream. */
  readonly stream: boolean;
  readonly exchangeId: string | null;
  readonly nowMs: number;
}

export interface FinalAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

type Shape =
  /** 429 in upstream's own form, with the true reset. */
  | "limit"
  /** 400: nothing but a person can mend it, and the words say how. */
  | "stop"
  /** Upstream or the way to it: worth another try soon. Codex is told so inside a 200, because a 5xx would bring 30 requests. */
  | "later"
  /** Only this request ran out of tries: Codex sleeps the stated time and sends it again, which may meet other accounts. */
  | "again"
  /** Status, type and code of the error table. */
  | "plain";

/** Codes without a row are `plain`. */
const SHAPES: Partial<Record<ErrorCode, Shape | Readonly<Record<Surface, Shape>>>> = {
  pool_exhausted: "limit",
  no_usable_account: "stop",
  no_accounts: "stop",
  model_unsupported: "stop",
  login_rejected: "stop",
  key_out_of_scope: { codex: "stop", sdk: "plain" },
  key_limit_reached: "stop",
  budget_exhausted: "stop",
  issuer_mismatch: "stop",
  not_ready: "stop",
  store_locked: "stop",
  store_busy: "later",
  store_damaged: "stop",
  store_newer: "stop",
  seal_key_missing: "stop",
  passphrase_required: "stop",
  passphrase_wrong: "stop",
  upstream_overloaded: "later",
  upstream_unreachable: "later",
  upstream_timed_out: "later",
  upstream_rejected: "later",
  upstream_cut: "later",
  upstream_malformed: "later",
  attempts_exhausted: "again",
  at_capacity: "again",
  background_full: "again",
  internal: { codex: "stop", sdk: "plain" },
};

/** Where nobody knows how long it lasts. Overloads pass in seconds, and OpenCode waits exactly as long as it is told. */
const RETRY_AFTER_SECONDS = 5;

export function finalAnswer(error: AppError, context: AnswerContext): FinalAnswer {
  const entry = SHAPES[error.code] ?? "plain";
  const shape = typeof entry === "string" ? entry : entry[context.surface];
  const inStream = context.surface === "codex" && context.stream;
  switch (shape) {
    case "limit":
      // Without a known end there is nothing to wait for, and a 429 would say the opposite.
      return error.retryAtMs === null ? stop(error, context) : limit(error, error.retryAtMs, context);
    case "stop":
      return stop(error, context);
    case "later":
      if (inStream) return failedStream(error, "server_is_overloaded", sentence(error, context), context);
      return json(error.row.http, errorBody(error, sentence(error, context)), context, [retryAfter(error, context)]);
    case "again": {
      const [name, seconds] = retryAfter(error, context);
      // Codex reads the time out of these words and sleeps it (wire §4.2).
      const words = `${sentence(error, context)}. Please try again in ${seconds}s.`;
      if (inStream) return failedStream(error, "rate_limit_exceeded", words, context);
      return json(error.row.http, errorBody(error, sentence(error, context)), context, [[name, seconds]]);
    }
    default:
      return plain(error, context);
  }
}

function plain(error: AppError, context: AnswerContext): FinalAnswer {
  const status = error.row.http;
  const challenge: HeaderList = status === 401 ? [["www-authenticate", 'Bearer realm="rotor"']] : [];
  const wait: HeaderList = status === 429 || status === 503 ? [retryAfter(error, context)] : [];
  // The rest of what it sends nobody will read.
  const end: HeaderList = status === 408 ? [["connection", "close"]] : [];
  const message = status === 400 ? withoutRetryWords(sentence(error, context)) : sentence(error, context);
  return json(status, errorBody(error, message), context, [...challenge, ...wait, ...end]);
}

function limit(error: AppError, retryAtMs: number, context: AnswerContext): FinalAnswer {
  const [name, seconds] = retryAfter(error, context);
  const body = errorBody(error, sentence(error, context), {
    type: "usage_limit_reached",
    plan_type: null,
    resets_at: Math.ceil(retryAtMs / 1_000),
    resets_in_seconds: Number(seconds),
  });
  return json(429, body, context, [[name, seconds], ...(Number(seconds) > SDK_WAITS_SECONDS ? [NO_RETRY] : [])]);
}

/** The OpenAI SDKs wait out what `Retry-After` says up to a minute; beyond that they would try twice more for nothing. */
const SDK_WAITS_SECONDS = 60;
const NO_RETRY: readonly [string, string] = ["x-should-retry", "false"];

function stop(error: AppError, context: AnswerContext): FinalAnswer {
  return json(
    400,
    errorBody(error, withoutRetryWords(sentence(error, context)), { type: "invalid_request_error" }),
    context,
    [],
  );
}

/** One 200 whose only event ends it. Codex takes `server_is_overloaded` as final and `rate_limit_exceeded` as "wait, then again". */
function failedStream(error: AppError, code: string, message: string, context: AnswerContext): FinalAnswer {
  const response = {
    id: `resp_rotor_${(context.exchangeId ?? error.code).toLowerCase()}`,
    object: "response",
    created_at: Math.floor(context.nowMs / 1_000),
    status: "failed",
    error: { code, message },
    incomplete_details: null,
    output: [],
    usage: null,
  };
  const data = JSON.stringify({ type: "response.failed", sequence_number: 0, response });
  return {
    status: 200,
    headers: [
      ["content-type", "text/event-stream; charset=utf-8"],
      ["cache-control", "no-cache"],
      ...exchangeHeaders(context.exchangeId),
    ],
    body: new TextEncoder().encode(`event: response.failed\ndata: ${data}\n\n`),
  };
}

/** What failed and why, then the one command that mends it. */
function sentence(error: AppError, context: AnswerContext): string {
  if (error.hint === null) return error.message;
  // A hint that names an exchange means this one.
  const hint = context.exchangeId === null ? error.hint : error.hint.replace(/\bID\b/, context.exchangeId);
  return `${error.message} (to mend it: ${hint})`;
}

function errorBody(error: AppError, message: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const param = typeof error.facts.param === "string" ? error.facts.param : null;
  return { message, type: error.row.type, code: error.code, param, ...more };
}

function json(status: number, error: Record<string, unknown>, context: AnswerContext, more: HeaderList): FinalAnswer {
  return {
    status,
    headers: [["content-type", "application/json"], ...more, ...exchangeHeaders(context.exchangeId)],
    body: new TextEncoder().encode(JSON.stringify({ error })),
  };
}

function exchangeHeaders(exchangeId: string | null): HeaderList {
  return exchangeId === null ? [] : [exchangeHeader(exchangeId)];
}

function retryAfter(error: AppError, context: AnswerContext): readonly [string, string] {
  if (error.retryAtMs === null) return ["retry-after", String(RETRY_AFTER_SECONDS)];
  return ["retry-after", String(Math.max(1, Math.ceil((error.retryAtMs - context.nowMs) / 1_000)))];
}

/**
 * OpenCode looks for these words in any error text and retries when it finds one, also after a 400 (opencode-plugin §4, seen with 1.18.33).
 * Upstream's own words can be part of our message, so they are replaced here, at the one place where a final 400 is made.
 */
const RETRY_WORDS: readonly (readonly [RegExp, string])[] = [
  [/unavailable/gi, "not usable"],
  [/(please )?(try again|retry) later/gi, "it does not pass by waiting"],
  [/time-?outs?|timed out/gi, "took too long"],
  [/overloaded/gi, "too busy"],
  [/rate.?limit(ed)?/gi, "limit"],
  [/too many requests/gi, "too much at once"],
  [/econn(refused|reset)/gi, "connection $1"],
];

function withoutRetryWords(message: string): string {
  return RETRY_WORDS.reduce((text, [pattern, words]) => text.replace(pattern, words), message);
}
