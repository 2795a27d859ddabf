/** Whether an address takes connections: found out without writing a byte to it. */
import { afterAll, expect, test } from "bun:test";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { systemClock } from "../../src/base/clock.ts";
import { tryReach } from "../../src/upstream/reach.ts";
import { createTestAuthority } from "../support/tls-authority.ts";

const closers: (() => void)[] = [];
afterAll(() => {
  for (const close of closers) close();
});

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  return (server.address() as { port: number }).port;
}

test("a listener is reached, hears nothing, and is left again", async () => {
  let heard = 0;
  let left: () => void = () => {};
  const gone = new Promise<void>((resolve) => (left = resolve));
  const server = createServer((socket: Socket) => {
    socket.on("data", ({ length }) => {
      heard += length;
    });
    socket.on("error", () => {});
    socket.once("close", () => left());
  });
  const port = await listening(server);
  expect(await tryReach(`http://127.0.0.1:${port}/backend-api`, systemClock)).toBeNull();
  await gone;
  expect(heard).toBe(0);
});

test("nobody there is said as such", async () => {
  const server = createServer();
  const port = await listening(server);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  expect(await tryReach(`http://127.0.0.1:${port}`, systemClock)).toStartWith("nothing accepts connections there");
});

test("TLS counts: a certificate of nobody's is no connection", async () => {
  const authority = createTestAuthority();
  const server = createTlsServer(authority.issue({ ip: ["127.0.0.1"] }), (socket) => socket.on("error", () => {}));
  server.on("tlsClientError", () => {});
  const port = await listening(server);
  expect(await tryReach(`https://127.0.0.1:${port}`, systemClock, authority.cert)).toBeNull();
  expect(await tryReach(`https://127.0.0.1:${port}`, systemClock)).toStartWith("no TLS connection that can be trusted");
});
