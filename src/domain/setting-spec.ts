/** What kinds of settings there are: what each takes, and why its default is what it is. */

export type SettingValue = string | number | boolean;

export type SettingSpec =
  | { readonly type: "boolean"; readonly default: boolean; readonly why: string }
  | {
      readonly type: "integer";
      readonly default: number;
      readonly min: number;
      readonly max: number;
      readonly unit: string;
      readonly why: string;
    }
  | { readonly type: "choice"; readonly default: string; readonly values: readonly string[]; readonly why: string }
  | {
      readonly type: "text";
      readonly default: string;
      readonly pattern: RegExp;
      /** What the pattern takes, in words. */
      readonly accepts: string;
      readonly why: string;
    };

export type SettingReading =
  | { readonly ok: true; readonly value: SettingValue }
  | { readonly ok: false; readonly reason: string };

/** `trimmed` as a value of the setting `key`, which is of this kind. */
export function readValue(key: string, spec: SettingSpec, trimmed: string): SettingReading {
  if (spec.type === "boolean") {
    if (["true", "on", "yes", "1"].includes(trimmed.toLowerCase())) return { ok: true, value: true };
    if (["false", "off", "no", "0"].includes(trimmed.toLowerCase())) return { ok: true, value: false };
    return { ok: false, reason: `${key} is on or off` };
  }
  if (spec.type === "choice") {
    const value = spec.values.find((known) => known === trimmed.toLowerCase());
    return value === undefined
      ? { ok: false, reason: `${key} is one of ${spec.values.join(", ")}` }
      : { ok: true, value };
  }
  if (spec.type === "text") {
    const value = trimmed.toLowerCase();
    return spec.pattern.test(value) ? { ok: true, value } : { ok: false, reason: `${key} is ${spec.accepts}` };
  }
  const number = /^-?\d+$/.test(trimmed) ? Number(trimmed) : Number.NaN;
  if (number >= spec.min && number <= spec.max) return { ok: true, value: number };
  return { ok: false, reason: `${key} is a whole number of ${spec.unit} from ${spec.min} to ${spec.max}` };
}
