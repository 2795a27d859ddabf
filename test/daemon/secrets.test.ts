/**
 * A day at debug level with canaries for everything that is secret: tokens old and new, client keys, prompts, e-mail addresses. Afterwards
 * every place that Rotor writes to is searched for them (product §5). An e-mail address may stand in the account that it belongs to.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packedText } from "../support/packed-text.ts";
import { createProxyClient, DRESSES, type ProxyClient } from "./support/client.ts";
import { type AccountJson, type Control, createControl, type KeyJson } from "./support/control.ts";
import { readDaemonFile, type SpawnedDaemon } from "./support/daemon-process.ts";
import { sendRaw } from "./support/raw-http.ts";
import { openRelay, type Relay } from "./support/relay.ts";
import { createChance, SEED } from "./support/seed.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until } from "./support/until.ts";

const chance = createChance(SEED);
const word = () => chance.between(1e9, 9e9).toString(36);
const MAIL = `${word()}.${word()}@example.test`;
const PROMPT = `prompt-${word()}-${word()}`;

let stage: Stage;
let relay: Relay;
let daemon: SpawnedDaemon;
let control: Control;
let client: ProxyClient;
let home: string;
const secrets = new Map<string, string>();
/** What Rotor itself said to clients and callers. */
const said: { where: string; text: string }[] = [];

/** A long random part of it, whatever stands around it: a secret must not be found in pieces either. */
function remember(name: string, secret: string): void {
  const core = secret.slice(-40);
  if (core.length >= 20) secrets.set(`${name} ${secrets.size}`, core);
}

const leaksIn = (text: string): string[] => {
  const found = [...secrets].filter(([, core]) => text.includes(core)).map(([name]) => name);
  if (text.includes(PROMPT)) found.push("the prompt");
  return found;
};

function rememberTokens(login: { tokens: { id_token: string; access_token: string; refresh_token: string } }): void {
  const { id_token, access_token, refresh_token } = login.tokens;
  remember("id token", id_token);
  remember("access token", access_token);
  remember("refresh token", refresh_token);
}

beforeAll(async () => {
  stage = await openStage({
    accounts: ["alpha", "beta", "gamma"].map((alias) => ({
      alias,
      email: alias === "alpha" ? MAIL : `${alias}.${MAIL}`,
    })),
  });
  relay = await openRelay(stage.sim.port);
  const issuer = relay.url.replace("/backend-api", "");
  const env = {
    ROTOR_UPSTREAM_BASE_URL: relay.url,
    ROTOR_UPSTREAM_ISSUER: issuer,
    ROTOR_LOG: "debug",
    ROTOR_SETTING_WAIT_SECONDS: "0",
  };
  home = stage.home();
  daemon = stage.spawn({ env, args: ["--foreground", "--port", "0"] });
  await until(() => readDaemonFile(home)?.pid === daemon.pid, "the daemon's start");
  const file = readDaemonFile(home)!;
  control = createControl(file.socket);
  for (const [i, login] of stage.sim.accounts.entries()) {
    rememberTokens(login);
    const own = structuredClone(login);
    own.tokens.oauth_provenance.issuer = issuer;
    await control.importLogin(own, ["alpha", "beta", "gamma"][i]!);
  }
  const key = await control.createKey("test");
  remember("client key", key);
  client = createProxyClient(file.proxy_url, key);
  await theDay(file.proxy_url);
  for (const { body } of relay.answers()) rememberIssued(new TextDecoder().decode(body));
});

afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await relay[Symbol.asyncDispose]();
});

function rememberIssued(text: string): void {
  if (!text.startsWith('{"id_token"')) return;
  rememberTokens({ tokens: JSON.parse(text) });
}

