/** Heads of answers: what is taken, what is refused, and that nothing else happens whatever arrives. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HttpFault } from "../../src/upstream/http-client.ts";
import { HeadReader, parseHead, type ResponseHead } from "../../src/upstream/response-head.ts";

const parse = (lines: string, method = "POST") => parseHead(lines.replaceAll("\n", "\r\n"), method);

test("status, fields in order, lower case, without the blanks around", () => {
  const head = parse("HTTP/1.1 200 OK\nContent-Type:  text/event-stream \nX-A: 1\nX-A: 2\nempty:\ncontent-length: 3");
  expect(head.status).toBe(200);
  expect(head.headers.slice(0, 4)).toEqual([
    ["content-type", "text/event-stream"],
    ["x-a", "1"],
    ["x-a", "2"],
    ["empty", ""],
  ]);
  expect(head.keepAlive).toBe(true);
});

test.each([
  ["HTTP/1.1 200 OK\ncontent-length: 12", "GET", { kind: "length", bytes: 12 }, true],
  ["HTTP/1.1 200 OK\ncontent-length: 12\ncontent-length: 12", "GET", { kind: "length", bytes: 12 }, true],
  ["HTTP/1.1 200 OK\ncontent-length: 0", "GET", { kind: "none" }, true],
  ["HTTP/1.1 200\ntransfer-encoding: Chunked", "GET", { kind: "chunked" }, true],
  ["HTTP/1.1 200 \ntransfer-encoding: chunked\nconnection: keep-alive, Close", "GET", { kind: "chunked" }, false],
  ["HTTP/1.1 200 OK", "GET", { kind: "close" }, false],
  ["HTTP/1.0 200 OK\ncontent-length: 3", "GET", { kind: "length", bytes: 3 }, false],
  ["HTTP/1.1 200 OK\ncontent-length: 12", "HEAD", { kind: "none" }, true],
  ["HTTP/1.1 204 No Content", "POST", { kind: "none" }, true],
  ["HTTP/1.1 304 Not Modified\ncontent-length: 12", "GET", { kind: "none" }, true],
  ["HTTP/1.1 103 Early Hints\nlink: </a>", "GET", { kind: "none" }, true],
] as const)("%p to %s", (lines, method, framing, keepAlive) => {
  expect(parse(lines, method)).toMatchObject({ framing, keepAlive });
});

describe("refused", () => {
  const SMUGGLES: Record<string, string> = {
    "two kinds of length": "HTTP/1.1 200 OK\ncontent-length: 3\ntransfer-encoding: chunked",
    "two lengths": "HTTP/1.1 200 OK\ncontent-length: 3\ncontent-length: 4",
    "a list of lengths": "HTTP/1.1 200 OK\ncontent-length: 3, 3",
    "a signed length": "HTTP/1.1 200 OK\ncontent-length: +3",
    "a hexadecimal length": "HTTP/1.1 200 OK\ncontent-length: 0x3",
    "a length without end": `HTTP/1.1 200 OK\ncontent-length: ${"9".repeat(16)}`,
    "an empty length": "HTTP/1.1 200 OK\ncontent-length:",
    "another coding": "HTTP/1.1 200 OK\ntransfer-encoding: gzip, chunked",
    "chunked twice": "HTTP/1.1 200 OK\ntransfer-encoding: chunked\ntransfer-encoding: chunked",
    "chunked in HTTP/1.0": "HTTP/1.0 200 OK\ntransfer-encoding: chunked",
    "a folded line": "HTTP/1.1 200 OK\nx-a: 1\n folded: 2",
    "a blank before the colon": "HTTP/1.1 200 OK\ncontent-length : 3",
    "a line without a colon": "HTTP/1.1 200 OK\nnonsense",
    "a field without a name": "HTTP/1.1 200 OK\n: value",
    "a bare CR at the end of a value": "HTTP/1.1 200 OK\nx-a: 1\r\nx-b: 2",
    "an empty line": "HTTP/1.1 200 OK\n\nx: 1",
    "another protocol": "ICY 200 OK",
    "another version": "HTTP/2 200",
    "no status": "HTTP/1.1 OK",
    "a short status": "HTTP/1.1 20 OK",
    "a status out of range": "HTTP/1.1 600 Huh",
    "an upgrade": "HTTP/1.1 101 Switching Protocols\nupgrade: websocket",
  };
  test.each(Object.entries(SMUGGLES))("%s", (_, lines) => {
    expect(() => parse(lines)).toThrow(HttpFault);
  });

  test.each(["\0", "\r", "\n", "\x7f", "\x01"])("%j in a value, a name or the reason", (byte) => {
    for (const head of [
      `HTTP/1.1 200 OK\r\nx: a${byte}b`,
      `HTTP/1.1 200 OK\r\nx${byte}: b`,
      `HTTP/1.1 200 O${byte}K`,
    ]) {
      expect(() => parseHead(head, "GET")).toThrow(HttpFault);
    }
  });
});

test("anything at all is a head or a fault, and never two lengths", () => {
  const piece = fc.constantFrom(
    "HTTP/1.1 200 OK",
    "\r\n",
    "\n",
    "content-length: 3",
    "transfer-encoding: chunked",
    ":",
    " ",
    "x: y",
    "\0",
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), (pieces) => {
      const text = pieces.join("");
      try {
        const { headers, framing } = parseHead(text, "GET");
        const names = headers.map(([name]) => name);
        expect(names.includes("content-length") && names.includes("transfer-encoding")).toBe(false);
        for (const [name, value] of headers) expect(`${name}${value}`).not.toMatch(/[\r\n\0]/);
        expect(framing.kind === "chunked").toBe(names.includes("transfer-encoding"));
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(HttpFault);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a reader that remembers lines of other heads reads each as if it were its first", () => {
  const line = fc.oneof(
    fc.constantFrom(
      "Content-Type: text/event-stream",
      "content-type: text/event-streaM",
      "x-a: 1",
      "x-a: 2",
      "content-length: 3",
      "Content-Length: 4",
      "transfer-encoding: chunked",
      "transfer-encoding: gzip",
      "connection: close",
      "connection: keep-alive",
      " folded: 1",
      "x-a : 1",
      "HTTP/1.1 200 OK",
      "x-a: 1\r",
      "x\n: 1",
      "",
    ),
    fc.string({ unit: "binary-ascii", maxLength: 300 }),
  );
  const status = fc.constantFrom(
    "HTTP/1.1 200 OK",
    "HTTP/1.0 200 OK",
    "HTTP/1.1 204 No Content",
    "HTTP/1.1 101 x",
    "ICY",
  );
  const head = fc.tuple(status, fc.array(line, { maxLength: 6 })).map(([first, rest]) => [first, ...rest].join("\r\n"));
  const outcome = (read: () => ResponseHead) => {
    try {
      return read();
    } catch (thrown) {
      return thrown instanceof HttpFault ? thrown.message : thrown;
    }
  };
  const reader = new HeadReader();
  const again = (text: string) => {
    // What lies behind the head belongs to the body, whatever it looks like.
    const bytes = Buffer.from(`${text}\r\n\r\ncontent-length: 9\r\n`, "latin1");
    return reader.read(bytes, text.length, "GET");
  };
  fc.assert(
    fc.property(fc.array(head, { minLength: 1, maxLength: 8 }), (heads) => {
      for (const text of [...heads, ...heads, ...heads]) {
        expect(outcome(() => again(text))).toEqual(outcome(() => parseHead(text, "GET")));
      }
    }),
    { numRuns: 500 },
  );
});

test("a line that comes again and again is the same object, and unlike ones are not", () => {
  const reader = new HeadReader();
  const read = (text: string) => {
    const bytes = Buffer.from(text, "latin1");
    return reader.read(bytes, bytes.length, "GET").headers;
  };
  const lines = (i: number) => `HTTP/1.1 200 OK\r\nX-Same: yes\r\nx-count: ${i}`;
  for (let i = 0; i < 5_000; i++) expect(read(lines(i))[1]).toEqual(["x-count", String(i)]);
  expect(read(lines(1))[0]).toBe(read(lines(2))[0]!);
});
