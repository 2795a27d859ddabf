/**
 * Where the Codex CLI keeps its login on this machine, and whether it keeps it in a file at all. Reads; never writes there.
 */
import { realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { type CredentialStore, codexCredentialStore } from "../base/codex-config.ts";
import { loadConfig } from "../base/config.ts";
import type { Context } from "./command.ts";

export interface CodexHome {
  readonly folder: string;
  readonly authFile: string;
  /** `cli_auth_credentials_store` of its config.toml; "file" when it says nothing. */
  readonly store: CredentialStore;
}

/** `[codex] home` in our config, else $CODEX_HOME, else ~/.codex. */
export function findCodexHome({ paths, io }: Context): CodexHome {
  const folder = resolve(loadConfig(paths.configFile, io.host).codex.home);
  return { folder, authFile: join(folder, "auth.json"), store: codexCredentialStore(join(folder, "config.toml")) };
}

/** What a person has to know about a login that is not in the file; null when it is there that the Codex CLI looks. */
export function storeWarning({ store, folder }: CodexHome): string | null {
  const where = `cli_auth_credentials_store = "${store}" in ${join(folder, "config.toml")}`;
  if (store === "keyring" || store === "auto")
    return `the Codex CLI keeps its login in the keyring of this system (${where}), where Rotor does not look; with "file" instead, codex login writes a file that Rotor can share`;
  return store === "ephemeral" ? `the Codex CLI keeps no login at all (${where})` : null;
}

/** Same file, by the real name of its folder: the file may not be there. */
export function isSameFile(a: string, b: string): boolean {
  return real(a) === real(b);
}

function real(path: string): string {
  try {
    return join(realpathSync(dirname(resolve(path))), basename(path));
  } catch {
    return resolve(path);
  }
}