/** Everything that goes well and everything that goes wrong. */
async function theDay(proxyUrl: string): Promise<void> {
  const { sim } = stage;
  const ask = async (where: string, more: object = {}) => {
    for (const dress of DRESSES) {
      const received = await client.ask(dress, { text: PROMPT, more });
      const isRotors = !received.text.includes(PROMPT);
      if (isRotors) said.push({ where: `${where} (${dress})`, text: `${received.text}\n${[...received.headers]}` });
    }
  };
  await ask("served");
  const accounts = await control.accounts();
  for (const { id } of accounts) await refresh(id);
  for (const alias of ["alpha", "beta", "gamma"]) sim.expireAccess(alias);
  await ask("after a 401");
  const [token] = [...secrets.values()];
  const quoting = {
    error: { message: `Incorrect token ${sim.accounts[0]!.tokens.access_token} of ${MAIL}`, code: "server_error" },
  };
  expect(token).toBeDefined();
  sim.addFault({ at: "responses", kind: "custom", status: 500, body: quoting, times: 12 });
  await ask("upstream quotes a token in a 500");
  sim.clearFaults();
  sim.addFault({
    at: "responses",
    kind: "error_event",
    code: "server_error",
    message: quoting.error.message,
    times: 12,
  });
  await ask("upstream quotes a token in a stream");
  sim.clearFaults();
  await pauseEnd();
  sim.addFault({ at: "refresh", kind: "custom", status: 503, body: quoting });
  await refresh(accounts[0]!.id);
  sim.addFault({ at: "refresh", kind: "lost_answer" });
  await refresh(accounts[0]!.id);
  sim.addFault({
    at: "refresh",
    kind: "custom",
    status: 401,
    body: { error: { message: quoting.error.message, code: "refresh_token_reused" } },
  });
  await refresh(accounts[1]!.id);
  for (const alias of ["alpha", "beta", "gamma"])
    sim.addFault({ at: "responses", account: alias, kind: "usage_limit", times: "always" });
  await ask("nobody is left");
  await strangers(proxyUrl);
  await operators(accounts);
}

const refresh = (accountId: string) => told("refresh", control.call("AccountService/RefreshAccount", { accountId }));

/** Keeps what the call said, whichever way it ended. */
async function told(where: string, call: Promise<unknown>): Promise<void> {
  const answer = await call.then(JSON.stringify, (error) => `${error.message} ${error.hint}`);
  // An e-mail address belongs into the account that the answer shows.
  said.push({ where, text: answer.replaceAll(MAIL, "") });
}

async function pauseEnd(): Promise<void> {
  await until(async () => {
    const { pool } = await control.call<{ pool: { pauseEndTime?: string } }>("PoolService/GetPool");
    return pool.pauseEndTime === undefined;
  }, "the end of the pause");
}

/** Who should not be there, with secrets in every place where a request can carry one. */
async function strangers(proxyUrl: string): Promise<void> {
  const jwt = stage.sim.login("beta").tokens.access_token;
  remember("a client's own login", jwt);
  const wrong = `rtr_nobody_${"k".repeat(20)}${word()}${word()}${word()}${word()}`;
  remember("a wrong key", wrong);
  const tries: [string, string, Record<string, string>][] = [
    ["GET", `/k/${client.key}/backend-api/codex/nothing`, {}],
    ["GET", `/k/${client.key}/nothing/here`, {}],
    ["GET", `/nothing/${client.key}?key=${client.key}`, {}],
    ["POST", "/v1/responses", { authorization: `Bearer ${wrong}` }],
    ["POST", "/backend-api/codex/responses", { authorization: `Bearer ${jwt}` }],
    ["POST", "/v1/responses", { authorization: `Bearer ${client.key}`, host: `${jwt}.example.org` }],
    ["POST", "/v1/responses", { authorization: `Bearer ${client.key}`, cookie: jwt }],
  ];
  for (const [method, path, headers] of tries) {
    const received = await sendRaw(proxyUrl + path, {
      method,
      headers,
      body: method === "GET" ? "" : `{"broken ${PROMPT}`,
    }).received;
    said.push({ where: `${method} ${path.slice(0, 12)}`, text: received.text });
  }
}

/** What operators do, and get wrong with secrets in their hands. */
async function operators(accounts: readonly AccountJson[]): Promise<void> {
  const login = JSON.stringify(stage.sim.login("gamma"));
  rememberTokens(JSON.parse(login));
  for (const data of [
    login.slice(0, -1),
    `${login}\n{"tokens":`,
    login.replace('"refresh_token":"', '"refresh_token":["'),
    login.replace("auth_mode", MAIL),
  ]) {
    await told(
      "import",
      control.call("TransferService/ImportAccounts", { files: [{ data: Buffer.from(data).toString("base64") }] }),
    );
  }
  await told("rename", control.call("AccountService/UpdateAccount", { accountId: accounts[2]!.id, alias: "third" }));
  await told(
    "an alias that is an address",
    control.call("AccountService/UpdateAccount", { accountId: accounts[2]!.id, alias: `third.${word()}@example.test` }),
  );
  const second = await control.createKey("second");
  remember("second client key", second);
  const { keys } = await control.call<{ keys: KeyJson[] }>("KeyService/ListKeys");
  await told("revoke", control.call("KeyService/RevokeKey", { keyId: keys.find(({ name }) => name === "second")!.id }));
  await told("an unknown setting", control.call("SettingService/UpdateSetting", { key: "nothing", value: "1" }));
}

