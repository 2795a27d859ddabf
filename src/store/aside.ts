/** Reading that would hold up streams (contracts §18): how a store has it done in another thread, by whoever opens it. */
import type { UsageQuery, UsageReport } from "../domain/ledger.ts";
import type { PreviewAsk, RulePreview } from "../domain/rule-preview.ts";

/** Each reads the store at `database`, on a connection of its own. */
export interface Aside {
  report(database: string, query: UsageQuery): Promise<UsageReport>;
  previewRules(database: string, ask: PreviewAsk): Promise<RulePreview>;
}
