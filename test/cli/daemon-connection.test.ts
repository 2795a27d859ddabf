/** A daemon that goes while a ctl speaks with it: every call ends, reads are asked again, and nothing is ever done twice. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import http2 from "node:http2";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { connectTo, isLost } from "../../src/cli/daemon-connection.ts";
import { DaemonService } from "../../src/gen/rotor/v1/daemon_service_pb.ts";
import { PoolService } from "../../src/gen/rotor/v1/pool_service_pb.ts";
import type { Engine } from "../../src/pool/engine.ts";
import { createFakeFacts, type Door, type FakeFacts, openDoor } from "../control/harness.ts";
import { accountOf, createFakeEngine } from "../support/fake-engine.ts";
import { createIo, runIn, tempHome } from "./harness.ts";

let home: string;
const doors: Door[] = [];
beforeEach(() => {
  home = tempHome();
});
afterEach(async () => {
  for (const door of doors.splice(0)) await door.close();
  rmSync(home, { recursive: true, force: true });
});

interface Succession {
  /** The daemon that has taken its place. */
  readonly second: Door;
  run(...argv: string[]): ReturnType<typeof runIn>;
}

/**
 * Two daemons of one folder: the one that `daemon.json` leads to, and the next. The first says who it is; asked for anything more it does
 * what `onWork` does.
 */
async function succession(onWork: (facts: FakeFacts, end: () => void) => Engine | null): Promise<Succession> {
  const factsOf = (path: string): FakeFacts => {
    const facts = createFakeFacts(path);
    return { ...facts, snapshot: () => ({ ...facts.snapshot(), dataDir: home }) };
  };
  const path = join(home, "first.sock");
  const facts = factsOf(path);
  const end = () => void first.server.close(0);
  const first: Door = await openDoor({ options: { path }, deps: { facts, engine: () => onWork(facts, end) } });
  const second = await openDoor({
    options: { path: join(home, "rotor.sock") },
    deps: { facts: factsOf(join(home, "rotor.sock")) },
  });
  doors.push(first, second);
  writeFileSync(join(home, "daemon.json"), JSON.stringify({ pid: process.pid, version: "", socket: path }));
  second.engine.put(accountOf("kept"));
  return { second, run: (...argv) => runIn(home, { env: { ROTOR_HOME: home } }, [...argv, "--no-start"]) };
}

test("a daemon that stops refuses, and the next one is asked instead: a look", async () => {
  const { run } = await succession((facts, end) => {
    facts.setStopping();
    setImmediate(end);
    return null;
  });
  expect(await run("account", "list")).toMatchObject({ exit: 0, out: expect.stringContaining("kept") });
});

test("… and an order, which the first has not begun", async () => {
  const { run, second } = await succession((facts, end) => {
    facts.setStopping();
    setImmediate(end);
    return null;
  });
  expect(await run("setting", "set", "wait_seconds", "7")).toMatchObject({ exit: 0 });
  expect(second.engine.settings.list().find(({ key }) => key === "wait_seconds")?.value).toBe(7);
});

test("a store that is being replaced is waited for", async () => {
  let asked = 0;
  const path = join(home, "rotor.sock");
  const facts = createFakeFacts(path);
  const engine = createFakeEngine();
  engine.put(accountOf("kept"));
  const ready = (): Engine | null => {
    if (++asked > 1) return engine;
    facts.setState("migrating", "restoring a backup");
    // It is over as soon as somebody looks again how the daemon is.
    queueMicrotask(() => facts.setState("ready"));
    return null;
  };
  doors.push(await openDoor({ options: { path }, deps: { facts, engine: ready } }));
  const run = await runIn(home, { env: { ROTOR_SOCKET: path } }, ["account", "list"]);
  expect(run).toMatchObject({ exit: 0, out: expect.stringContaining("kept") });
});

/** Whatever HTTP/2 makes of it: connect-node does not notice each of these ends by itself. */
const ENDS: Readonly<Record<string, (stream: http2.Http2Stream, socket: Socket) => void>> = {
  "its process is killed": (_stream, socket) => void socket.destroy(),
  "its socket closes": (_stream, socket) => void socket.end(),
  "the stream is reset without an error": (stream, socket) => {
    stream.close(http2.constants.NGHTTP2_NO_ERROR);
    setImmediate(() => socket.end());
  },
  "the stream is refused": (stream, socket) => {
    stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
    setImmediate(() => socket.end());
  },
  "it says goodbye to the session": (stream, socket) => {
    stream.session!.goaway(http2.constants.NGHTTP2_NO_ERROR, 0);
    setImmediate(() => socket.end());
  },
};

for (const [name, end] of Object.entries(ENDS)) {
  test(`a call that waits for its answer ends when ${name}`, async () => {
    const path = join(home, "raw.sock");
    const server = createServer((socket) => {
      socket.on("error", () => {});
      const h2 = http2.createServer();
      h2.on("session", (session) => session.on("error", () => {}));
      h2.on("stream", (stream) => {
        stream.on("error", () => {});
        end(stream, socket);
      });
      h2.emit("connection", socket);
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const { io } = createIo(home, {});
    const connection = connectTo(path, io);
    const clients = [connection.unary, connection.endless].map((transport) => createClient(DaemonService, transport));
    for (const client of clients) {
      const cause = await client.getDaemon({}).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      expect(isLost(cause)).toBe(true);
    }
    connection.close();
    server.close();
  });
}

test("after Ctrl-C nothing more is asked: not even by a call that was not begun yet", async () => {
  await succession(() => null);
  const interrupt = new AbortController();
  const { io } = createIo(home, { interrupt });
  const connection = connectTo(join(home, "rotor.sock"), io);
  await createClient(DaemonService, connection.unary).getDaemon({});
  interrupt.abort();
  const watch = createClient(PoolService, connection.endless).watchPool({});
  const ended = await watch[Symbol.asyncIterator]()
    .next()
    .then(
      () => "answered",
      (thrown: unknown) => ConnectError.from(thrown).code,
    );
  expect(ended).toBe(Code.Canceled);
  // What tidies up takes a connection of its own.
  const tidy = connectTo(join(home, "rotor.sock"), { ...io, interrupted: new AbortController().signal });
  expect((await createClient(DaemonService, tidy.unary).getDaemon({})).daemon?.dataDir).toBe(home);
  tidy.close();
  connection.close();
});