describe("no secret leaves its place", () => {
  test("there are secrets to look for, and the search finds them", () => {
    expect(secrets.size).toBeGreaterThan(25);
    const upstream = relay
      .answers()
      .map(({ body }) => new TextDecoder().decode(body))
      .join("");
    expect(leaksIn(upstream).length).toBeGreaterThan(10);
    expect(said.length).toBeGreaterThan(20);
  });

  test("not in what clients and callers are told", () => {
    for (const { where, text } of said) {
      expect(`${where}: ${leaksIn(text)}`).toBe(`${where}: `);
      expect(`${where}: ${text.includes(MAIL)}`).toBe(`${where}: false`);
    }
  });

  test("not in any answer of the control socket; an e-mail address only in its account", async () => {
    const accountId = (await control.accounts())[0]!.id;
    const exchangeId = (await control.exchanges())[0]!.id;
    const asked: [string, object][] = [
      ["DaemonService/GetDaemon", {}],
      ["DaemonService/GetStatus", {}],
      ["DaemonService/RunDiagnostics", {}],
      ["AccountService/ListAccounts", {}],
      ["AccountService/GetAccount", { accountId }],
      ["PoolService/GetPool", {}],
      ["PoolService/ExplainSelection", {}],
      ["ExchangeService/ListExchanges", { pageSize: 100 }],
      ["ExchangeService/ListExchanges", { pageSize: 100, failed: true }],
      ["ExchangeService/GetExchange", { exchangeId }],
      ["KeyService/ListKeys", {}],
      ["SettingService/ListSettings", {}],
    ];
    for (const [method, request] of asked) {
      const text = await control.callRaw(method, request);
      expect(`${method}: ${leaksIn(text)}`).toBe(`${method}: `);
      const elsewhere = text.replaceAll(/"email":"[^"]*"/g, "");
      expect(`${method}: ${elsewhere.includes(MAIL)}`).toBe(`${method}: false`);
    }
  });

  test("not in a file, plain or encoded; e-mail addresses only in the store", async () => {
    // While it runs, with what SQLite keeps beside the store, and after it.
    searchFiles(["rotor.db", "rotor.db-wal", "rotor.key", "rotor.log", "daemon.json"]);
    daemon.signal("SIGTERM");
    await daemon.exited;
    searchFiles(["rotor.db", "rotor.key", "rotor.log"]);
  });

  function searchFiles(expected: readonly string[]): void {
    const files = readdirSync(home).filter((name) => lstatSync(join(home, name)).isFile());
    expect(files).toEqual(expect.arrayContaining([...expected]));
    const packed = packedText(join(home, "rotor.db"));
    expect(packed.toString()).toContain('"attempts":[{');
    for (const name of [...files, "packed"]) {
      const bytes = name === "packed" ? packed : readFileSync(join(home, name));
      const text = bytes.toString("latin1");
      expect(`${name}: ${leaksIn(text)}`).toBe(`${name}: `);
      for (const encoding of ["base64", "hex"] as const) {
        const encoded = [...secrets].filter(([, core]) =>
          text.includes(Buffer.from(core).toString(encoding).slice(4, 36)),
        );
        expect(`${name} ${encoding}: ${encoded.map(([what]) => what)}`).toBe(`${name} ${encoding}: `);
      }
      if (!name.startsWith("rotor.db")) expect(`${name}: ${text.includes(MAIL)}`).toBe(`${name}: false`);
    }
  }

  test("not on standard error; and the log has said what happened", async () => {
    const stderr = await daemon.stderr();
    expect(leaksIn(stderr)).toEqual([]);
    expect(stderr.includes(MAIL)).toBe(false);
    const log = readFileSync(join(home, "rotor.log"), "utf8");
    for (const event of ["account.credentials_renewed", "account.needs_login", "exchange.ended", "exchange.refused"]) {
      expect(log).toContain(event);
    }
    expect(log).toContain('"level":"debug"');
    expect(log).toContain("Incorrect token [removed]");
  });
});
