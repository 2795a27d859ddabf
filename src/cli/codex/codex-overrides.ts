/**
 * The `-c key=value` words that lead a Codex through Rotor, or past it. They hold for one run and write nothing. Never holds a key:
 * arguments can be read by everybody on the machine.
 */
import type { CodexRouting } from "../../base/codex-config.ts";
import { clientBase, KEY_VARIABLE } from "../stanza.ts";

/** Also the provider of `rotor connect codex`: Codex goes on with a conversation only through a provider of the same name. */
export const ROTOR_PROVIDER = "rotor";

/** Conversations of these can be gone on with as they are: nobody else answers to these names any more. */
const OWN_PROVIDERS: ReadonlySet<string> = new Set([ROTOR_PROVIDER, "codex-multi-auth-runtime-proxy"]);

export function isOwnProvider(provider: string): boolean {
  return OWN_PROVIDERS.has(provider);
}

/**
 * `env_key` wins over a key that the config itself gives this provider (Codex 0.169, tried). `excludes`: what the config keeps from the
 * commands that Codex runs, which now are not to see the key either; nor is the copy of their environment that Codex leaves in
 * `shell_snapshots` when it is killed (seen with 0.169).
 */
export function throughRotor(proxyUrl: string, provider: string, excludes: readonly string[]): readonly string[] {
  const at = `model_providers.${provider}`;
  return overrides([
    ["model_provider", provider],
    // Any name but "OpenAI" keeps compaction local, so that a conversation can move between accounts (contracts §6).
    [`${at}.name`, "Rotor"],
    [`${at}.base_url`, `${clientBase(proxyUrl)}/backend-api/codex`],
    [`${at}.wire_api`, "responses"],
    [`${at}.env_key`, KEY_VARIABLE],
    [`${at}.requires_openai_auth`, false],
    [`${at}.supports_websockets`, true],
    ["shell_environment_policy.exclude", [...new Set([...excludes, KEY_VARIABLE])]],
  ]);
}

/** Takes back what a config says of Rotor, for one run; nothing where it says nothing. An empty base is Codex's own (0.169, tried). */
export function pastRotor(routing: CodexRouting): readonly string[] {
  const found: [string, string][] = [];
  if (isOwnProvider(routing.provider) || leadsToRotor(routing.providerUrl)) found.push(["model_provider", "openai"]);
  if (leadsToRotor(routing.openaiUrl)) found.push(["openai_base_url", ""]);
  if (leadsToRotor(routing.chatgptUrl)) found.push(["chatgpt_base_url", "https://chatgpt.com/backend-api/"]);
  return overrides(found);
}

function leadsToRotor(url: string | null): boolean {
  const parsed = url === null ? null : URL.parse(url);
  return (
    parsed !== null &&
    ["127.0.0.1", "localhost", "[::1]"].includes(parsed.hostname) &&
    /\/backend-api(\/|$)/.test(parsed.pathname)
  );
}

/** JSON's strings and lists of them are TOML's as well. */
function overrides(pairs: readonly (readonly [string, string | boolean | readonly string[]])[]): readonly string[] {
  return pairs.flatMap(([key, value]) => ["-c", `${key}=${JSON.stringify(value)}`]);
}
