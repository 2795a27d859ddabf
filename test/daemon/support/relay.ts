/**
 * A wire between daemon and simulator that keeps what went over it, so that a test can say "byte for byte". Changes nothing, decides
 * nothing, and closes each side as the other did.
 */
import { connect, createServer, type Socket } from "node:net";
import { readAnswer } from "./raw-http.ts";

export interface Relay extends AsyncDisposable {
  readonly url: string;
  /** What upstream answered, in the order in which the answers began; bodies without their chunk frames. */
  answers(): RelayedAnswer[];
  /** Everything that the daemon sent, as it stood on the wire. */
  sent(): string;
  /** Forgets what was seen until now. */
  clear(): void;
}

export interface RelayedAnswer {
  readonly status: number;
  readonly body: Uint8Array;
}

interface Wire {
  bytes: Buffer[];
  sent: Buffer[];
}

/** A base URL that leads to the simulator's by way of the relay. */
export async function openRelay(port: number): Promise<Relay> {
  const wires: Wire[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const wire: Wire = { bytes: [], sent: [] };
    wires.push(wire);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    }
    client.on("data", (bytes) => wire.sent.push(Buffer.from(bytes)));
    upstream.on("data", (bytes) => wire.bytes.push(Buffer.from(bytes)));
    join(client, upstream);
    join(upstream, client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the relay has no port");
  return {
    url: `http://127.0.0.1:${address.port}/backend-api`,
    answers: () => wires.flatMap((wire) => answersIn(Buffer.concat(wire.bytes))),
    sent: () => wires.map((wire) => Buffer.concat(wire.sent).toString("latin1")).join("\n"),
    clear() {
      // Wires stay: a connection that is kept alive carries the next answer.
      for (const wire of wires) Object.assign(wire, { bytes: [], sent: [] });
    },
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Bytes go on as they come, with the reader's pace; ends and resets too. */
function join(from: Socket, to: Socket): void {
  from.on("data", (bytes) => {
    if (!to.write(bytes)) from.pause();
  });
  to.on("drain", () => from.resume());
  from.on("end", () => to.end());
  from.on("error", () => to.resetAndDestroy());
  from.on("close", () => to.destroySoon());
}

/** The answers in the bytes of one connection; the last may be cut short. */
function answersIn(bytes: Buffer): RelayedAnswer[] {
  const answers: RelayedAnswer[] = [];
  for (let at = 0; ; ) {
    const answer = readAnswer(bytes, at);
    if (answer === null) return answers;
    answers.push({ status: answer.status, body: new Uint8Array(answer.body) });
    at = answer.end;
  }
}
