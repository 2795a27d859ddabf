/**
 * `rotor profile …`: named views of the pool, for client keys and projects.
 */
import { AppError } from "../../base/errors.ts";
import type { Key } from "../../gen/rotor/v1/key_service_pb.ts";
import { StrategySchema } from "../../gen/rotor/v1/pool_pb.ts";
import {
  BindProfileResponseSchema,
  GetProfileResponseSchema,
  ListProfilesResponseSchema,
  type Profile,
  RemoveProfileResponseSchema,
  RenameProfileResponseSchema,
  SetProfileResponseSchema,
  UnbindProfileResponseSchema,
} from "../../gen/rotor/v1/profile_service_pb.ts";
import type { Argument, Command, Input } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import { printable } from "../print.ts";
import { projectOf } from "../project.ts";
import { notFound, resolveKey } from "../resolve.ts";
import { renderFacts, renderTable } from "../text/table.ts";
import { enumText, enumValue, enumWords } from "../text/wire-text.ts";

const NAME_ARGUMENT: Argument = { name: "NAME", about: "name of the profile", completes: "profile" };
const FOLDER_ARGUMENT: Argument = {
  name: "DIR",
  about: "folder of the project; this one unless told",
  optional: true,
  completes: "file",
};

const list: Command = {
  path: ["profile", "list"],
  summary: "every profile",
  starts: true,
  async run({ daemon, print }) {
    const link = await daemon();
    const response = await link.profiles.listProfiles({});
    if (print.asJson(ListProfilesResponseSchema, response)) return;
    if (response.profiles.length === 0) {
      print.note("no profiles; rotor help profiles says what they are");
      return;
    }
    const { keys } = await link.keys.listKeys({});
    const rows = response.profiles.map((profile) => {
      const { name, accounts, models, rules, projects } = profile;
      return [
        name,
        accounts || "all",
        strategyText(profile),
        models.join(", ") || "all",
        String(rules.length),
        keyNames(profile, keys) || "–",
        String(projects.length),
      ];
    });
    const columns = ["NAME", "ACCOUNTS", "STRATEGY", "MODELS", "RULES", "KEYS", "PROJECTS"].map((header) => ({
      header,
    }));
    for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  },
};

const show: Command = {
  path: ["profile", "show"],
  summary: "one profile, with its rules, keys and projects",
  args: [NAME_ARGUMENT],
  starts: true,
  async run({ daemon, print }, input) {
    const link = await daemon();
    const response = await link.profiles.getProfile({ name: input.arg(0) ?? "" });
    if (print.asJson(GetProfileResponseSchema, response)) return;
    const { keys } = await link.keys.listKeys({});
    for (const line of profileFacts(response.profile!, keys, print.columns)) print.line(line);
  },
};

const set: Command = {
  path: ["profile", "set"],
  summary: "make a profile, or change what is given of one",
  details: [
    "What is not given stays as it is; an empty text takes it away. --model, --rule, --key and --budget each take several by commas or by being given as one list: --rule 'keep 20% of all; avoid spare'.",
  ],
  args: [NAME_ARGUMENT],
  options: [
    { name: "accounts", value: "WHO", about: "whom it may use: aliases, tag:NAME, tier:NAME, with commas; all" },
    {
      name: "strategy",
      value: "NAME",
      about: "its ordering; pool = that of the pool",
      completes: enumWords(StrategySchema),
    },
    { name: "model", value: "PATTERNS", about: "models that may be asked for, with commas" },
    { name: "rule", value: "RULES", about: "rules of its own, with semicolons" },
    { name: "key", value: "KEYS", about: "client keys that ask through it, with commas", completes: "key" },
    { name: "budget", value: "BUDGETS", about: "budgets that it counts to, with commas" },
    { name: "dry-run", about: "say what there is to say about it and change nothing" },
  ],
  examples: ["rotor profile set work --accounts tag:work --model 'gpt-5*'", "rotor profile set work --key laptop"],
  starts: true,
  async run({ daemon, print }, input) {
    const link = await daemon();
    const name = input.arg(0) ?? "";
    const before = (await link.profiles.listProfiles({})).profiles.find((one) => one.name === name) ?? null;
    const { keys } = await link.keys.listKeys({});
    const texts = (option: string, sign: string, kept: readonly string[]) => listOf(input, option, sign) ?? [...kept];
    const accounts = input.value("accounts") ?? before?.accounts ?? "";
    const response = await link.profiles.setProfile({
      profile: {
        name,
        accounts: accounts === "all" ? "" : accounts,
        strategy: strategyOf(input) ?? before?.strategy ?? 0,
        models: texts("model", ",", before?.models ?? []),
        rules: texts("rule", ";", before?.rules ?? []),
        keyIds: listOf(input, "key", ",")?.map((key) => resolveKey(keys, key).id) ?? before?.keyIds ?? [],
        budgets: texts("budget", ",", before?.budgets ?? []),
      },
      dryRun: input.has("dry-run"),
    });
    if (print.asJson(SetProfileResponseSchema, response)) return;
    for (const warning of response.warnings) print.warning(warning);
    for (const line of profileFacts(response.profile!, keys, print.columns)) print.line(line);
    if (input.has("dry-run")) print.note("nothing was changed");
  },
};

