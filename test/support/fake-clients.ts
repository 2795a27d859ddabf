/** The real desk of peers for a fake engine: over its keys, accounts and models, with profiles that are there and say nothing. */
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { type ClientDesk, createClientDesk } from "../../src/pool/client-desk.ts";
import type { Engine } from "../../src/pool/engine.ts";
import { createRulebook } from "../../src/pool/rulebook.ts";
import { recordingLog } from "./recording-log.ts";

export function createFakeClients(of: () => Engine, nowMs: () => number): ClientDesk {
  const log = recordingLog([]);
  let desk: ClientDesk | null = null;
  const real = () => {
    const { keys, accounts, catalogue } = of();
    desk ??= createClientDesk({
      keys,
      keeper: accounts,
      catalogue,
      rulebook: createRulebook({ stored: { rules: [], profiles: [] }, zone: () => 0, log }),
      profiles: { modelsFor: () => null },
      prices: { costOf: () => null },
      audit: { say: () => {} },
      clock: { ...systemClock, nowMs },
      dice: systemDice,
      log,
    });
    return desk;
  };
  return {
    shakeHands: (...args) => real().shakeHands(...args),
    admit: (text) => real().admit(text),
    tell: (...args) => real().tell(...args),
    list: () => real().list(),
    events: () => real().events(),
    watch: (onEvent) => real().watch(onEvent),
  };
}
