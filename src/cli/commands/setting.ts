/**
 * `rotor setting …`: what may be changed while the daemon runs.
 */
import {
  ApplyPresetResponseSchema,
  GetSettingResponseSchema,
  ListSettingsResponseSchema,
  ResetSettingsResponseSchema,
  type Setting,
  type SettingChange,
  SettingSourceSchema,
  UpdateSettingResponseSchema,
} from "../../gen/rotor/v1/setting_service_pb.ts";
import type { Argument, Command, Context } from "../command.ts";
import { printable } from "../print.ts";
import { renderFacts, renderTable } from "../text/table.ts";
import { enumText } from "../text/wire-text.ts";

const KEY_ARGUMENT: Argument = { name: "KEY", about: "name of the setting", completes: "setting" };
const DRY_RUN = { name: "dry-run", about: "say what would change and change nothing" } as const;

const list: Command = {
  path: ["setting", "list"],
  summary: "every setting with its value and where that comes from",
  starts: true,
  async run({ daemon, print }) {
    const response = await (await daemon()).settings.listSettings({});
    if (print.asJson(ListSettingsResponseSchema, response)) return;
    const rows = response.settings.map((setting) => [
      setting.key,
      printable(setting.value),
      enumText(SettingSourceSchema, setting.source),
      setting.accepts,
    ]);
    const columns = ["KEY", "VALUE", "SOURCE", "ACCEPTS"].map((header) => ({ header }));
    for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
    for (const problem of response.problems) print.warning(printable(problem));
  },
};

const get: Command = {
  path: ["setting", "get"],
  summary: "one setting, what it takes and why its default is what it is",
  args: [KEY_ARGUMENT],
  starts: true,
  async run({ daemon, print }, input) {
    const response = await (await daemon()).settings.getSetting({ key: settingKey(input.arg(0)) });
    if (print.asJson(GetSettingResponseSchema, response)) return;
    for (const line of settingLines(response.setting!, print.columns)) print.line(line);
  },
};

function settingLines(setting: Setting, width: number | null): string[] {
  return renderFacts(
    [
      ["key", setting.key],
      ["value", printable(setting.value)],
      ["source", enumText(SettingSourceSchema, setting.source)],
      ["default", setting.defaultValue],
      ["accepts", setting.accepts],
      ["reason", setting.reason],
    ],
    width,
  );
}

/** Settings are written with underscores; dashes are what fingers type. */
function settingKey(text: string | null): string {
  return (text ?? "").trim().toLowerCase().replaceAll("-", "_");
}

const set: Command = {
  path: ["setting", "set"],
  summary: "change a setting; in force at once",
  args: [KEY_ARGUMENT, { name: "VALUE", about: "new value" }],
  examples: ["rotor setting set wait_seconds 60"],
  starts: true,
  async run({ daemon, print }, input) {
    const key = settingKey(input.arg(0));
    const response = await (await daemon()).settings.updateSetting({ key, value: input.arg(1) ?? "" });
    if (print.asJson(UpdateSettingResponseSchema, response)) return;
    print.note(`${key} is ${printable(response.setting?.value ?? "")}`);
  },
};

const reset: Command = {
  path: ["setting", "reset"],
  summary: "take saved values away, of one setting or of all",
  args: [{ ...KEY_ARGUMENT, optional: true }],
  options: [DRY_RUN],
  starts: true,
  async run(context, input) {
    const dryRun = input.has("dry-run");
    const response = await (await context.daemon()).settings.resetSettings({ key: settingKey(input.arg(0)), dryRun });
    if (context.print.asJson(ResetSettingsResponseSchema, response)) return;
    printChanges(context, response.changes, dryRun);
  },
};

const preset: Command = {
  path: ["setting", "preset"],
  summary: "lay a named set of values over all settings",
  details: ["What the set does not name goes back to its default."],
  args: [
    {
      name: "NAME",
      about: "balanced, conservative or aggressive",
      completes: ["balanced", "conservative", "aggressive"],
    },
  ],
  options: [DRY_RUN],
  starts: true,
  async run(context, input) {
    const dryRun = input.has("dry-run");
    const response = await (await context.daemon()).settings.applyPreset({ preset: input.arg(0) ?? "", dryRun });
    if (context.print.asJson(ApplyPresetResponseSchema, response)) return;
    printChanges(context, response.changes, dryRun);
  },
};

function printChanges({ print }: Context, changes: readonly SettingChange[], dryRun: boolean): void {
  if (changes.length === 0) {
    print.note(dryRun ? "nothing would change" : "nothing to change");
    return;
  }
  const rows = changes.map((change) => [change.key, change.oldValue, change.newValue]);
  const columns = ["KEY", "BEFORE", "AFTER"].map((header) => ({ header }));
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  if (dryRun) print.note("nothing was changed (--dry-run)");
}

export const settingCommands: readonly Command[] = [list, get, set, reset, preset];
