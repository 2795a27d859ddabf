/**
 * Presets: settings for a temperament, set together. Pure.
 */
import type { SettingKey, SettingValue } from "./setting.ts";

export const PRESET_NAMES = ["balanced", "conservative", "aggressive"] as const;
export type PresetName = (typeof PRESET_NAMES)[number];

/** Sets of settings for a temperament; every key not named goes back to its default. */
export const PRESETS: Readonly<Record<PresetName, Readonly<Partial<Record<SettingKey, SettingValue>>>>> = {
  balanced: {},
  conservative: { account_max_leases: 4, wait_seconds: 60, affinity_minutes: 1_440 },
  aggressive: {
    account_max_leases: 128,
    wait_seconds: 5,
    affinity_minutes: 30,
    first_byte_timeout_seconds: 30,
    low_action: "warn",
  },
};

export function isPresetName(text: string): text is PresetName {
  return (PRESET_NAMES as readonly string[]).includes(text);
}
