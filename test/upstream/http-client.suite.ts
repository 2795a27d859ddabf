/** What every HTTP client of upstream promises, whatever carries it: one suite, run for each. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ByteReader } from "../../src/upstream/byte-reader.ts";
import type { HttpAnswer, HttpClient, HttpRequest } from "../../src/upstream/http-client.ts";
import { codeOf } from "../../src/upstream/transport-failure.ts";
import { type FakeUpstream, startFakeUpstream } from "./fake-upstream.ts";

export function get(more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: "GET", path: "/thing", headers: [], body: null, connectMs: 10_000, ...more };
}

export function post(body: string | Uint8Array, more: Partial<HttpRequest> = {}): HttpRequest {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return get({ method: "POST", body: bytes, ...more });
}

/** All of a body; throws what its reader throws. */
export async function readAll(reader: ByteReader | null): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (;;) {
    const got = await reader?.read();
    if (got === undefined || got.done || got.value === undefined) return Buffer.concat(pieces);
    pieces.push(got.value);
  }
}

export const textOf = async (answer: HttpAnswer) => (await readAll(answer.reader)).toString();

/** The code of what a promise is rejected with. */
export async function codeOfRejected(promise: Promise<unknown>): Promise<string | null> {
  const [result] = await Promise.allSettled([promise]);
  if (result.status === "fulfilled") throw new Error("it was not rejected");
  return codeOf(result.reason);
}

