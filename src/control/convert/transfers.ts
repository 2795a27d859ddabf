/**
 * Imports and exports in the words of the API. Absent in the domain is null; in proto it is an absent message, an empty text or zero, as the proto
 * comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import * as transferPb from "../../gen/rotor/v1/transfer_service_pb.ts";
import type {
  ExportedRow,
  ExportFormat,
  ExportReport,
  ImportDecisionView,
  ImportReport,
} from "../../pool/transfer-desk.ts";
import type { accountConverter } from "./accounts.ts";

const ACTIONS: Readonly<Record<ImportDecisionView["action"], transferPb.ImportAction>> = {
  add: transferPb.ImportAction.ADD,
  replace: transferPb.ImportAction.REPLACE,
  skip: transferPb.ImportAction.SKIP,
};

const KINDS: Readonly<Record<ImportReport["facts"][number]["kind"], transferPb.ImportedFactKind>> = {
  pin: transferPb.ImportedFactKind.PIN,
  strategy: transferPb.ImportedFactKind.STRATEGY,
  setting: transferPb.ImportedFactKind.SETTING,
  key: transferPb.ImportedFactKind.KEY,
  profile: transferPb.ImportedFactKind.PROFILE,
  budget: transferPb.ImportedFactKind.BUDGET,
  ledger: transferPb.ImportedFactKind.LEDGER,
  rule: transferPb.ImportedFactKind.RULE,
};

export function importMessage(
  report: ImportReport,
  account: ReturnType<typeof accountConverter>,
): MessageInitShape<typeof transferPb.ImportAccountsResponseSchema> {
  return {
    accounts: report.accounts.map((entry) => ({
      action: ACTIONS[entry.action],
      reason: entry.reason,
      alias: entry.alias,
      account: entry.account === null ? undefined : account(entry.account),
    })),
    format: report.format,
    facts: report.facts.map(({ kind, name, isTaken, text }) => ({ kind: KINDS[kind], name, taken: isTaken, text })),
    remarks: [...report.remarks],
    backup: report.backup ?? "",
  };
}

const FORMATS: Readonly<Record<ExportFormat, transferPb.ExportFormat>> = {
  "codex-auth": transferPb.ExportFormat.CODEX_AUTH,
  "opencode-auth": transferPb.ExportFormat.OPENCODE_AUTH,
  "oc-codex-multi-auth": transferPb.ExportFormat.OC_CODEX_MULTI_AUTH,
  "rotor-pool-file": transferPb.ExportFormat.POOL_FILE,
};

export function toExportFormat(wanted: transferPb.ExportFormat): ExportFormat {
  const found = (Object.keys(FORMATS) as ExportFormat[]).find((name) => FORMATS[name] === wanted);
  if (found === undefined) throw new AppError("invalid_request", "format says what to write");
  return found;
}

const EXPORT_ACTIONS: Readonly<Record<ExportedRow["action"], transferPb.ExportAction>> = {
  add: transferPb.ExportAction.ADD,
  update: transferPb.ExportAction.UPDATE,
  keep: transferPb.ExportAction.KEEP,
  refuse: transferPb.ExportAction.REFUSE,
};

export function exportMessage(report: ExportReport): MessageInitShape<typeof transferPb.ExportAccountsResponseSchema> {
  return {
    data: report.bytes ?? new Uint8Array(),
    accounts: report.rows.map(({ account, action, reason }) => ({
      accountId: account.id,
      alias: account.alias,
      action: EXPORT_ACTIONS[action],
      reason,
    })),
    destinationOnlyCount: report.destinationOnly,
    remarks: [...report.remarks],
  };
}
