/**
 * `rotor export`: logins into the formats of other programs, or into an encrypted pool file. Plain tokens only after somebody said so twice.
 */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { AppError } from "../../base/errors.ts";
import { foreignPlaces } from "../../base/foreign-places.ts";
import {
  type ExportAccountsResponse,
  ExportAccountsResponseSchema,
  ExportAction,
  ExportFormat,
} from "../../gen/rotor/v1/transfer_service_pb.ts";
import type { Command, Context, Input } from "../command.ts";
import { YES_OPTION } from "../confirm.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { askNewPassphrase, askPassphrase } from "../passphrase-prompt.ts";
import { printable } from "../print.ts";
import { resolveAccount } from "../resolve.ts";
import { refuseRisk, writeSecretFile } from "../secret-file.ts";
import { renderTable } from "../text/table.ts";

const FORMATS: Readonly<Record<string, ExportFormat>> = {
  codex: ExportFormat.CODEX_AUTH,
  opencode: ExportFormat.OPENCODE_AUTH,
  "oc-codex-multi-auth": ExportFormat.OC_CODEX_MULTI_AUTH,
  pool: ExportFormat.POOL_FILE,
};

const exportAccounts: Command = {
  path: ["export"],
  summary: "write accounts for another program, or as an encrypted pool file",
  details: [
    "codex and opencode: the auth.json of one account; what else stands in the file stays. oc-codex-multi-auth: merged into its store; accounts that only the store has stay, and where two cannot be told apart nothing is written. pool: a file under a passphrase with everything that another Rotor takes over (rotor import FILE).",
    "All but a pool file hold live tokens in plain text: type yes, or say --yes --plain-text. The file gets mode 0600, whole or not at all; a git repository or a link needs --force.",
    "A refresh token works once. Whoever renews an exported login first cuts the other off: --hand-over leaves the renewal to the file's program (codex, opencode); else stop using one of the two.",
  ],
  args: [
    {
      name: "ALIAS",
      about: "accounts; without any, all of them",
      optional: true,
      variadic: true,
      completes: "account",
    },
  ],
  options: [
    { name: "to", value: "FORMAT", about: Object.keys(FORMATS).join(", "), completes: Object.keys(FORMATS) },
    { name: "out", value: "FILE", about: "where to; - is standard output", completes: "file" },
    { name: "tag", value: "TAG", about: "the accounts with this tag" },
    { name: "dry-run", about: "say what would be written and write nothing" },
    { name: "hand-over", about: "the file's program renews the login from now on" },
    { name: "passphrase-stdin", about: "the first line of standard input is the passphrase" },
    { name: "plain-text", about: "with --yes: live tokens in plain text are meant" },
    { name: "force", about: "also into a git repository, through a link, or over a file" },
    YES_OPTION,
  ],
  examples: [
    "rotor export --to pool --out ~/accounts.rotor",
    "rotor export work --to codex --out ~/other/auth.json --dry-run",
    "rotor export --tag team --to oc-codex-multi-auth",
  ],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const name = input.value("to") ?? "";
    const format = FORMATS[name];
    if (format === undefined)
      throw new AppError("bad_usage", `--to is one of ${Object.keys(FORMATS).join(", ")}`, {
        hint: "rotor help export",
      });
    const out = outFor(context, input, name);
    const link = await context.daemon();
    const chosen = await chosenIds(link, input);
    if (input.has("hand-over")) return handOver(context, link, input, name, out, chosen.ids);
    const existing = out === "-" ? undefined : existingBytes(out);
    const order = { format, accountIds: [...chosen.ids], wholePool: chosen.isWhole };
    // A pool file is a new one; the others are merged into what is there.
    const merge = format === ExportFormat.POOL_FILE ? undefined : existing;
    const plan = await link.transfers.exportAccounts({ ...order, existing: merge, dryRun: true });
    if (input.has("dry-run")) {
      if (print.asJson(ExportAccountsResponseSchema, plan)) return;
      printRows(context, plan, out);
      return void print.note("nothing was written (--dry-run)");
    }
    if (out !== "-") refuseRisk(out, input.has("force"));
    refuseOverwriting(input, name, out, existing);
    const isPlain = format !== ExportFormat.POOL_FILE;
    if (!print.json && isPlain) printRows(context, plan, out);
    if (isPlain) await confirmPlain(context, input, plan.accounts.length, out);
    const passphrase = isPlain ? "" : await newPassphrase(context, input);
    const response = await link.transfers.exportAccounts({ ...order, existing: merge, passphrase, dryRun: false });
    if (out === "-") return void print.raw(response.data);
    await writeSecretFile(out, response.data);
    const { data: _, ...said } = response;
    if (print.asJson(ExportAccountsResponseSchema, { ...said, data: new Uint8Array() })) return;
    if (!isPlain) printRows(context, response, out);
    print.note(`wrote ${printable(out)}`);
    print.warning(TWO_REFRESHERS);
  },
};

const TWO_REFRESHERS =
  "these logins are live in two places now: a refresh token works once, and whoever renews first cuts the other off. Use them in one place: rotor account disable, or --hand-over (rotor help sharing)";

