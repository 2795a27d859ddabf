/**
 * `config.toml`: listeners, paths, upstream, log. Read once at start, every key with a default that is right.
 * Everything else is a setting in the store (contracts §13).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse, TomlError } from "smol-toml";
import type { Host } from "./env.ts";
import { AppError } from "./errors.ts";
import { LOG_LEVELS, type LogLevel } from "./log.ts";
import { wantsOutgoingProxy } from "./outgoing-proxy.ts";
import { Secret } from "./secret.ts";

const HTTP_CLIENTS = ["socket", "fetch"] as const;
type HttpClientName = (typeof HTTP_CLIENTS)[number];

export interface Config {
  proxy: {
    /** Loopback by default: the proxy lends out logins. */
    host: string;
    /** 4747; 0 takes any free port (tests). */
    port: number;
    /** Extra `Host` names that a non-loopback listener answers to. */
    allowedHosts: readonly string[];
  };
  upstream: {
    /** Inference and account calls, without a trailing slash. */
    baseUrl: string;
    /** OAuth issuer, without a trailing slash. */
    issuer: string;
    /** The OAuth client that the official CLI is registered as (wire §1.1). */
    clientId: string;
    /** Our own HTTP over sockets, or the runtime's `fetch`, which knows outgoing proxies. */
    client: HttpClientName;
  };
  codex: { home: string };
  seal: {
    /** What guards the logins of a new store; a store that has a guard keeps it. */
    guard: SealGuardChoice;
    /** From the environment. Never from this file, which is no place for it. */
    passphrase: Secret | null;
    /** A file (0600) whose first line is the passphrase. */
    passphraseFile: string | null;
  };
  log: { level: LogLevel };
  /** Where a Prometheus may fetch metrics, always on loopback; null = nowhere, the default. Port 0 takes any free one. */
  metrics: { host: string; port: number } | null;
  /** `[setting]` entries and ROTOR_SETTING_* variables, as text by key; the settings catalogue judges them. */
  settings: { fromEnv: Readonly<Record<string, string>>; fromFile: Readonly<Record<string, string>> };
}

const SEAL_GUARD_CHOICES = ["auto", "keychain", "passphrase", "key_file"] as const;
type SealGuardChoice = (typeof SEAL_GUARD_CHOICES)[number];

type Keys = Readonly<Record<string, readonly string[]>>;
const KNOWN_KEYS: Keys = {
  proxy: ["host", "port", "allowed_hosts"],
  upstream: ["base_url", "issuer", "client_id", "client"],
  codex: ["home"],
  seal: ["guard", "passphrase_file"],
  log: ["level"],
  metrics: ["listen"],
};

/** Reads the file (absent means all defaults) and lays the environment over it. Throws `config_invalid` with file, line and key. */
export function loadConfig(path: string, host: Host): Config {
  const table = readTable(path);
  const { env } = host;
  const at = (key: string) => `${path}: ${key}`;
  const baseUrl =
    env.ROTOR_UPSTREAM_BASE_URL ?? text(table, "upstream", "base_url", path) ?? "https://chatgpt.com/backend-api";
  const issuer = env.ROTOR_UPSTREAM_ISSUER ?? text(table, "upstream", "issuer", path) ?? "https://auth.openai.com";
  return {
    proxy: {
      host: text(table, "proxy", "host", path) ?? "127.0.0.1",
      port: port(table, path) ?? 4747,
      allowedHosts: list(table, "proxy", "allowed_hosts", path) ?? [],
    },
    upstream: {
      baseUrl: checkUrl(baseUrl, at("upstream.base_url")),
      issuer: checkUrl(issuer, at("upstream.issuer")),
      clientId: text(table, "upstream", "client_id", path) ?? "app_EMoamEEZ73f0CkXaXp7hrann",
      // `fetch` only where it is needed: it hands every chunk over from another thread, and queues beyond a limit.
      client:
        httpClient(table, path) ??
        (wantsOutgoingProxy(checkUrl(baseUrl, at("upstream.base_url")), env) ? "fetch" : "socket"),
    },
    codex: { home: text(table, "codex", "home", path) ?? (env.CODEX_HOME || join(host.homeDir, ".codex")) },
    seal: {
      guard: guardChoice(env.ROTOR_SEAL_GUARD ?? text(table, "seal", "guard", path) ?? "auto", at("seal.guard")),
      passphrase: env.ROTOR_PASSPHRASE ? new Secret(env.ROTOR_PASSPHRASE) : null,
      passphraseFile: env.ROTOR_PASSPHRASE_FILE ?? text(table, "seal", "passphrase_file", path) ?? null,
    },
    log: { level: logLevel(env.ROTOR_LOG ?? text(table, "log", "level", path) ?? "info", at("log.level")) },
    metrics: listenAddress(
      env.ROTOR_METRICS_LISTEN ?? text(table, "metrics", "listen", path) ?? null,
      at("metrics.listen"),
    ),
    settings: { fromEnv: settingsFromEnv(host), fromFile: settingsFromFile(table, path) },
  };
}

type Table = Record<string, Record<string, unknown>>;

function readTable(path: string): Table {
  let source: string;
  try {
    source = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new AppError("config_invalid", `${path} cannot be read`, { cause });
  }
  let parsed: Record<string, unknown>;
  try {
    parsed = parse(source);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const reason = cause.message.split("\n")[0]!.replace(/^Invalid TOML document: /, "");
    throw new AppError("config_invalid", `${path}, line ${cause.line}, column ${cause.column}: ${reason}`, { cause });
  }
  const table: Table = {};
  for (const [section, value] of Object.entries(parsed)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw unknownKey(path, source, section);
    if (section !== "setting" && !Object.hasOwn(KNOWN_KEYS, section)) throw unknownKey(path, source, section);
    for (const key of Object.keys(value)) {
      if (section !== "setting" && !KNOWN_KEYS[section]!.includes(key)) throw unknownKey(path, source, key, section);
    }
    table[section] = value as Record<string, unknown>;
  }
  return table;
}

