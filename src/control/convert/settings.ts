/**
 * Settings, their values and presets between domain and API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import * as setting from "../../domain/setting.ts";
import * as preset from "../../domain/setting-preset.ts";
import * as settingPb from "../../gen/rotor/v1/setting_service_pb.ts";
import type { SettingChange } from "../../pool/setting-desk.ts";

const SETTING_SOURCES: Readonly<Record<setting.SettingSource, settingPb.SettingSource>> = {
  env: settingPb.SettingSource.ENV,
  config: settingPb.SettingSource.CONFIG,
  saved: settingPb.SettingSource.SAVED,
  default: settingPb.SettingSource.DEFAULT,
};

export function settingMessage(state: setting.SettingState): MessageInitShape<typeof settingPb.SettingSchema> {
  const spec: setting.SettingSpec = setting.SETTINGS[state.key];
  return {
    key: state.key,
    value: valueText(state.value),
    source: SETTING_SOURCES[state.source],
    defaultValue: valueText(spec.default),
    accepts: acceptedText(spec),
    reason: spec.why,
  };
}

function acceptedText(spec: setting.SettingSpec): string {
  if (spec.type === "boolean") return "on or off";
  if (spec.type === "text") return spec.accepts;
  return spec.type === "choice" ? spec.values.join(", ") : `${spec.min}–${spec.max} ${spec.unit}`;
}

export function settingChangeMessage(change: SettingChange): MessageInitShape<typeof settingPb.SettingChangeSchema> {
  return { key: change.key, oldValue: valueText(change.before), newValue: valueText(change.after) };
}

/** In the words that are accepted when it is set. */
function valueText(value: setting.SettingValue): string {
  return typeof value === "boolean" ? (value ? "on" : "off") : String(value);
}

export function toSettingKey(text: string): setting.SettingKey {
  if (setting.isSettingKey(text)) return text;
  throw new AppError("setting_not_found", `there is no setting ${text}`, { facts: { key: text } });
}

export function toPresetName(text: string): preset.PresetName {
  if (preset.isPresetName(text)) return text;
  throw new AppError("invalid_setting", `there is no preset ${text}; there are ${preset.PRESET_NAMES.join(", ")}`);
}