export function describeHttpClient(name: string, create: (baseUrl: string) => HttpClient): void {
  describe(name, () => {
    let fake: FakeUpstream;
    let client: HttpClient;
    beforeEach(async () => {
      fake = await startFakeUpstream();
      client = create(`${fake.url}/base/`);
    });
    afterEach(async () => {
      client.close();
      await fake.stop();
    });

    test("a request arrives below the base, with its headers, its body and one length", async () => {
      const call = client.send(post("hello", { path: "thing?a=%20b&c=d", headers: [["x-name", "Wert \xfc"]] }));
      const got = await fake.next();
      expect(got.requestLine).toBe("POST /base/thing?a=%20b&c=d HTTP/1.1");
      expect(got.header("x-name")).toBe("Wert \xfc");
      expect(got.header("host")).toBe(new URL(fake.url).host);
      expect(got.head.match(/content-length: 5/gi)).toHaveLength(1);
      expect(got.body).toBe("hello");
      got.answer(200, {}, "ok");
      expect(await textOf(await call.answer)).toBe("ok");
    });

    test("a question without a body has no length; an empty order has length 0", async () => {
      const question = client.send(get());
      const first = await fake.next();
      expect(first.header("content-length")).toBeNull();
      first.answer(200, {}, "");
      await readAll((await question.answer).reader);
      const order = client.send(get({ method: "POST" }));
      const second = await fake.next();
      expect(second.header("content-length")).toBe("0");
      second.answer(200, {}, "");
      await readAll((await order.answer).reader);
    });

    test("status and headers come as they were sent, nothing is decoded and no redirect followed", async () => {
      const call = client.send(get());
      (await fake.next()).answer(
        302,
        { location: "/elsewhere", "content-encoding": "gzip", "X-Own": "yes" },
        "not gzip",
      );
      const answer = await call.answer;
      expect(answer.status).toBe(302);
      expect(answer.headers).toContainEqual(["x-own", "yes"]);
      expect(answer.headers).toContainEqual(["content-encoding", "gzip"]);
      expect(await textOf(answer)).toBe("not gzip");
    });

    test("a body in any chunks at any boundaries is the same body", async () => {
      const pieces = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(pieces, fc.integer({ min: 1, max: 64 }), async (chunks, step) => {
          const call = client.send(get());
          const { socket } = await fake.next();
          const framed = chunks.flatMap((chunk) => [`${chunk.length.toString(16)}\r\n`, chunk, "\r\n"]);
          const wire = Buffer.concat(
            ["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", ...framed, "0\r\n\r\n"].map((part) =>
              Buffer.from(part),
            ),
          );
          for (let at = 0; at < wire.length; at += step) {
            socket.write(wire.subarray(at, at + step));
            if (at % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
          }
          expect((await readAll((await call.answer).reader)).equals(Buffer.concat(chunks))).toBe(true);
        }),
        { numRuns: 25 },
      );
    });

    test("a stated length, no body at all, and a body that ends with the connection", async () => {
      const cases = [
        ["GET", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "hello"],
        ["GET", "HTTP/1.1 204 No Content\r\n\r\n", ""],
        ["GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", ""],
        ["HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", ""],
        ["GET", "HTTP/1.1 200 OK\r\n\r\nuntil the end", "until the end"],
      ] as const;
      for (const [method, wire, body] of cases) {
        const call = client.send(get({ method }));
        const got = await fake.next();
        if (wire.endsWith("end")) got.socket.end(wire);
        else got.socket.write(wire);
        expect(await textOf(await call.answer)).toBe(body);
      }
    });

    test("interim answers are passed over", async () => {
      const call = client.send(post("x"));
      const got = await fake.next();
      got.socket.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n");
      got.answer(200, {}, "after");
      const answer = await call.answer;
      expect(answer.status).toBe(200);
      expect(await textOf(answer)).toBe("after");
    });

    test("a connection is used again, unless it says that it closes", async () => {
      const sockets: unknown[] = [];
      for (const headers of [{}, {}, { connection: "close" }, {}] as Record<string, string>[]) {
        const call = client.send(post("x"));
        const got = await fake.next();
        sockets.push(got.socket);
        got.answer(200, headers, "y");
        expect(await textOf(await call.answer)).toBe("y");
        if (headers.connection === "close") got.socket.end();
      }
      expect(sockets[1]).toBe(sockets[0]);
      expect(sockets[2]).toBe(sockets[0]);
      expect(sockets[3]).not.toBe(sockets[0]);
    });

    test("requests at the same time never share a connection", async () => {
      const calls = Array.from({ length: 20 }, (_, i) => client.send(post(`${i}`)));
      const arrived = await Promise.all(calls.map(() => fake.next()));
      expect(new Set(arrived.map((got) => got.socket)).size).toBe(20);
      for (const got of arrived.reverse()) got.answer(200, {}, `answer ${got.body}`);
      const texts = await Promise.all(calls.map(async (call) => textOf(await call.answer)));
      expect(texts).toEqual(calls.map((_, i) => `answer ${i}`));
    });

    test("giving up before the answer closes the connection", async () => {
      const call = client.send(post("x"));
      const rejected = codeOfRejected(call.answer);
      const got = await fake.next();
      call.abort();
      await got.closed;
      await rejected;
    });

    test("giving up in the middle of the body closes the connection and ends the reading", async () => {
      for (const how of ["abort", "cancel"] as const) {
        const call = client.send(post("x"));
        const got = await fake.next();
        got.open().write("a part");
        const { reader } = await call.answer;
        expect(Buffer.from((await reader!.read()).value!).toString()).toBe("a part");
        if (how === "abort") {
          const rest = codeOfRejected(reader!.read());
          call.abort();
          await rest;
        } else await reader!.cancel();
        await got.closed;
      }
    });

    test("giving up after the end leaves the next request alone", async () => {
      const first = client.send(post("x"));
      (await fake.next()).answer(200, {}, "y");
      const { reader } = await first.answer;
      await readAll(reader);
      const second = client.send(post("z"));
      const got = await fake.next();
      first.abort();
      await reader?.cancel();
      got.answer(200, {}, "still there");
      expect(await textOf(await second.answer)).toBe("still there");
    });

    test("a body that breaks off rejects what reads it", async () => {
      const call = client.send(post("x"));
      const got = await fake.next();
      got.open().write("a part");
      const { reader } = await call.answer;
      await reader!.read();
      got.reset();
      expect(await codeOfRejected(readAll(reader))).not.toBeNull();
    });

    test("a connection that closes before an answer rejects the request", async () => {
      for (const close of ["end", "resetAndDestroy"] as const) {
        const call = client.send(post("x"));
        const rejected = codeOfRejected(call.answer);
        (await fake.next()).socket[close]();
        expect(await rejected).toBe("ECONNRESET");
      }
    });

    test("nobody listens", async () => {
      await fake.stop();
      expect(await codeOfRejected(client.send(post("x")).answer)).toMatch(/ECONNREFUSED|ConnectionRefused/);
    });

    test("a body in pieces is one body", async () => {
      const pieces = [
        new TextEncoder().encode("{"),
        new Uint8Array(200_000).fill(0x61),
        new Uint8Array(0),
        new TextEncoder().encode("}"),
      ];
      const call = client.send(get({ method: "POST", body: pieces }));
      const got = await fake.next();
      expect(got.header("content-length")).toBe("200002");
      expect(got.body).toBe(`{${"a".repeat(200_000)}}`);
      got.answer(200, {}, "taken");
      expect(await textOf(await call.answer)).toBe("taken");
    });

    test("a long body goes out whole to a server that is slow to read it", async () => {
      const body = new Uint8Array(3_000_000).map((_, at) => 97 + (at % 26));
      const call = client.send(post(body));
      const got = await fake.next();
      expect(got.body).toBe(Buffer.from(body).toString());
      got.answer(200, {}, "taken");
      expect(await textOf(await call.answer)).toBe("taken");
    });
  });
}
