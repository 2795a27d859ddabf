/** The bytes of a client's WebSocket at the proxy's door: fragments, masks, compression, pings; what breaks the protocol ends that connection alone. */
import { afterAll, describe, expect, test } from "bun:test";
import { createFrameReader, deflateMessage, encodeFrame, OPCODE, type WsMessage } from "../../src/base/ws-frames.ts";
import { CLIENT_KEY, COMPLETED, opened, sse } from "../support/fake-exchange-engine.ts";
import { openSocket, typesIn } from "../support/ws-client.ts";
import { openDoor } from "./door.ts";

const door = openDoor();
afterAll(() => door.close());

const PATH = "/backend-api/codex/responses";
const MASK = new Uint8Array([1, 2, 3, 4]);
const masked = (opcode: number, data: Uint8Array | string, more: { fin?: boolean; packed?: boolean } = {}) =>
  encodeFrame(opcode, Buffer.from(data), { mask: MASK, ...more });
const CREATE = JSON.stringify({
  type: "response.create",
  model: "gpt-5.5",
  stream: true,
  input: [],
  note: "grüß dich",
});

interface Raw {
  write(bytes: Uint8Array): void;
  /** The next message that `isIt`. */
  next(isIt: (message: WsMessage) => boolean): Promise<WsMessage>;
  readonly ended: Promise<void>;
  readonly extensions: string | null;
}

async function openRaw(deflate = false): Promise<Raw> {
  const reader = createFrameReader({ from: "server", maxBytes: 1 << 20, deflate: true });
  const messages: WsMessage[] = [];
  let head = "";
  let wake = () => {};
  const ended = Promise.withResolvers<void>();
  const upgraded = Promise.withResolvers<void>();
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port: door.port,
    socket: {
      data(_, bytes) {
        if (head.includes("\r\n\r\n")) messages.push(...reader.feed(bytes));
        else {
          head += bytes.toString("latin1");
          if (head.includes("\r\n\r\n")) upgraded.resolve();
        }
        wake();
      },
      close: () => ended.resolve(),
      error: () => ended.resolve(),
    },
  });
  const fields = [
    `GET ${PATH} HTTP/1.1`,
    "host: 127.0.0.1",
    `authorization: Bearer ${CLIENT_KEY}`,
    "connection: Upgrade",
    "upgrade: websocket",
    "sec-websocket-version: 13",
    "sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==",
    ...(deflate ? ["sec-websocket-extensions: permessage-deflate; client_max_window_bits"] : []),
  ];
  socket.write(`${fields.join("\r\n")}\r\n\r\n`);
  await upgraded.promise;
  return {
    write: (bytes) => void socket.write(bytes),
    async next(isIt) {
      for (;;) {
        const at = messages.findIndex(isIt);
        if (at >= 0) return messages.splice(at, 1)[0]!;
        await new Promise<void>((resolve) => void (wake = resolve));
      }
    },
    ended: ended.promise,
    extensions: /sec-websocket-extensions: (.*)\r/i.exec(head)?.[1] ?? null,
  };
}

const isCompleted = (message: WsMessage) =>
  message.kind === "text" && Buffer.from(message.data).includes('"type":"response.completed"');

async function expectServed(): Promise<void> {
  const socket = await openSocket(door.url + PATH, { authorization: `Bearer ${CLIENT_KEY}` });
  expect(typesIn(await socket.ask(CREATE)).at(-1)).toBe("response.completed");
  socket.close();
}

test("a request in fragments, one byte at a time, with a ping in between", async () => {
  door.fake.reply = () => opened(sse(COMPLETED));
  const raw = await openRaw();
  const bytes = Buffer.from(CREATE);
  const wire = Buffer.concat([
    masked(OPCODE.text, bytes.subarray(0, 20), { fin: false }),
    masked(OPCODE.ping, "are you there"),
    // In the middle of a letter of two bytes.
    masked(OPCODE.more, bytes.subarray(20, bytes.indexOf("ü") + 1), { fin: false }),
    masked(OPCODE.more, bytes.subarray(bytes.indexOf("ü") + 1)),
  ]);
  for (const byte of wire) raw.write(new Uint8Array([byte]));
  const pong = await raw.next(({ kind }) => kind === "pong");
  expect(Buffer.from((pong as { data: Uint8Array }).data).toString()).toBe("are you there");
  await raw.next(isCompleted);
  expect(JSON.parse(Buffer.from(door.fake.last().plainBody as Uint8Array).toString()).note).toBe("grüß dich");
});

test("a compressed request; each message on its own", async () => {
  door.fake.reply = () => opened(sse(COMPLETED));
  const raw = await openRaw(true);
  expect(raw.extensions).toContain("client_no_context_takeover");
  for (let n = 0; n < 2; n++) {
    raw.write(masked(OPCODE.text, deflateMessage(Buffer.from(CREATE)), { packed: true }));
    await raw.next(isCompleted);
  }
});

test("a close is answered with a close", async () => {
  const raw = await openRaw();
  raw.write(masked(OPCODE.close, Buffer.from([0x03, 0xe8])));
  expect(await raw.next(({ kind }) => kind === "close")).toMatchObject({ code: 1000 });
  await raw.ended;
});

describe("what breaks the protocol ends the connection, and nothing else", () => {
  const bomb = deflateMessage(Buffer.alloc(200 * 1024 * 1024));
  test.each([
    ["a frame without a mask", encodeFrame(OPCODE.text, Buffer.from(CREATE), { mask: null }), false],
    ["an opcode that does not exist", masked(5, "x"), false],
    ["a text that is not UTF-8", masked(OPCODE.text, Buffer.from([0xc3, 0x28])), false],
    ["a continuation of nothing", masked(OPCODE.more, "x"), false],
    ["a ping in fragments", masked(OPCODE.ping, "x", { fin: false }), false],
    ["compression that was not agreed on", masked(OPCODE.text, "x", { packed: true }), false],
    ["a length beyond 128 MiB", Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x20, 0, 0, 0, 1, 2, 3, 4]), false],
    ["a message that unfolds beyond 128 MiB", masked(OPCODE.text, bomb, { packed: true }), true],
  ])("%s", async (_, bytes, deflate) => {
    door.fake.reply = () => opened(sse(COMPLETED));
    const asked = door.fake.requests.length;
    const raw = await openRaw(deflate);
    raw.write(bytes);
    await raw.ended;
    expect(door.fake.requests).toHaveLength(asked);
    await expectServed();
  });
});

test("noise on a hundred connections: the door serves on", async () => {
  let seed = 20261121;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  door.fake.reply = () => opened(sse(COMPLETED));
  for (let n = 0; n < 100; n++) {
    const raw = await openRaw(n % 2 === 0);
    for (let frame = 0; frame < 5; frame++) {
      const bytes = Buffer.from(masked(random(12), Buffer.from(Array.from({ length: random(50) }, () => random(256)))));
      if (random(2) === 0) bytes[random(2)] = random(256);
      raw.write(bytes);
    }
    // Closed by the door, or by us: an opcode beyond all.
    raw.write(masked(15, ""));
    raw.write(encodeFrame(OPCODE.text, Buffer.from("x"), { mask: null }));
  }
  await expectServed();
});
