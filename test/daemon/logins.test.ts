/**
 * Logins from end to end: a real daemon, the simulator as issuer, and a test that does what a browser and a person do. One after another,
 * because the callback ports are the same for all.
 */
import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { occupyPort, reserveCallbackPorts } from "../support/callback-ports.ts";
import { createProxyClient } from "./support/client.ts";
import type { AccountJson } from "./support/control.ts";
import { type DaemonProcess, ROTOR } from "./support/daemon-process.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until } from "./support/until.ts";

setDefaultTimeout(60_000);

interface LoginJson {
  readonly id: string;
  readonly state: string;
  readonly authorizeUrl?: string;
  readonly redirectUri?: string;
  readonly verificationUrl?: string;
  readonly userCode?: string;
  readonly account?: AccountJson;
  readonly added?: boolean;
  readonly errorCode?: string;
  readonly errorMessage?: string;
}

let turn: Disposable;
let stage: Stage;
let daemon: DaemonProcess;
beforeAll(async () => {
  turn = await reserveCallbackPorts();
  stage = await openStage({
    accounts: [
      { alias: "alpha", plan: "plus", email: "alpha@people.example" },
      { alias: "beta", plan: "team", email: "beta@people.example" },
    ],
  });
  daemon = await stage.start();
});
afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  turn[Symbol.dispose]();
});
beforeEach(async () => {
  stage.sim.oauth.autoApprove = null;
  stage.sim.clearFaults();
  for (const { id } of await daemon.control.accounts())
    await daemon.control.call("AccountService/RemoveAccount", { accountId: id });
});

const call = async (method: string, request: object): Promise<LoginJson> =>
  (await daemon.control.call<{ login: LoginJson }>(`LoginService/${method}`, request)).login;
const start = (method: "BROWSER" | "DEVICE" | "MANUAL", more: object = {}) =>
  call("StartLogin", { method: `LOGIN_METHOD_${method}`, ...more });
const loginNow = async (id: string): Promise<LoginJson> => {
  const { logins } = await daemon.control.call<{ logins: LoginJson[] }>("LoginService/ListLogins");
  return logins.find((login) => login.id === id)!;
};
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code: string }) => error.code,
  );

/** Opens the address as a browser that `who` is signed in with, and goes where the issuer sends it. */
async function visit(login: LoginJson, who: string): Promise<{ status: number; text: string; address: string }> {
  stage.sim.oauth.autoApprove = who;
  const sent = await fetch(login.authorizeUrl!, { redirect: "manual" });
  const address = sent.headers.get("location")!;
  const page = await fetch(address);
  return { status: page.status, text: await page.text(), address };
}

/** The sign-in page, with what a person chose. */
async function choose(login: LoginJson, choice: { account: string; action: "allow" | "deny" }): Promise<string> {
  stage.sim.oauth.autoApprove = null;
  const page = await (await fetch(login.authorizeUrl!)).text();
  const ticket = /name="ticket" value="([^"]+)"/.exec(page)![1]!;
  const sent = await fetch(`${stage.sim.issuer}/oauth/authorize/consent`, {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams({ ticket, ...choice }),
  });
  return sent.headers.get("location")!;
}

const isListening = (port: number) =>
  fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    () => false,
  );

test("a browser login adds an account that serves, and leaves neither a listener nor a trace of its code", async () => {
  expect(await isListening(1455)).toBe(false);
  const login = await start("BROWSER", { alias: "work" });
  expect(login).toMatchObject({ state: "LOGIN_STATE_PENDING", redirectUri: "http://127.0.0.1:1455/auth/callback" });
  const page = await visit(login, "alpha");
  expect(page.status).toBe(200);
  expect(page.text).toContain("The account work is part of the pool now");
  const done = await loginNow(login.id);
  expect(done).toMatchObject({
    state: "LOGIN_STATE_COMPLETED",
    added: true,
    account: { alias: "work", email: "alpha@people.example" },
  });
  expect(await isListening(1455)).toBe(false);
  const client = createProxyClient(daemon.proxyUrl, await daemon.control.createKey("browser"));
  expect(await client.ask("codex")).toMatchObject({ status: 200 });
  expect(stage.sim.requests().at(-1)).toMatchObject({ account: "alpha", status: 200 });
  const { searchParams } = new URL(page.address);
  for (const secret of [searchParams.get("code")!, searchParams.get("state")!, "alpha@people.example"])
    expect(daemon.logText()).not.toContain(secret);
  expect(daemon.logText()).toContain('"event":"login.completed"');
});

