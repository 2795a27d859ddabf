/**
 * `rotor login --from FILE`: one person signs in to many accounts, one after the other. Keeps no state of its own: what is done is in
 * the pool, so the same command goes on where it was broken off.
 */
import { readFile } from "node:fs/promises";
import { AppError } from "../../base/errors.ts";
import type { Login } from "../../gen/rotor/v1/login_service_pb.ts";
import type { Context } from "../command.ts";
import { type ExitCode, failureJson, failureOf, failureText } from "../failure.ts";
import { printable } from "../print.ts";
import { notFound } from "../resolve.ts";
import { renderTable } from "../text/table.ts";
import { runLogin } from "./login-flow.ts";
import { type ListEntry, parseLoginList } from "./login-list.ts";
import { type ChosenMethod, methodFlag } from "./login-method.ts";
import { onlyEntries, type PlannedAction, type PlannedLogin, planLogins } from "./login-plan.ts";

export interface BulkOrder {
  /** Path, or `-` for standard input. */
  readonly source: string;
  readonly chosen: ChosenMethod;
  /** Alias or e-mail address of the one entry that is meant; null for all. */
  readonly only: string | null;
  /** Say what would be done and do nothing. */
  readonly check: boolean;
}

/** How many faults are shown: enough to see the pattern. */
const FAULTS_SHOWN = 5;

export async function bulkLogin(context: Context, order: BulkOrder): Promise<ExitCode> {
  const { print } = context;
  const all = await readList(context, order.source);
  const { accounts } = await (await context.daemon()).accounts.listAccounts({});
  // Planned over the whole list: whether an address stands there twice matters also to the one line that is meant.
  const planned = planLogins(all, accounts);
  const wanted = order.only === null ? all : theOnly(all, order.only);
  const plan = planned.filter(({ entry }) => wanted.includes(entry));
  if (order.check) {
    showPlan(context, plan);
    return plan.some(({ action }) => action === "refuse") ? 1 : 0;
  }
  for (const planned of plan) {
    const { entry, action, reason } = planned;
    if (action !== "skip" && action !== "refuse") continue;
    if (print.json) print.value({ entry: entryJson(planned) });
    else print.note(`${nameOf(entry)}: ${action === "skip" ? "skipped" : "refused"}, ${reason}`);
  }
  return await runPlan(context, order, plan);
}

async function readList({ io }: Context, source: string): Promise<ListEntry[]> {
  const name = source === "-" ? "standard input" : source;
  const { entries, faults } = parseLoginList(await readText(io, source));
  if (faults.length > 0) {
    const shown = faults.slice(0, FAULTS_SHOWN).map(({ line, message }) => `line ${line} ${message}`);
    const more = faults.length > FAULTS_SHOWN ? `, and ${faults.length - FAULTS_SHOWN} more` : "";
    throw new AppError("bad_usage", `${name}: ${shown.join("; ")}${more}`, { hint: "rotor help login" });
  }
  if (entries.length === 0) {
    throw new AppError("bad_usage", `${name} holds no e-mail address`, { hint: "rotor help login" });
  }
  return entries;
}

