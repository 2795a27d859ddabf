/**
 * Imports in the words of the API. Absent in the domain is null; in proto it is an absent message, an empty text or zero, as the proto
 * comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import * as transferPb from "../../gen/rotor/v1/transfer_service_pb.ts";
import type { ImportDecisionView, ImportReport } from "../../pool/transfer-desk.ts";
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
  };
}
