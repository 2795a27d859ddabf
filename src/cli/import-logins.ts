/**
 * `account add` and `import` share this: find the file, send its bytes, say what became of each login. The daemon reads the bytes, never the file.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { loadConfig } from "../base/config.ts";
import { AppError } from "../base/errors.ts";
import {
  ImportAccountsResponseSchema,
  ImportAction,
  type ImportedAccount,
} from "../gen/rotor/v1/account_service_pb.ts";
import type { Context } from "./command.ts";
import type { ExitCode } from "./failure.ts";
import { printable } from "./print.ts";
import { renderTable } from "./table.ts";

export interface ImportOrder {
  /** Path, `-` for standard input, null for the login of the Codex CLI on this machine. */
  readonly source: string | null;
  readonly alias: string | null;
  readonly dryRun: boolean;
}

export async function importLogins(context: Context, order: ImportOrder): Promise<ExitCode | undefined> {
  const { print } = context;
  const { data, name } = await readSource(context, order.source);
  const link = await context.daemon();
  const response = await link.accounts.importAccounts({ data, dryRun: order.dryRun, alias: order.alias ?? "" });
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
  else if (response.accounts.some((entry) => entry.action === ImportAction.ADD)) {
    print.note(`read ${name}; Rotor renews these logins from now on`);
  }
}

function actionText(entry: ImportedAccount, dryRun: boolean): string {
  if (entry.action === ImportAction.ADD) return dryRun ? "would add" : "added";
  if (entry.action === ImportAction.REPLACE) return dryRun ? "would renew" : "renewed";
  return dryRun ? "would skip" : "skipped";
}

async function readSource(context: Context, source: string | null): Promise<{ data: Uint8Array; name: string }> {
  const { io, paths } = context;
  if (source === "-") {
    if (io.stdinIsTty) context.print.note("reading logins from standard input; end with Ctrl-D");
    return { data: await io.readStdin(), name: "standard input" };
  }
  const path = source ?? join(loadConfig(paths.configFile, io.host).codex.home, "auth.json");
  try {
    return { data: new Uint8Array(await readFile(path)), name: path };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (source === null && code === "ENOENT") {
      const message = `the Codex CLI has no login here: ${path} does not exist`;
      throw new AppError("invalid_import", message, { hint: "codex login, then: rotor account add", cause });
    }
    const reason = code === "ENOENT" ? "it does not exist" : code === "EISDIR" ? "it is a folder" : String(code);
    throw new AppError("invalid_import", `${path} cannot be read: ${reason}`, { hint: null, cause });
  }
}
