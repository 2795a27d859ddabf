/** The login client against the simulator (two readings of the same wire, written apart), and against answers that the simulator does not give. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { Secret } from "../../src/base/secret.ts";
import { createSimulator, type Simulator } from "../../src/simulator/simulator.ts";
import { readCallback } from "../../src/upstream/oauth-callback.ts";
import { type CodeGrant, callbackUri, createLoginIssuer, type LoginIssuer } from "../../src/upstream/oauth-login.ts";
import { recordingLog } from "../support/recording-log.ts";
import { useHarness } from "./harness.ts";

const CLIENT_ID = "app_EMoamEEZ73f0CkXaXp7hrann";
const REDIRECT = callbackUri(1455);
const never = () => new AbortController().signal;
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => "done",
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );

describe("the address to open", () => {
  const issuer = createLoginIssuer({
    issuer: "https://auth.example/",
    clientId: CLIENT_ID,
    clock: systemClock,
    dice: systemDice,
    log: silentLog,
  });

  test("has what the official client sends, in its order, and proofs of full length", () => {
    const { url, state, verifier, redirectUri } = issuer.authorize({
      redirectUri: REDIRECT,
      askWho: false,
      loginHint: null,
    });
    const challenge = createHash("sha256").update(verifier.reveal()).digest("base64url");
    expect(url).toBe(
      `https://auth.example/oauth/authorize?response_type=code&client_id=${CLIENT_ID}` +
        "&redirect_uri=http%3A%2F%2F127.0.0.1%3A1455%2Fauth%2Fcallback" +
        "&scope=openid+profile+email+offline_access+api.connectors.read+api.connectors.invoke" +
        `&code_challenge=${challenge}&code_challenge_method=S256` +
        `&id_token_add_organizations=true&codex_cli_simplified_flow=true&state=${state}&originator=codex_cli_rs`,
    );
    expect([redirectUri, verifier.reveal().length, state.length]).toEqual([REDIRECT, 86, 43]);
    expect(url).not.toContain(verifier.reveal());
  });

  test("asks who signs in and suggests an address when it is told to, and is never the same twice", () => {
    const options = { redirectUri: REDIRECT, askWho: true, loginHint: "a+b@c.example" };
    const [one, two] = [issuer.authorize(options), issuer.authorize(options)];
    const { searchParams } = new URL(one.url);
    expect([searchParams.get("prompt"), searchParams.get("login_hint")]).toEqual(["login", "a+b@c.example"]);
    expect(one.state).not.toBe(two.state);
    expect(one.verifier.reveal()).not.toBe(two.verifier.reveal());
  });
});

test("a login that is bound to one workspace says so to the page, and no other does", () => {
  const issuer = createLoginIssuer({
    issuer: "https://auth.example",
    clientId: CLIENT_ID,
    clock: systemClock,
    dice: systemDice,
    log: silentLog,
  });
  const options = { redirectUri: REDIRECT, askWho: false, loginHint: null };
  const bound = (workspaceId?: string) =>
    new URL(issuer.authorize({ ...options, workspaceId }).url).searchParams.get("allowed_workspace_id");
  expect([bound("workspace-1"), bound()]).toEqual(["workspace-1", null]);
});

describe("a callback", () => {
  const read = (text: string) => readCallback(new URLSearchParams(text));

  test("has a state, and a code or an error", () => {
    expect(read("code=c&scope=openid&state=s")).toMatchObject({ state: "s", answer: { kind: "code" } });
    const callback = read("code=c&state=s");
    expect(callback?.answer.kind === "code" && callback.answer.code.reveal()).toBe("c");
    for (const text of ["", "state=s", "code=c", "error=x", "state=&code=c", "state=s&code="])
      expect([text, read(text)]).toEqual([text, null]);
  });

  test("that refuses is put in safe words", () => {
    const answer = (text: string) => read(`state=s&${text}`)?.answer;
    expect(answer("error=access_denied")).toEqual({ kind: "refused", message: "access_denied" });
    expect(answer("error=access_denied&error_description=a%40b.example+%0A+said+no&code=c")).toEqual({
      kind: "refused",
      message: "[removed] said no (access_denied)",
    });
  });
});

describe("with the simulator", () => {
  let simulator: Simulator;
  let issuer: LoginIssuer;
  let logged: string[];

  beforeEach(async () => {
    const scenario = { accounts: [{ alias: "alpha", plan: "team", email: "a@b.example" }, { alias: "beta" }] };
    simulator = await createSimulator({ clock: systemClock, dice: systemDice, scenario });
    logged = [];
    const log = recordingLog(logged);
    const { issuer: url } = simulator;
    issuer = createLoginIssuer({ issuer: url, clientId: CLIENT_ID, clock: systemClock, dice: systemDice, log });
  });
  afterEach(() => simulator.close());

  const play = async (call: string, body: object) => {
    const response = await fetch(`${simulator.issuer}/__sim/v1/${call}`, {
      method: "POST",
      headers: { "x-rotor-sim": "1", "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return (await response.json()) as { redirectUrl: string };
  };

  /** The person signs in as `alpha`. */
  const signIn = async (): Promise<CodeGrant> => {
    const { url, verifier, redirectUri, state } = issuer.authorize({
      redirectUri: REDIRECT,
      askWho: true,
      loginHint: null,
    });
    const { redirectUrl } = await play("authorize", { url, account: "alpha" });
    const callback = readCallback(new URL(redirectUrl).searchParams);
    if (callback?.answer.kind !== "code" || callback.state !== state) throw new Error("no code for our state");
    return { code: callback.answer.code, verifier, redirectUri };
  };

  test("a code becomes tokens and whose they are; nothing of it is logged", async () => {
    const grant = await signIn();
    const { credentials, claims } = await issuer.exchange(grant, never());
    const account = simulator.account("alpha");
    expect(claims).toMatchObject({
      userId: account.userId,
      workspaceId: account.accountId,
      email: "a@b.example",
      tier: "team",
    });
    expect(claims.expiresAtMs! - Date.now()).toBeGreaterThan(860_000_000);
    const record = simulator.requests().find(({ path }) => path === "/oauth/token")!;
    const header = (name: string) => record.headers.find(([key]) => key.toLowerCase() === name)?.[1];
    expect(header("content-type")).toBe("application/x-www-form-urlencoded");
    expect(header("user-agent")).toStartWith("rotor/");
    const secrets = [grant.code, grant.verifier].map((secret) => secret.reveal());
    for (const secret of [...secrets, ...Object.values(credentials)]) expect(logged.join()).not.toContain(secret!);
    expect(logged.join()).toContain("issuer.answered");
  });

  test("a code works once, and only with its own proof", async () => {
    const grant = await signIn();
    await issuer.exchange(grant, never());
    expect(await codeOf(issuer.exchange(grant, never()))).toStartWith("login_refused: the issuer answered 400");
    const stolen = { ...(await signIn()), verifier: new Secret("x".repeat(86)) };
    const refused = await codeOf(issuer.exchange(stolen, never()));
    expect(refused).toStartWith("login_refused: the issuer answered 400");
    expect(refused).toContain("(invalid_grant)");
    expect(refused).not.toContain(stolen.code.reveal());
  });

  test.each([
    ["server_error", "upstream_unreachable"],
    ["rate_limit", "upstream_unreachable"],
    ["region_blocked", "login_refused"],
    ["cloudflare_challenge", "upstream_rejected"],
    ["html_instead_of_json", "upstream_malformed"],
    ["broken_json", "upstream_malformed"],
    ["close_before_headers", "upstream_unreachable"],
    ["without_refresh_token", "upstream_malformed"],
    ["without_access_token", "upstream_malformed"],
    ["without_id_token", "done"],
  ] as const)("an exchange that meets %s ends as %s, and is not repeated", async (kind, code) => {
    const grant = await signIn();
    simulator.addFault({ at: "token", kind });
    expect((await codeOf(issuer.exchange(grant, never()))).split(":")[0]).toBe(code);
    expect(simulator.requests().filter(({ path }) => path === "/oauth/token")).toHaveLength(1);
  });

  test("a device login is pending until somebody types the code", async () => {
    const device = await issuer.startDevice(never());
    expect(device).toMatchObject({ intervalMs: 5_000, verificationUrl: `${simulator.issuer}/codex/device` });
    expect(device.userCode).toMatch(/^[A-Z]{4}-[A-Z]{4}$/);
    expect(await issuer.pollDevice(device, never())).toEqual({ kind: "pending", slower: false, problem: null });
    await play("device", { userCode: device.userCode, account: "beta" });
    const end = await issuer.pollDevice(device, never());
    if (end.kind !== "approved") throw new Error("still pending");
    const { claims } = await issuer.exchange(end.grant, never());
    expect(claims.workspaceId).toBe(simulator.account("beta").accountId);
  });

  test("a device login that is refused, or not offered, says so", async () => {
    const device = await issuer.startDevice(never());
    await play("device", { userCode: device.userCode, account: null });
    expect(await codeOf(issuer.pollDevice(device, never()))).toBe(
      "login_refused: the issuer answered 400: The user said no (access_denied)",
    );
    simulator.oauth.deviceEnabled = false;
    expect(await codeOf(issuer.startDevice(never()))).toBe("login_refused: the issuer offers no device logins");
  });

  test.each([
    ["request_timeout", false, "the issuer answered 408"],
    ["rate_limit", true, "the issuer answered 429"],
    ["server_error", false, "the issuer answered 500"],
    ["bad_gateway", false, "the issuer answered 502"],
    ["cloudflare_challenge", false, null],
    ["not_found", false, null],
  ] as const)("a poll that meets %s is asked again", async (kind, slower, problem) => {
    const device = await issuer.startDevice(never());
    simulator.addFault({ at: "device_token", kind });
    expect(await issuer.pollDevice(device, never())).toEqual({ kind: "pending", slower, problem });
  });
});

