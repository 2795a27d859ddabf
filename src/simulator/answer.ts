/**
 * A whole answer as data: status, fields, body. Built by the handlers, sent by the router.
 */
import type { HeaderList } from "./http-request.ts";
import type { JsonObject } from "./json.ts";

export interface Answer {
  status: number;
  headers: HeaderList;
  body: string | Uint8Array;
}

export function jsonAnswer(status: number, body: unknown, headers: HeaderList = []): Answer {
  return { status, headers: [["content-type", "application/json"], ...headers], body: JSON.stringify(body) };
}

export function htmlAnswer(status: number, body: string, headers: HeaderList = []): Answer {
  return { status, headers: [["content-type", "text/html; charset=utf-8"], ...headers], body };
}

/** `{"detail": …}`, the form of the backend's own refusals. */
export function detailAnswer(status: number, detail: unknown): Answer {
  return jsonAnswer(status, { detail });
}

/** `{"error": {message, type, param, code}}`, the form of the model API and the issuer. */
export function errorAnswer(
  status: number,
  error: { message: string; type?: string | null; param?: string | null; code?: string | null },
  headers: HeaderList = [],
): Answer {
  const body: JsonObject = {
    message: error.message,
    type: error.type === undefined ? "invalid_request_error" : error.type,
    param: error.param ?? null,
    code: error.code ?? null,
  };
  return jsonAnswer(status, { error: body }, headers);
}

export const NOT_FOUND: Answer = Object.freeze(detailAnswer(404, "Not Found"));