function unknownKey(path: string, source: string, key: string, section?: string): AppError {
  const line = lineOf(source, section ?? null, key);
  const known = section ? KNOWN_KEYS[section]!.join(", ") : [...Object.keys(KNOWN_KEYS), "setting"].join(", ");
  const name = section ? `${section}.${key}` : key;
  const place = line === null ? path : `${path}, line ${line}`;
  return new AppError("config_invalid", `${place}: unknown key ${name} (known: ${known})`);
}

/**
 * Where the text speaks of a key; null when it cannot be told. The parser keeps no positions, so this reads as much of TOML as
 * people write: `[section]`, `[[section]]`, `key =`, `section.key =` and `section = { key = … }`, quoted or not.
 */
function lineOf(source: string, section: string | null, key: string): number | null {
  const wanted = section === null ? [key] : [section, key];
  let current: string[] = [];
  for (const [index, text] of source.split("\n").entries()) {
    const header = /^\s*\[\[?([^\]]+)\]/.exec(text);
    if (header) current = segments(header[1]!);
    const assigned = /^\s*([^=#[]+)=(.*)$/.exec(text);
    const here = assigned ? [...current, ...segments(assigned[1]!)] : header ? current : [];
    if (wanted.every((name, i) => here[i] === name)) return index + 1;
    const isInlineTable = assigned && here.length === 1 && here[0] === section;
    if (isInlineTable && segments(assigned[2]!.replace(/[{},=]/g, ".")).includes(key)) return index + 1;
  }
  return null;
}

/** The parts of a dotted key, without quotes. */
function segments(dotted: string): string[] {
  return dotted.split(".").map((part) => part.trim().replace(/^(["'])(.*)\1$/, "$2"));
}

function wrong(path: string, key: string, wanted: string): AppError {
  return new AppError("config_invalid", `${path}: ${key} must be ${wanted}`);
}

function text(table: Table, section: string, key: string, path: string): string | undefined {
  const value = table[section]?.[key];
  if (value === undefined) return undefined;
  if (typeof value !== "string" || value === "") throw wrong(path, `${section}.${key}`, "a text that is not empty");
  return value;
}

function list(table: Table, section: string, key: string, path: string): string[] | undefined {
  const value = table[section]?.[key];
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.some((item) => typeof item !== "string"))
    throw wrong(path, `${section}.${key}`, "a list of texts");
  return value as string[];
}

function port(table: Table, path: string): number | undefined {
  const value = table.proxy?.port;
  if (value === undefined) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > 65535)
    throw wrong(path, "proxy.port", "a whole number from 0 to 65535");
  return value;
}

function httpClient(table: Table, path: string): HttpClientName | undefined {
  const value = text(table, "upstream", "client", path);
  const known = HTTP_CLIENTS.find((name) => name === value);
  if (value !== undefined && known === undefined)
    throw wrong(path, "upstream.client", `one of ${HTTP_CLIENTS.join(", ")}`);
  return known;
}

function logLevel(value: string, key: string): LogLevel {
  if ((LOG_LEVELS as readonly string[]).includes(value)) return value as LogLevel;
  throw new AppError("config_invalid", `${key} must be one of ${LOG_LEVELS.join(", ")}`);
}

function guardChoice(value: string, key: string): SealGuardChoice {
  const choice = SEAL_GUARD_CHOICES.find((name) => name === value);
  if (choice !== undefined) return choice;
  throw new AppError("config_invalid", `${key} must be one of ${SEAL_GUARD_CHOICES.join(", ")}`);
}

/** Metrics name accounts and say what everybody does: they never leave this machine by themselves. */
function listenAddress(value: string | null, key: string): Config["metrics"] {
  if (value === null || value === "") return null;
  const match = /^(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535) {
    throw new AppError("config_invalid", `${key} must be a loopback address with a port, such as 127.0.0.1:9464`);
  }
  return { host: match[1]!.replace(/^\[|\]$/g, ""), port };
}

/** https everywhere, http on loopback only (contracts §14): a login must not cross a network in the clear. */
function checkUrl(value: string, key: string): string {
  let url: URL;
  try {
    url = new URL(value);
  } catch {
    throw new AppError("config_invalid", `${key} is not a URL`);
  }
  const loopback = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && loopback)) {
    throw new AppError("config_invalid", `${key} must be https (http is accepted on loopback only)`);
  }
  if (url.username || url.password || url.search || url.hash)
    throw new AppError("config_invalid", `${key} must be a bare URL`);
  return value.replace(/\/+$/, "");
}

const SETTING_PREFIX = "ROTOR_SETTING_";

function settingsFromEnv(host: Host): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [name, value] of Object.entries(host.env)) {
    if (name.startsWith(SETTING_PREFIX) && value !== undefined)
      out[name.slice(SETTING_PREFIX.length).toLowerCase()] = value;
  }
  return out;
}

function settingsFromFile(table: Table, path: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [key, value] of Object.entries(table.setting ?? {})) {
    if (!["string", "number", "boolean", "bigint"].includes(typeof value))
      throw wrong(path, `setting.${key}`, "a text, number or boolean");
    out[key] = String(value);
  }
  return out;
}
