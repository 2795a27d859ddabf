/**
 * What follows from a change of an account, as data: the keeper carries it out. Decides nothing; `transition.ts` says which when.
 */

export type Effect =
  /** Must be on disk before the operator or a request goes on. */
  | { readonly kind: "persist_durably" }
  /** May be written behind. */
  | { readonly kind: "persist_later" }
  /** Windows were observed: their history wants the figure. */
  | { readonly kind: "sample" }
  /** Watchers should look again. */
  | { readonly kind: "announce" }
  /** A transition worth a log line, said once; a warning when it waits for a person. */
  | {
      readonly kind: "log";
      readonly level: "info" | "warn";
      readonly event: string;
      readonly facts: Readonly<Record<string, string | number | null>>;
    }
  /** What Rotor does unasked and the operator may ask about later. */
  | { readonly kind: "audit"; readonly action: string; readonly text: string };

export const LATER: Effect = { kind: "persist_later" };
export const DURABLY: Effect = { kind: "persist_durably" };
export const ANNOUNCE: Effect = { kind: "announce" };
export const NO_EFFECTS: readonly Effect[] = [];
export const NOTED: readonly Effect[] = [LATER];
const SAMPLE: Effect = { kind: "sample" };
export const OBSERVED: readonly Effect[] = [LATER, ANNOUNCE, SAMPLE];

export function log(
  event: string,
  facts: Readonly<Record<string, string | number | null>> = {},
  level: "info" | "warn" = "info",
): Effect {
  return { kind: "log", level, event, facts };
}