describe("answers of other shapes", () => {
  const h = useHarness();
  const JSON_TYPE = { "content-type": "application/json" };
  const begin = () =>
    createLoginIssuer({ issuer: h.fake.url, clientId: "app_1", clock: h.clock, dice: systemDice, log: silentLog });
  const device = async (body: string) => {
    const result = begin().startDevice(never());
    const call = await h.fake.next();
    call.answer(200, JSON_TYPE, body);
    return { call, result };
  };

  test("the request for a code is the official client's", async () => {
    const { call, result } = await device('{"device_auth_id":"d","usercode":"AB-CD"}');
    expect(call.requestLine).toBe("POST /api/accounts/deviceauth/usercode HTTP/1.1");
    expect([call.header("content-type"), call.header("accept"), call.header("originator")]).toEqual([
      "application/json",
      "*/*",
      null,
    ]);
    expect(JSON.parse(call.body)).toEqual({ client_id: "app_1" });
    // The other spelling of the code, and no pause named.
    expect(await result).toMatchObject({ userCode: "AB-CD", intervalMs: 5_000 });
  });

  test.each([
    ['"7"', 7_000],
    ["3", 3_000],
    ['"0"', 1_000],
    ["-4", 1_000],
    ["9999", 60_000],
    ['"soon"', 5_000],
    ["null", 5_000],
  ])("an interval of %s means %i ms", async (interval, ms) => {
    const { result } = await device(`{"device_auth_id":"d","user_code":"AB-CD","interval":${interval}}`);
    expect((await result).intervalMs).toBe(ms);
  });

  test("a device answer without a code, and an approval without one, are malformed", async () => {
    const { result } = await device('{"device_auth_id":"d"}');
    expect(await codeOf(result)).toStartWith("upstream_malformed");
    const known = { id: new Secret("d"), userCode: "AB-CD", verificationUrl: "u", intervalMs: 1 };
    const poll = begin().pollDevice(known, never());
    (await h.fake.next()).answer(200, JSON_TYPE, '{"authorization_code":"c"}');
    expect(await codeOf(poll)).toStartWith("upstream_malformed");
  });

  const grant = { code: new Secret("code-1"), verifier: new Secret("verifier-1"), redirectUri: REDIRECT };

  test("an exchange sends its form to no other place, and gives up after 20 s", async () => {
    const moved = begin().exchange(grant, never());
    const call = await h.fake.next();
    expect(Object.fromEntries(new URLSearchParams(call.body))).toEqual({
      grant_type: "authorization_code",
      client_id: "app_1",
      code: "code-1",
      redirect_uri: REDIRECT,
      code_verifier: "verifier-1",
    });
    call.answer(307, { location: "http://127.0.0.1:1/" }, "");
    expect(await codeOf(moved)).toBe("upstream_unreachable: the issuer answered 307");
    const hanging = begin().exchange(grant, never());
    const silent = await h.fake.next();
    await h.clock.advance(20_000);
    expect(await codeOf(hanging)).toBe("upstream_unreachable: no answer from the issuer within 20 s");
    await silent.closed;
    expect(h.clock.pending()).toBe(0);
  });

  test("tokens that name no ChatGPT account are refused; an endless answer is cut", async () => {
    const nameless = begin().exchange(grant, never());
    (await h.fake.next()).answer(200, JSON_TYPE, '{"access_token":"a","refresh_token":"r"}');
    expect(await codeOf(nameless)).toBe("login_refused: this login has no ChatGPT account: its tokens name none");
    const endless = begin().exchange(grant, never());
    const call = await h.fake.next();
    call.open(200, JSON_TYPE);
    for (let i = 0; i < 80; i++) call.write(" ".repeat(4_096));
    expect(await codeOf(endless)).toStartWith("upstream_malformed: the issuer's answer cannot be read");
  });

  test("a call that is stopped ends at once", async () => {
    const stop = new AbortController();
    const result = begin().exchange(grant, stop.signal);
    const call = await h.fake.next();
    stop.abort();
    expect(await codeOf(result)).toBe("upstream_unreachable: stopped");
    await call.closed;
  });
});
