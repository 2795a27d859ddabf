/**
 * A preview of rules over the history in the store, on whatever connection it is asked of: a worker has its own, so that no stream waits for
 * it (contracts §18). Reads, never writes.
 */
import { type Log, silentLog } from "../base/log.ts";
import type { Exchange } from "../domain/exchange.ts";
import {
  HISTORY_BACK_MS,
  type PreviewAsk,
  type PreviewPast,
  previewRules,
  type RulePreview,
} from "../domain/rule-preview.ts";
import type { ZoneOffset } from "../domain/schedule.ts";
import type { Aside } from "./aside.ts";
import { type Connection, openBeside, type StoreDatabase } from "./database.ts";
import { exchangesNewestFirst } from "./exchange-table.ts";
import type { Store } from "./store.ts";
import { readSamples } from "./window-history-table.ts";

export function createRulePreview({ path, relaxed }: StoreDatabase, log: Log, aside?: Aside) {
  return {
    previewRules: async (ask, zone) =>
      aside === undefined ? previewRules(ask, readPast(relaxed, ask, log), zone) : aside.previewRules(path, ask),
  } satisfies Partial<Store>;
}

/** Of a store that somebody else has open. */
export function previewBeside(path: string, ask: PreviewAsk, zone: ZoneOffset): RulePreview {
  const db = openBeside(path);
  try {
    return previewRules(ask, readPast(db, ask, silentLog), zone);
  } finally {
    db.close();
  }
}

/** So many are a few seconds of work, and what they tell does not change with more of them. */
const EXCHANGES_MAX = 10_000;

function readPast(db: Connection, { sinceMs }: PreviewAsk, log: Log): PreviewPast {
  const backMs = sinceMs - HISTORY_BACK_MS;
  const samples = (["hour", "fine"] as const).flatMap((step) => readSamples(db, { step, sinceMs: backMs }));
  const exchanges: Exchange[] = [];
  for (const some of exchangesNewestFirst(db, {}, log)) {
    exchanges.push(...some.filter(({ startedAtMs }) => startedAtMs >= sinceMs));
    // One more than is wanted tells whether there are more.
    if (exchanges.length > EXCHANGES_MAX || some.some(({ startedAtMs }) => startedAtMs < sinceMs)) break;
  }
  const isCut = exchanges.length > EXCHANGES_MAX;
  return { exchanges: isCut ? exchanges.slice(0, EXCHANGES_MAX) : exchanges, isCut, samples };
}
