/**
 * What happens on a canary day: each kind of login, renewals that succeed and fail, files, switches, exports, backups, another seal,
 * strangers, upstreams that quote what they were sent, a store that breaks. Judges nothing.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { FaultSpec } from "../../../src/simulator/fault-book.ts";
import type { AuthJson } from "../../../src/simulator/token-vault.ts";
import { FAILURE_TABLE } from "../failure-table.ts";
import {
  ALIASES,
  authJson,
  call,
  ctl,
  type Day,
  passphraseOf,
  plantKeyFile,
  plantLogin,
  tell,
  wordsOf,
} from "./canary-room.ts";
import { createProxyClient, DRESSES } from "./client.ts";
import type { KeyJson } from "./control.ts";
import { readEverything } from "./every-read.ts";
import { sendRaw } from "./raw-http.ts";
import { until } from "./until.ts";

interface LoginJson {
  readonly login: {
    readonly id: string;
    readonly authorizeUrl: string;
    readonly userCode: string;
    readonly state: string;
  };
}

/** In a browser, by hand and with a code; and each of them wrongly. */
export async function signIn(day: Day): Promise<void> {
  const { stage, canaries, chance } = day;
  const start = (method: string, alias: string) =>
    call<LoginJson>(day, "LoginService/StartLogin", { method: `LOGIN_METHOD_${method}`, alias });
  const sentTo = async (url: string, who: string) => {
    stage.sim.oauth.autoApprove = who;
    const answer = await fetch(url, { redirect: "manual" });
    return answer.headers.get("location")!;
  };
  const stray = `ac_${wordsOf(chance)()}${wordsOf(chance)()}${wordsOf(chance)()}`;
  canaries.plant("authorization code", stray);

  const browser = (await start("BROWSER", "alpha"))!.login;
  const address = await sentTo(browser.authorizeUrl, "alpha");
  const wrong = new URL(address);
  wrong.searchParams.set("code", stray);
  wrong.searchParams.set("state", `${stray}${stray}`);
  for (const url of [wrong.href, address]) {
    const page = await fetch(url);
    tell(day, "callback page", `${page.status} ${await page.text()} ${JSON.stringify([...page.headers])}`);
  }

  const manual = (await start("MANUAL", "beta"))!.login;
  const complete = (callbackUrl: string) =>
    call(day, "LoginService/CompleteLogin", { loginId: manual.id, callbackUrl });
  await complete(`https://example.org/auth/callback?code=${stray}&state=${stray}`);
  await complete(`nonsense ${stray}`);
  await complete(await sentTo(manual.authorizeUrl, "beta"));

  const device = (await start("DEVICE", "gamma"))!.login;
  canaries.plant("user code", device.userCode);
  stage.sim.oauth.autoApprove = null;
  const form = new URLSearchParams({ user_code: device.userCode, account: "gamma", action: "allow" });
  await fetch(`${stage.sim.issuer}/codex/device`, { method: "POST", body: form });
  await until(async () => (await day.daemon.control.accounts()).length === 3, "the end of three logins");

  // A code that the issuer refuses to take.
  const refused = (await start("MANUAL", "never"))!.login;
  const late = new URL(await sentTo(refused.authorizeUrl, "delta"));
  canaries.plant("authorization code", late.searchParams.get("code")!);
  stage.sim.addFault({ at: "token", kind: "custom", status: 400, body: quoting(day, "alpha") });
  await call(day, "LoginService/CompleteLogin", { loginId: refused.id, callbackUrl: late.href });
  await start("BROWSER", "open");
  await ctl(day, ["login", "list"]);
  await ctl(day, ["login", "list", "--json"]);
  await ctl(day, ["login", "cancel", "--all"]);
}

/** An upstream that repeats what it was told, as real ones do. */
function quoting({ stage, canaries }: Day, alias: string): { error: { message: string; code: string } } {
  const { tokens } = stage.sim.login(alias);
  plantLogin(canaries, tokens);
  const { email } = stage.sim.account(alias);
  const message = `Incorrect token ${tokens.access_token} of ${email}, refresh_token=${tokens.refresh_token}`;
  return { error: { message, code: "server_error" } };
}

