/** The issuer: sign-in pages, codes, refresh rotation with its grace, device logins, revocation. */
import { describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { CLIENT_ID, jsonOf, startBench, type TestBench } from "./support.ts";

const verifier = randomBytes(64).toString("base64url");
const challenge = createHash("sha256").update(verifier).digest("base64url");
const REDIRECT = "http://127.0.0.1:1455/auth/callback";

function authorizeUrl(bench: TestBench, changes: Record<string, string | null> = {}): string {
  const query = new URLSearchParams({
    response_type: "code",
    client_id: CLIENT_ID,
    redirect_uri: REDIRECT,
    scope: "openid profile email offline_access",
    code_challenge: challenge,
    code_challenge_method: "S256",
    state: "state-of-the-test",
  });
  for (const [name, value] of Object.entries(changes)) value === null ? query.delete(name) : query.set(name, value);
  return `${bench.sim.issuer}/oauth/authorize?${query}`;
}

const visit = (url: string, headers: Record<string, string> = {}) => fetch(url, { redirect: "manual", headers });

function exchange(bench: TestBench, code: string, changes: Record<string, string> = {}): Promise<Response> {
  const form = {
    grant_type: "authorization_code",
    client_id: CLIENT_ID,
    code,
    redirect_uri: REDIRECT,
    code_verifier: verifier,
  };
  return fetch(`${bench.sim.issuer}/oauth/token`, {
    method: "POST",
    body: new URLSearchParams({ ...form, ...changes }),
  });
}

async function codeFor(bench: TestBench, account = "alpha"): Promise<string> {
  const answer = await bench.control("POST", "authorize", { url: authorizeUrl(bench), account });
  return String((await jsonOf(answer)).code);
}

async function consent(bench: TestBench, page: string, choice: Record<string, string>): Promise<Response> {
  const ticket = /name="ticket" value="([^"]+)"/.exec(page)![1]!;
  return fetch(`${bench.sim.issuer}/oauth/authorize/consent`, {
    method: "POST",
    redirect: "manual",
    body: new URLSearchParams({ ticket, ...choice }),
  });
}

const claimsOf = (token: unknown) => JSON.parse(Buffer.from(String(token).split(".")[1]!, "base64url").toString());

