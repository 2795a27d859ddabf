/** Imports in words: what became of each login, what came along, what stayed behind, and what to do next. */
import {
  type ImportAccountsResponse,
  ImportAction,
  type ImportedAccount,
  ImportedFactKindSchema,
} from "../../gen/rotor/v1/transfer_service_pb.ts";
import type { Context } from "../command.ts";
import { printable } from "../print.ts";
import { renderTable } from "../text/table.ts";
import { enumText } from "../text/wire-text.ts";

/** More of them would push the result off the screen. */
const REMARKS_SHOWN = 12;

export function printImport({ print }: Context, response: ImportAccountsResponse, dryRun: boolean): void {
  const rows = response.accounts.map((entry) => [actionText(entry, dryRun), entry.alias, printable(entry.reason)]);
  const columns = [{ header: "ACTION" }, { header: "ALIAS" }, { header: "REASON" }];
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  for (const { kind, name, taken, text } of response.facts) {
    const what = `${enumText(ImportedFactKindSchema, kind)} ${printable(name)}`;
    const action = taken ? (dryRun ? "would take" : "took") : "left";
    print.note(`${action} ${what}: ${printable(text)}`);
  }
  for (const remark of response.remarks.slice(0, REMARKS_SHOWN)) print.note(`note: ${printable(remark)}`);
  const more = response.remarks.length - REMARKS_SHOWN;
  if (more > 0) print.note(`note: ${more} more; all of them: --json`);
  if (response.backup !== "") print.note(`to go back: rotor restore ${response.backup}`);
}

function actionText(entry: ImportedAccount, dryRun: boolean): string {
  if (entry.action === ImportAction.ADD) return dryRun ? "would add" : "added";
  if (entry.action === ImportAction.REPLACE) return dryRun ? "would renew" : "renewed";
  return dryRun ? "would skip" : "skipped";
}

export function hasChanged(response: ImportAccountsResponse): boolean {
  return (
    response.accounts.some(({ action }) => action !== ImportAction.SKIP) || response.facts.some(({ taken }) => taken)
  );
}
