/** Our strategies as choosers of the month: the real `rank`, with the settings that nobody changed unless said otherwise. */
import { NO_PACING } from "../../../src/domain/pace.ts";
import { rank } from "../../../src/domain/rank.ts";
import type { Settings } from "../../../src/domain/setting.ts";
import { STRATEGY_NAMES, type StrategyName } from "../../../src/domain/strategy.ts";
import { SETTINGS_NOW } from "../../support/builders.ts";
import type { Rival } from "./rivals.ts";

export function ours(strategy: StrategyName, settings: Partial<Settings> = {}, label = ""): Rival {
  const thresholds = { ...SETTINGS_NOW, ...settings };
  const maxLeases = thresholds.account_max_leases;
  return {
    name: `rotor ${strategy}${label}`,
    create: () => ({
      choose({ accounts, nowMs, home: affinity, tried, openLeases, dice }) {
        const shared = {
          nowMs,
          model: null,
          strategy,
          pin: null,
          affinity,
          tried,
          openLeases,
          maxLeases,
          pacing: NO_PACING,
          thresholds,
          rules: null,
          profile: null,
        };
        return rank(accounts, { ...shared, dice: dice.fraction() }, 1).order[0] ?? null;
      },
    }),
  };
}

export const OURS: readonly Rival[] = [
  ...STRATEGY_NAMES.map((name) => ours(name)),
  ours("balanced", { low_action: "off" }, ", no deferral"),
];
