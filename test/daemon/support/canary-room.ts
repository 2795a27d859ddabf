/**
 * What the deeds of a canary day (canary-deeds.ts) have in common: the daemon, its upstream, what was planted, what was said.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Canaries, Place } from "./canaries.ts";
import { createProxyClient, type ProxyClient } from "./client.ts";
import { type CtlResult, runCtl } from "./ctl.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { Relay } from "./relay.ts";
import type { Chance } from "./seed.ts";
import type { Stage } from "./stage.ts";

/** Signed in to in three ways, and two that come from files. */
export const ALIASES = ["alpha", "beta", "gamma", "delta", "epsilon"] as const;

export interface Day {
  readonly stage: Stage;
  readonly relay: Relay;
  readonly issuer: string;
  readonly env: Record<string, string>;
  readonly canaries: Canaries;
  readonly chance: Chance;
  readonly said: Place[];
  readonly commands: string[];
  readonly answered: Set<string>;
  daemon: DaemonProcess;
  client: ProxyClient;
}

export const wordsOf = (chance: Chance) => () => chance.between(1e9, 9e9).toString(36);

export async function begin(stage: Stage, relay: Relay, canaries: Canaries, chance: Chance): Promise<Day> {
  const issuer = relay.url.replace("/backend-api", "");
  const codex = join(stage.folder, "codex");
  mkdirSync(codex, { mode: 0o700 });
  const given = {
    ROTOR_UPSTREAM_BASE_URL: relay.url,
    ROTOR_UPSTREAM_ISSUER: issuer,
    ROTOR_LOG: "debug",
    ROTOR_SETTING_WAIT_SECONDS: "0",
    ROTOR_NO_BROWSER: "1",
    CODEX_HOME: codex,
    TMPDIR: stage.folder,
  };
  const env = stage.env({ env: given });
  const daemon = await stage.start({ env: given });
  const day: Day = {
    ...{ stage, relay, issuer, env, canaries, chance, said: [], commands: [], answered: new Set<string>(), daemon },
    client: createProxyClient(daemon.proxyUrl, ""),
  };
  const { stdout } = await ctl(day, ["key", "create", "day"]);
  canaries.plant("client key", stdout.trim());
  day.client = createProxyClient(daemon.proxyUrl, stdout.trim());
  plantKeyFile(day);
  return day;
}

/** The key of the seal, which may stand in its file and nowhere else. */
export function plantKeyFile({ canaries, daemon }: Day): void {
  for (const [, key] of readFileSync(join(daemon.home, "rotor.key"), "utf8").matchAll(/^rotor-key-v1 (\S+)$/gm))
    canaries.plant("seal key", key!);
}

export function plantLogin(
  canaries: Canaries,
  tokens: { id_token?: string; access_token?: string; refresh_token?: string },
): void {
  if (tokens.id_token) canaries.plant("id token", tokens.id_token);
  if (tokens.access_token) canaries.plant("access token", tokens.access_token);
  if (tokens.refresh_token) canaries.plant("refresh token", tokens.refresh_token);
}

/** A fresh login of the account, as its auth.json. */
export function authJson({ stage, issuer, canaries }: Day, alias: string): string {
  const login = structuredClone(stage.sim.login(alias));
  login.tokens.oauth_provenance.issuer = issuer;
  plantLogin(canaries, login.tokens);
  return JSON.stringify(login);
}

export function tell({ said }: Day, name: string, text: string): void {
  said.push({ name, bytes: Buffer.from(text) });
}

export async function ctl(day: Day, args: readonly string[], input?: string, env: object = {}): Promise<CtlResult> {
  const result = await runCtl(args, { ...day.env, ...env }, input);
  const name = args.join(" ").replaceAll(day.stage.folder, "");
  day.commands.push(`${name} → ${result.exit}`);
  tell(day, `ctl ${name}`, `${result.stdout}\n${result.stderr}`);
  return result;
}

/** Asks over the socket and keeps what was said, whichever way it ended. */
export async function call<T>(day: Day, method: string, request: object = {}): Promise<T | null> {
  try {
    const answer = await day.daemon.control.call<T>(method, request);
    tell(day, `answer of ${method}`, JSON.stringify(answer));
    return answer;
  } catch (error) {
    const { message, hint, code } = error as { message: string; hint: string; code: string };
    if (code === "route_not_found") throw error;
    tell(day, `answer of ${method}`, `${code} ${message} ${hint}`);
    return null;
  }
}

/** Signs that every encoding writes differently. */
export const passphraseOf = (chance: Chance) => `pass "${wordsOf(chance)()}"\\/ %é+&${wordsOf(chance)()}`;
