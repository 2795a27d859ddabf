/**
 * OpenCode: the built-in `openai` provider is sent to us. Its configuration is the last of its files that is there, since what stands in that
 * one counts; the key is read from a file of ours and stands nowhere else.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../../base/env.ts";
import type { Setting } from "./document.ts";
import { FORMATS } from "./task.ts";
import type { Tool } from "./tool.ts";

/** Later ones count more (OpenCode 1.18). */
const CONFIG_NAMES = ["config.json", "opencode.json", "opencode.jsonc"] as const;
/** OpenCode's own small model is not served by this upstream. */
const SMALL_MODEL = "openai/gpt-5.5";

/** OPENCODE_CONFIG_DIR, else below XDG_CONFIG_HOME, on every system. */
function openCodeFolder({ env, homeDir }: Host): string {
  return env.OPENCODE_CONFIG_DIR || join(env.XDG_CONFIG_HOME || join(homeDir, ".config"), "opencode");
}

export const opencode: Tool = {
  name: "opencode",
  title: "OpenCode",
  aliases: [],
  ways: {},
  find({ host }) {
    const folder = openCodeFolder(host);
    return existsSync(folder) ? folder : null;
  },
  async plan({ host, base, keyFile, read }) {
    const path = await configOf(openCodeFolder(host), read);
    const before = (await read(path)) ?? "";
    const options = ["provider", "openai", "options"];
    const settings: Setting[] = [
      ...(before.trim() === "" ? [{ path: ["$schema"], value: "https://opencode.ai/config.json" }] : []),
      { path: [...options, "baseURL"], value: `${base}/v1` },
      { path: [...options, "apiKey"], value: `{file:${keyFile}}` },
      ...(hasSmallModel(before) ? [] : [{ path: ["small_model"], value: SMALL_MODEL }]),
    ];
    return {
      tasks: [{ kind: "edit", path, what: "the configuration of OpenCode", format: "jsonc", settings }],
      snippet: null,
      notes: ["an OpenCode that runs takes it over when it is restarted"],
      warnings: hasLogin(host)
        ? ["OpenCode holds an OpenAI login and would go around this; take it off with: opencode auth logout"]
        : [],
    };
  },
};

async function configOf(folder: string, read: (path: string) => Promise<string | null>): Promise<string> {
  for (const name of [...CONFIG_NAMES].reverse()) {
    const path = join(folder, name);
    if ((await read(path)) !== null) return path;
  }
  return join(folder, "opencode.json");
}

function hasSmallModel(config: string): boolean {
  try {
    return FORMATS.jsonc.valueAt(config, ["small_model"]) !== undefined;
  } catch {
    // Said by whoever edits it.
    return false;
  }
}

/** OpenCode's own plug-in sends requests straight to chatgpt.com when it finds such a login (OpenCode 1.18). */
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
