/**
 * What the products that Rotor replaces have left in other programs: their plugin in OpenCode's lists, folders and package.json, their provider
 * in Codex's config.toml, launchers, entries that start them. `rotor connect --clean` takes it out and `rotor disconnect replaced` puts it back.
 * Their own folders, with the logins, are not looked at here: rotor import reads those, rotor import leftovers wipes them.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../../base/env.ts";
import { REPLACED_PROVIDER } from "./codex-threads.ts";
import type { Setting, Value } from "./document.ts";
import { FORMATS, type Task } from "./task.ts";
import type { Ask, Tool } from "./tool.ts";

/** Packages of opencode-multi-auth and its forks, of codex-multi-auth and its sibling, and of what all of them come from. */
const PACKAGE =
  /(?:^|[/\\@])(?:opencode-multi-auth(?:-codex)?|oc-codex-multi-auth|codex-multi-auth|opencode-openai-codex-auth)(?:@|[/\\.]|$)/;

/** Files that start something of theirs, below the home; the same on every system, since nobody has them by chance. */
const LAUNCHERS: readonly (readonly [path: string, what: string])[] = [
  [".config/systemd/user/codex-soft.service", "the unit of opencode-multi-auth's dashboard"],
  ["Library/LaunchAgents/com.ndycode.codex-multi-auth.runtime-router.plist", "what starts codex-multi-auth's router"],
  [".local/share/applications/codex-multi-auth.desktop", "codex-multi-auth's launcher"],
  [
    "AppData/Roaming/Microsoft/Windows/Start Menu/Programs/Startup/Codex Multi Auth Runtime Router.cmd",
    "what starts codex-multi-auth's router",
  ],
];

export const replaced: Tool = {
  name: "replaced",
  title: "what replaced products left",
  aliases: [],
  ways: {},
  peer: null,
  isKeyless: true,
  find: () => null,
  async plan(ask) {
    const { homeDir } = ask.host;
    const tasks: Task[] = [];
    for (const folder of openCodeFolders(ask.host)) tasks.push(...(await inOpenCode(folder, ask)));
    tasks.push(...(await inCodex(ask)));
    for (const [path, what] of LAUNCHERS) {
      const full = join(homeDir, ...path.split("/"));
      if ((await ask.read(full)) !== null) tasks.push({ kind: "remove", path: full, what });
    }
    return { tasks, snippet: null, notes: notesOf(tasks), warnings: [] };
  },
};

function notesOf(tasks: readonly Task[]): readonly string[] {
  const has = (part: string) => tasks.some(({ path }) => path.includes(part));
  return [
    ...(has("codex-soft.service")
      ? ["the dashboard may still run: systemctl --user daemon-reload && systemctl --user stop codex-soft"]
      : []),
    ...(has("runtime-router") || has("Runtime Router")
      ? ["the router may still run until you sign in anew; codex-multi-auth unbind-app ends it"]
      : []),
    "packages that npm installed for everybody stay: npm ls -g",
  ];
}

function openCodeFolders({ env, homeDir }: Host): readonly string[] {
  const usual = join(env.XDG_CONFIG_HOME || join(homeDir, ".config"), "opencode");
  return [
    ...new Set([usual, ...(env.OPENCODE_CONFIG_DIR ? [env.OPENCODE_CONFIG_DIR] : []), join(homeDir, ".opencode")]),
  ];
}

async function inOpenCode(folder: string, { read }: Ask): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (const name of ["config.json", "opencode.json", "opencode.jsonc", "tui.json", "tui.jsonc"]) {
    const text = await read(join(folder, name));
    const items = text === null ? [] : pluginsIn(text);
    const settings = items.map((value): Setting => ({ path: ["plugin"], value: null, item: { value, isIn: false } }));
    if (settings.length > 0)
      tasks.push({ kind: "edit", path: join(folder, name), what: "OpenCode's plugins", format: "jsonc", settings });
  }
  const packages = await read(join(folder, "package.json"));
  const settings = (packages === null ? [] : dependenciesIn(packages)).map((path): Setting => ({ path, value: null }));
  if (settings.length > 0)
    tasks.push({
      kind: "edit",
      path: join(folder, "package.json"),
      what: "OpenCode's packages",
      format: "jsonc",
      settings,
    });
  for (const home of ["plugin", "plugins"]) {
    const names = existsSync(join(folder, home)) ? readdirSync(join(folder, home)) : [];
    for (const name of names.filter((one) => PACKAGE.test(one) && /\.[jt]s$/.test(one)))
      tasks.push({ kind: "remove", path: join(folder, home, name), what: "a plugin of a replaced product" });
  }
  return tasks;
}

/** `"name@1.2"`, `"file:///…/name/…"`, or the same with options beside it. */
function pluginsIn(text: string): readonly Value[] {
  return itemsOf(text).filter((item) => {
    const spec = Array.isArray(item) ? item[0] : item;
    return typeof spec === "string" && PACKAGE.test(spec);
  });
}

function itemsOf(text: string): readonly Value[] {
  try {
    return FORMATS.jsonc.itemsAt(text, ["plugin"]).map(({ value }) => value as Value);
  } catch {
    // What cannot be read is left alone here; OpenCode complains of it.
    return [];
  }
}

function dependenciesIn(text: string): readonly (readonly string[])[] {
  try {
    return ["dependencies", "devDependencies", "optionalDependencies"].flatMap((group) => {
      const names = Object.keys((FORMATS.jsonc.valueAt(text, [group]) as object | undefined) ?? {});
      return names.filter((name) => PACKAGE.test(name)).map((name) => [group, name]);
    });
  } catch {
    return [];
  }
}

/** Its provider and that it is the one in force; connected, Codex has been rid of both already. */
async function inCodex({ codex: { folder }, read }: Ask): Promise<readonly Task[]> {
  const path = join(folder, "config.toml");
  const settings = withoutReplaced((await read(path)) ?? "");
  return settings.length === 0
    ? []
    : [{ kind: "edit", path, what: "the configuration of Codex", format: "toml", settings }];
}

/** What has to go from a config.toml so that nothing of codex-multi-auth is in it. */
export function withoutReplaced(config: string): readonly Setting[] {
  try {
    const provider = ["model_providers", REPLACED_PROVIDER];
    const isInForce = FORMATS.toml.valueAt(config, ["model_provider"]) === REPLACED_PROVIDER;
    const isThere = FORMATS.toml.textAt(config, provider) !== null;
    return [
      ...(isInForce ? [{ path: ["model_provider"], value: null }] : []),
      ...(isThere ? [{ path: provider, value: null }] : []),
    ];
  } catch {
    // Said by whoever edits it.
    return [];
  }
}
