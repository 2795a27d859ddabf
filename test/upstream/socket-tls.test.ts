/** TLS of our own client: whom it trusts, and that not a byte of a request goes to anybody else. */
import { afterAll, expect, test } from "bun:test";
import { createServer, type TlsOptions } from "node:tls";
import { systemClock } from "../../src/base/clock.ts";
import { createSocketClient } from "../../src/upstream/socket-client.ts";
import { outcomeOfThrown } from "../../src/upstream/transport-failure.ts";
import { createTestAuthority, EXPIRED, selfSigned, type TestCertificate } from "../support/tls-authority.ts";
import { get, post, textOf } from "./http-client.suite.ts";

const authority = createTestAuthority();
const stranger = createTestAuthority();
const closers: (() => void)[] = [];
afterAll(() => {
  for (const close of closers) close();
});

/** Answers each request with the name that the client asked for, and keeps what it received. */
async function serve(certificate: TestCertificate, more: TlsOptions = {}) {
  const received: string[] = [];
  const protocols: (string | false | null)[] = [];
  let connections = 0;
  const server = createServer({ ...certificate, ...more }, (socket) => {
    connections++;
    protocols.push(socket.alpnProtocol);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      received.push(data.toString());
      const body = String(socket.servername);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    });
  });
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  const { port } = server.address() as { port: number };
  const clientFor = (host: string) => {
    const client = createSocketClient({ baseUrl: `https://${host}:${port}`, clock: systemClock, ca: authority.cert });
    closers.push(() => client.close());
    return client;
  };
  return { clientFor, received, protocols, connections: () => connections };
}

test("a certificate of a trusted authority for the host's name is trusted, and the connection kept", async () => {
  const server = await serve(authority.issue({ dns: ["localhost"] }), { ALPNProtocols: ["h2", "http/1.1"] });
  const client = server.clientFor("localhost");
  for (let i = 0; i < 3; i++)
    expect(await textOf(await client.send(post("x".repeat(i * 40_000))).answer)).toBe("localhost");
  expect(server.connections()).toBe(1);
  expect(server.protocols).toEqual(["http/1.1"]);
});

test("an address is verified as one", async () => {
  const client = (await serve(authority.issue({ ip: ["127.0.0.1"] }))).clientFor("127.0.0.1");
  expect((await client.send(get()).answer).status).toBe(200);
});

test("an answer of megabytes arrives whole", async () => {
  const body = "0123456789abcdef".repeat(200_000);
  const server = createServer({ ...authority.issue({ dns: ["localhost"] }) }, (socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  const { port } = server.address() as { port: number };
  const client = createSocketClient({ baseUrl: `https://localhost:${port}`, clock: systemClock, ca: authority.cert });
  expect(await textOf(await client.send(get()).answer)).toBe(body);
});

test.each([
  ["of another name", () => authority.issue({ dns: ["elsewhere.example"] }), "localhost"],
  ["of a name alone, asked for by its address", () => authority.issue({ dns: ["localhost"] }), "127.0.0.1"],
  ["that has expired", () => authority.issue({ dns: ["localhost"] }, EXPIRED), "localhost"],
  ["that vouches for itself", () => selfSigned("localhost"), "localhost"],
  ["of an authority that nobody knows", () => stranger.issue({ dns: ["localhost"] }), "localhost"],
] as const)("a certificate %s is refused before anything is sent", async (_, certificate, host) => {
  const server = await serve(certificate());
  const [result] = await Promise.allSettled([server.clientFor(host).send(post("a secret")).answer]);
  expect(result.status).toBe("rejected");
  const { reason } = result as PromiseRejectedResult;
  expect(outcomeOfThrown(reason).kind).toBe("unreachable");
  expect(server.received).toEqual([]);
});

test("something that speaks no TLS is refused", async () => {
  const plain = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { data: (socket) => void socket.write("HTTP/1.1 400 Bad Request\r\n\r\n") },
  });
  closers.push(() => plain.stop(true));
  const client = createSocketClient({ baseUrl: `https://localhost:${plain.port}`, clock: systemClock });
  const [result] = await Promise.allSettled([client.send(get()).answer]);
  expect(result.status).toBe("rejected");
});
