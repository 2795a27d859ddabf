/**
 * Rules in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RulePreview } from "../../domain/rule-preview.ts";
import type { PreviewRulesResponseSchema, RuleListSchema } from "../../gen/rotor/v1/rule_service_pb.ts";
import type { RuleReport } from "../../pool/rule-desk.ts";
import type { AliasOf } from "./pool.ts";
import { instant, int64 } from "./values.ts";

export function ruleListMessage(report: RuleReport): MessageInitShape<typeof RuleListSchema> {
  return {
    lines: report.lines.map(({ line, text, canonical, verb }) => {
      return { line, text, canonical: canonical ?? "", verb: verb ?? "" };
    }),
    problems: report.problems.map(({ line, column, message }) => ({ line, column, message })),
    warnings: report.warnings.map(({ line, text }) => ({ line: line ?? 0, text })),
    leavesNobody: report.leavesNobody,
  };
}

export function rulePreviewMessage(
  preview: RulePreview,
  aliasOf: AliasOf,
): MessageInitShape<typeof PreviewRulesResponseSchema> {
  const { counts } = preview;
  return {
    sinceTime: instant(preview.sinceMs),
    sameCount: int64(counts.same),
    elsewhereCount: int64(counts.elsewhere),
    nowhereCount: int64(counts.nowhere),
    gainedCount: int64(counts.gained),
    unknownCount: int64(preview.unknown),
    effects: preview.changes.map(({ exchange, replay }) => ({
      exchangeId: exchange.id,
      startTime: instant(exchange.startedAtMs),
      model: exchange.model ?? "",
      fromAlias: exchange.servedByAlias ?? "",
      toAlias: replay.to === null ? "" : aliasOf(replay.to),
      rule: replay.rule?.text ?? "",
      line: replay.rule?.line ?? 0,
    })),
    held: preview.held.map(({ accountId, hours }) => ({ accountId, alias: aliasOf(accountId), heldHours: hours })),
    hourCount: preview.hours,
    cut: preview.isCut,
  };
}