function outFor({ io }: Context, input: Input, name: string): string {
  const out = input.value("out");
  if (out === "-") return out;
  if (out !== null) return resolve(out);
  const place = foreignPlaces(io.host).find(({ product }) => product === name);
  if (name === "oc-codex-multi-auth" && place) return join(place.roots[0]!, place.stores[0]!);
  const hint =
    name === "codex"
      ? "rotor account switch ALIAS   (the Codex CLI's own file)"
      : "rotor export --to FORMAT --out FILE";
  throw new AppError("bad_usage", "--out says which file to write", { hint });
}

async function chosenIds(link: DaemonLink, input: Input): Promise<{ ids: readonly string[]; isWhole: boolean }> {
  const { accounts } = await link.accounts.listAccounts({});
  const [names, tag] = [input.rest(0), input.value("tag")];
  const named = names.map((name) => resolveAccount(accounts, name));
  const tagged = tag === null ? [] : accounts.filter(({ tags }) => tags.includes(tag));
  if (tag !== null && tagged.length === 0)
    throw new AppError("account_not_found", `no account has the tag ${printable(tag)}`, { hint: "rotor account list" });
  const isWhole = names.length === 0 && tag === null;
  const ids = (isWhole ? accounts : [...named, ...tagged]).map(({ id }) => id);
  return { ids: [...new Set(ids)], isWhole };
}

function existingBytes(path: string): Uint8Array | undefined {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    throw new AppError("export_refused", `${path} cannot be read: ${code === "EISDIR" ? "it is a folder" : code}`, {
      hint: null,
      cause,
    });
  }
}

/** A store is merged; a single login and a pool file would take the place of what is there. */
function refuseOverwriting(input: Input, name: string, out: string, existing: Uint8Array | undefined): void {
  if (existing === undefined || name === "oc-codex-multi-auth" || input.has("force")) return;
  const hint =
    name === "codex"
      ? `rotor account switch ALIAS --file ${out}   (keeps the login that is in it), or --force`
      : "--force";
  throw new AppError("export_refused", `${out} is there already`, { hint });
}

async function confirmPlain({ io, print }: Context, input: Input, count: number, out: string): Promise<void> {
  if (input.has("yes") && input.has("plain-text")) return;
  if (!io.stdinIsTty || print.json) {
    throw new AppError("confirmation_required", "live tokens in plain text are written only when somebody says so", {
      hint: "add: --yes --plain-text",
    });
  }
  const logins = count === 1 ? "1 login" : `${count} logins`;
  const where = out === "-" ? "standard output" : printable(out);
  const answer = (await io.ask(`${logins} in plain text to ${where}: whoever reads it has them. Type yes: `)).trim();
  if (answer.toLowerCase() !== "yes") throw new AppError("canceled", "nothing was written", { hint: null });
}

function newPassphrase(context: Context, input: Input): Promise<string> {
  return input.has("passphrase-stdin")
    ? askPassphrase(context)
    : askNewPassphrase(context, "rotor export --to pool --passphrase-stdin");
}

/** The daemon writes the file and knows from then on whose it is: what `account switch` does. */
async function handOver(
  context: Context,
  link: DaemonLink,
  input: Input,
  name: string,
  out: string,
  ids: readonly string[],
): Promise<undefined> {
  const { print } = context;
  if ((name !== "codex" && name !== "opencode") || out === "-" || ids.length !== 1) {
    throw new AppError(
      "bad_usage",
      "--hand-over is for one account in a file of codex or opencode: nothing else tells Rotor what was renewed",
      {
        hint: "disable the accounts here once they are in use there: rotor account disable",
      },
    );
  }
  const dryRun = input.has("dry-run");
  if (!dryRun) {
    refuseRisk(out, input.has("force"));
    await confirmPlain(context, input, 1, out);
  }
  const response = await link.transfers.switchAccount({ accountId: ids[0]!, path: out, dryRun });
  if (print.json) return void print.value({ path: response.path, written: response.written });
  print.note(
    `${dryRun ? "would write" : "wrote"} ${printable(response.path)}; its program renews the login of ${response.account?.alias ?? ""} from now on`,
  );
}

const ACTIONS: Readonly<Record<ExportAction, string>> = {
  [ExportAction.UNSPECIFIED]: "–",
  [ExportAction.ADD]: "add",
  [ExportAction.UPDATE]: "update",
  [ExportAction.KEEP]: "keep",
  [ExportAction.REFUSE]: "refuse",
};

function printRows({ print }: Context, response: ExportAccountsResponse, out: string): void {
  const rows = response.accounts.map(({ action, alias, reason }) => [ACTIONS[action], alias, printable(reason)]);
  const columns = [{ header: "ACTION" }, { header: "ALIAS" }, { header: "REASON" }];
  // With the data on standard output, what is said of it must not be there.
  const say = out === "-" ? print.note : print.line;
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) say(line);
  if (response.destinationOnlyCount > 0)
    print.note(`${response.destinationOnlyCount} more are in the file alone and stay`);
  for (const remark of response.remarks) print.note(`note: ${printable(remark)}`);
}

export const exportCommands: readonly Command[] = [exportAccounts];