/** Files that are good, and broken in every way that leaves a token near the break. */
export async function bringFiles(day: Day): Promise<void> {
  const { folder } = day.stage;
  const put = (name: string, text: string) => {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  const good = put("good.json", authJson(day, "delta"));
  await ctl(day, ["import", good, "--dry-run"]);
  await ctl(day, ["import", good, "--json"]);
  await ctl(day, ["account", "rename", "plus", "delta"]);
  const one = authJson(day, "epsilon");
  const broken = {
    cut: one.slice(0, -1),
    "second-line": `${one}\n{"tokens":`,
    "wrong-type": one.replace('"refresh_token":"', '"refresh_token":["'),
    "no-access": one.replace('"access_token":"', '"access_token_was":"'),
    "bare-token": JSON.parse(one).tokens.refresh_token as string,
    "as-key": JSON.stringify({ [JSON.parse(one).tokens.access_token as string]: 1 }),
    toml: `refresh_token = "${JSON.parse(one).tokens.refresh_token}"\n`,
  };
  for (const [name, text] of Object.entries(broken)) {
    const file = put(`broken-${name}.json`, text);
    await ctl(day, ["import", file, ...(text.length % 2 === 0 ? ["--json"] : [])]);
    const data = Buffer.from(text).toString("base64");
    await call(day, "TransferService/ImportAccounts", { files: [{ name: `${name}.json`, data }] });
  }
  await ctl(day, ["account", "add", "-", "--alias", "epsilon"], one);
  // What a person may type in the wrong place.
  const { access_token, refresh_token } = JSON.parse(one).tokens as Record<string, string>;
  await call(day, "AccountService/UpdateAccount", { accountId: access_token, alias: refresh_token });
  await call(day, "SettingService/UpdateSetting", { key: "wait_seconds", value: refresh_token });
  await call(day, "PoolService/PinAccount", { accountId: refresh_token });
}

/** Requests that are served: every door, every dress. */
export async function serve(day: Day): Promise<void> {
  const { client, canaries, chance } = day;
  const prompt = `prompt-${wordsOf(chance)()}-${wordsOf(chance)()}`;
  canaries.plant("prompt", prompt);
  // What comes back is upstream's answer to it, which may repeat it.
  for (const dress of DRESSES) await client.ask(dress, { text: prompt, more: { prompt_cache_key: prompt } });
  const ask = (path: string, body: object, headers: Record<string, string>) =>
    sendRaw(client.url + path, {
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    }).received;
  const messages = [{ role: "user", content: prompt }];
  await ask("/v1/chat/completions", { model: "gpt-5.5", messages }, { authorization: `Bearer ${client.key}` });
  const codex = { model: "gpt-5.5", stream: true, store: false, input: messages };
  await ask(`/k/${client.key}/backend-api/codex/responses`, codex, { originator: "codex_exec" });
  const models = await client.get("/v1/models");
  tell(day, "proxy /v1/models", models.text);
}

/** Each class of the failure table; and upstreams that quote. On one account: a burst across accounts would only pause the pool. */
export async function fail(day: Day): Promise<void> {
  const { stage, client } = day;
  const { sim } = stage;
  const { control } = day.daemon;
  const ask = async (where: string) => {
    const received = await client.ask(day.chance.pick(DRESSES));
    tell(day, `proxy ${where}`, `${received.text}\n${JSON.stringify([...received.headers])}`);
    await mend(day, "alpha");
    await pin();
    await until(async () => (await client.ask("codex")).status === 200, "an answer after a fault");
  };
  const pin = async () => control.call("PoolService/PinAccount", { accountId: (await control.account("alpha")).id });
  await pin();
  for (const { says, rows } of FAILURE_TABLE) {
    const { faults } = day.chance.pick(rows);
    for (const { on: _, at, ...fault } of faults) {
      if (!/stall|slow|pause/.test(fault.kind))
        sim.addFault({ ...fault, at: at ?? "responses", account: "alpha" } as FaultSpec);
    }
    await ask(`error of the class "${says}"`);
  }
  for (const status of [401, 402, 429, 500, 502, 503]) {
    sim.addFault({ at: "responses", kind: "custom", status, body: quoting(day, "alpha"), times: 12 });
    await ask(`quoting ${status}`);
  }
  for (const code of ["server_error", "usage_limit_reached"]) {
    const { message } = quoting(day, "beta").error;
    sim.addFault({ at: "responses", kind: "error_event", code, message, times: 12 });
    await ask("quoting event");
  }
  for (const status of [400, 403]) {
    sim.addFault({ at: "responses", kind: "custom", status, body: quoting(day, "alpha") });
    await ask("refusal that passes byte for byte");
  }
  await control.call("PoolService/UnpinAccount");
  for (const account of ALIASES) sim.addFault({ at: "responses", account, kind: "usage_limit", times: "always" });
  tell(day, "proxy nobody is left", (await client.ask("sdk")).text);
  for (const alias of ALIASES) await mend(day, alias);
}

/** The account as if nothing had happened to it. */
async function mend(day: Day, alias: string): Promise<void> {
  const { control } = day.daemon;
  day.stage.sim.clearFaults();
  await control.call("AccountService/RemoveAccount", { accountId: (await control.account(alias)).id });
  await control.importLogin(JSON.parse(authJson(day, alias)), alias);
}

/** Renewals: granted, refused for good and for now, lost on their way, answered with what cannot be used. */
export async function renew(day: Day): Promise<void> {
  const { sim } = day.stage;
  const { control } = day.daemon;
  const refresh = async (alias: string) =>
    call(day, "AccountService/RefreshAccount", { accountId: (await control.account(alias)).id });
  for (const alias of ALIASES) await refresh(alias);
  await ctl(day, ["account", "refresh", "--all"]);
  for (const alias of ALIASES) sim.expireAccess(alias);
  await day.client.ask("codex");
  const body = quoting(day, "alpha");
  for (const status of [400, 401, 403, 429, 500, 503]) {
    sim.addFault({ at: "refresh", account: "alpha", kind: "custom", status, body });
    await refresh("alpha");
    await mend(day, "alpha");
  }
  for (const kind of [
    "lost_answer",
    "broken_json",
    "foreign_account",
    "without_access_token",
    "invalid_grant",
  ] as const) {
    sim.addFault({ at: "refresh", account: "beta", kind });
    await ctl(day, ["account", "refresh", "beta", "--json"]);
    await mend(day, "beta");
  }
  sim.revoke("gamma");
  await refresh("gamma");
}

/** Who should not be there, with secrets wherever a request can carry one. */
export async function strangers(day: Day): Promise<void> {
  const { client, canaries, chance } = day;
  const word = wordsOf(chance);
  const jwt = (JSON.parse(authJson(day, "beta")) as AuthJson).tokens.access_token;
  const wrong = `rtr_nobody_${word()}${word()}${word()}${word()}`;
  canaries.plant("wrong client key", wrong);
  const tries: [string, string, Record<string, string>][] = [
    ["GET", `/k/${client.key}/backend-api/codex/nothing`, {}],
    ["GET", `/k/${client.key}/nothing/here`, {}],
    ["GET", `/k/${wrong}/backend-api/wham/usage`, {}],
    ["GET", `/nothing/${client.key}?key=${client.key}`, {}],
    ["GET", `/v1/models?access_token=${jwt}`, { "x-api-key": wrong }],
    ["POST", "/v1/responses", { authorization: `Bearer ${wrong}` }],
    ["POST", "/v1/chat/completions", { authorization: `Basic ${btoa(wrong)}` }],
    ["POST", "/backend-api/codex/responses", { authorization: `Bearer ${jwt}` }],
    ["POST", "/v1/responses", { authorization: `Bearer ${client.key}`, host: `${jwt}.example.org` }],
    [
      "POST",
      "/v1/responses",
      { authorization: `Bearer ${client.key}`, origin: `https://${word()}.example`, cookie: jwt },
    ],
    ["POST", "/v1/responses", { authorization: `Bearer ${client.key}`, "content-encoding": jwt.slice(-60) }],
  ];
  for (const [method, path, headers] of tries) {
    const body = method === "GET" ? "" : `{"model": "${jwt}`;
    const received = await sendRaw(client.url + path, { method, headers, body }).received;
    tell(day, `proxy ${method} ${path.slice(0, 12)}`, `${received.text} ${JSON.stringify([...received.headers])}`);
  }
  const key = await call<{ secret: string }>(day, "KeyService/CreateKey", { name: "short" });
  canaries.plant("client key", key!.secret);
  const { keys } = (await call<{ keys: KeyJson[] }>(day, "KeyService/ListKeys"))!;
  await call(day, "KeyService/RevokeKey", { keyId: keys.find(({ name }) => name === "short")!.id });
  const revoked = await createProxyClient(client.url, key!.secret).ask("codex");
  tell(day, "proxy revoked key", revoked.text);
}

/** The login of another program: switched, taken, and a file that breaks. */
export async function share(day: Day): Promise<void> {
  const file = join(day.env.CODEX_HOME!, "auth.json");
  writeFileSync(file, authJson(day, "epsilon"), { mode: 0o600 });
  await ctl(day, ["account", "switch", "delta", "--dry-run"]);
  await ctl(day, ["account", "switch", "delta", "--yes", "--json"]);
  await ctl(day, ["file", "list", "--json"]);
  writeFileSync(file, readFileSync(file, "utf8").slice(0, -30));
  await ctl(day, ["account", "sync", "delta"]);
  await ctl(day, ["account", "take", "delta"]);
}

/** Exports: refused, only told, under a passphrase, and open because it was said three times that this is meant. */
export async function giveAway(day: Day): Promise<void> {
  const { canaries, stage, chance } = day;
  const pool = join(stage.folder, "pool.rotor");
  const passphrase = passphraseOf(chance);
  canaries.plant("export passphrase", passphrase);
  await ctl(day, ["export", "--to", "pool", "--out", pool, "--dry-run"]);
  await ctl(day, ["export", "--to", "pool", "--out", pool, "--passphrase-stdin", "--yes"], `${passphrase}\n`);
  await ctl(day, ["import", pool, "--passphrase-stdin"], `not ${passphrase}\n`);
  await ctl(day, ["import", pool, "--passphrase-stdin", "--dry-run", "--json"], `${passphrase}\n`);
  const open = ["export", "alpha", "--to", "codex", "--out", join(stage.folder, "exported.json")];
  await ctl(day, open, "");
  await ctl(day, [...open, "--dry-run", "--json"]);
  await ctl(day, [...open, "--yes"]);
  await ctl(day, [...open, "--yes", "--plain-text"]);
}

const PASSPHRASE_KINDS = ["seal passphrase", "backup passphrase", "wrong passphrase"] as const;

/** Copies under passphrases, another seal, locked and unlocked; each passphrase given rightly and wrongly. */
export async function copyAndSeal(day: Day): Promise<void> {
  const { canaries, stage, chance } = day;
  const [seal, backup, wrong] = PASSPHRASE_KINDS.map((kind) => {
    const value = passphraseOf(chance);
    canaries.plant(kind, value);
    return value;
  }) as [string, string, string];
  const away = join(stage.folder, "away.rotor-backup");
  await ctl(day, ["backup"]);
  await ctl(day, ["backup", "create", "--passphrase", "--out", away], `${backup}\n`);
  await ctl(day, ["restore", away, "--yes"], `${wrong}\n`);
  await ctl(day, ["restore", away, "--dry-run", "--json"], `${backup}\n`);
  await ctl(day, ["restore", "latest", "--yes"]);
  await ctl(day, ["restore", "--undo", "--yes", "--json"]);
  await call(day, "BackupService/VerifyBackup", { name: "nothing", passphrase: wrong });
  await ctl(day, ["seal", "change", "passphrase"], `${seal}\n`);
  await ctl(day, ["seal", "rotate"]);
  await ctl(day, ["seal", "lock"]);
  tell(day, "proxy while locked", (await day.client.ask("sdk")).text);
  await ctl(day, ["account", "list"]);
  await ctl(day, ["seal", "unlock"], `${wrong}\n`);
  await call(day, "SealService/UnlockSeal", { passphrase: wrong });
  await ctl(day, ["seal", "unlock"], `${seal}\n`);
  await ctl(day, ["backup"]);
  await ctl(day, ["seal", "change", "key-file", "--yes"]);
  plantKeyFile(day);
  await ctl(day, ["backup"]);
}

const COMMANDS: readonly (readonly string[])[] = [
  ...[
    ["status"],
    ["status", "--full"],
    ["status", "--full", "--json"],
    ["doctor"],
    ["path"],
    ["version"],
    ["help"],
    ["help", "login"],
    ["help", "errors"],
  ],
  ...[
    ["account", "list"],
    ["account", "show", "alpha"],
    ["account", "probe", "alpha"],
    ["key", "list"],
    ["login", "list"],
  ],
  ...[
    ["pool", "show"],
    ["pool", "explain"],
    ["pool", "explain", "--last"],
    ["pool", "forecast"],
    ["pool", "best"],
  ],
  ...[
    ["exchange", "list"],
    ["exchange", "list", "--failed"],
    ["exchange", "show", "last"],
    ["audit", "list"],
  ],
  ...[
    ["setting", "list"],
    ["seal", "show"],
    ["backup", "list"],
    ["file", "list"],
    ["log"],
    ["connect", "codex", "--print"],
  ],
  ...[["account", "show", "nobody"], ["exchange", "show", "nothing"], ["setting", "get", "nothing"], ["nonsense"]],
];

export async function readAll(day: Day): Promise<void> {
  for (const command of COMMANDS) {
    await ctl(day, command);
    await ctl(day, [...command, "--json"]);
  }
  const { control, socket } = day.daemon;
  const latest = (await control.exchanges())[0]!.id;
  await ctl(day, ["exchange", "show", latest]);
  await ctl(day, ["exchange", "show", latest, "--json"]);
  await ctl(day, ["account", "show", (JSON.parse(authJson(day, "alpha")) as AuthJson).tokens.refresh_token]);
  const [account] = await control.accounts();
  const [exchange] = await control.exchanges();
  const { keys } = await control.call<{ keys: KeyJson[] }>("KeyService/ListKeys");
  const { backups } = await control.call<{ backups: { name: string }[] }>("BackupService/ListBackups");
  const { logins } = await control.call<{ logins?: { id: string }[] }>("LoginService/ListLogins");
  const ids = { account_id: account!.id, exchange_id: exchange!.id, login_id: logins?.[0]?.id ?? "none" };
  const token = (JSON.parse(authJson(day, "alpha")) as AuthJson).tokens.refresh_token;
  const tokens = { account_id: token, exchange_id: token, login_id: token, key_id: token, name: token, key: token };
  for (const { method, text, isRefusal } of await readEverything(socket, [
    {},
    { page_size: 100, failed: true, model: "gpt-5.5" },
    { ...ids, key_id: keys[0]!.id, name: backups[0]!.name, key: "wait_seconds", page_size: 100, last: true },
    { ...tokens, page_token: token, passphrase: token, model: token, action: token, subject: token },
  ])) {
    tell(day, `answer of ${method}`, text);
    if (!isRefusal) day.answered.add(method);
  }
}

/** What is broken is kept: that must hold nothing either. */
export async function breakStore(day: Day): Promise<void> {
  const { daemon, stage } = day;
  await daemon.terminate();
  const database = join(daemon.home, "rotor.db");
  const bytes = readFileSync(database);
  writeFileSync(database, bytes.fill(0xa5, 0, 4_096));
  const { ROTOR_HOME: _, ...env } = day.env;
  day.daemon = await stage.start({ env });
  day.client = createProxyClient(day.daemon.proxyUrl, day.client.key);
  await day.client.ask("codex");
  await ctl(day, ["status"]);
  await ctl(day, ["doctor", "--fix"]);
  await ctl(day, ["log", "-n", "50"]);
}
