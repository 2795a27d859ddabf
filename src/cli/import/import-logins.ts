/**
 * `account add` and `import` share this: send the bytes of a source, and say what became of it. The daemon reads the bytes, never the file.
 */
import { resolve } from "node:path";
import { AppError } from "../../base/errors.ts";
import { type ImportAccountsResponse, ImportAccountsResponseSchema } from "../../gen/rotor/v1/transfer_service_pb.ts";
import { findCodexHome, isSameFile } from "../codex-home.ts";
import type { Context, Input, Option } from "../command.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { failureOf } from "../failure.ts";
import { printable } from "../print.ts";
import { type ImportSource, readSource, type SourceFile } from "./import-sources.ts";
import { hasChanged, printImport } from "./import-text.ts";

export interface ImportOrder {
  readonly alias: string | null;
  readonly dryRun: boolean;
  /** Who renews the logins from then on; null = whoever that is with such a file. */
  readonly owner: "rotor" | "file" | null;
  /** Read from standard input; null = it is asked for when it is needed. */
  readonly passphrase: string | null;
}

export const OWNER_OPTIONS: readonly Option[] = [
  { name: "take", about: "Rotor renews the logins from now on, and no other program does" },
  { name: "share", about: "the program whose file it is goes on renewing them, and Rotor takes over what it renews" },
];

export function ownerWish(input: Input): ImportOrder["owner"] {
  if (input.has("take") && input.has("share"))
    throw new AppError("bad_usage", "--take and --share: one login must be renewed by one program");
  return input.has("take") ? "rotor" : input.has("share") ? "file" : null;
}

/** Imports one source and prints what became of it. True when it changed something. */
export async function importSource(context: Context, source: ImportSource, order: ImportOrder): Promise<boolean> {
  const { print } = context;
  const { dryRun } = order;
  const files = await readSource(context, source);
  const link = await context.daemon();
  const call = callerOf(context, link, source, files, order);
  const sourcePath = await chooseOwner(context, source, order, call);
  const response = await call({ dryRun, sourcePath });
  if (print.asJson(ImportAccountsResponseSchema, response)) return hasChanged(response);
  printImport(context, response, dryRun);
  if (dryRun) print.note("nothing was changed (--dry-run)");
  else if (hasChanged(response)) print.note(ownerText(response, printable(nameOf(source)), sourcePath));
  return hasChanged(response);
}

function nameOf(source: ImportSource): string {
  return source.paths[0] ?? source.name;
}

function ownerText(response: ImportAccountsResponse, name: string, sourcePath: string): string {
  if (sourcePath === "") return `read ${name}; Rotor renews these logins from now on`;
  const alias = response.accounts[0]?.alias ?? "ALIAS";
  return `read ${name}; its program goes on renewing this login, and Rotor takes over what it renews. Once that program goes through Rotor (rotor connect codex): rotor account take ${alias}`;
}

type Call = (order: { dryRun: boolean; sourcePath: string }) => Promise<ImportAccountsResponse>;

/** A wrong passphrase is asked for again this often. */
const PASSPHRASE_TRIES = 3;

/** Calls the daemon; when the files turn out to be encrypted, with the passphrase that is asked for once. */
function callerOf(
  { io, print }: Context,
  link: DaemonLink,
  source: ImportSource,
  files: readonly SourceFile[],
  order: ImportOrder,
): Call {
  // The replaced product's own variable, for its own stores.
  const known = order.passphrase ?? io.host.env.CODEX_SOFT_STORE_PASSPHRASE ?? "";
  let passphrase = known;
  return async ({ dryRun, sourcePath }) => {
    for (let tries = 0; ; tries++) {
      try {
        const alias = order.alias ?? "";
        return await link.transfers.importAccounts({ files: [...files], dryRun, alias, sourcePath, passphrase });
      } catch (thrown) {
        const { code } = failureOf(thrown);
        const mayAsk = io.stdinIsTty && !print.json && order.passphrase === null && tries < PASSPHRASE_TRIES;
        if (!mayAsk || (code !== "passphrase_required" && code !== "passphrase_wrong")) throw thrown;
        if (tries > 0) print.note("that is not it");
        passphrase = await io.askSecret(`Passphrase of ${printable(nameOf(source))}: `);
        if (io.interrupted.aborted || passphrase === "")
          throw new AppError("canceled", "nothing was changed", { hint: null });
      }
    }
  };
}

/** The path of the file whose program goes on renewing the logins; "" when Rotor does from now on. */
async function chooseOwner(context: Context, source: ImportSource, order: ImportOrder, call: Call): Promise<string> {
  const { io, print } = context;
  if (order.owner === "rotor") return "";
  const [path, more] = source.paths;
  if (path === undefined || more !== undefined) {
    if (order.owner === "file") throw new AppError("bad_usage", "--share needs one file with a login");
    return "";
  }
  if (order.owner === "file") return resolve(path);
  const isCodex = isSameFile(path, findCodexHome(context).authFile);
  if (!isCodex && source.product !== "opencode") return "";
  // OpenCode keeps one login; a plugin that keeps several there renews them all itself.
  if (!isCodex && (await call({ dryRun: true, sourcePath: "" })).accounts.length !== 1) return "";
  if (order.dryRun || !io.stdinIsTty || print.json) return resolve(path);
  const program = isCodex ? "the Codex CLI" : "OpenCode";
  const question = `Does ${program} go on using this login by itself, past Rotor? Then it alone renews it. [Y/n] `;
  const answer = (await io.ask(question)).trim().toLowerCase();
  return answer === "n" || answer === "no" ? "" : resolve(path);
}
