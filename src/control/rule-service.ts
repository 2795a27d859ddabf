/** RuleService (proto/rotor/v1/rule_service.proto): translates and calls the rule desk. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { RuleService } from "../gen/rotor/v1/rule_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { aliasLookup } from "./convert/pool.ts";
import { ruleListMessage, rulePreviewMessage } from "./convert/rules.ts";
import { toInstantMs } from "./convert/values.ts";

const WEEK_MS = 7 * 86_400_000;

export function createRuleService(engine: () => Engine, clock: Clock): ServiceImpl<typeof RuleService> {
  return {
    listRules: () => ({ list: ruleListMessage(engine().rules.list()) }),
    async setRules({ lines, dryRun, force }) {
      return { list: ruleListMessage(await engine().rules.set(lines, { dryRun, force })) };
    },
    async addRule({ text, line, dryRun, force }) {
      const place = line === 0 ? null : line;
      return { list: ruleListMessage(await engine().rules.add(text, place, { dryRun, force })) };
    },
    async removeRule({ line, dryRun, force }) {
      return { list: ruleListMessage(await engine().rules.remove(line, { dryRun, force })) };
    },
    async previewRules({ lines, sinceTime }) {
      const nowMs = clock.nowMs();
      const sinceMs = toInstantMs(sinceTime) ?? nowMs - WEEK_MS;
      if (sinceMs > nowMs || sinceMs < nowMs - 5 * WEEK_MS)
        throw new AppError("invalid_request", "a preview looks back for up to five weeks");
      return rulePreviewMessage(await engine().rules.preview(lines, sinceMs), aliasLookup(engine()));
    },
  };
}