describe("authorize", () => {
  test("a person chooses an account, and the code is good once", async () => {
    await using bench = await startBench();
    const page = await visit(authorizeUrl(bench));
    const html = await page.text();
    expect(page.headers.get("content-type")).toContain("text/html");
    for (const alias of ["alpha", "beta", "gamma"]) expect(html).toContain(`value="${alias}"`);
    const landed = await consent(bench, html, { account: "beta", action: "allow" });
    const url = new URL(landed.headers.get("location")!);
    expect(landed.status).toBe(302);
    expect(`${url.origin}${url.pathname}`).toBe(REDIRECT);
    expect(url.searchParams.get("state")).toBe("state-of-the-test");
    const tokens = await exchange(bench, url.searchParams.get("code")!);
    expect(tokens.status).toBe(200);
    expect(claimsOf((await jsonOf(tokens)).id_token).email).toBe("beta@example.test");
    const again = await exchange(bench, url.searchParams.get("code")!);
    expect(again.status).toBe(400);
    expect((await jsonOf(again)).error).toBe("invalid_grant");
  });

  test("a refusal comes back as access_denied, and the page works once", async () => {
    await using bench = await startBench();
    const html = await (await visit(authorizeUrl(bench))).text();
    const landed = await consent(bench, html, { account: "alpha", action: "deny" });
    expect(new URL(landed.headers.get("location")!).searchParams.get("error")).toBe("access_denied");
    expect((await consent(bench, html, { account: "alpha", action: "allow" })).status).toBe(400);
  });

  test("prompt=login asks again although the browser is signed in", async () => {
    await using bench = await startBench({ oauth: { autoApprove: "hint" } });
    const html = await (await visit(authorizeUrl(bench))).text();
    const landed = await consent(bench, html, { account: "gamma", action: "allow" });
    const cookie = landed.headers.get("set-cookie")!.split(";")[0]!;
    expect((await visit(authorizeUrl(bench), { cookie })).status).toBe(302);
    expect((await visit(authorizeUrl(bench, { prompt: "login" }), { cookie })).status).toBe(200);
  });

  test("allowed_workspace_id offers and accepts that account alone", async () => {
    await using bench = await startBench();
    const html = await (
      await visit(authorizeUrl(bench, { allowed_workspace_id: bench.sim.account("beta").accountId }))
    ).text();
    expect(html).toContain('value="beta"');
    expect(html).not.toContain('value="alpha"');
    expect((await consent(bench, html, { account: "alpha", action: "allow" })).status).toBe(400);
  });

  test("login_hint is approved without a person when the setting says so, and only then", async () => {
    await using bench = await startBench();
    const url = authorizeUrl(bench, { login_hint: "beta@example.test" });
    expect((await visit(url)).status).toBe(200);
    await bench.control("PATCH", "oauth", { autoApprove: "hint" });
    const landed = await visit(url);
    const code = new URL(landed.headers.get("location")!).searchParams.get("code")!;
    expect(claimsOf((await jsonOf(await exchange(bench, code))).id_token).email).toBe("beta@example.test");
  });

  test.each([
    ["client_id", "app_other"],
    ["redirect_uri", "http://127.0.0.1:1456/auth/callback"],
    ["redirect_uri", "https://evil.example/auth/callback"],
    ["redirect_uri", "http://127.0.0.1:1455/auth/callback/more"],
  ])("a wrong %s (%s) is told on the page, never by a redirect", async (name, value) => {
    await using bench = await startBench();
    const answer = await visit(authorizeUrl(bench, { [name]: value }));
    expect(answer.status).toBe(400);
    expect(answer.headers.get("location")).toBeNull();
  });

  test.each([
    ["code_challenge_method", "plain"],
    ["code_challenge", "short"],
    ["response_type", "token"],
    ["scope", "email"],
  ])("a wrong %s comes back to the client", async (name, value) => {
    await using bench = await startBench();
    const url = new URL((await visit(authorizeUrl(bench, { [name]: value }))).headers.get("location")!);
    expect(url.searchParams.get("error")).toBe("invalid_request");
    expect(url.searchParams.get("error_description")).toContain(name);
  });

  test("both names and both ports are registered", async () => {
    await using bench = await startBench();
    for (const host of ["localhost", "127.0.0.1"])
      for (const port of ["1455", "1457"]) {
        const answer = await visit(authorizeUrl(bench, { redirect_uri: `http://${host}:${port}/auth/callback` }));
        expect(answer.status).toBe(200);
      }
  });

  test.each([
    ["code_verifier", randomBytes(64).toString("base64url")],
    ["redirect_uri", "http://localhost:1455/auth/callback"],
  ])("the exchange refuses another %s and spends the code", async (name, value) => {
    await using bench = await startBench();
    const code = await codeFor(bench);
    const refused = await exchange(bench, code, { [name]: value });
    expect(refused.status).toBe(400);
    expect(String((await jsonOf(refused)).error_description)).toContain(name);
    expect((await exchange(bench, code)).status).toBe(400);
  });

  test("a code is too old after ten minutes", async () => {
    await using bench = await startBench();
    const code = await codeFor(bench);
    bench.sim.clock.advance(601_000);
    expect((await exchange(bench, code)).status).toBe(400);
  });
});

describe("tokens", () => {
  test("carry the claims of the real ones", async () => {
    await using bench = await startBench({ accounts: [{ plan: "team", email: "a@b.example" }] });
    const body = await jsonOf(await exchange(bench, await codeFor(bench)));
    const access = claimsOf(body.access_token);
    const id = claimsOf(body.id_token);
    const account = bench.sim.account("alpha");
    expect(body).toMatchObject({ token_type: "Bearer", expires_in: 864_000 });
    expect(access.exp - access.iat).toBe(864_000);
    expect(id.exp - id.iat).toBe(3_600);
    expect(access).toMatchObject({ iss: bench.sim.issuer, aud: ["https://api.openai.com/v1"], client_id: CLIENT_ID });
    expect(access["https://api.openai.com/profile"].email).toBe("a@b.example");
    for (const claims of [access, id]) {
      expect(claims["https://api.openai.com/auth"]).toMatchObject({
        chatgpt_account_id: account.accountId,
        chatgpt_user_id: account.userId,
        chatgpt_account_user_id: `${account.userId}__${account.accountId}`,
        chatgpt_plan_type: "team",
      });
    }
    expect(id["https://api.openai.com/auth"].organizations[0].id).toBe(account.organizationId);
    expect(id.aud).toEqual([CLIENT_ID]);
  });

  test("the API-key exchange is refused unless the setting allows it", async () => {
    await using bench = await startBench();
    const body = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      client_id: CLIENT_ID,
      requested_token: "openai-api-key",
      subject_token: bench.auth().tokens.id_token,
    });
    const post = () => fetch(`${bench.sim.issuer}/oauth/token`, { method: "POST", body });
    expect((await post()).status).toBe(401);
    bench.sim.oauth.apiKeyExchange = true;
    expect(String((await jsonOf(await post())).access_token)).toStartWith("sk-");
  });

  test("two logins with one e-mail belong to one user and two accounts", async () => {
    await using bench = await startBench({
      accounts: [{ email: "a@b.example" }, { email: "a@b.example", plan: "team" }],
    });
    const check = await jsonOf(await bench.get("/wham/accounts/check"));
    expect(check.account_ordering).toEqual(["alpha", "beta"].map((alias) => bench.sim.account(alias).accountId));
  });
});

