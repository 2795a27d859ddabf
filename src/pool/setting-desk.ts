/** Settings in force: environment over config file over saved over default. Changes are saved first and in force at once. */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import {
  isSettingKey,
  readSetting,
  resolveSettings,
  SETTING_KEYS,
  SETTINGS,
  type SettingKey,
  type SettingState,
  type Settings,
  type SettingValue,
  settingsFrom,
} from "../domain/setting.ts";
import { PRESETS, type PresetName } from "../domain/setting-preset.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";

export interface SettingChange {
  readonly key: SettingKey;
  readonly before: SettingValue;
  readonly after: SettingValue;
}

export interface SettingDesk {
  list(): readonly SettingState[];
  /** Entries of env and config file that could not be read. */
  problems(): readonly string[];
  set(key: string, text: string): Promise<SettingState>;
  reset(key: string | null, dryRun: boolean): Promise<readonly SettingChange[]>;
  applyPreset(preset: PresetName, dryRun: boolean): Promise<readonly SettingChange[]>;
}

export interface SettingDeskWithNow extends SettingDesk {
  /** The values in force; a new object after every change. */
  now(): Settings;
  /** Takes over values that the store has accepted. */
  adopt(values: ReadonlyMap<SettingKey, SettingValue>): void;
}

export function createSettingDesk(deps: {
  saved: Readonly<Partial<Record<SettingKey, SettingValue>>>;
  fromEnv: Readonly<Record<string, string>>;
  fromFile: Readonly<Record<string, string>>;
  store: Store;
  audit: AuditNotes;
  log: Log;
}): SettingDeskWithNow {
  let saved = { ...deps.saved };
  const resolve = (over: typeof saved) => resolveSettings({ env: deps.fromEnv, config: deps.fromFile, saved: over });
  let { states, problems } = resolve(saved);
  let now = settingsFrom(states);
  const stateOf = (key: SettingKey): SettingState => states.find((state) => state.key === key)!;

  const requireKey = (key: string): SettingKey => {
    if (!isSettingKey(key)) throw new AppError("setting_not_found", `there is no setting ${key}`);
    return key;
  };

  /** Saves `wanted` (null = back to the default) and says what that changes in force. */
  const change = async (
    action: string,
    wanted: ReadonlyMap<SettingKey, SettingValue | null>,
    dryRun: boolean,
  ): Promise<readonly SettingChange[]> => {
    const next = { ...saved };
    for (const [key, value] of wanted) {
      if (value === null) delete next[key];
      else next[key] = value;
    }
    const resolved = resolve(next);
    const changes = resolved.states
      .map((state) => ({ key: state.key, before: stateOf(state.key).value, after: state.value }))
      .filter(({ before, after }) => before !== after);
    if (dryRun) return changes;
    await deps.store.saveSettings(wanted);
    saved = next;
    ({ states, problems } = resolved);
    now = settingsFrom(states);
    for (const one of changes) deps.log.info("setting.changed", { ...one });
    deps.audit.say({
      action,
      subjects: changes.map(({ key }) => ({ id: key, name: key })),
      text: changes.map(({ key, before, after }) => `${key} ${before} → ${after}`).join(", "),
    });
    return changes;
  };

  return {
    now: () => now,
    adopt(values) {
      saved = { ...saved, ...Object.fromEntries(values) };
      ({ states, problems } = resolve(saved));
      now = settingsFrom(states);
    },
    list: () => states,
    problems: () => problems,
    async set(text, value) {
      const key = requireKey(text);
      const { source } = stateOf(key);
      if (source === "env" || source === "config") {
        const where = source === "env" ? `the environment (ROTOR_SETTING_${key.toUpperCase()})` : "config.toml";
        throw new AppError("setting_overridden", `${key} is decided by ${where}; a saved value would not be in force`);
      }
      const reading = readSetting(key, value);
      if (!reading.ok) throw new AppError("invalid_setting", reading.reason);
      await change("setting.set", new Map([[key, reading.value]]), false);
      return stateOf(key);
    },
    reset(key, dryRun) {
      const keys = key === null ? SETTING_KEYS : [requireKey(key)];
      return change("setting.reset", new Map(keys.map((one) => [one, null])), dryRun);
    },
    applyPreset(preset, dryRun) {
      const values = PRESETS[preset];
      return change(
        "setting.preset",
        new Map(SETTING_KEYS.map((key) => [key, values[key] === SETTINGS[key].default ? null : (values[key] ?? null)])),
        dryRun,
      );
    },
  };
}
