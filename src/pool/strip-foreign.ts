/**
 * Takes content out of a request body that only the account which made it can read: encrypted reasoning (wire §7). When upstream refused
 * it, or would. A compaction item is never touched: it *is* the history, and without it the answer would be about nothing.
 */

import { type BodyBytes, wholeOf } from "../base/body-bytes.ts";

/** A cheap look: is there encrypted reasoning, and nothing encrypted that must stay? */
export function canStrip(body: BodyBytes | null): boolean {
  if (body === null) return false;
  const whole = wholeOf(body);
  const bytes = Buffer.from(whole.buffer, whole.byteOffset, whole.byteLength);
  return (
    bytes.includes('"encrypted_content"') &&
    !/"type"\s*:\s*"(compaction|compaction_summary|context_compaction)"/.test(bytes.toString("latin1"))
  );
}

export interface Stripped {
  readonly body: Uint8Array;
  /** Of what was taken out, in its order. */
  readonly digests: readonly string[];
}

/**
 * The body without reasoning items that carry `encrypted_content`: all of them, or those that are named by their digests. null when there is none,
 * or when it is not the JSON that we expect.
 */
export function stripForeign(body: BodyBytes, only: ReadonlySet<string> | null = null): Stripped | null {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(wholeOf(body)));
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || !Array.isArray((value as { input?: unknown }).input)) return null;
  const request = value as { input: unknown[] };
  const digests: string[] = [];
  const input = request.input.filter((item) => {
    const digest = digestOf(item);
    const isLeft = digest === null || (only !== null && !only.has(digest));
    if (!isLeft) digests.push(digest);
    return isLeft;
  });
  if (digests.length === 0) return null;
  return { body: new TextEncoder().encode(JSON.stringify({ ...request, input })), digests };
}

/** A body as of a WebSocket, where the state of a turn stands inside it (wire §3.5); as it is when it is not the JSON that we expect. */
export function withoutTurnState(body: Uint8Array): Uint8Array {
  try {
    const request = JSON.parse(new TextDecoder().decode(body)) as { client_metadata?: Record<string, unknown> };
    if (request.client_metadata?.["x-codex-turn-state"] === undefined) return body;
    const { "x-codex-turn-state": _state, ...client_metadata } = request.client_metadata;
    return new TextEncoder().encode(JSON.stringify({ ...request, client_metadata }));
  } catch {
    return body;
  }
}

/** Of a reasoning item's sealed content; null for any other item. */
function digestOf(item: unknown): string | null {
  if (typeof item !== "object" || item === null) return null;
  const { type, encrypted_content } = item as { type?: unknown; encrypted_content?: unknown };
  if (type !== "reasoning" || typeof encrypted_content !== "string") return null;
  return Bun.hash(encrypted_content).toString(36);
}
