/**
 * An error of upstream's, whatever its clothes: JSON body, `x-error-json` header, event in a stream, HTML page. Pure.
 * Collects what was said; what it means is decided in codex-outcome.ts.
 */
import { type HeaderList, headerValue } from "../base/header-list.ts";
import { asObject, type Json, numberAt, objectAt, parseObject, textAt } from "./json.ts";

export interface UpstreamError {
  /** HTTP status, or the one that an event carries; null when an event has none. */
  readonly status: number | null;
  /** `code`, then `type`, lower case; upstream puts the telling word in either (wire §4.1). */
  readonly codes: readonly string[];
  readonly message: string;
  readonly headers: HeaderList;
  readonly resetsAt: unknown;
  readonly resetsInSeconds: number | null;
  readonly planType: string | null;
  /** A page for people instead of an answer for programs. */
  readonly isPage: boolean;
}

/** `text` may be empty, cut short, HTML or JSON of any shape. */
export function readErrorAnswer(status: number, headers: HeaderList, text: string): UpstreamError {
  const body = parseObject(text);
  const error = body === null ? errorInHeader(headers) : errorOf(body);
  const isPage = body === null && /^\s*<(?:!doctype|html|head|body|title|!--)/i.test(text);
  return { status, headers, isPage, ...factsOf(error, body === null && !isPage ? text : "") };
}

/** A `response.failed` or `error` event; error frames carry their status and headers inside (wire §3.5, §3.8). */
export function readErrorEvent(event: Json): UpstreamError {
  const error =
    asObject(objectAt(event, "response").error) ??
    asObject(event.error) ??
    (event.type === "error" ? { code: event.code, message: event.message } : {});
  return {
    status: numberAt(event, "status") ?? numberAt(event, "status_code"),
    headers: headersOf(asObject(event.headers)),
    isPage: false,
    ...factsOf(error, ""),
  };
}

function errorOf(body: Json): Json {
  const { error, detail } = body;
  if (typeof error === "string") return { code: error, message: body.error_description ?? body.message };
  if (typeof detail === "string") return { code: body.code, message: detail };
  return asObject(error) ?? asObject(detail) ?? body;
}

function factsOf(error: Json, fallback: string) {
  const codes = [textAt(error, "code"), textAt(error, "type")].filter((code) => code !== null);
  return {
    codes: codes.map((code) => code.toLowerCase()),
    message: textAt(error, "message") ?? fallback,
    resetsAt: error.resets_at,
    resetsInSeconds: numberAt(error, "resets_in_seconds"),
    planType: textAt(error, "plan_type"),
  };
}

/** 401 answers may say the code only in `x-error-json`, base64 (wire §3.7). */
function errorInHeader(headers: HeaderList): Json {
  const encoded = headerValue(headers, "x-error-json");
  const body = encoded === null ? null : parseObject(Buffer.from(encoded, "base64").toString("utf8"));
  if (body !== null) return errorOf(body);
  const code = headerValue(headers, "x-openai-authorization-error");
  return code === null ? {} : { code };
}

function headersOf(headers: Json | null): HeaderList {
  if (headers === null) return [];
  return Object.entries(headers).flatMap(([name, value]) =>
    typeof value === "string" || typeof value === "number" ? [[name.toLowerCase(), String(value)] as const] : [],
  );
}
