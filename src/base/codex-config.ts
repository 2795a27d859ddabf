/**
 * What Rotor has to know of the Codex CLI's own config.toml: where that keeps its login, and where it sends its requests, what its commands see of the environment.
 * Reads; an unreadable config is the Codex CLI's to complain about.
 */
import { readFileSync } from "node:fs";
import { parse } from "smol-toml";

/** `cli_auth_credentials_store` (wire §2). */
export type CredentialStore = "file" | "keyring" | "auto" | "ephemeral";

export function codexCredentialStore(configFile: string): CredentialStore {
  const value = read(configFile).cli_auth_credentials_store;
  return value === "keyring" || value === "auto" || value === "ephemeral" ? value : "file";
}

export interface CodexRouting {
  /** `model_provider`; Codex's own when it says nothing. */
  readonly provider: string;
  /** `base_url` of that provider; null = not said. */
  readonly providerUrl: string | null;
  /** `openai_base_url` and `chatgpt_base_url` move Codex's own provider; null = where they always are. */
  readonly openaiUrl: string | null;
  readonly chatgptUrl: string | null;
}

export function codexRouting(configFile: string): CodexRouting {
  const config = read(configFile);
  const provider = textOf(config.model_provider) ?? "openai";
  const section = tableOf(tableOf(config.model_providers)[provider]);
  return {
    provider,
    providerUrl: textOf(section.base_url),
    openaiUrl: textOf(config.openai_base_url),
    chatgptUrl: textOf(config.chatgpt_base_url),
  };
}

/** `shell_environment_policy.exclude`: what Codex keeps from the commands that it runs. */
export function codexShellExcludes(configFile: string): readonly string[] {
  const { exclude } = tableOf(read(configFile).shell_environment_policy);
  return Array.isArray(exclude) ? exclude.filter((name) => typeof name === "string") : [];
}

type Table = Readonly<Record<string, unknown>>;

function read(configFile: string): Table {
  try {
    return parse(readFileSync(configFile, "utf8"));
  } catch {
    return {};
  }
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function tableOf(value: unknown): Table {
  return typeof value === "object" && value !== null ? (value as Table) : {};
}
