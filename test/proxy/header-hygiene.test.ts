/** Which header fields cross the proxy, as a property and on the wire; and who counts as Codex. */
import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import type { HeaderList } from "../../src/base/header-list.ts";
import { forClient, forUpstream, forUpstreamRewritten } from "../../src/proxy/header-hygiene.ts";
import { surfaceOf } from "../../src/proxy/surface.ts";
import { CLIENT_KEY, COMPLETED, EVENT_STREAM, opened, sse } from "../support/fake-exchange-engine.ts";
import { openDoor, sendRaw, TURN } from "./door.ts";

const name = fc.oneof(
  fc.constantFrom(
    "authorization",
    "chatgpt-account-id",
    "cookie",
    "x-api-key",
    "api-key",
    "host",
    "connection",
    "upgrade",
    "transfer-encoding",
    "set-cookie",
    "content-length",
    "te",
    "alt-svc",
    "x-hop",
  ),
  fc.constantFrom("x-codex-turn-state", "session-id", "openai-model", "retry-after", "x-request-id", "originator"),
  fc.stringMatching(/^x-[a-z]{1,8}$/),
);
const headers = fc.array(fc.tuple(name, fc.oneof(fc.stringMatching(/^[a-z0-9 ]{0,12}$/), fc.constant("x-hop, close"))));

test("credentials, cookies and what belongs to one connection never cross; everything else does, in order", () => {
  const secret = new Set([
    "authorization",
    "chatgpt-account-id",
    "cookie",
    "x-api-key",
    "api-key",
    "host",
    "content-length",
  ]);
  const upstreams = new Set(["set-cookie", "content-length", "alt-svc"]);
  const hop = new Set(["connection", "upgrade", "transfer-encoding", "te"]);
  fc.assert(
    fc.property(headers, (list) => {
      const connection = list.find(([key]) => key === "connection")?.[1] ?? "";
      const named = new Set(connection.split(",").map((part) => part.trim()));
      const left = (blocked: ReadonlySet<string>) =>
        list.filter(([key]) => !hop.has(key) && !named.has(key) && !blocked.has(key));
      expect(forUpstream(list as HeaderList)).toEqual(left(secret) as unknown as HeaderList);
      expect(forClient(list as HeaderList)).toEqual(left(upstreams) as unknown as HeaderList);
    }),
  );
});

test("a rewritten request asks for a stream and carries no foreign billing account", () => {
  const list: HeaderList = [
    ["accept", "application/json"],
    ["openai-organization", "org-1"],
    ["content-encoding", "gzip"],
    ["x-stainless-lang", "js"],
  ];
  expect(forUpstreamRewritten(list, false)).toEqual([
    ["x-stainless-lang", "js"],
    ["accept", "text/event-stream"],
  ]);
  expect(forUpstreamRewritten(list, true)).toContainEqual(["content-encoding", "gzip"]);
});

test.each([
  ["/v1/responses", [], "sdk"],
  ["/v1/responses", [["originator", "opencode"]], "sdk"],
  ["/v1/responses", [["originator", "codex-tui"]], "codex"],
  ["/v1/responses", [["x-codex-window-id", "w"]], "codex"],
  ["/responses", [["user-agent", "codex_exec/0.169.0"]], "sdk"],
  ["/backend-api", [], "codex"],
  ["/backend-api/codex/responses", [["originator", "opencode"]], "codex"],
  ["/backend-apix", [], "sdk"],
  ["/api/codex/usage", [], "codex"],
] as [string, HeaderList, string][])("%s with %j is %s", (path, list, surface) => {
  expect(surfaceOf(path, list)).toBe(surface as "codex" | "sdk");
});

const door = openDoor();
afterAll(() => door.close());

test("on the wire: what a client shows stays here, what upstream sets for itself too", async () => {
  door.fake.reply = () =>
    opened(sse(COMPLETED), [
      ...EVENT_STREAM,
      ["set-cookie", "__cf_bm=1"],
      ["connection", "keep-alive"],
      ["content-length", "5"],
      ["date", "Thu, 01 Jan 1970 00:00:00 GMT"],
      ["x-codex-primary-used-percent", "12.7"],
      ["x-codex-turn-state", "opaque"],
      ["openai-model", "gpt-5.5"],
      ["cf-ray", "abc"],
    ]);
  const body = JSON.stringify(TURN);
  for (const path of ["/v1/responses", "/backend-api/codex/responses"]) {
    const answer = await sendRaw(
      door.port,
      `POST ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nCookie: a=b\r\nChatGPT-Account-Id: acct\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Keep: 2\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    const head = answer.slice(0, answer.indexOf("\r\n\r\n")).toLowerCase();
    expect(head).toStartWith("http/1.1 200 ");
    for (const kept of [
      "x-codex-primary-used-percent: 12.7",
      "x-codex-turn-state: opaque",
      "openai-model: gpt-5.5",
      "cf-ray: abc",
    ]) {
      expect(head).toContain(kept);
    }
    expect(head).not.toContain("set-cookie");
    expect(head).not.toContain("content-length");
    expect(head).not.toContain("1970");
    const names = door.fake.last().headers.map(([key]) => key);
    expect(names).toContain("x-keep");
    for (const blocked of [
      "authorization",
      "cookie",
      "chatgpt-account-id",
      "host",
      "x-hop",
      "connection",
      "content-length",
    ]) {
      expect(names).not.toContain(blocked);
    }
  }
});
