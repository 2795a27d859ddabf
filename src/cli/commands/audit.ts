/**
 * `rotor audit …`: who changed what, and when.
 */
import { AppError } from "../../base/errors.ts";
import {
  type Actor,
  ActorKind,
  ActorKindSchema,
  type AuditEntry,
  ListAuditEntriesResponseSchema,
} from "../../gen/rotor/v1/audit_service_pb.ts";
import type { Command, Context, Input } from "../command.ts";
import { failureOf } from "../failure.ts";
import { printable } from "../print.ts";
import { resolveAccount } from "../resolve.ts";
import { renderTable } from "../text/table.ts";
import { formatClock, parseSince } from "../text/time-text.ts";
import { enumText, enumValue, enumWords, toMs, toTimestamp } from "../text/wire-text.ts";
import { listAccounts } from "./account.ts";

/** Two screenfuls: orders are few. */
const LISTED = 50;
/** What one page of the API holds at most. */
const LISTED_MOST = 1_000;

const list: Command = {
  path: ["audit", "list"],
  summary: "who changed what and when, newest first",
  details: [
    "Every order leaves one entry, refused ones too, and so does what Rotor does unasked. WHO is ctl (with the process that asked), dashboard, key or rotor itself. Entries are kept for audit_days_kept days (rotor setting get audit_days_kept).",
  ],
  options: [
    { name: "number", short: "n", value: "N", about: `how many, ${LISTED} unless told` },
    { name: "since", value: "TIME", about: "from then on: 7d, 12h, 2026-11-01" },
    {
      name: "account",
      value: "ACCOUNT",
      about: "only what was done to this account, also a removed one by its old alias",
      completes: "account",
    },
    {
      name: "action",
      value: "ACTION",
      about: "only this, e.g. account.rename; a noun such as account means all of it",
    },
    { name: "by", value: "WHO", about: "only orders of these", completes: enumWords(ActorKindSchema) },
    { name: "failed", about: "only orders that were refused" },
  ],
  examples: ["rotor audit list --since 7d", "rotor audit list --account work --action account.disable"],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const link = await context.daemon();
    const response = await link.audit.listAuditEntries(await queryOf(context, input));
    if (print.asJson(ListAuditEntriesResponseSchema, response)) return;
    if (response.entries.length === 0) {
      print.note("no entries");
      return;
    }
    const rows = response.entries.map((entry) => entryRow(entry, nowMs()));
    const columns = ["WHEN", "WHO", "WHAT", "ON", "HOW"].map((header) => ({ header }));
    for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
    if (response.nextPageToken !== "") print.note("there are more; ask for them with -n");
  },
};

async function queryOf(context: Context, input: Input) {
  const since = input.value("since");
  const sinceMs = since === null ? null : parseSince(since, context.nowMs());
  if (since !== null && sinceMs === null)
    throw usage(`--since ${since} is not a time gone by such as 7d or 2026-11-01`);
  const by = input.value("by");
  const actor = by === null ? ActorKind.UNSPECIFIED : enumValue(ActorKindSchema, by);
  if (actor === null) throw usage(`--by takes ${enumWords(ActorKindSchema).join(", ")}, not ${by}`);
  const account = input.value("account");
  return {
    pageSize: pageSize(input.value("number")),
    sinceTime: sinceMs === null ? undefined : toTimestamp(sinceMs),
    actor,
    action: input.value("action") ?? "",
    subject: account === null ? "" : await subjectOf(context, account),
    failed: input.has("failed"),
  };
}

/** What is not here any more is found by the name that it had. */
async function subjectOf(context: Context, name: string): Promise<string> {
  try {
    return resolveAccount(await listAccounts(context), name).id;
  } catch (thrown) {
    if (failureOf(thrown).code !== "account_not_found") throw thrown;
    return name;
  }
}

function pageSize(text: string | null): number {
  if (text === null) return LISTED;
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number >= 1 && number <= LISTED_MOST) return number;
  throw usage(`-n takes a number from 1 to ${LISTED_MOST}, not ${text}`);
}

function usage(message: string): AppError {
  return new AppError("bad_usage", message, { hint: "rotor help audit list" });
}

function entryRow(entry: AuditEntry, nowMs: number): string[] {
  const atMs = toMs(entry.time);
  const refused = entry.errorCode === "" ? [] : [`refused: ${printable(entry.errorCode)}`];
  return [
    atMs === null ? "–" : formatClock(atMs, nowMs),
    entry.actor === undefined ? "–" : actorText(entry.actor),
    printable(entry.action),
    entry.subjects.map(({ id, name }) => printable(name || id)).join(", ") || "–",
    [...(entry.text === "" ? [] : [printable(entry.text)]), ...refused].join("; ") || "–",
  ];
}

function actorText(actor: Actor): string {
  const kind = enumText(ActorKindSchema, actor.kind);
  if (actor.kind === ActorKind.KEY) return `${kind} ${printable(actor.keyId)}`;
  return actor.pid === undefined ? kind : `${kind} ${actor.pid}`;
}

export const auditCommands: readonly Command[] = [list];
