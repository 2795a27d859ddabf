/**
 * The Codex CLI and all that reads its config.toml: its editor extensions, and its desktop app (codex-app.ts).
 *
 * How it is sent to us was chosen by running Codex 0.169 (2026-11-21) both ways:
 * - With a provider of its own (`model_provider = "rotor"`) every conversation from before is gone from `codex resume`, `exec resume --last`
 *   and the app's list, which show only those of the provider in force, and even by its id it is refused: "Cannot change this thread's model
 *   provider from `openai` to `rotor` on resume". The same happens to the new ones once that provider is taken out again.
 * - With the built-in provider and `openai_base_url` all of them stay, before, during and after. It sends no header of ours, so that the key
 *   stands in the address (`/k/<key>/…`); it speaks WebSocket by itself; it fetches its models from the same address.
 * So the built-in one is the usual way. What it costs: Codex lets upstream compact its conversations, and what one account has compacted no
 * other can read. `--own-provider` is for those to whom that matters more: Codex then compacts by itself (contracts §6).
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { AppError } from "../../base/errors.ts";
import { replacedThreads } from "./codex-threads.ts";
import type { Setting } from "./document.ts";
import { isHeldBy } from "./receipt.ts";
import { withoutReplaced } from "./replaced.ts";
import { FORMATS, type Task } from "./task.ts";
import type { Ask, Tool, ToolPlan } from "./tool.ts";

const OWN_PROVIDER = "own-provider";
const BUILT_IN = "openai";

export const codex: Tool = {
  name: "codex",
  title: "Codex CLI",
  aliases: ["codex-cli"],
  ways: { [OWN_PROVIDER]: "a provider of its own: compaction stays portable, earlier conversations are not listed" },
  peer: null,
  find: ({ codex: { folder } }) => (existsSync(folder) ? folder : null),
  async plan(ask) {
    const isOwn = ask.way === OWN_PROVIDER;
    const path = configOf(ask);
    if (isHeldBy(ask.folder, APP, path)) {
      throw new AppError(
        "client_config_refused",
        `the connection of the desktop app sends Codex here already (${path})`,
        {
          hint: `rotor disconnect ${APP}   (then connect codex, and ${APP} again)`,
        },
      );
    }
    const tasks: Task[] = isOwn
      ? [{ kind: "edit", path, what: WHAT, format: "toml", settings: ownProvider(ask) }]
      : [...(await builtInTasks(ask)), ...(await loginStandIn(ask))];
    return { tasks, snippet: null, notes: notesOf(tasks, isOwn), warnings: [] } satisfies ToolPlan;
  },
};

/** What the desktop app is connected as; it reads the same config. */
const APP = "codex-app";
const WHAT = "the configuration of Codex";

export const configOf = ({ codex: { folder } }: Ask): string => join(folder, "config.toml");

/** The built-in provider at our address, and the conversations that belong to it from then on. */
export async function builtInTasks(ask: Ask): Promise<readonly Task[]> {
  const path = configOf(ask);
  const settings = await builtIn(ask, path);
  const edit: Task = { kind: "edit", path, what: WHAT, format: "toml", settings };
  return [edit, ...(await replacedThreads(ask.codex.folder))];
}

function notesOf(tasks: readonly Task[], isOwn: boolean): readonly string[] {
  const threads = tasks.filter(({ kind }) => kind === "patch").length;
  return [
    ...(threads > 0 ? [`${threads} earlier conversations of codex-multi-auth are listed with the others again`] : []),
    ...(isOwn
      ? [
          "Codex lists and resumes only the conversations of the provider in force: earlier ones after rotor disconnect codex",
        ]
      : []),
    "a Codex that runs in the background takes it over when it is restarted: codex app-server daemon restart",
  ];
}

/** Two hosts for one daemon: where both addresses have one origin, Codex goes to chatgpt.com by itself (contracts §3). */
async function builtIn({ base, secret, read }: Ask, config: string): Promise<readonly Setting[]> {
  const { port } = new URL(base);
  const provider = providerOf((await read(config)) ?? "");
  const gone = withoutReplaced((await read(config)) ?? "");
  const elsewhere = provider !== undefined && provider !== BUILT_IN && gone.every(({ path }) => path.length > 1);
  return [
    ...gone,
    ...(elsewhere ? [{ path: ["model_provider"], value: BUILT_IN }] : []),
    { path: ["openai_base_url"], value: `${base}/k/${secret}/backend-api/codex` },
    { path: ["chatgpt_base_url"], value: `http://localhost:${port}/k/${secret}/backend-api` },
  ];
}

function providerOf(config: string): unknown {
  try {
    return FORMATS.toml.valueAt(config, ["model_provider"]);
  } catch {
    // Said by whoever edits it.
    return undefined;
  }
}

function ownProvider({ base, secret }: Ask): readonly Setting[] {
  const at = (name: string) => ["model_providers", "rotor", name];
  return [
    { path: ["model_provider"], value: "rotor" },
    // Any name but "OpenAI" keeps compaction local (contracts §6).
    { path: at("name"), value: "Rotor" },
    { path: at("base_url"), value: `${base}/backend-api/codex` },
    { path: at("wire_api"), value: "responses" },
    // Read anew for each conversation, also by a Codex in the background, whose environment is frozen (wire §6.5).
    { path: at("experimental_bearer_token"), value: secret },
    { path: at("supports_websockets"), value: true },
    { path: at("env_http_headers"), value: { "x-rotor-project": "ROTOR_PROJECT" } },
  ];
}

/**
 * Without any login the TUI of the built-in provider asks for one before all else. A word where the API key belongs is enough; it is sent to us
 * alone, and says nothing.
 */
async function loginStandIn({ codex: { authFile, store }, read }: Ask): Promise<readonly Task[]> {
  const text = `${JSON.stringify({ OPENAI_API_KEY: "rotor" })}\n`;
  const isMissing = store === "file" && (await read(authFile)) === null;
  return isMissing
    ? [{ kind: "own", path: authFile, what: "a login that stands in for none", text, isLoose: true }]
    : [];
}
