/** Our own HTTP client where it must be stricter than others: broken answers, kept connections, time, and what it leaves behind. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { HttpClient } from "../../src/upstream/http-client.ts";
import { createSocketClient } from "../../src/upstream/socket-client.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { type Call, type FakeUpstream, startFakeUpstream } from "./fake-upstream.ts";
import { codeOfRejected, get, post, readAll, textOf } from "./http-client.suite.ts";

let fake: FakeUpstream;
let clock: ManualClock;
let client: HttpClient;
beforeEach(async () => {
  fake = await startFakeUpstream();
  clock = createManualClock();
  client = createSocketClient({ baseUrl: fake.url, clock });
});
afterEach(async () => {
  client.close();
  await fake.stop();
  expect(clock.pending()).toBe(0);
});

/** A whole exchange; the call that served it. */
async function served(body = "x"): Promise<Call> {
  const call = client.send(post(body));
  const got = await fake.next();
  got.answer(200, {}, `to ${body}`);
  expect(await textOf(await call.answer)).toBe(`to ${body}`);
  return got;
}

describe("an answer that is not HTTP", () => {
  test.each([
    ["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n"],
    ["a folded line", "HTTP/1.1 200 OK\r\nx: 1\r\n 2\r\n\r\n"],
    ["LF alone, for ever", `HTTP/1.1 200 OK\n${"x: y\n".repeat(20_000)}`],
    ["a head without end", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}`],
    ["interim answers without end", "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(20)],
    ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
  ])("%s: refused, closed, and nothing of it is left for the next request", async (_, wire) => {
    const call = client.send(post("x"));
    const rejected = codeOfRejected(call.answer);
    const got = await fake.next();
    got.socket.write(wire);
    expect(await rejected).toBe("Malformed_HTTP_Response");
    await got.closed;
    await served();
  });

  test("a chunk that is none ends the reading", async () => {
    const call = client.send(post("x"));
    const got = await fake.next();
    got.socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnonsense\r\n");
    const outcome = await codeOfRejected(call.answer.then(({ reader }) => readAll(reader)));
    expect(outcome).toBe("Malformed_HTTP_Response");
    await got.closed;
    await served();
  });

  test("whatever bytes come, in whatever pieces: an end, and a next request that is served", async () => {
    const word = fc.constantFrom(
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "content-length: 4\r\n",
      "transfer-encoding: chunked\r\n",
      "\r\n",
      "4\r\nabcd\r\n",
      "0\r\n\r\n",
      "abcd",
      "\n",
    );
    const bytes = fc.array(fc.oneof(word, fc.string({ maxLength: 6 })), { maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(bytes, async (pieces) => {
        const call = client.send(post("fuzz"));
        const ended = Promise.allSettled([call.answer.then(({ reader }) => readAll(reader))]);
        const got = await fake.next();
        for (const piece of pieces) got.socket.write(Buffer.from(piece, "latin1"));
        got.socket.end();
        await ended;
        await served("next");
      }),
      { numRuns: 150 },
    );
  });
});

describe("a kept connection", () => {
  test("is not used again when more came than was asked for", async () => {
    const call = client.send(post("x"));
    const got = await fake.next();
    const poison = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    got.socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok${poison}`);
    expect(await textOf(await call.answer)).toBe("ok");
    await got.closed;
    expect((await served()).socket).not.toBe(got.socket);
  });

  test("is closed when it speaks unasked", async () => {
    const first = await served();
    first.socket.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison");
    await first.closed;
    expect((await served()).socket).not.toBe(first.socket);
  });

  test("that upstream has closed is not used", async () => {
    const first = await served();
    first.socket.end();
    await first.closed;
    expect((await served()).socket).not.toBe(first.socket);
  });

  test("that closes under a question: it is asked again, once", async () => {
    await served();
    const call = client.send(get());
    (await fake.next()).socket.destroy();
    const again = await fake.next();
    again.answer(200, {}, "second");
    expect(await textOf(await call.answer)).toBe("second");
    const once = client.send(get());
    const rejected = codeOfRejected(once.answer);
    (await fake.next()).socket.destroy();
    (await fake.next()).socket.destroy();
    expect(await rejected).toBe("ECONNRESET");
  });

  test("that closes under an order: it may have been carried out, so it is not given again", async () => {
    await served();
    const call = client.send(post("an order"));
    const rejected = codeOfRejected(call.answer);
    (await fake.next()).socket.destroy();
    expect(await rejected).toBe("ECONNRESET");
  });

  test("that has begun to answer: nothing is asked again", async () => {
    await served();
    const call = client.send(get());
    const rejected = codeOfRejected(call.answer);
    const got = await fake.next();
    got.socket.end("HTTP/1.1 200");
    expect(await rejected).toBe("ECONNRESET");
  });

  test("is let go when it is old", async () => {
    const first = await served();
    await clock.advance(11 * 60_000);
    const second = await served();
    expect(second.socket).not.toBe(first.socket);
    await first.closed;
  });

  test("is let go when the client is", async () => {
    const first = await served();
    client.close();
    await first.closed;
  });

  test("is not used while its last request has not gone out", async () => {
    const closed = Promise.withResolvers<void>();
    const early = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          // Answers, and reads no more than what the kernel takes for it.
          socket.pause();
          socket.write("HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno");
        },
        data() {},
        close: () => closed.resolve(),
      },
    });
    const other = createSocketClient({ baseUrl: `http://127.0.0.1:${early.port}`, clock });
    const answer = await other.send(post(new Uint8Array(30_000_000))).answer;
    expect(answer.status).toBe(413);
    expect(await textOf(answer)).toBe("no");
    await closed.promise;
    early.stop(true);
  });
});