describe("refresh", () => {
  const refreshed = async (response: Response) => String((await jsonOf(response)).refresh_token);
  const codeOf = async (response: Response) => ((await jsonOf(response)).error as { code: string }).code;

  test("rotates; the old token works within the grace and is told as reused after it", async () => {
    await using bench = await startBench();
    const first = bench.auth().tokens.refresh_token;
    const second = await refreshed(await bench.refresh(first));
    expect(second).not.toBe(first);
    bench.sim.clock.advance(3_500_000);
    const third = await refreshed(await bench.refresh(first));
    expect(new Set([first, second, third]).size).toBe(3);
    bench.sim.clock.advance(101_000);
    const refused = await bench.refresh(first);
    expect(refused.status).toBe(401);
    expect(await codeOf(refused)).toBe("refresh_token_reused");
    // A replay ends nothing else by default: both successors still work.
    expect((await bench.refresh(second)).status).toBe(200);
    expect((await bench.refresh(third)).status).toBe(200);
    expect(bench.sim.account("alpha").counters.refreshes).toBe(4);
  });

  test("the grace is a setting; without one the second use is refused", async () => {
    await using bench = await startBench({ oauth: { graceSeconds: 0, refusalStatus: 400 } });
    const first = bench.auth().tokens.refresh_token;
    await bench.refresh(first);
    bench.sim.clock.advance(1);
    const refused = await bench.refresh(first);
    expect(refused.status).toBe(400);
    expect(await codeOf(refused)).toBe("refresh_token_reused");
  });

  test("a replay ends the family when the setting says so", async () => {
    await using bench = await startBench({ oauth: { graceSeconds: 0, replayEndsFamily: true } });
    const first = bench.auth().tokens.refresh_token;
    const second = await refreshed(await bench.refresh(first));
    bench.sim.clock.advance(1);
    expect(await codeOf(await bench.refresh(first))).toBe("refresh_token_reused");
    expect(await codeOf(await bench.refresh(second))).toBe("refresh_token_invalidated");
    expect(await codeOf(await bench.get("/wham/usage"))).toBe("token_revoked");
  });

  test("form bodies work as JSON ones do, an unknown client and an unknown token are refused", async () => {
    await using bench = await startBench();
    const form = (client_id: string, refresh_token: string) =>
      fetch(`${bench.sim.issuer}/oauth/token`, {
        method: "POST",
        body: new URLSearchParams({ grant_type: "refresh_token", client_id, refresh_token }),
      });
    expect((await form(CLIENT_ID, bench.auth().tokens.refresh_token)).status).toBe(200);
    expect(await codeOf(await form("app_other", bench.auth().tokens.refresh_token))).toBe("invalid_client");
    expect(await codeOf(await form(CLIENT_ID, "made-up"))).toBe("refresh_token_invalidated");
  });

  test("refresh tokens can grow old, and rotation can be off", async () => {
    await using bench = await startBench({ oauth: { refreshTokenSeconds: 100, rotate: false } });
    const first = bench.auth().tokens.refresh_token;
    expect((await jsonOf(await bench.refresh(first))).refresh_token).toBeUndefined();
    expect((await bench.refresh(first)).status).toBe(200);
    bench.sim.clock.advance(101_000);
    expect(await codeOf(await bench.refresh(first))).toBe("refresh_token_expired");
  });

  test("access tokens expire with the clock and on order; a refresh mends both", async () => {
    await using bench = await startBench();
    bench.sim.expireAccess("alpha");
    const refused = await bench.get("/wham/usage");
    expect(refused.status).toBe(401);
    expect(await codeOf(refused)).toBe("token_expired");
    const access = async () => {
      const body = await jsonOf(await bench.refresh(bench.auth().tokens.refresh_token));
      return { ...bench.auth(), tokens: { ...bench.auth().tokens, access_token: String(body.access_token) } };
    };
    const fresh = await access();
    expect((await bench.get("/wham/usage", fresh)).status).toBe(200);
    bench.sim.clock.advance(864_000_000);
    expect(await codeOf(await bench.get("/wham/usage", fresh))).toBe("token_expired");
  });

  test("revoking ends the login, and only that login", async () => {
    await using bench = await startBench();
    const other = bench.sim.login("alpha");
    const answer = await fetch(`${bench.sim.issuer}/oauth/revoke`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        token: bench.auth().tokens.refresh_token,
        token_type_hint: "refresh_token",
        client_id: CLIENT_ID,
      }),
    });
    expect(answer.status).toBe(200);
    expect(await codeOf(await bench.refresh(bench.auth().tokens.refresh_token))).toBe("refresh_token_invalidated");
    expect(await codeOf(await bench.get("/wham/usage"))).toBe("token_revoked");
    expect((await bench.get("/wham/usage", other)).status).toBe(200);
  });

  test("no token and no code stands in the record", async () => {
    await using bench = await startBench();
    await exchange(bench, await codeFor(bench));
    await bench.refresh(bench.auth().tokens.refresh_token);
    await bench.get("/wham/usage");
    const text = JSON.stringify(await jsonOf(await bench.control("GET", "requests")));
    for (const token of Object.values(bench.auth().tokens))
      if (String(token).length > 60) expect(text).not.toContain(String(token));
    expect(text).not.toContain(verifier);
    expect(text).toContain("account:alpha");
  });
});

