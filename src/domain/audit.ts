/**
 * Entries of the audit log: who changed what, and when. Holds names and states; never a token, a secret, an e-mail address or the text of
 * a note.
 */
import type { ErrorCode } from "../base/errors.ts";

/** Who gave an order; `rotor` = nobody, Rotor did it unasked. */
export type Actor =
  | { readonly kind: "ctl"; readonly uid: number | null; readonly pid: number | null }
  | { readonly kind: "dashboard" }
  | { readonly kind: "key"; readonly keyId: string }
  | { readonly kind: "rotor" };

export type ActorKind = Actor["kind"];

export const ROTOR: Actor = { kind: "rotor" };

/** What was changed: an account, a key, a setting, …, as the action's noun says. The name is the one of that moment. */
export interface AuditSubject {
  readonly id: string;
  readonly name: string;
}

export interface AuditChange {
  /** Stable word, `account.rename`. */
  readonly action: string;
  readonly subjects: readonly AuditSubject[];
  /** In words, short: `home → second`; "" when the action says it all. */
  readonly text: string;
}

export interface AuditEntry extends AuditChange {
  /** ULID: entries sort by it. */
  readonly id: string;
  readonly atMs: number;
  readonly actor: Actor;
  /** Why the order was refused; null when it was carried out. */
  readonly errorCode: ErrorCode | null;
}

/** Longer than any list of aliases that people read. */
const TEXT_MAX_CHARACTERS = 300;

/** The change as it may be kept: short, on one line, and without the addresses that upstream puts into its reasons. */
export function boundedChange({ action, subjects, text }: AuditChange): AuditChange {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").replace(/[^\s@]+@[^\s@]+/g, "[e-mail]");
  const short = line.length <= TEXT_MAX_CHARACTERS ? line : `${line.slice(0, TEXT_MAX_CHARACTERS - 1).toWellFormed()}…`;
  return { action, subjects, text: short };
}
