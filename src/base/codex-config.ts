/**
 * What Rotor has to know of the Codex CLI's own config.toml: where that keeps its login. Reads; an unreadable config is the Codex CLI's to
 * complain about.
 */
import { readFileSync } from "node:fs";
import { parse } from "smol-toml";

/** `cli_auth_credentials_store` (wire §2). */
export type CredentialStore = "file" | "keyring" | "auto" | "ephemeral";

export function codexCredentialStore(configFile: string): CredentialStore {
  try {
    const value = parse(readFileSync(configFile, "utf8")).cli_auth_credentials_store;
    return value === "keyring" || value === "auto" || value === "ephemeral" ? value : "file";
  } catch {
    return "file";
  }
}
