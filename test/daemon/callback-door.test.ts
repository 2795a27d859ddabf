/** The loopback listener of browser logins, without a login behind it: what it answers to, where it listens, and when it is gone. */
import { afterEach, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock.ts";
import { silentLog } from "../../src/base/log.ts";
import { createCallbackDoor } from "../../src/daemon/callback-door.ts";
import type { CallbackEnd, CallbackListener } from "../../src/pool/callback-listener.ts";

const opened: CallbackListener[] = [];
afterEach(() => {
  for (const listener of opened.splice(0)) listener.close();
});

const DONE: CallbackEnd = { kind: "completed", alias: "work", added: true };

function open(onCallback: (query: URLSearchParams) => Promise<CallbackEnd> = async () => DONE, ports = [0]) {
  const listener = createCallbackDoor({ ports, clock: systemClock, log: silentLog })(onCallback);
  opened.push(listener);
  return listener;
}

const portOf = ({ redirectUri }: CallbackListener) => Number(new URL(redirectUri).port);
const isListening = (listener: CallbackListener) =>
  fetch(listener.redirectUri).then(
    () => true,
    () => false,
  );

test("hands on the query, and shows a page without script that nobody keeps", async () => {
  const seen: string[] = [];
  const listener = open(async (query) => {
    seen.push(String(query));
    return DONE;
  });
  const answer = await fetch(`${listener.redirectUri}?code=c%201&state=s`);
  expect([answer.status, seen]).toEqual([200, ["code=c+1&state=s"]]);
  const page = await answer.text();
  expect(page).toContain("The account work is part of the pool now");
  expect(page).not.toContain("<script");
  for (const [name, value] of Object.entries({
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  }))
    expect(answer.headers.get(name)).toBe(value);
  expect(answer.headers.get("content-security-policy")).toStartWith("default-src 'none'");
});

test.each([
  [{ kind: "completed", alias: null, added: false }, 200, "The account has new credentials"],
  [{ kind: "failed", message: "<b>no</b>" }, 400, "&lt;b&gt;no&lt;/b&gt;"],
  [{ kind: "state_mismatch" }, 400, "State mismatch"],
  [{ kind: "malformed" }, 400, "neither a code nor an error"],
] as const)("says how it ended: %j", async (end, status, words) => {
  const answer = await fetch(open(async () => end).redirectUri);
  expect(answer.status).toBe(status);
  expect(await answer.text()).toContain(words);
});

test("answers to loopback names, to GET and to the callback alone", async () => {
  let calls = 0;
  const { redirectUri } = open(async () => {
    calls++;
    return DONE;
  });
  const { origin } = new URL(redirectUri);
  expect((await fetch(redirectUri, { headers: { host: "evil.example" } })).status).toBe(403);
  expect((await fetch(redirectUri, { method: "POST", body: "x" })).status).toBe(405);
  for (const path of ["/", "/favicon.ico", "/cancel", "/auth/callback/more"])
    expect((await fetch(origin + path)).status).toBe(404);
  expect(calls).toBe(0);
});

test("a login that breaks shows a page and no cause", async () => {
  const { redirectUri } = open(() => Promise.reject(new Error("secret cause")));
  const answer = await fetch(redirectUri);
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("secret cause");
});

test("goes to the next port when one is taken, and says so when all are", () => {
  const [first, second] = [open(), open()];
  const third = open(undefined, [portOf(first), 0]);
  expect(portOf(third)).not.toBe(portOf(first));
  const taken = [portOf(first), portOf(second)];
  const refused = () => open(undefined, taken);
  expect(refused).toThrow(`the ports ${taken[0]} and ${taken[1]} of 127.0.0.1 are taken`);
  try {
    refused();
  } catch (error) {
    expect(error).toMatchObject({ code: "address_in_use", hint: "rotor login --device" });
  }
});

test("closing frees the port at once and still gives the answer that is under way", async () => {
  const gate = Promise.withResolvers<CallbackEnd>();
  const arrived = Promise.withResolvers<void>();
  const listener = open(() => {
    arrived.resolve();
    return gate.promise;
  });
  const answer = fetch(listener.redirectUri);
  await arrived.promise;
  listener.close();
  opened.length = 0;
  const next = open(async () => ({ kind: "state_mismatch" }), [portOf(listener)]);
  gate.resolve(DONE);
  expect(await (await answer).text()).toContain("Signed in");
  expect((await fetch(next.redirectUri)).status).toBe(400);
  next.close();
  opened.length = 0;
  expect(await isListening(next)).toBe(false);
});
