/** Rules and profiles for a fake engine: the real desks over a store in memory, so that a door is told what it would be told. */
import { systemClock } from "../../src/base/clock.ts";
import type { Engine } from "../../src/pool/engine.ts";
import { createProfileDesk } from "../../src/pool/profile-desk.ts";
import { createRuleDesk } from "../../src/pool/rule-desk.ts";
import { createRulebook } from "../../src/pool/rulebook.ts";
import { SETTINGS_NOW } from "./builders.ts";
import { createMemoryStore } from "./memory-store.ts";
import { recordingLog } from "./recording-log.ts";

export function createFakeChoice({
  of,
  nowMs,
}: {
  of: () => Engine;
  nowMs: () => number;
}): Pick<Engine, "rules" | "profiles"> {
  const clock = { ...systemClock, nowMs };
  const accounts = () => of().accounts.list();
  const exchanges = { flush: async () => store.appendExchanges(await of().exchanges.list({ limit: 1_000 }), 1_000) };
  const keys = { list: () => of().keys.list(), get: (id: string) => of().keys.get(id) };
  const budgets = () =>
    of()
      .budgets.list()
      .map(({ budget }) => budget);
  const thresholds = () => SETTINGS_NOW;
  const log = recordingLog([]);
  const store = createMemoryStore();
  const rulebook = createRulebook({ stored: { rules: [], profiles: [] }, zone: () => 0, log });
  const audit = {
    say: () => {},
    own: () => {},
    actor: () => ({ kind: "rotor" as const }),
    as: <T>(_: unknown, work: () => Promise<T>) => work(),
  };
  const shared = {
    accounts,
    exchanges,
    keys,
    budgets,
    thresholds,
    clock,
    nowMs,
    rulebook,
    store,
    audit,
    log,
    announce: () => {},
  };
  return { rules: createRuleDesk(shared), profiles: createProfileDesk(shared) };
}