test("a second account is asked for on the page although the browser is signed in, and a no is a no", async () => {
  await visit(await start("BROWSER"), "alpha");
  const login = await start("BROWSER");
  expect(new URL(login.authorizeUrl!).searchParams.get("prompt")).toBe("login");
  const no = await fetch(await choose(login, { account: "beta", action: "deny" }));
  expect(no.status).toBe(400);
  expect(await no.text()).toContain("The user said no (access_denied)");
  expect(await loginNow(login.id)).toMatchObject({ state: "LOGIN_STATE_FAILED", errorCode: "login_refused" });
  const again = await start("BROWSER");
  const yes = await fetch(await choose(again, { account: "beta", action: "allow" }));
  expect(yes.status).toBe(200);
  expect((await daemon.control.accounts()).map(({ alias }) => alias)).toEqual(["plus", "team"]);
});

test("several at once share the port and are told apart; a foreign state gets nowhere", async () => {
  const [one, two] = [await start("BROWSER", { alias: "one" }), await start("BROWSER", { alias: "two" })];
  const stray = await fetch(`${one.redirectUri}?code=ac_stray&state=${"s".repeat(43)}`);
  expect([stray.status, await stray.text()]).toEqual([400, expect.stringContaining("State mismatch")]);
  expect((await visit(two, "beta")).text).toContain("The account two");
  expect((await visit(one, "alpha")).text).toContain("The account one");
  expect(await isListening(1455)).toBe(false);
});

test("a login by hand takes the address of a browser that could not come back", async () => {
  const login = await start("MANUAL", { alias: "far" });
  expect(await isListening(1455)).toBe(false);
  const address = await choose(login, { account: "beta", action: "allow" });
  const complete = (callbackUrl: string) => call("CompleteLogin", { loginId: login.id, callbackUrl });
  expect(await codeOf(complete(login.authorizeUrl!))).toBe("invalid_callback");
  expect(await codeOf(complete("nonsense"))).toBe("invalid_callback");
  expect(await complete(address)).toMatchObject({ state: "LOGIN_STATE_COMPLETED", account: { alias: "far" } });
});

test("a device login ends when somebody has typed its code elsewhere", async () => {
  const login = await start("DEVICE");
  expect(login.verificationUrl).toBe(`${stage.sim.issuer}/codex/device`);
  const { userCode } = login;
  const typed = await fetch(login.verificationUrl!, {
    method: "POST",
    body: new URLSearchParams({ user_code: userCode!, account: "beta", action: "allow" }),
  });
  expect(typed.status).toBe(200);
  await until(async () => (await loginNow(login.id)).state !== "LOGIN_STATE_PENDING", "the end of the device login");
  expect(await loginNow(login.id)).toMatchObject({ state: "LOGIN_STATE_COMPLETED", account: { alias: "team" } });
});

test("a login that was lost is renewed in place by its owner alone, and stays switched off", async () => {
  await visit(await start("BROWSER", { alias: "work" }), "alpha");
  const account = await daemon.control.account("work");
  await daemon.control.call("AccountService/UpdateAccount", { accountId: account.id, enabled: false, force: true });
  stage.sim.revoke("alpha");
  const refused = daemon.control.call("AccountService/RefreshAccount", { accountId: account.id });
  expect(await codeOf(refused)).toBe("login_rejected");
  const kinds = async () => (await daemon.control.account("work")).holds?.map(({ kind }) => kind);
  expect(await kinds()).toEqual(["HOLD_KIND_DISABLED", "HOLD_KIND_NEEDS_LOGIN"]);

  const stranger = await start("MANUAL", { accountId: account.id });
  expect(new URL(stranger.authorizeUrl!).searchParams.get("login_hint")).toBe("alpha@people.example");
  const wrong = await choose(stranger, { account: "beta", action: "allow" });
  expect(await call("CompleteLogin", { loginId: stranger.id, callbackUrl: wrong })).toMatchObject({
    state: "LOGIN_STATE_FAILED",
    errorCode: "wrong_identity",
  });
  expect(await kinds()).toContain("HOLD_KIND_NEEDS_LOGIN");

  const owner = await start("BROWSER", { accountId: account.id });
  expect((await visit(owner, "alpha")).text).toContain("The account work has new credentials");
  const renewed = await daemon.control.account("work");
  expect(renewed).toMatchObject({ id: account.id, credentials: { generation: "2" } });
  expect(await kinds()).toEqual(["HOLD_KIND_DISABLED"]);
});

