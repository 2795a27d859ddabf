/** LoginService over the socket: orders as the desk gets them, its logins in the words of the API, and watches that end. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { AppError } from "../../src/base/errors.ts";
import { ErrorDetailSchema } from "../../src/gen/rotor/v1/error_pb.ts";
import {
  LoginMethod,
  LoginService,
  LoginState,
  type WatchLoginResponse,
} from "../../src/gen/rotor/v1/login_service_pb.ts";
import { accountOf } from "../support/fake-engine.ts";
import { T0 } from "../support/manual-clock.ts";
import { connectTransport, type Door, grpcClient, openDoor, postJson, until } from "./harness.ts";

let door: Door;
let logins: Client<typeof LoginService>;
beforeEach(async () => {
  door = await openDoor();
  logins = grpcClient(LoginService, door.path);
});
afterEach(() => door.close());

async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
  } catch (thrown) {
    return ConnectError.from(thrown).findDetails(ErrorDetailSchema)[0]?.code;
  }
  throw new Error("the call was answered");
}

test("each method begins with what a person has to open or type", async () => {
  const { login: browser } = await logins.startLogin({
    method: LoginMethod.BROWSER,
    alias: "work",
    loginHint: "a@b.example",
  });
  expect(browser).toMatchObject({
    method: LoginMethod.BROWSER,
    state: LoginState.PENDING,
    authorizeUrl: "https://auth.example.org/oauth/authorize?state=1",
    redirectUri: "http://127.0.0.1:1455/auth/callback",
    verificationUrl: "",
    userCode: "",
    startTime: timestampFromMs(T0),
    expireTime: timestampFromMs(T0 + 900_000),
    errorCode: "",
  });
  expect([browser?.endTime, browser?.account]).toEqual([undefined, undefined]);
  const accountId = accountOf("one").id;
  const { login: device } = await logins.startLogin({ method: LoginMethod.DEVICE, accountId });
  expect(device).toMatchObject({
    method: LoginMethod.DEVICE,
    authorizeUrl: "",
    redirectUri: "",
    verificationUrl: "https://auth.example.org/codex/device",
    userCode: "ABCD-0002",
  });
  await logins.startLogin({ method: LoginMethod.MANUAL });
  expect(door.engine.logins.requests).toEqual([
    { method: "browser", alias: "work", accountId: null, loginHint: "a@b.example" },
    { method: "device", alias: null, accountId, loginHint: null },
    { method: "manual", alias: null, accountId: null, loginHint: null },
  ]);
  const listed = (await logins.listLogins({})).logins.map(({ method }) => method);
  expect(listed).toEqual([LoginMethod.MANUAL, LoginMethod.DEVICE, LoginMethod.BROWSER]);
});

test("a login that is completed shows its account; one whose account was removed shows none", async () => {
  const one = accountOf("one");
  door.engine.put(one);
  const { login } = await logins.startLogin({ method: LoginMethod.MANUAL });
  const callbackUrl = `http://127.0.0.1:1455/auth/callback?code=${one.id}&state=1`;
  const done = await logins.completeLogin({ loginId: login!.id, callbackUrl });
  expect(done.login).toMatchObject({
    state: LoginState.COMPLETED,
    added: true,
    endTime: timestampFromMs(T0),
    account: { id: one.id, alias: "one", email: "one@example.org" },
  });
  await door.engine.accounts.remove(one.id);
  expect((await logins.listLogins({})).logins[0]?.account).toBeUndefined();
});

test("an end that is none of success is said with its code and words", async () => {
  const { login } = await logins.startLogin({ method: LoginMethod.DEVICE });
  const error = { code: "wrong_identity", message: "another person" } as const;
  door.engine.logins.change(login!.id, { state: "failed", endedAtMs: T0 + 1, error });
  const [failed] = (await logins.listLogins({})).logins;
  expect(failed).toMatchObject({
    state: LoginState.FAILED,
    errorCode: "wrong_identity",
    errorMessage: "another person",
  });
  door.engine.logins.change(login!.id, { state: "expired" });
  expect((await logins.listLogins({})).logins[0]?.state).toBe(LoginState.EXPIRED);
});

test("cancelling is done once, and done again without complaint", async () => {
  const { login } = await logins.startLogin({ method: LoginMethod.BROWSER });
  for (const _ of "12")
    expect((await logins.cancelLogin({ loginId: login!.id })).login?.state).toBe(LoginState.CANCELED);
});

test("bad input is refused, and refusals of the desk arrive with their code", async () => {
  expect(await codeOf(logins.startLogin({}))).toBe("invalid_request");
  expect(await codeOf(logins.startLogin({ method: 9 as LoginMethod }))).toBe("invalid_request");
  const loginHint = "a".repeat(321);
  expect(await codeOf(logins.startLogin({ method: LoginMethod.MANUAL, loginHint }))).toBe("invalid_request");
  for (const [loginId, code] of [
    ["", "invalid_request"],
    ["nobody", "login_not_found"],
  ] as const) {
    expect(await codeOf(logins.cancelLogin({ loginId }))).toBe(code);
    expect(await codeOf(logins.completeLogin({ loginId, callbackUrl: "http://x/?code=1" }))).toBe(code);
    expect(await codeOf(Array.fromAsync(logins.watchLogin({ loginId })))).toBe(code);
  }
  door.engine.logins.nextFailure = new AppError("address_in_use", "taken", { hint: "rotor login --device" });
  const refused = await logins.startLogin({ method: LoginMethod.BROWSER }).catch(ConnectError.from);
  if (!(refused instanceof ConnectError)) throw new Error("it was answered");
  expect(refused.code).toBe(Code.Unavailable);
  expect(refused.findDetails(ErrorDetailSchema)[0]).toMatchObject({ hint: "rotor login --device" });
});

for (const [name, transport] of [
  ["gRPC", null],
  ["Connect", connectTransport],
] as const) {
  test(`a watch over ${name} shows the login at once, its changes alone, and ends with it`, async () => {
    const client = transport === null ? logins : createClient(LoginService, transport(door.path));
    const { login } = await client.startLogin({ method: LoginMethod.DEVICE });
    const { login: other } = await client.startLogin({ method: LoginMethod.DEVICE });
    const seen: WatchLoginResponse[] = [];
    const watched = (async () => {
      for await (const message of client.watchLogin({ loginId: login!.id })) seen.push(message);
    })();
    await until("the first message", () => seen.length === 1);
    door.engine.logins.change(other!.id, { state: "canceled" });
    door.engine.put(accountOf("one"));
    const accountId = accountOf("one").id;
    door.engine.logins.change(login!.id, { state: "completed", endedAtMs: T0, accountId, added: true });
    await watched;
    expect(seen.map((message) => message.login?.state)).toEqual([LoginState.PENDING, LoginState.COMPLETED]);
    expect(seen[1]?.login?.account?.alias).toBe("one");
    await until("the watcher is gone", () => door.engine.logins.watchers() === 0);
    // One that has ended is told in one message.
    const late = await Array.fromAsync(client.watchLogin({ loginId: login!.id }));
    expect(late.map((message) => message.login?.state)).toEqual([LoginState.COMPLETED]);
  });
}

test("needs an engine that is ready", async () => {
  door.facts.setState("locked", "the key file is missing");
  expect(await codeOf(logins.listLogins({}))).toBe("store_locked");
  expect(await codeOf(logins.startLogin({ method: LoginMethod.MANUAL }))).toBe("store_locked");
});

test("speaks JSON", async () => {
  const answer = await postJson(door.path, "rotor.v1.LoginService/StartLogin", { method: "LOGIN_METHOD_DEVICE" });
  expect(answer.body.login).toMatchObject({ method: "LOGIN_METHOD_DEVICE", userCode: "ABCD-0001" });
});
