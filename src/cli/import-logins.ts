/**
 * `account add` and `import` share this: find the file, send its bytes, say what became of each login. The daemon reads the bytes, never the file.
 */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { AppError } from "../base/errors.ts";
import {
  ImportAccountsResponseSchema,
  ImportAction,
  type ImportedAccount,
} from "../gen/rotor/v1/transfer_service_pb.ts";
import { findCodexHome, isSameFile, storeWarning } from "./codex-home.ts";
import type { Context, Input, Option } from "./command.ts";
import type { ExitCode } from "./failure.ts";
import { printable } from "./print.ts";
import { renderTable } from "./table.ts";

export interface ImportOrder {
  /** Path, `-` for standard input, null for the login of the Codex CLI on this machine. */
  readonly source: string | null;
  readonly alias: string | null;
  readonly dryRun: boolean;
  /** Who renews the logins from then on; null = whoever that is with such a file. */
  readonly owner: "rotor" | "file" | null;
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

export async function importLogins(context: Context, order: ImportOrder): Promise<ExitCode | undefined> {
  const { print } = context;
  const { data, name, path } = await readSource(context, order.source);
  const sourcePath = await chooseOwner(context, order, path);
  const link = await context.daemon();
  const { dryRun, alias } = order;
  const response = await link.transfers.importAccounts({
    files: [{ name, data }],
    dryRun,
    alias: alias ?? "",
    sourcePath,
  });
  if (print.json) {
    print.message(ImportAccountsResponseSchema, response);
    return;
  }
  const rows = response.accounts.map((entry) => [
    actionText(entry, order.dryRun),
    entry.alias,
    printable(entry.reason),
  ]);
  const columns = [{ header: "ACTION" }, { header: "ALIAS" }, { header: "REASON" }];
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  if (order.dryRun) print.note("nothing was changed (--dry-run)");
  else if (response.accounts.some((entry) => entry.action !== ImportAction.SKIP)) {
    const alias = response.accounts[0]?.alias ?? "ALIAS";
    if (sourcePath === "") print.note(`read ${name}; Rotor renews these logins from now on`);
    else
      print.note(
        `read ${name}; its program goes on renewing this login, and Rotor takes over what it renews. Once that program goes through Rotor (rotor connect codex): rotor account take ${alias}`,
      );
  }
}

/** The path of the file whose program goes on renewing the logins; "" when Rotor does from now on. */
async function chooseOwner(context: Context, order: ImportOrder, path: string | null): Promise<string> {
  const { io, print } = context;
  if (order.owner === "rotor") return "";
  if (path === null) {
    if (order.owner === "file") throw new AppError("bad_usage", "--share needs a file; standard input is none");
    return "";
  }
  if (order.owner === "file") return resolve(path);
  if (!isSameFile(path, findCodexHome(context).authFile)) return "";
  if (order.dryRun || !io.stdinIsTty || print.json) return resolve(path);
  const question = "Does the Codex CLI go on using this login by itself, past Rotor? Then it alone renews it. [Y/n] ";
  const answer = (await io.ask(question)).trim().toLowerCase();
  return answer === "n" || answer === "no" ? "" : resolve(path);
}

function actionText(entry: ImportedAccount, dryRun: boolean): string {
  if (entry.action === ImportAction.ADD) return dryRun ? "would add" : "added";
  if (entry.action === ImportAction.REPLACE) return dryRun ? "would renew" : "renewed";
  return dryRun ? "would skip" : "skipped";
}

interface Source {
  readonly data: Uint8Array;
  readonly name: string;
  /** null = no file. */
  readonly path: string | null;
}

async function readSource(context: Context, source: string | null): Promise<Source> {
  const { io } = context;
  if (source === "-") {
    if (io.stdinIsTty) context.print.note("reading logins from standard input; end with Ctrl-D");
    return { data: await io.readStdin(), name: "standard input", path: null };
  }
  const home = findCodexHome(context);
  const path = source ?? home.authFile;
  try {
    return { data: new Uint8Array(await readFile(path)), name: path, path };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (source === null && code === "ENOENT") {
      const message = storeWarning(home) ?? `the Codex CLI has no login here: ${path} does not exist`;
      throw new AppError("invalid_import", message, { hint: "codex login, then: rotor account add", cause });
    }
    const reason = code === "ENOENT" ? "it does not exist" : code === "EISDIR" ? "it is a folder" : String(code);
    throw new AppError("invalid_import", `${path} cannot be read: ${reason}`, { hint: null, cause });
  }
}
