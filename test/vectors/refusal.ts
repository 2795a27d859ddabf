/**
 * The shape of a recorded refusal: what upstream answered and what it means. Bodies as recorded by, or reported to, the source that each
 * names; instants moved to the tests' clock. No tokens.
 */
import type { Outcome } from "../../src/domain/outcome.ts";

export interface Refusal {
  readonly fact: string;
  /** Section of the wire reference, with how it is known: O observed on the real client, P a peer's code, I a public issue. */
  readonly source: string;
  readonly seen: string;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
  readonly stream?: boolean;
  /** Compared field by field; `message` and `reason` may be expressions. */
  readonly means: Outcome | { readonly kind: Outcome["kind"]; readonly [field: string]: unknown };
}

export const json = (value: unknown) => JSON.stringify(value);

export const row = (
  source: string,
  fact: string,
  status: number,
  body: string,
  means: Refusal["means"],
  more = {},
): Refusal => ({ source, seen: "2026-11", fact, status, body, means, ...more });