async function readText(io: Context["io"], source: string): Promise<string> {
  if (source === "-") return new TextDecoder().decode(await io.readStdin());
  try {
    return await readFile(source, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "it does not exist" : code === "EISDIR" ? "it is a folder" : String(code);
    throw new AppError("bad_usage", `${source} cannot be read: ${reason}`, { hint: "rotor help login", cause });
  }
}

function theOnly(entries: readonly ListEntry[], name: string): ListEntry[] {
  const found = onlyEntries(entries, name);
  if (found.length > 0) return found;
  const known = entries.flatMap((entry) => [entry.email, ...(entry.alias === null ? [] : [entry.alias])]);
  throw new AppError("bad_usage", notFound("line in the list for", name, known), { hint: "rotor help login" });
}

function showPlan({ print }: Context, plan: readonly PlannedLogin[]): void {
  if (print.json) {
    print.value({ entries: plan.map(entryJson) });
    return;
  }
  const would: Readonly<Record<PlannedAction, string>> = {
    add: "would add",
    renew: "would renew",
    skip: "would skip",
    refuse: "would refuse",
  };
  const rows = plan.map(({ entry, action, reason }) => [
    String(entry.line),
    would[action],
    printable(entry.email),
    entry.alias ?? "–",
    printable(reason) || "–",
  ]);
  const columns = [
    { header: "LINE", align: "right" as const },
    { header: "ACTION" },
    { header: "E-MAIL", max: 40 },
    { header: "ALIAS" },
    { header: "REASON" },
  ];
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  print.note("nothing was changed (--check)");
}

function entryJson({ entry, action, reason }: PlannedLogin): Record<string, unknown> {
  return { line: entry.line, email: entry.email, alias: entry.alias, action, reason: reason || null };
}

async function runPlan(context: Context, order: BulkOrder, plan: readonly PlannedLogin[]): Promise<ExitCode> {
  const { io, print } = context;
  const todo = plan.filter(({ action }) => action === "add" || action === "renew");
  const asks = io.stdinIsTty && !print.json;
  const count = { added: 0, renewed: 0, failed: 0, left: 0 };
  for (const [i, planned] of todo.entries()) {
    const { entry } = planned;
    if (print.json) print.value({ entry: { ...entryJson(planned), number: i + 1, of: todo.length } });
    print.note(
      `\n(${i + 1}/${todo.length}) ${nameOf(entry)}: ${planned.action === "add" ? "sign in" : "sign in again"}`,
    );
    const said = asks ? await askBefore(context) : "go";
    if (said === "stop") {
      count.left += todo.length - i;
      break;
    }
    if (said === "skip") {
      count.left++;
      continue;
    }
    try {
      const login = await runLogin(context, {
        chosen: order.chosen,
        alias: planned.account === null ? entry.alias : null,
        accountId: planned.account?.id ?? null,
        email: entry.email,
        command: "rotor login",
      });
      if (login.added) count.added++;
      else count.renewed++;
      warnOfOther(context, planned, login);
    } catch (thrown) {
      const failure = failureOf(thrown);
      // Nobody signed in in a quarter of an hour: without a question in between, all others would wait as long for nobody.
      const nobodyHere = failure.code === "login_expired" && !asks;
      if (io.interrupted.aborted || nobodyHere || endsAll(failure.code)) throw thrown;
      print.failure(print.json ? failureJson(failure) : failureText(failure, nameOf(entry), context.nowMs()));
      count.failed++;
    }
  }
  const refused = plan.filter(({ action }) => action === "refuse").length;
  const skipped = plan.filter(({ action }) => action === "skip").length;
  const all = { ...count, refused, skipped };
  if (print.json) print.value({ summary: all });
  else print.note(summary(all, order));
  return count.failed + refused > 0 ? 1 : 0;
}

/** What is wrong with this machine or the daemon is wrong for the next one too. */
function endsAll(code: string): boolean {
  return [
    "address_in_use",
    "daemon_unreachable",
    "not_ready",
    "store_locked",
    "store_busy",
    "upstream_unreachable",
    "internal",
  ].includes(code);
}

async function askBefore({ io }: Context): Promise<"go" | "skip" | "stop"> {
  const typed = (await io.ask("Enter to begin, s to leave this one out, q to stop: ")).trim().toLowerCase();
  if (io.interrupted.aborted)
    throw new AppError("canceled", "stopped; the same command goes on from here", { hint: null });
  return typed.startsWith("q") ? "stop" : typed.startsWith("s") ? "skip" : "go";
}

/** The sign-in page lets a person choose another account than the list says. */
function warnOfOther({ print }: Context, { entry, account }: PlannedLogin, login: Login): void {
  const got = login.account;
  if (got === undefined || account !== null) return;
  if (got.email.toLowerCase() !== entry.email) {
    print.warning(
      `line ${entry.line} says ${entry.email}, but ${printable(got.email) || "another account"} signed in as ${got.alias}`,
    );
  } else if (entry.alias !== null && got.alias !== entry.alias) {
    print.warning(
      `that was ${got.alias}, which was here already; ${entry.alias} (line ${entry.line}) is still missing`,
    );
  }
}

function nameOf(entry: ListEntry): string {
  return printable(entry.alias === null ? entry.email : `${entry.email} as ${entry.alias}`);
}

function summary(
  count: { added: number; renewed: number; skipped: number; failed: number; refused: number; left: number },
  order: BulkOrder,
): string {
  const parts = Object.entries(count).filter(([, number]) => number > 0);
  const words = parts.map(([name, number]) => `${number} ${name === "left" ? "left out" : name}`).join(", ");
  const open = count.failed + count.left + count.refused > 0;
  return open
    ? `${words}; for the rest: rotor login --from ${shellWord(order.source)}${methodFlag(order.chosen)}`
    : words;
}

/** A path as it can be typed again. */
function shellWord(path: string): string {
  return /^[\w./~-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
