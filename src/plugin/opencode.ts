/**
 * The OpenCode plugin: a thin client of Rotor's control socket. OpenCode 1.x calls `server`, OpenCode 2.x `setup`. It routes the provider
 * `openai` to the daemon and decides nothing about accounts. Must not throw out of a hook: OpenCode would go on without it, past Rotor.
 */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createLink, type Link } from "./link.ts";
import { authHook } from "./login.ts";
import { exceptHost } from "./loopback.ts";
import { modelEntries, namedModels } from "./models.ts";
import { createNewsDesk } from "./news.ts";
import { isRecord, optionsOf } from "./places.ts";
import { createFetch, type Fetch, NOWHERE } from "./routed-fetch.ts";
import { setup } from "./second.ts";
import type { Handshake } from "./wire.ts";
import { answer, HELP } from "./words.ts";

/** OpenCode's name of the upstream that is routed. */
const OPENAI = "openai";
/** OpenCode's start waits for the config hook; a daemon that has to be started first takes less. */
const GREET_LIMIT_MS = 10_000;

interface PluginInput {
  readonly client?: { readonly tui?: { showToast?(toast: unknown): Promise<unknown> } };
  readonly directory?: string;
}

type Config = Record<string, unknown>;

async function server(input: PluginInput = {}, given?: unknown) {
  const options = optionsOf(given, import.meta.url);
  const link = createLink(options, {
    client: "opencode",
    clientVersion: openCodeVersion(),
    directory: input.directory ?? process.cwd(),
  });
  const toast = (message: string, variant: string) => {
    // Where nobody looks at a TUI it is not shown, and that is no error.
    void Promise.resolve(
      input.client?.tui?.showToast?.({ body: { title: "Rotor", message, variant, duration: 8_000 } }),
    ).catch(() => {});
  };
  const news = createNewsDesk(link, toast);
  return {
    auth: authHook(link),
    async config(config: Config) {
      const entry = openAiEntry(config);
      const others =
        isRecord(entry.options) && typeof entry.options.fetch === "function" ? (entry.options.fetch as Fetch) : fetch;
      const routed = createFetch(link, { onAnswer: news.answered, onDown: news.down, onSlow: news.slow }, others);
      exceptHost(new URL(NOWHERE).hostname);
      // First of all: whatever fails after this line, no request goes past Rotor.
      entry.options = {
        ...(isRecord(entry.options) ? entry.options : {}),
        baseURL: NOWHERE,
        apiKey: "rotor",
        fetch: routed,
      };
      const handshake = await within(withModels(link), GREET_LIMIT_MS);
      if (handshake !== null) tellModels(config, entry, handshake, link);
      const commands = isRecord(config.command) ? config.command : (config.command = {});
      (commands as Config).rotor ??= { description: `Rotor: ${HELP}`, template: "/rotor $ARGUMENTS" };
    },
    async "command.execute.before"(asked: { command?: string; arguments?: string }, output: { parts?: unknown[] }) {
      if (asked.command !== "rotor" || !Array.isArray(output.parts)) return;
      const said = await answer(link, asked.arguments ?? "");
      const text = `Rotor, the local account pool, has answered the command of the person. Repeat this as it is, in a code block, and do nothing else:\n\n${said}`;
      output.parts.splice(0, output.parts.length, { type: "text", text });
    },
    async event({ event }: { event: unknown }) {
      news.event(event);
    },
    async "experimental.provider.small_model"(
      asked: { provider?: { id?: string; models?: Record<string, unknown> } },
      output: { model?: unknown },
    ) {
      if (asked.provider?.id !== OPENAI || output.model !== undefined) return;
      const handshake = await within(link.greet(), GREET_LIMIT_MS);
      const model = asked.provider.models?.[handshake?.smallModel ?? ""];
      if (model !== undefined) output.model = model;
    },
    tool: {
      rotor_status: {
        description:
          "What Rotor, the local pool of ChatGPT accounts behind this conversation, has left: accounts, windows used, who serves next. Takes nothing, changes nothing.",
        args: {},
        execute: () => answer(link, "status"),
      },
    },
    async dispose() {
      await link.report({ kind: "CLOSED" });
    },
  };
}

function openAiEntry(config: Config): Config {
  const all = isRecord(config.provider) ? config.provider : {};
  config.provider = all;
  const entry = isRecord(all[OPENAI]) ? all[OPENAI] : {};
  all[OPENAI] = entry;
  return entry;
}

/** A daemon that was never asked before has to ask upstream first what there is; it is worth a moment, once. */
async function withModels(link: Link): Promise<Handshake> {
  for (let look = 0; ; look++) {
    const handshake = await link.greet();
    if ((handshake.models ?? []).length > 0 || look === MODEL_LOOKS) return handshake;
    await new Promise((resolve) => setTimeout(resolve, MODEL_LOOK_EVERY_MS));
    link.forget();
  }
}

const MODEL_LOOKS = 8;
const MODEL_LOOK_EVERY_MS = 250;

/** Models that OpenCode does not know yet, and none that nobody here could serve; the person's own words stand. */
function tellModels(config: Config, entry: Config, handshake: Handshake, link: Link): void {
  if (link.options.models ?? handshake.backfill ?? false) {
    const known = modelEntries(handshake);
    const own = isRecord(entry.models) ? entry.models : {};
    entry.models = { ...known, ...own };
    const names = Object.keys(known);
    if (names.length > 0)
      entry.whitelist ??= [...new Set([...names, ...Object.keys(own), ...namedModels(config, OPENAI)])];
  }
  if (config.model === undefined && handshake.defaultModel && !hasChosenBefore())
    config.model = `${OPENAI}/${handshake.defaultModel}`;
}

/** OpenCode remembers the models that a person took; who has taken one is not given another. */
function hasChosenBefore(): boolean {
  const state = process.env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  try {
    const { recent }: { recent?: unknown } = JSON.parse(readFileSync(join(state, "opencode", "model.json"), "utf8"));
    return Array.isArray(recent) && recent.length > 0;
  } catch {
    return false;
  }
}

/** null when it takes longer or fails; whoever asks later learns why. */
async function within<T>(work: Promise<T>, limitMs: number): Promise<T | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), limitMs);
  });
  try {
    return await Promise.race([work.catch(() => null), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** OpenCode sets it for its own processes; absent elsewhere. */
function openCodeVersion(): string {
  return process.env.OPENCODE_VERSION ?? "";
}

export default { id: "rotor", server, setup };
