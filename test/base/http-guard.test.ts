/**
 * The guard of every loopback door: our own names pass, rebound names and foreign origins do not.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { createHttpGuard, hostName } from "../../src/base/http-guard.ts";

const guard = createHttpGuard();
const ask = (host: string | null, origin: string | null = null) => guard.refuse(host, origin);

const OUR_HOSTS = [
  "127.0.0.1",
  "127.0.0.1:4747",
  "localhost",
  "LOCALHOST:80",
  "localhost:65535",
  "[::1]",
  "[::1]:4747",
];

const FOREIGN_HOSTS = [
  null,
  "",
  "evil.example",
  "evil.example:4747",
  // Names that resolve to loopback, or look as if they were it.
  "127.0.0.1.nip.io",
  "localhost.evil.example",
  "localhost.",
  "sub.localhost",
  "localtest.me:4747",
  "127.0.0.1.",
  "127.1",
  "2130706433",
  "0x7f000001",
  "0.0.0.0",
  "[::]",
  "[::ffff:127.0.0.1]",
  "::1",
  "192.168.1.5:4747",
  // Malformed.
  "localhost:4747:1",
  "localhost:",
  "localhost:999999",
  "user@localhost",
  "localhost/evil",
  "localhost evil",
  "[::1",
  "[localhost]",
];

test.each(OUR_HOSTS)("Host %p passes", (host) => {
  expect(ask(host)).toBeNull();
});

test.each(FOREIGN_HOSTS)("Host %p is refused", (host) => {
  expect(ask(host)).toBe("host");
});

test.each(["http://localhost:4748", "http://127.0.0.1", "https://localhost", "http://[::1]:4748"])(
  "Origin %p passes",
  (origin) => {
    expect(ask("localhost:4747", origin)).toBeNull();
  },
);

const FOREIGN_ORIGINS = [
  "https://evil.example",
  "null",
  "http://localhost.evil.example",
  "file://",
  "chrome-extension://abc",
  "http://localhost/path",
  "http://user@localhost",
  "ftp://localhost",
  "",
];

test.each(FOREIGN_ORIGINS)("Origin %p is refused", (origin) => {
  // Headers drop nothing here: an empty Origin is still one that was sent.
  expect(ask("localhost:4747", origin)).toBe("origin");
});

test("the host is judged before the origin", () => {
  expect(ask("evil.example", "https://evil.example")).toBe("host");
});

test("a name opened on purpose passes as host and origin; its neighbours do not", () => {
  const opened = createHttpGuard(["Rotor.Lan"]);
  expect(opened.refuse("rotor.lan:4747", "http://rotor.lan:4747")).toBeNull();
  expect(opened.refuse("rotor.lan.evil.example", null)).toBe("host");
  expect(opened.refuse("127.0.0.1:4747", null)).toBeNull();
});

test("no host name but ours ever passes", () => {
  fc.assert(
    fc.property(fc.domain(), fc.integer({ min: 0, max: 65_535 }), (name, port) => {
      fc.pre(name.toLowerCase() !== "localhost");
      return ask(`${name}:${port}`) === "host";
    }),
  );
});

test("the port is cut off, brackets too", () => {
  expect(["a.b:1", "[::1]:1", "A.B", null, "a b"].map(hostName)).toEqual(["a.b", "::1", "a.b", null, null]);
});

test("what passed once is judged no otherwise the next time, however many names there were", () => {
  const opened = createHttpGuard();
  for (let round = 0; round < 2; round++) {
    for (let port = 1; port <= 200; port++) {
      expect(opened.refuse(`localhost:${port}`, null)).toBeNull();
      expect(opened.refuse(`evil.example:${port}`, null)).toBe("host");
    }
  }
});
