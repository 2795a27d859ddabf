/**
 * What an operator may change of an account, and whether it may be: (account, edit) → account' or the reason why not. Pure; says nothing
 * about other accounts.
 */
import { type Account, isAlias, type Orders, type RequestPace } from "./account.ts";
import { paceText } from "./pace.ts";

export interface AccountEdit {
  readonly alias?: string;
  readonly enabled?: boolean;
  /** In place of all; before `addTags` and `removeTags`. */
  readonly tags?: readonly string[];
  readonly addTags?: readonly string[];
  readonly removeTags?: readonly string[];
  readonly note?: string;
  readonly weight?: number;
  readonly priority?: number;
  /** Set aside until then; null = until it is resumed. */
  readonly pauseUntilMs?: number | null;
  readonly draining?: boolean;
  /** Ends a pause and a drain. */
  readonly resume?: boolean;
  /** How fast it may be asked; null = as the settings say for all. */
  readonly pace?: RequestPace | null;
}

export type EditEnd =
  | { readonly ok: true; readonly account: Account }
  | { readonly ok: false; readonly code: "invalid_alias" | "invalid_request"; readonly reason: string };

const NOTE_MAX_CHARACTERS = 500;
/** More are not labels any more but a text. */
const TAGS_MAX = 32;
const WEIGHT_MAX = 1_000;
/** What a 32-bit field carries to every client. */
const PRIORITY_MAX = 1_000_000;
/** A hundred a second: beyond that pacing does nothing that anybody would notice. */
const PACE_MAX_PER_MINUTE = 6_000;
const PACE_MAX_BURST = 1_000;

/** 1–32 of a–z 0–9 . _ -. */
function isTag(text: string): boolean {
  return /^[a-z0-9._-]{1,32}$/.test(text);
}

export function editAccount(account: Account, edit: AccountEdit, nowMs: number): EditEnd {
  const alias = edit.alias ?? account.alias;
  if (!isAlias(alias)) return refused(ALIAS_REASON(alias), "invalid_alias");
  const reason = problemOf(edit, nowMs);
  if (reason !== null) return refused(reason);
  const orders = ordersAfter(account.orders, edit, nowMs);
  if (orders.tags.length > TAGS_MAX) return refused(`${account.alias} would have more than ${TAGS_MAX} tags`);
  return { ok: true, account: { ...account, alias, enabled: edit.enabled ?? account.enabled, orders } };
}

const ALIAS_REASON = (alias: string) =>
  `"${alias}" cannot be an alias: 1 to 40 of a-z 0-9 . _ -, starting with a letter or digit, not only digits`;

function refused(reason: string, code: "invalid_alias" | "invalid_request" = "invalid_request"): EditEnd {
  return { ok: false, code, reason };
}

function problemOf(edit: AccountEdit, nowMs: number): string | null {
  const tags = [...(edit.tags ?? []), ...(edit.addTags ?? [])];
  const odd = tags.find((tag) => !isTag(tag));
  if (odd !== undefined) return `"${odd.slice(0, 64)}" cannot be a tag: 1 to 32 of a-z 0-9 . _ -`;
  if (edit.note !== undefined && edit.note.length > NOTE_MAX_CHARACTERS)
    return `a note has at most ${NOTE_MAX_CHARACTERS} characters`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  if (edit.note !== undefined && /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(edit.note))
    return "a note is one line without control characters";
  const { weight, priority, pauseUntilMs } = edit;
  if (weight !== undefined && !(weight > 0 && weight <= WEIGHT_MAX))
    return `a weight is a number above 0, at most ${WEIGHT_MAX}`;
  if (priority !== undefined && !(Number.isInteger(priority) && Math.abs(priority) <= PRIORITY_MAX))
    return `a priority is a whole number from -${PRIORITY_MAX} to ${PRIORITY_MAX}`;
  if (pauseUntilMs !== undefined && pauseUntilMs !== null && !(pauseUntilMs > nowMs))
    return "the pause would have ended before it began";
  return edit.pace ? paceProblem(edit.pace) : null;
}

function paceProblem({ requestsPerMinute, burst }: RequestPace): string | null {
  if (!(Number.isInteger(requestsPerMinute) && requestsPerMinute >= 0 && requestsPerMinute <= PACE_MAX_PER_MINUTE))
    return `a pace is a whole number of requests a minute from 0 (as many as come) to ${PACE_MAX_PER_MINUTE}`;
  if (!(Number.isInteger(burst) && burst >= 1 && burst <= PACE_MAX_BURST))
    return `a burst is a whole number of requests from 1 to ${PACE_MAX_BURST}`;
  return null;
}

function ordersAfter(orders: Orders, edit: AccountEdit, nowMs: number): Orders {
  const tags = new Set([...(edit.tags ?? orders.tags), ...(edit.addTags ?? [])]);
  for (const tag of edit.removeTags ?? []) tags.delete(tag);
  const kept = edit.resume ? { ...orders, pause: null, draining: false } : orders;
  return {
    tags: [...tags].sort(),
    note: edit.note?.trim() ?? kept.note,
    weight: edit.weight ?? kept.weight,
    priority: edit.priority ?? kept.priority,
    pause: edit.pauseUntilMs === undefined ? kept.pause : { sinceMs: nowMs, untilMs: edit.pauseUntilMs },
    draining: edit.draining ?? kept.draining,
    pace: edit.pace === undefined ? kept.pace : edit.pace,
  };
}

/** What an edit made of an account, piece by piece: the stable word of each and a short text. Never the note's own words. */
export function editChanges(
  before: Account,
  after: Account,
): readonly { readonly verb: string; readonly text: string }[] {
  const changes: { verb: string; text: string }[] = [];
  const note = (verb: string, text: string) => void changes.push({ verb, text });
  if (before.alias !== after.alias) note("rename", `${before.alias} → ${after.alias}`);
  if (before.enabled !== after.enabled) note(after.enabled ? "enable" : "disable", "");
  const [was, is] = [before.orders, after.orders];
  const tags = [
    ...is.tags.filter((tag) => !was.tags.includes(tag)).map((tag) => `+${tag}`),
    ...was.tags.filter((tag) => !is.tags.includes(tag)).map((tag) => `-${tag}`),
  ];
  if (tags.length > 0) note("tag", tags.join(" "));
  if (was.note !== is.note) note("note", is.note === "" ? "taken away" : was.note === "" ? "written" : "rewritten");
  if (was.weight !== is.weight) note("weight", `${was.weight} → ${is.weight}`);
  if (was.priority !== is.priority) note("priority", `${was.priority} → ${is.priority}`);
  if (is.pause !== null && (was.pause === null || is.pause.untilMs !== was.pause.untilMs))
    note(
      "pause",
      is.pause.untilMs === null ? "until it is resumed" : `until ${new Date(is.pause.untilMs).toISOString()}`,
    );
  if (is.draining && !was.draining) note("drain", "");
  if (was.pace?.requestsPerMinute !== is.pace?.requestsPerMinute || was.pace?.burst !== is.pace?.burst)
    note("pace", is.pace === null ? "as the settings say" : paceText(is.pace));
  if ((was.pause !== null && is.pause === null) || (was.draining && !is.draining)) note("resume", "");
  return changes;
}