test("a taken port sends it to the other one, two taken ports are said, and a cancelled login frees its own", async () => {
  using first = occupyPort(1455);
  const login = await start("BROWSER");
  expect(login.redirectUri).toBe("http://127.0.0.1:1457/auth/callback");
  expect((await visit(login, "alpha")).status).toBe(200);
  const canceled = await start("BROWSER");
  expect(await isListening(1457)).toBe(true);
  await call("CancelLogin", { loginId: canceled.id });
  expect(await isListening(1457)).toBe(false);
  using second = occupyPort(1457);
  const refused = await start("BROWSER").catch((error) => error);
  expect([refused.code, refused.hint]).toEqual(["address_in_use", "rotor login --device"]);
  expect(await codeOf(start("MANUAL"))).toBe("done");
  expect([first, second]).toHaveLength(2);
});

test("a login learns what its workspaces are called and which others there are; one that upstream does not tell does no harm", async () => {
  const person = { email: "gamma@people.example", userId: "user-gamma" };
  for (const plan of ["team", "plus"]) stage.sim.addAccount({ ...person, alias: `gamma-${plan}`, plan });
  await visit(await start("BROWSER", { alias: "one" }), "gamma-team");
  expect(await daemon.control.account("one")).toMatchObject({ workspaceName: "gamma-team workspace" });
  const { logins } = await daemon.control.call<{
    logins: (LoginJson & { otherWorkspaces: { id: string; name: string }[] })[];
  }>("LoginService/ListLogins");
  const others = logins.find(({ account }) => account?.alias === "one")!.otherWorkspaces;
  expect(others).toEqual([{ id: stage.sim.account("gamma-plus").accountId, name: "Personal" }]);
  // To the other one, by its id; then none is left to offer.
  const second = await start("BROWSER", { alias: "two", workspaceId: others[0]!.id });
  await visit(second, "gamma-plus");
  expect(await loginNow(second.id)).toMatchObject({
    account: { alias: "two", workspaceName: "Personal" },
    otherWorkspaces: [],
  });
  stage.sim.addFault({ at: "accounts_check", kind: "server_error", times: "always" });
  const third = await start("BROWSER", { alias: "three" });
  await visit(third, "alpha");
  expect(await loginNow(third.id)).toMatchObject({ state: "LOGIN_STATE_COMPLETED", account: { alias: "three" } });
});

test("what was added by a login is there after a kill, and open logins are not", async () => {
  await visit(await start("BROWSER", { alias: "kept" }), "alpha");
  await start("BROWSER");
  await daemon.kill();
  daemon = await stage.start();
  expect((await daemon.control.accounts()).map(({ alias }) => alias)).toEqual(["kept"]);
  expect(await daemon.control.call("LoginService/ListLogins")).toEqual({ logins: [] });
  expect(await isListening(1455)).toBe(false);
});

for (const [signal, exit] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  test(`${signal} to a ctl that waits calls its login off, and is its exit code`, async () => {
    const ctl = Bun.spawn([...ROTOR, "login", "--device"], { env: stage.env(), stdin: "ignore", stdout: "ignore" });
    const logins = () => daemon.control.call<{ logins?: LoginJson[] }>("LoginService/ListLogins");
    const pending = async () => ((await logins()).logins ?? []).filter(({ state }) => state.endsWith("_PENDING"));
    await until(async () => (await pending()).length === 1, "the login");
    ctl.kill(signal);
    expect(await ctl.exited).toBe(exit);
    expect(await pending()).toEqual([]);
  });
}
