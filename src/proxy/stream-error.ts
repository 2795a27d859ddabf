/**
 * An error that upstream reported inside its stream, as the same error would have been said without one: OpenAI's body, and the status
 * (wire §4.2, §5.3).
 */

export interface StreamError {
  readonly code: string | null;
  readonly type: string | null;
  readonly message: string;
  readonly param: string | null;
}

/** Of `response.failed` and of a top-level `error` event. */
export function streamErrorOf(event: Readonly<Record<string, unknown>>): StreamError {
  const said = event.type === "error" ? (isObject(event.error) ? event.error : event) : errorIn(event.response);
  return {
    code: textOrNull(said.code),
    // An `error` event carries its own name as the type; that says nothing.
    type: said.type === "error" ? null : textOrNull(said.type),
    message: textOrNull(said.message) ?? "upstream failed without saying why",
    param: textOrNull(said.param),
  };
}

export function statusOfFailure(error: StreamError): number {
  const name = error.code ?? error.type ?? "";
  if (/overloaded|slow_down|flex_unavailable/.test(name)) return 503;
  if (/limit_reached|rate_limit|quota|usage_not_included|credit_balance|spend_limit/.test(name)) return 429;
  if (/^(token_|auth)|unauthorized|invalid_api_key/.test(name)) return 401;
  if (/context_length|invalid|policy|unsupported|not_found/.test(name)) return 400;
  return 502;
}

/** `{"error":…}` in upstream's own words. */
export function failureBody(error: StreamError): { readonly error: StreamError } {
  const { message, code, param } = error;
  const status = statusOfFailure(error);
  const kind = status >= 500 ? "server_error" : status === 429 ? "rate_limit_error" : "invalid_request_error";
  return { error: { message, type: error.type ?? kind, code, param } };
}

function errorIn(response: unknown): Readonly<Record<string, unknown>> {
  return isObject(response) && isObject(response.error) ? response.error : {};
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}
