/** Request bodies in every coding, and every limit on them. */
import { afterAll, describe, expect, test } from "bun:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { wholeOf } from "../../src/base/body-bytes.ts";
import { BODY_PATIENCE_MS, BODY_SLOWEST_BYTES_PER_SECOND } from "../../src/base/bounds.ts";
import { headerValue } from "../../src/base/header-list.ts";
import { decodeBody, readBytes } from "../../src/proxy/request-body.ts";
import { until } from "../daemon/support/until.ts";
import { CLIENT_KEY } from "../support/fake-exchange-engine.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { openDoor, sendRaw, TURN } from "./door.ts";

const ENCODERS: Record<string, (data: Uint8Array) => Uint8Array> = {
  gzip: gzipSync,
  "x-gzip": gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
};
const codeOf = async (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error: { code: string }) => error.code,
  );

describe("decode", () => {
  test("every coding gives back what went in, and keeps the bytes that came", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5_000 }),
        fc.constantFrom(...Object.keys(ENCODERS)),
        async (data, name) => {
          const sent = ENCODERS[name]!(data);
          const body = await decodeBody(sent, name.toUpperCase(), 10_000);
          expect(body.bytes).toBe(sent);
          expect(Buffer.from(body.plain)).toEqual(Buffer.from(data));
        },
      ),
      { numRuns: 60 },
    );
  });

  test("deflate without its header, which many send", async () => {
    const data = Buffer.from("hello".repeat(100));
    expect(Buffer.from((await decodeBody(deflateRawSync(data), "deflate", 10_000)).plain)).toEqual(data);
  });

  test("plain bodies are not copied", async () => {
    const data = Buffer.from("{}");
    for (const name of [null, "", "identity"]) expect((await decodeBody(data, name, 10)).plain).toBe(data);
  });

  test("a few bytes that unfold into too many are refused while unfolding", async () => {
    for (const [name, encode] of Object.entries(ENCODERS)) {
      const bomb = encode(Buffer.alloc(5_000_000));
      expect([name, await codeOf(decodeBody(bomb, name, 1_000_000))]).toEqual([name, "body_too_large"]);
    }
  });

  test("what is not what it says is the client's mistake; what nobody understands is named", async () => {
    for (const name of Object.keys(ENCODERS)) {
      expect([name, await codeOf(decodeBody(Buffer.from("plainly not"), name, 1_000))]).toEqual([
        name,
        "invalid_request",
      ]);
    }
    expect(await codeOf(decodeBody(gzipSync("{}").subarray(0, 15), "gzip", 1_000))).toBe("invalid_request");
    for (const name of ["gzip, br", "gzip,gzip", "compress", "snappy"]) {
      expect([name, await codeOf(decodeBody(Buffer.from("x"), name, 1_000))]).toEqual([name, "unsupported_encoding"]);
    }
  });
});

describe("read", () => {
  const request = (body: ReadableStream<Uint8Array> | string, headers: Record<string, string> = {}) =>
    new Request("http://localhost/", { method: "POST", body, headers });

  test("a body without a stated length is counted as it comes, and its sender stopped", async () => {
    let pulls = 0;
    let cancelled = false;
    const endless = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          pulls++;
          controller.enqueue(new Uint8Array(100));
        },
        cancel: () => {
          cancelled = true;
        },
      },
      { highWaterMark: 0 },
    );
    expect(await codeOf(readBytes(request(endless), 1_000, createManualClock()))).toBe("body_too_large");
    expect([pulls, cancelled]).toEqual([11, true]);
  });

  test("a stated length that is too long is refused unread", async () => {
    expect(await codeOf(readBytes(request("x", { "content-length": "1001" }), 1_000, createManualClock()))).toBe(
      "body_too_large",
    );
  });
});

describe("a body that comes too slowly", () => {
  const door = openDoor();
  afterAll(() => door.close());
  const head = `POST /v1/responses HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${CLIENT_KEY}\r\n`;

  for (const [name, rest] of [
    ["of a stated length", "content-length: 100\r\n\r\n{"],
    ["in chunks", "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"],
  ] as const) {
    test(`${name}: 408 with a code, and the connection is closed`, async () => {
      const quiet = door.clock.pending();
      const answered = sendRaw(door.port, head + rest);
      await until(() => door.clock.pending() > quiet, "the wait for the body");
      await door.clock.advance(BODY_PATIENCE_MS + 1_000);
      const answer = await answered;
      expect(answer).toStartWith("HTTP/1.1 408 ");
      expect(answer).toContain('"code":"request_timeout"');
      expect(door.clock.pending()).toBe(quiet);
    });
  }

  test("so much as comes buys time: who sends steadily is read to the end", async () => {
    const clock = createManualClock();
    let left = 8;
    const steady = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          await clock.advance(20_000);
          if (left-- === 0) controller.close();
          else controller.enqueue(new Uint8Array(20 * BODY_SLOWEST_BYTES_PER_SECOND));
        },
      },
      { highWaterMark: 0 },
    );
    const request = new Request("http://localhost/", { method: "POST", body: steady });
    const bytes = await readBytes(request, 1024 * BODY_SLOWEST_BYTES_PER_SECOND, clock);
    expect(bytes.length).toBe(160 * BODY_SLOWEST_BYTES_PER_SECOND);
  });
});