describe("time", () => {
  test("a connection that does not come about in time", async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const mute = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {}, close: () => resolve() } });
    const patient = createSocketClient({ baseUrl: `https://127.0.0.1:${mute.port}`, clock });
    const rejected = codeOfRejected(patient.send(post("x", { connectMs: 10_000 })).answer);
    for (let i = 0; i < 20; i++) await new Promise((done) => setImmediate(done));
    await clock.advance(10_000);
    expect(await rejected).toBe("ETIMEDOUT");
    await closed;
    mute.stop(true);
  });
});

describe("what goes out", () => {
  test.each([
    ["a value", [["x-a", "1\r\nx-b: 2"]]],
    ["a value, with LF alone", [["x-a", "1\nx-b: 2"]]],
    ["a name", [["x-a: 1\r\nx-b", "2"]]],
    ["an empty name", [["", "2"]]],
    ["a character that is no byte", [["x-a", "\u{1f600}"]]],
  ] as const)("%s cannot become another line", async (_, headers) => {
    expect(await codeOfRejected(client.send(post("x", { headers })).answer)).toBe("ERR_INVALID_HEADER");
    await served();
  });

  test.each([
    ["/a/../b", "/b"],
    ["/a b", "/a%20b"],
    ["/a?x=ü", "/a?x=%C3%BC"],
    ["/a#part", "/a"],
    ["//elsewhere.example/x", "/elsewhere.example/x"],
    ["/a\r\nx-b: 2", "/ax-b:%202"],
    ["?q=1", "/?q=1"],
  ])("the path %j is asked for as %j", async (path, target) => {
    const call = client.send(get({ path }));
    const got = await fake.next();
    expect(got.requestLine).toBe(`GET ${target} HTTP/1.1`);
    got.answer(200, {}, "");
    await readAll((await call.answer).reader);
  });

  test("a method is a word", async () => {
    expect(await codeOfRejected(client.send(get({ method: "GET / HTTP/1.1\r\nx: y\r\n\r\nGET" })).answer)).toBe(
      "ERR_INVALID_METHOD",
    );
  });
});

test("four hundred requests at once: none waits for another", async () => {
  const calls = Array.from({ length: 400 }, (_, i) => client.send(post(`${i}`)));
  // All of them arrive before one is answered.
  const arrived = await Promise.all(calls.map(() => fake.next()));
  for (const got of arrived) got.answer(200, {}, got.body);
  expect(await Promise.all(calls.map(async (call) => textOf(await call.answer)))).toEqual(calls.map((_, i) => `${i}`));
});

test("whenever they are given up, no connection of theirs stays open", async () => {
  const calls = ["sent", "opened", "reading", "cancelled"].flatMap((when) => Array.from({ length: 25 }, () => when));
  for (const when of calls) {
    const call = client.send(post(when));
    const outcome = Promise.allSettled([call.answer]);
    const got = await fake.next();
    if (when === "sent") {
      call.abort();
    } else {
      got.open().write("a part");
      const { reader } = await call.answer;
      if (when !== "opened") await reader!.read();
      if (when === "cancelled") await reader!.cancel();
      else call.abort();
    }
    await outcome;
    await got.closed;
  }
});
