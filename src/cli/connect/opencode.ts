/**
 * OpenCode: our plugin where OpenCode looks for plugins by itself, and its half for the terminal, which has to be named in tui.json. Neither
 * holds a key: the plugin asks the daemon for one, for as long as it runs. What it must be told stands in rotor.json beside it.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Host } from "../../base/env.ts";
import { OPENCODE_PLUGIN_TEXT, OPENCODE_TUI_TEXT } from "../plugin-text.ts";
import type { Task } from "./task.ts";
import type { Ask, Tool } from "./tool.ts";

/** OPENCODE_CONFIG_DIR, else below XDG_CONFIG_HOME, on every system. */
function openCodeFolder({ env, homeDir }: Host): string {
  return env.OPENCODE_CONFIG_DIR || join(env.XDG_CONFIG_HOME || join(homeDir, ".config"), "opencode");
}

export const opencode: Tool = {
  name: "opencode",
  title: "OpenCode",
  aliases: [],
  ways: {},
  peer: "opencode",
  find({ host }) {
    const folder = openCodeFolder(host);
    return existsSync(folder) ? folder : null;
  },
  async plan(ask) {
    const folder = openCodeFolder(ask.host);
    const plugins = join(folder, "plugins");
    // Files of OpenCode's plugin folder are taken for plugins; of the folders in it none is looked into.
    const apart = join(plugins, "rotor");
    const tui = join(apart, "rotor-tui.js");
    const item = { value: pathToFileURL(tui).href, isIn: true };
    const settings = [{ path: ["plugin"], value: null, item }];
    const tasks: Task[] = [
      { kind: "own", path: join(plugins, "rotor.js"), what: "the plugin", text: OPENCODE_PLUGIN_TEXT },
      { kind: "own", path: tui, what: "the plugin of the terminal", text: OPENCODE_TUI_TEXT },
      {
        kind: "edit",
        path: await tuiConfig(folder, ask),
        what: "the configuration of the terminal",
        format: "jsonc",
        settings,
      },
    ];
    const told = optionsOf(ask);
    if (told !== null) {
      const text = `${JSON.stringify(told, null, 2)}\n`;
      for (const home of [plugins, apart])
        tasks.push({ kind: "own", path: join(home, "rotor.json"), what: "what the plugin is told", text });
    }
    return { tasks, snippet: null, notes: ["an OpenCode that runs takes it over when it is restarted"], warnings: [] };
  },
};

async function tuiConfig(folder: string, { read }: Ask): Promise<string> {
  const commented = join(folder, "tui.jsonc");
  return (await read(commented)) === null ? join(folder, "tui.json") : commented;
}

/** What the plugin could not find out by itself, as in src/plugin/places.ts; null = nothing. OpenCode may be started from anywhere. */
function optionsOf({ host: { env }, profile, program }: Ask): object | null {
  const { ROTOR_HOME: home, ROTOR_SOCKET: socket } = env;
  const found = (env.PATH ?? "").split(delimiter).some((folder) => folder !== "" && isFile(join(folder, "rotor")));
  const told = {
    ...(home ? { home } : {}),
    ...(socket ? { socket } : {}),
    ...(profile === null ? {} : { profile }),
    ...(program === null || found ? {} : { rotor: program }),
  };
  return Object.keys(told).length === 0 ? null : told;
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** OpenCode's own plug-in sends requests straight to chatgpt.com when it finds such a login, unless ours is there (OpenCode 1.18). */
export function hasLogin({ env, homeDir }: Host): boolean {
  const path = join(env.XDG_DATA_HOME || join(homeDir, ".local", "share"), "opencode", "auth.json");
  if (!existsSync(path)) return false;
  try {
    const logins = JSON.parse(readFileSync(path, "utf8")) as { openai?: { type?: unknown } };
    return logins.openai?.type === "oauth";
  } catch {
    return false;
  }
}
