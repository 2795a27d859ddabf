/**
 * The edges of HTTP at the real daemon's proxy: too much, too broken, too slow, and what a client may try beside HTTP/1.1. Each gets a clear
 * answer or a closed connection, in bounded time, and the daemon serves on. Every exchange's answer names it; what passes says when.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { BODY_MAX_BYTES } from "../../src/base/bounds.ts";
import { openChat } from "./support/chat.ts";
import { DRESSES } from "./support/client.ts";
import { type Lane, openLane } from "./support/lane.ts";
import { type Received, sendRaw } from "./support/raw-http.ts";

let lane: Lane;

beforeAll(async () => {
  lane = await openLane({ ROTOR_SETTING_WAIT_SECONDS: "0" });
});

afterAll(() => lane[Symbol.asyncDispose]());

/** Where a turn may be sent. */
const DOORS = ["/v1/responses", "/backend-api/codex/responses", "/v1/chat/completions"] as const;
const CHAT = "/v1/chat/completions";

interface Sent {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const send = (path: string, { headers = {}, body = "" }: Sent) =>
  sendRaw(lane.client.url + path, {
    headers: { authorization: `Bearer ${lane.client.key}`, "content-type": "application/json", ...headers },
    body,
  }).received;

const errorOf = (received: Received) =>
  (JSON.parse(received.text) as { error: { code: string; message: string; type: string } }).error;

const SAID = [{ role: "user", content: "hello" }];
const CODEX_TURN = { instructions: "", store: false, include: ["reasoning.encrypted_content"] };
/** One that each of them serves. */
const turnFor = (path: string) =>
  JSON.stringify({
    model: "gpt-5.5",
    stream: true,
    ...(path === CHAT ? { messages: SAID } : { input: SAID }),
    ...(path.startsWith("/backend-api") ? CODEX_TURN : {}),
  });

/** All that came over the wire until the connection closed. */
function untilClosed(text: string, every?: { readonly ms: number; readonly text: string }): Promise<string> {
  const { hostname, port } = new URL(lane.client.url);
  return new Promise((resolve) => {
    let received = "";
    const socket = connect(Number(port), hostname, () => socket.write(text));
    const trickle = every === undefined ? null : setInterval(() => socket.write(every.text), every.ms);
    socket.on("data", (bytes) => (received += bytes.toString("latin1")));
    socket.on("error", () => {});
    socket.on("close", () => {
      if (trickle !== null) clearInterval(trickle);
      resolve(received);
    });
  });
}

describe("too much", () => {
  for (const path of DOORS) {
    test(`a body that says it is too long is refused before it is sent (${path})`, async () => {
      const refused = await send(path, { headers: { "content-length": String(BODY_MAX_BYTES + 1) }, body: "{" });
      expect(refused.status).toBe(413);
      expect(errorOf(refused)).toMatchObject({ code: "body_too_large", type: "invalid_request_error" });
    });
  }

  test("a small one that unfolds into too much is refused too", async () => {
    const response = await fetch(`${lane.client.url}/v1/responses`, {
      method: "POST",
      headers: { authorization: `Bearer ${lane.client.key}`, "content-encoding": "gzip" },
      body: gzipSync(Buffer.alloc(BODY_MAX_BYTES + 1, 0x20)),
    });
    expect(response.status).toBe(413);
    expect(await response.text()).toContain("body_too_large");
  });

  test("headers have a limit", async () => {
    for (const headers of [
      `x-long: ${"a".repeat(100_000)}\r\n`,
      Array.from({ length: 2_000 }, (_, index) => `x-${index}: a\r\n`).join(""),
    ]) {
      expect(await untilClosed(`GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n${headers}\r\n`)).toStartWith(
        "HTTP/1.1 431 ",
      );
    }
  });
});

describe("too broken", () => {
  for (const path of DOORS) {
    test(`JSON that ends or goes wrong is a 400 that says where (${path})`, async () => {
      const whole = turnFor(path);
      const at = whole.length - 1;
      const cut = await send(path, { body: whole.slice(0, at) });
      expect(cut.status).toBe(400);
      expect(errorOf(cut).code).toBe("invalid_json");
      expect(errorOf(cut).message).toContain(`byte ${at} of ${at}`);
      const wrong = await send(path, { body: `{"model": nonsense}` });
      expect(wrong.status).toBe(400);
      expect(errorOf(wrong).message).toContain("byte 11 of 19");
      const none = await send(path, {});
      expect(none.status).toBe(400);
      expect(errorOf(none)).toMatchObject({ code: "invalid_json" });
      const list = await send(path, { body: "[]" });
      expect(errorOf(list)).toMatchObject({ code: "invalid_json" });
    });

    test(`an encoding that nobody knows is a 415, bytes that are not what they say a 400 (${path})`, async () => {
      for (const encoding of ["lzma", "gzip, br"]) {
        const refused = await send(path, { headers: { "content-encoding": encoding }, body: turnFor(path) });
        expect(refused.status).toBe(415);
        expect(errorOf(refused).code).toBe("unsupported_encoding");
      }
      for (const encoding of ["gzip", "deflate", "br", "zstd"]) {
        const refused = await send(path, { headers: { "content-encoding": encoding }, body: turnFor(path) });
        expect([encoding, refused.status, errorOf(refused).code]).toEqual([encoding, 400, "invalid_request"]);
      }
    });
  }

  test("what is not HTTP/1.1 is refused at once", async () => {
    for (const bytes of ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02\x00\x01\r\n\r\n"]) {
      expect(await untilClosed(bytes)).toStartWith("HTTP/1.1 400 ");
    }
  });

  test("a length and chunks in one request, which two readers would cut differently, is refused", async () => {
    const both =
      "POST /v1/responses HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    expect(await untilClosed(both)).toStartWith("HTTP/1.1 400 ");
  });
});

describe("an upgrade to HTTP/2 is tolerated: the answer is HTTP/1.1, and nothing of it goes upstream", () => {
  for (const path of DOORS) {
    test(path, () =>
      lane.withTrio(async (trio) => {
        const answer = await send(path, {
          headers: {
            connection: "Upgrade, HTTP2-Settings, close",
            upgrade: "h2c",
            "http2-settings": "AAMAAABkAAQAoAAAAAIAAAAA",
          },
          body: turnFor(path),
        });
        expect(answer.status).toBe(200);
        const names = trio.requests("/backend-api/codex/responses")[0]!.headers.map(([name]) => name.toLowerCase());
        expect(names).not.toContain("upgrade");
        expect(names).not.toContain("http2-settings");
      }),
    );
  }
});

describe("too slow", () => {
  test("a connection that says nothing, half a head, or a head byte by byte is closed; the daemon serves on", async () => {
    const half = "POST /v1/responses HTTP/1.1\r\nhost: 127.0.0.1\r\n";
    const closed = await Promise.all([
      untilClosed(""),
      untilClosed(half),
      untilClosed(`${half}x-slow: `, { ms: 200, text: "a" }),
    ]);
    expect(closed.filter((text) => text.startsWith("HTTP/1.1 2"))).toEqual([]);
    expect((await lane.client.get("/health")).status).toBe(200);
  });
});

describe("every exchange's answer names it, and what passes says when", () => {
  const expectNamed = async (received: Received) => {
    const id = received.headers.get("x-rotor-exchange");
    expect((await lane.control.exchanges()).map((exchange) => exchange.id)).toContain(id!);
  };

  test("served, in every dress", () =>
    lane.withTrio(async () => {
      for (const dress of DRESSES) await expectNamed(await lane.client.ask(dress));
      await expectNamed(await openChat(lane.client, "hello").received);
    }));

  test("refused by upstream, for what it says", () =>
    lane.withTrio(async () => {
      for (const dress of DRESSES) {
        lane.stage.sim.addFault({ at: "responses", kind: "context_length_exceeded", times: 1 });
        const refused = await lane.client.ask(dress);
        expect(refused.status).toBe(400);
        await expectNamed(refused);
      }
    }));

  test("nobody left, and upstream overloaded: with Retry-After wherever there is a status for it", () =>
    lane.withTrio(async (trio) => {
      for (const kind of ["overloaded", "usage_limit"] as const) {
        for (const on of ["A", "B", "C"] as const) trio.order({ on, kind, times: "always" });
        for (const dress of DRESSES) {
          const refused = await lane.client.ask(dress);
          await expectNamed(refused);
          if (refused.status !== 200) expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
          else expect(dress).toBe("codex");
        }
        lane.stage.sim.clearFaults();
      }
    }));

  test("a refusal before any exchange has a code and names none", async () => {
    const refused = await send(CHAT, { headers: { authorization: "Bearer nonsense" }, body: turnFor(CHAT) });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("x-rotor-exchange")).toBeNull();
  });
});