describe("device login", () => {
  const post = (bench: TestBench, path: string, body: unknown) =>
    fetch(`${bench.sim.issuer}/api/accounts/deviceauth/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });

  test("is pending until a person agrees on the page, then gives a code with its verifier", async () => {
    await using bench = await startBench();
    const started = await jsonOf(await post(bench, "usercode", { client_id: CLIENT_ID }));
    expect(started.interval).toBe("5");
    const poll = () => post(bench, "token", { device_auth_id: started.device_auth_id, user_code: started.user_code });
    expect((await poll()).status).toBe(403);
    const page = await (await fetch(`${bench.sim.issuer}/codex/device`)).text();
    expect(page).toContain('name="user_code"');
    await fetch(`${bench.sim.issuer}/codex/device`, {
      method: "POST",
      body: new URLSearchParams({ user_code: String(started.user_code), account: "beta", action: "allow" }),
    });
    const granted = await jsonOf(await poll());
    const tokens = await exchange(bench, String(granted.authorization_code), {
      redirect_uri: `${bench.sim.issuer}/deviceauth/callback`,
      code_verifier: String(granted.code_verifier),
    });
    expect(claimsOf((await jsonOf(tokens)).id_token).email).toBe("beta@example.test");
    expect((await poll()).status).toBe(404);
  });

  test("can be approved, refused and outlived over the control API", async () => {
    await using bench = await startBench();
    const start = async () => jsonOf(await post(bench, "usercode", { client_id: CLIENT_ID }));
    const poll = (login: Record<string, unknown>) =>
      post(bench, "token", { device_auth_id: login.device_auth_id, user_code: login.user_code });
    const good = await start();
    await bench.control("POST", "device", { userCode: good.user_code, account: "alpha" });
    expect((await poll(good)).status).toBe(200);
    const refused = await start();
    await bench.control("POST", "device", { userCode: refused.user_code, account: null });
    expect((await poll(refused)).status).toBe(400);
    const old = await start();
    bench.sim.clock.advance(901_000);
    expect((await poll(old)).status).toBe(404);
  });

  test("answers 404 where it is switched off", async () => {
    await using bench = await startBench({ oauth: { deviceEnabled: false } });
    expect((await post(bench, "usercode", { client_id: CLIENT_ID })).status).toBe(404);
  });
});
