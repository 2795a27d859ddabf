/**
 * A refusal that upstream told as an event inside a 200, as the answer that it would have been without a stream: OpenAI's error body and a
 * status (wire §4.2, §5.3). Pure; upstream's words stay its own.
 */
import { type HeaderList, withoutHeaders } from "../base/header-list.ts";
import { asObject, type Json, objectAt, textAt } from "./json.ts";
import type { UpstreamAnswer } from "./upstream.ts";

/** Of the stream that it no longer is. */
const OF_THE_STREAM: ReadonlySet<string> = new Set([
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "cache-control",
]);

/** `event` is a `response.failed`, or an `error` that carries its error inside or is it. */
export function refusalAnswer(status: number, headers: HeaderList, event: Json): UpstreamAnswer {
  const said = asObject(objectAt(event, "response").error) ?? asObject(event.error) ?? event;
  const code = textAt(said, "code");
  // An `error` event carries its own name as the type; that says nothing.
  const type = textAt(said, "type");
  const error = {
    message: textAt(said, "message") ?? "upstream refused the request without saying why",
    type: type === null || type === "error" || type === code ? "invalid_request_error" : type,
    param: textAt(said, "param"),
    code,
  };
  return {
    status,
    headers: [...withoutHeaders(headers, OF_THE_STREAM), ["content-type", "application/json"]],
    body: new TextEncoder().encode(JSON.stringify({ error })),
  };
}
