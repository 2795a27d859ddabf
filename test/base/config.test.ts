/**
 * `config.toml`: every key has a default and can be set; what is wrong is named with file, line and key; the environment wins.
 */
import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Config, loadConfig } from "../../src/base/config.ts";
import type { Env, Host } from "../../src/base/env.ts";
import { AppError } from "../../src/base/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "rotor-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const hostOf = (env: Env = {}): Host => ({ env, platform: "linux", homeDir: "/home/ada", tempDir: "/tmp", uid: 1000 });

let count = 0;
function load(toml: string | null, env: Env = {}): Config {
  const path = join(folder, `${count++}.toml`);
  if (toml !== null) writeFileSync(path, toml);
  return loadConfig(path, hostOf(env));
}

function refusal(toml: string, env: Env = {}): string {
  try {
    load(toml, env);
  } catch (error) {
    if (error instanceof AppError && error.code === "config_invalid") return error.message;
    throw error;
  }
  throw new Error(`accepted: ${toml}`);
}

const DEFAULTS: Config = {
  proxy: { host: "127.0.0.1", port: 4747, allowedHosts: [] },
  upstream: {
    baseUrl: "https://chatgpt.com/backend-api",
    issuer: "https://auth.openai.com",
    clientId: "app_EMoamEEZ73f0CkXaXp7hrann",
    client: "socket",
  },
  codex: { home: "/home/ada/.codex" },
  seal: { guard: "auto", passphrase: null, passphraseFile: null },
  log: { level: "info" },
  metrics: null,
  settings: { fromEnv: {}, fromFile: {} },
};

test("without a file, and with an empty one, everything is the default", () => {
  expect(load(null)).toEqual(DEFAULTS);
  expect(load("")).toEqual(DEFAULTS);
  expect(load("# only a comment\n[proxy]\n")).toEqual(DEFAULTS);
});

test("every key can be set", () => {
  const config = load(`
    [proxy]
    host = "0.0.0.0"
    port = 0
    allowed_hosts = ["rotor.lan"]
    [upstream]
    base_url = "http://127.0.0.1:9/backend-api/"
    issuer = "https://issuer.example"
    client_id = "app_test"
    client = "fetch"
    [codex]
    home = "/srv/codex"
    [seal]
    guard = "passphrase"
    passphrase_file = "/srv/passphrase"
    [log]
    level = "debug"
    [metrics]
    listen = "[::1]:9464"
    [setting]
    wait_seconds = 5
    affinity = false
  `);
  expect(config).toEqual({
    proxy: { host: "0.0.0.0", port: 0, allowedHosts: ["rotor.lan"] },
    upstream: {
      baseUrl: "http://127.0.0.1:9/backend-api",
      issuer: "https://issuer.example",
      clientId: "app_test",
      client: "fetch",
    },
    codex: { home: "/srv/codex" },
    seal: { guard: "passphrase", passphrase: null, passphraseFile: "/srv/passphrase" },
    log: { level: "debug" },
    metrics: { host: "::1", port: 9464 },
    settings: { fromEnv: {}, fromFile: { wait_seconds: "5", affinity: "false" } },
  });
});

test("the environment wins over the file", () => {
  const config = load(
    '[upstream]\nbase_url = "https://file.example"\nissuer = "https://file.example"\n[log]\nlevel = "warn"\n',
    {
      ROTOR_UPSTREAM_BASE_URL: "https://env.example/backend-api",
      ROTOR_UPSTREAM_ISSUER: "http://localhost:1455",
      ROTOR_LOG: "error",
      ROTOR_SETTING_WAIT_SECONDS: "7",
    },
  );
  expect(config.upstream.baseUrl).toBe("https://env.example/backend-api");
  expect(config.upstream.issuer).toBe("http://localhost:1455");
  expect(config.log.level).toBe("error");
  expect(config.settings.fromEnv).toEqual({ wait_seconds: "7" });
});

test("what guards a new store: a name that is known, a passphrase that no print shows", () => {
  const env = { ROTOR_SEAL_GUARD: "key_file", ROTOR_PASSPHRASE: "open sesame", ROTOR_PASSPHRASE_FILE: "/env/file" };
  const { seal } = load('[seal]\nguard = "keychain"\npassphrase_file = "/file/file"\n', env);
  expect([seal.guard, seal.passphrase?.reveal(), seal.passphraseFile]).toEqual([
    "key_file",
    "open sesame",
    "/env/file",
  ]);
  expect(JSON.stringify(seal)).not.toContain("sesame");
  expect(load("", { ROTOR_PASSPHRASE: "" }).seal.passphrase).toBeNull();
  expect(refusal('[seal]\nguard = "magic"\n')).toMatch(/seal\.guard must be one of auto, keychain/);
  expect(refusal('[seal]\npassphrase = "here"\n')).toMatch(/unknown key seal\.passphrase/);
});

test("an outgoing proxy needs fetch, unless the file says otherwise", () => {
  const proxied = { HTTPS_PROXY: "http://proxy.example:3128" };
  expect(load("", proxied).upstream.client).toBe("fetch");
  expect(load("", { ...proxied, NO_PROXY: "chatgpt.com" }).upstream.client).toBe("socket");
  expect(load('[upstream]\nclient = "socket"', proxied).upstream.client).toBe("socket");
  expect(load("", { ...proxied, ROTOR_UPSTREAM_BASE_URL: "http://127.0.0.1:9" }).upstream.client).toBe("socket");
  expect(refusal('[upstream]\nclient = "http3"')).toContain("upstream.client must be one of socket, fetch");
});