const remove: Command = {
  path: ["profile", "remove"],
  summary: "take a profile away; its keys and projects ask the whole pool again",
  args: [NAME_ARGUMENT],
  options: [YES_OPTION],
  starts: true,
  async run(context, input) {
    const link = await context.daemon();
    const name = input.arg(0) ?? "";
    const { profile } = await link.profiles.getProfile({ name });
    const keys = keyNames(profile!, (await link.keys.listKeys({})).keys);
    const whose = keys === "" ? "" : ` Its keys (${keys}) may then use every account.`;
    const question = { question: `Remove the profile ${name}?${whose}`, command: `rotor profile remove ${name} --yes` };
    await confirm(context, input, question);
    const response = await link.profiles.removeProfile({ name });
    if (context.print.asJson(RemoveProfileResponseSchema, response)) return;
    context.print.note(`the profile ${name} is gone`);
  },
};

const rename: Command = {
  path: ["profile", "rename"],
  summary: "give a profile another name; it keeps its keys and projects",
  details: ["A client that names it in x-rotor-profile must be told the new name."],
  args: [NAME_ARGUMENT, { name: "NEW", about: "1–40 of a–z 0–9 . _ -, not only digits" }],
  starts: true,
  async run({ daemon, print }, input) {
    const name = input.arg(0) ?? "";
    const response = await (await daemon()).profiles.renameProfile({ name, newName: input.arg(1) ?? "" });
    if (print.asJson(RenameProfileResponseSchema, response)) return;
    print.note(`${name} is now ${response.profile!.name}`);
    print.note(`undo: rotor profile rename ${response.profile!.name} ${name}`);
  },
};

const bind: Command = {
  path: ["profile", "bind"],
  summary: "requests from a project ask through a profile",
  details: [
    "The project is the git repository that the folder lies in, with all its worktrees; outside of any, the folder. Clients send its key as x-rotor-project (rotor help profiles).",
  ],
  args: [NAME_ARGUMENT, FOLDER_ARGUMENT],
  examples: ["rotor profile bind work ~/src/demo"],
  starts: true,
  async run({ daemon, print }, input) {
    const name = input.arg(0) ?? "";
    const project = projectOf(input.arg(1) ?? ".");
    const response = await (await daemon()).profiles.bindProfile({ name, project });
    if (print.asJson(BindProfileResponseSchema, response)) return;
    print.note(`${project.path} asks through ${name}; its clients send x-rotor-project: ${project.key}`);
  },
};

const unbind: Command = {
  path: ["profile", "unbind"],
  summary: "requests from a project ask the whole pool again",
  args: [{ ...FOLDER_ARGUMENT, about: "folder of the project, or its key; this folder unless told" }],
  starts: true,
  async run({ daemon, print }, input) {
    const link = await daemon();
    const wanted = input.arg(0) ?? ".";
    const known = (await link.profiles.listProfiles({})).profiles.flatMap(({ projects }) => projects);
    // A folder that is gone is named by its key, or as it was when it was bound.
    const named = known.find(({ key, path }) => key === wanted || path === wanted);
    const { key } = named ?? projectOf(wanted);
    const response = await link.profiles.unbindProfile({ projectKey: key });
    if (print.asJson(UnbindProfileResponseSchema, response)) return;
    print.note(response.profile === undefined ? `${key} was bound to no profile` : `${key} is bound to no profile now`);
  },
};

const project: Command = {
  path: ["profile", "project"],
  summary: "the key of a project, as its clients send it",
  args: [FOLDER_ARGUMENT],
  examples: ["export ROTOR_PROJECT=$(rotor profile project)"],
  starts: false,
  async run({ print }, input) {
    const found = projectOf(input.arg(0) ?? ".");
    if (print.json) print.value(found);
    else print.line(found.key);
    return 0;
  },
};

function listOf(input: Input, option: string, sign: string): string[] | null {
  const text = input.value(option);
  if (text === null) return null;
  return text
    .split(sign)
    .map((one) => one.trim())
    .filter((one) => one !== "");
}

/** 0 = the pool's; null = not given. */
function strategyOf(input: Input): number | null {
  const word = input.value("strategy");
  if (word === null) return null;
  if (word === "" || word === "pool") return 0;
  const value = enumValue(StrategySchema, word);
  if (value !== null) return value;
  throw new AppError("bad_usage", notFound("strategy", word, enumWords(StrategySchema)), {
    hint: "rotor help pool strategy",
  });
}

function strategyText({ strategy }: Profile): string {
  return strategy === 0 ? "the pool's" : enumText(StrategySchema, strategy);
}

function keyNames({ keyIds }: Profile, keys: readonly Key[]): string {
  return keyIds.map((id) => keys.find((key) => key.id === id)?.name ?? id).join(", ");
}

function profileFacts(profile: Profile, keys: readonly Key[], width: number | null): string[] {
  const facts: [string, string][] = [
    ["profile", profile.name],
    ["accounts", profile.accounts || "all"],
    ["strategy", strategyText(profile)],
    ["models", profile.models.join(", ") || "all"],
    ...profile.rules.map((rule, i): [string, string] => [`rule ${i + 1}`, printable(rule)]),
    ["keys", keyNames(profile, keys) || "none"],
    ...(profile.budgets.length === 0 ? [] : [["budgets", profile.budgets.join(", ")] as [string, string]]),
    ...profile.projects.map(({ key, path }): [string, string] => ["project", `${printable(path)} (${printable(key)})`]),
  ];
  return renderFacts(facts, width);
}

export const profileCommands: readonly Command[] = [list, show, set, rename, remove, bind, unbind, project];