describe("through the door", () => {
  const door = openDoor({ bodyMaxBytes: 100_000 });
  afterAll(() => door.close());
  const plain = Buffer.from(JSON.stringify(TURN));

  test("Codex bodies are forwarded compressed as they came, with the plain bytes beside them", async () => {
    for (const [name, encode] of Object.entries(ENCODERS)) {
      const sent = encode(plain);
      const response = await door.post("/backend-api/codex/responses", sent, { "content-encoding": name });
      expect([name, response.status]).toEqual([name, 200]);
      await response.text();
      const asked = door.fake.last();
      expect(Buffer.from(wholeOf(asked.body!))).toEqual(Buffer.from(sent));
      expect(Buffer.from(wholeOf(asked.plainBody!))).toEqual(plain);
      expect([headerValue(asked.headers, "content-encoding"), asked.model]).toEqual([name, "gpt-5.5"]);
    }
  });

  test("an SDK's compressed body goes on plain once it was edited, and as it came when nothing had to change", async () => {
    await (await door.post("/v1/responses", gzipSync(plain), { "content-encoding": "gzip" })).text();
    expect(headerValue(door.fake.last().headers, "content-encoding")).toBeNull();
    expect(JSON.parse(Buffer.from(wholeOf(door.fake.last().body!)).toString())).toMatchObject({ store: false });
    const ready = gzipSync(
      JSON.stringify({ ...TURN, store: false, instructions: "", include: ["reasoning.encrypted_content"] }),
    );
    await (await door.post("/v1/responses", ready, { "content-encoding": "gzip" })).text();
    expect(headerValue(door.fake.last().headers, "content-encoding")).toBe("gzip");
    expect(Buffer.from(wholeOf(door.fake.last().body!))).toEqual(ready);
  });

  test("each refusal has its status and code, and reaches nobody", async () => {
    door.fake.requests.length = 0;
    const big = JSON.stringify({ ...TURN, input: "x".repeat(200_000) });
    const cases: [string | Uint8Array, string | null, number, string][] = [
      [big, null, 413, "body_too_large"],
      [zstdCompressSync(Buffer.from(big)), "zstd", 413, "body_too_large"],
      [plain, "gzip", 400, "invalid_request"],
      [plain, "gzip, br", 415, "unsupported_encoding"],
      [plain, "lzma", 415, "unsupported_encoding"],
    ];
    for (const [body, encoding, status, code] of cases) {
      const response = await door.post(
        "/v1/responses",
        body,
        encoding === null ? {} : { "content-encoding": encoding },
      );
      expect([encoding, response.status]).toEqual([encoding, status]);
      expect(await response.json()).toMatchObject({ error: { code, type: "invalid_request_error" } });
    }
    expect(door.fake.requests).toHaveLength(0);
  });

  test("a body that is announced far too long is refused in words before it is sent", async () => {
    const answer = await sendRaw(
      door.port,
      `POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nConnection: close\r\nContent-Length: 500000000\r\n\r\n`,
    );
    expect(answer).toStartWith("HTTP/1.1 413 ");
    expect(answer).toContain('"body_too_large"');
  });

  test("a chunked body works, and is refused when it grows too long", async () => {
    const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
    const head = `POST /v1/responses HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const text = plain.toString();
    const fine = await sendRaw(door.port, `${head}${chunk(text.slice(0, 9))}${chunk(text.slice(9))}0\r\n\r\n`);
    expect(fine).toStartWith("HTTP/1.1 200 ");
    const long = await sendRaw(door.port, `${head}${chunk("x".repeat(60_000))}${chunk("x".repeat(60_000))}0\r\n\r\n`);
    expect(long).toStartWith("HTTP/1.1 413 ");
    expect(long).toContain('"body_too_large"');
  });
});