test("the Codex home is the file's, else CODEX_HOME, else ~/.codex", () => {
  const env = { CODEX_HOME: "/env/codex" };
  expect(load('[codex]\nhome = "/file/codex"', env).codex.home).toBe("/file/codex");
  expect(load("", env).codex.home).toBe("/env/codex");
  expect(load("", { CODEX_HOME: "" }).codex.home).toBe("/home/ada/.codex");
});

const UNKNOWN: readonly (readonly [toml: string, line: number, name: string])[] = [
  ['[proxy]\nhost = "127.0.0.1"\nhots = "x"\n', 3, "proxy.hots"],
  ["# a comment\n\n[porxy]\nport = 1\n", 3, "porxy"],
  ["port = 1\n", 1, "port"],
  ["[proxy]\nport = 1\n[log]\nport = 1\n", 4, "log.port"],
  ['[upstream]\n"base-url" = "https://x.example"\n', 2, "upstream.base-url"],
  ["# no such thing twice\n[[proxy]]\nport = 1\n", 2, "proxy"],
  ["[log]\n[ 'porxy' ]\n", 2, "porxy"],
  ["[log]\n[porxy.deep]\n", 2, "porxy"],
  ["\nproxy.hots = 1\n", 2, "proxy.hots"],
  ["\nproxy = { port = 1, hots = 1 }\n", 2, "proxy.hots"],
  ['[proxy]\n"ho(ts" = 1\n', 2, "proxy.ho(ts"],
];

test.each(UNKNOWN)("an unknown key in %p is named with its line", (toml, line, name) => {
  const message = refusal(toml);
  expect(message).toContain(`line ${line}:`);
  expect(message).toContain(`unknown key ${name}`);
  expect(message).toContain("known:");
  expect(message).toContain(folder);
});

const HALF_WRITTEN: readonly (readonly [toml: string, line: number])[] = [
  ['[proxy]\nhost = "127.0.0.1"\nport = \n', 3],
  ["[proxy", 1],
  ['[proxy]\nhost = "127.0', 2],
  ["[proxy]\nport 4747\n", 2],
  ["[proxy]\nport = 1\nport = 2\n", 3],
];

test.each(HALF_WRITTEN)("half-written %p names line and column", (toml, line) => {
  const message = refusal(toml);
  expect(message).toMatch(new RegExp(`, line ${line}, column \\d+: \\S`));
  expect(message).not.toContain("\n");
});

const WRONG: readonly (readonly [toml: string, key: string])[] = [
  ["[proxy]\nport = 65536", "proxy.port"],
  ["[proxy]\nport = -1", "proxy.port"],
  ["[proxy]\nport = 1.5", "proxy.port"],
  ['[proxy]\nport = "4747"', "proxy.port"],
  ['[proxy]\nhost = ""', "proxy.host"],
  ["[proxy]\nhost = 1", "proxy.host"],
  ['[proxy]\nallowed_hosts = "x"', "proxy.allowed_hosts"],
  ["[proxy]\nallowed_hosts = [1]", "proxy.allowed_hosts"],
  ['[log]\nlevel = "loud"', "log.level"],
  ["[setting]\nx = [1]", "setting.x"],
  ["[codex]\nhome = true", "codex.home"],
];

test.each(WRONG)("a wrong value in %p names its key", (toml, key) => {
  expect(refusal(toml)).toContain(`${key} must be`);
});

const GOOD_URLS = ["https://chatgpt.com/backend-api", "http://127.0.0.1:8080", "http://localhost/x", "http://[::1]:1"];
const BAD_URLS = [
  "http://chatgpt.com/backend-api",
  "http://127.0.0.1.evil.example",
  "http://localhost.evil.example",
  "http://192.168.0.9:8080",
  "ftp://127.0.0.1",
  "file:///etc/passwd",
  "chatgpt.com",
  "",
  "https://user:password@chatgpt.com",
  "https://chatgpt.com/?token=x",
  "https://chatgpt.com/#x",
];

test.each(GOOD_URLS)("%p is accepted as upstream and issuer", (url) => {
  expect(load(`[upstream]\nbase_url = "${url}"\nissuer = "${url}"`).upstream.baseUrl).toBe(url);
});

test.each(BAD_URLS)("%p is refused: a login must not cross a network in the clear", (url) => {
  expect(refusal(`[upstream]\nbase_url = "${url}"`)).toContain("upstream.base_url");
  expect(refusal(`[upstream]\nissuer = "${url}"`)).toContain("upstream.issuer");
  if (url !== "") expect(refusal("", { ROTOR_UPSTREAM_BASE_URL: url })).toContain("upstream.base_url");
});

test("a refusal of a URL does not print what may be a password in it", () => {
  expect(refusal('[upstream]\nbase_url = "https://ada:hunter2@chatgpt.com"')).not.toContain("hunter2");
});

test("a file that cannot be read is an error, not the defaults", () => {
  expect(() => loadConfig(folder, hostOf())).toThrow("cannot be read");
  const path = join(folder, "locked.toml");
  writeFileSync(path, "");
  chmodSync(path, 0o000);
  // Root reads anything; then there is nothing to refuse.
  if (process.getuid?.() !== 0) expect(() => loadConfig(path, hostOf())).toThrow("cannot be read");
});

test("metrics listen on loopback or nowhere", () => {
  expect(load(null, { ROTOR_METRICS_LISTEN: "127.0.0.1:0" }).metrics).toEqual({ host: "127.0.0.1", port: 0 });
  expect(load('[metrics]\nlisten = "127.0.0.1:1"', { ROTOR_METRICS_LISTEN: "" }).metrics).toBeNull();
  for (const listen of ["0.0.0.0:9464", "127.0.0.1", "9464", "localhost:70000", "rotor.lan:1"]) {
    expect(refusal(`[metrics]\nlisten = "${listen}"`)).toContain("metrics.listen must be a loopback address");
  }
});
