/**
 * One request to the issuer: bounded in time and size, never redirected, never repeated. What the answer means is read elsewhere.
 * Messages name the system's error code only; what was sent stands in none of them.
 */
import type { Clock } from "../base/clock.ts";
import { type HeaderList, headerValue } from "../base/header-list.ts";
import { readBounded, readerOf, textOf } from "./bounded-body.ts";
import { codeOf } from "./transport-failure.ts";

export interface IssuerRequest {
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export type IssuerAnswer =
  /** `broken` says why its body is not whole; null when it is. */
  | {
      readonly kind: "answered";
      readonly status: number;
      readonly headers: HeaderList;
      readonly text: string;
      readonly broken: string | null;
    }
  | { readonly kind: "unanswered"; readonly message: string };

/** The issuer answers well under a second; one that hangs must not hold up whoever waits for it. */
const ANSWER_WITHIN_MS = 20_000;
const LATE = `no answer from the issuer within ${ANSWER_WITHIN_MS / 1000} s`;

/** POSTs. Never rejects. */
export async function callIssuer(clock: Clock, request: IssuerRequest, signal: AbortSignal): Promise<IssuerAnswer> {
  const abort = new AbortController();
  const onAbort = () => abort.abort();
  if (signal.aborted) return { kind: "unanswered", message: "stopped before it was sent" };
  signal.addEventListener("abort", onAbort);
  let late = false;
  const timer = clock.after(ANSWER_WITHIN_MS, () => {
    late = true;
    abort.abort();
  });
  try {
    const response = await fetch(request.url, initOf(request, abort.signal));
    const headers: HeaderList = [...response.headers];
    const { bytes, whole } = await readBounded(readerOf(response), null);
    const text = textOf(bytes, headerValue(headers, "content-encoding"));
    const broken = whole ? null : late ? LATE : "the issuer's answer broke off";
    return { kind: "answered", status: response.status, headers, text, broken };
  } catch (thrown) {
    if (signal.aborted) return { kind: "unanswered", message: "stopped" };
    const message = late ? LATE : `the issuer cannot be reached (${codeOf(thrown) ?? "unknown"})`;
    return { kind: "unanswered", message };
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

function initOf(request: IssuerRequest, signal: AbortSignal): BunFetchRequestInit & { timeout: false } {
  return {
    method: "POST",
    headers: [
      ["accept", "*/*"],
      ["accept-encoding", "identity"],
      ...request.headers.map(([k, v]): [string, string] => [k, v]),
    ],
    body: request.body,
    signal,
    // A redirect would carry a token or a code to wherever it points.
    redirect: "manual",
    decompress: false,
    timeout: false,
  };
}
