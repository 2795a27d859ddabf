/** The HTTP/1.1 layer under everything: framing, keep-alive, pipelining, refusals, a reader that stalls, many streams. */
import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import fc from "fast-check";
import { createRequestReader, type HttpRequest } from "../../src/simulator/http-request.ts";
import { rawAsk, rawExchange, startBench, textOf, until } from "./support.ts";

describe("the request reader", () => {
  const wire = [
    "POST /a?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "GET /b HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n",
    "POST /d HTTP/1.0\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
  ].join("");
  const summary = (request: HttpRequest) => [
    request.method,
    request.path,
    Buffer.from(request.body).toString(),
    request.keepAlive,
  ];

  test("gives the same requests however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(wire.length), { maxLength: 20 }), (cuts) => {
        const reader = createRequestReader(1_000, () => {});
        const found: HttpRequest[] = [];
        const edges = [0, ...cuts.toSorted((a, b) => a - b), wire.length];
        for (let n = 1; n < edges.length; n++) {
          reader.push(Buffer.from(wire.slice(edges[n - 1], edges[n])));
          for (let request = reader.next(); request; request = reader.next()) found.push(request);
        }
        expect(found.map(summary)).toEqual([
          ["POST", "/a", "hello", true],
          ["GET", "/b", "", true],
          ["POST", "/c", "abcdefg", true],
          ["POST", "/d", "", false],
        ]);
        expect(found[0]!.query.get("x")).toBe("1");
      }),
    );
  });

  test.each([
    ["no request line", "hello\r\n\r\n", 400],
    ["a header without a name", "GET / HTTP/1.1\r\n: x\r\n\r\n", 400],
    ["a length that is no number", "GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400],
    ["a body above the bound", "GET / HTTP/1.1\r\ncontent-length: 1001\r\n\r\n", 413],
    [
      "chunks above the bound",
      `GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n${"x".repeat(1_001)}\r\n`,
      413,
    ],
    ["a head without end", `GET / HTTP/1.1\r\nx: ${"y".repeat(70_000)}`, 431],
  ])("refuses %s", (_, text, status) => {
    const reader = createRequestReader(1_000, () => {});
    reader.push(Buffer.from(text));
    expect(() => reader.next()).toThrow(expect.objectContaining({ status }));
  });
});

describe("the listener", () => {
  test("answers requests that were sent at once, in order, on one connection", async () => {
    await using bench = await startBench();
    const get = (path: string, more = "") => `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${more}\r\n`;
    const { text, end } = await rawExchange(
      bench.sim.port,
      get("/nothing"),
      get("/oauth/authorize"),
      get("/x", "connection: close\r\n"),
    );
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 404", "HTTP/1.1 400", "HTTP/1.1 404"]);
    expect(end).toBe("fin");
  });

  test("says 100 Continue to clients that wait for it", async () => {
    await using bench = await startBench();
    const request = rawAsk(bench, "hi").replace("connection: close", "connection: close\r\nexpect: 100-continue");
    const { text } = await rawExchange(bench.sim.port, request);
    expect(text).toStartWith("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n");
  });

  test("ends a connection that speaks no HTTP", async () => {
    await using bench = await startBench();
    const { text, end } = await rawExchange(bench.sim.port, "hello\r\n\r\n");
    expect(text).toStartWith("HTTP/1.1 400");
    expect(end).toBe("fin");
  });

  test.each(["evil.example", "127.0.0.1.evil.example", "169.254.1.1"])("refuses the host %s", async (host) => {
    await using bench = await startBench();
    for (const path of ["/oauth/authorize", "/__sim/v1/clock"]) {
      const { text } = await rawExchange(
        bench.sim.port,
        `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nx-rotor-sim: 1\r\nconnection: close\r\n\r\n`,
      );
      expect(text).toStartWith("HTTP/1.1 403");
    }
  });

  test("a page of another origin is refused", async () => {
    await using bench = await startBench();
    const response = await fetch(`${bench.sim.issuer}/__sim/v1/clock`, {
      headers: { "x-rotor-sim": "1", origin: "https://evil.example" },
    });
    expect(response.status).toBe(403);
  });

  test("a reader that stalls stops the writer, and its leaving is seen", async () => {
    await using bench = await startBench({ pacing: { deltas: 20_000, deltaChars: 4_000 } });
    const socket = connect(bench.sim.port, "127.0.0.1");
    socket.pause();
    socket.write(rawAsk(bench, "hi"));
    await until(() => (bench.sim.requests()[0]?.eventsSent ?? 0) > 0);
    const [record] = bench.sim.requests();
    // The kernel's buffers take some megabytes of the eighty; then the stream waits.
    let before = -1;
    for (let calm = 0; calm < 50; calm = before === record!.eventsSent ? calm + 1 : 0) {
      before = record!.eventsSent;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(record!.end).toBe("open");
    expect(record!.eventsSent).toBeLessThan(record!.eventsPlanned! / 2);
    socket.destroy();
    await until(() => record!.end === "client_closed");
  });

  test("serves some hundred streams at once", async () => {
    await using bench = await startBench({ pacing: { deltas: 20, delayMs: 1 }, accounts: [{ plan: "promax" }] });
    const answers = await Promise.all(
      Array.from({ length: 250 }, async (_, n) => textOf(await (await bench.ask(`hello ${n}`)).text())),
    );
    expect(answers.every((text, n) => text.startsWith(`SIM alpha says: hello ${n}`))).toBe(true);
    expect(bench.sim.gauges.mostOpenStreams).toBeGreaterThan(100);
    expect(bench.sim.gauges.openStreams).toBe(0);
    expect(bench.sim.account("alpha").counters.completed).toBe(250);
  });
});
