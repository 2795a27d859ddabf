/** Frames: whatever way they are cut, masked, fragmented or compressed they say the same; whatever is not a frame is a fault with a code. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  closePayload,
  createFrameReader,
  deflateMessage,
  deflateMessageAside,
  encodeFrame,
  FrameFault,
  OPCODE,
  type WsMessage,
} from "../../src/base/ws-frames.ts";

const MASK = new Uint8Array([0x37, 0xfa, 0x21, 0x3d]);
const bytes = (text: string) => Buffer.from(text);
const shown = (messages: readonly WsMessage[]) =>
  messages.map((message) =>
    message.kind === "close" ? message : { kind: message.kind, data: Buffer.from(message.data).toString("base64") },
  );

function read(input: Uint8Array, more: Partial<Parameters<typeof createFrameReader>[0]> = {}) {
  return createFrameReader({ from: "client", maxBytes: 1 << 20, deflate: false, ...more }).feed(input);
}

function faultOf(run: () => unknown): number {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof FrameFault) return thrown.closeCode;
    throw thrown;
  }
  throw new Error("no fault");
}

test("the examples of RFC 6455 §5.7 and RFC 7692 §7.2.3.1", () => {
  const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
  const server = { from: "server" } as const;
  const hello = [{ kind: "text", data: btoa("Hello") }];
  expect(shown(read(hex("81 05 48 65 6c 6c 6f"), server))).toEqual(hello as never);
  expect(shown(read(hex("81 85 37 fa 21 3d 7f 9f 4d 51 58")))).toEqual(hello as never);
  expect(shown(read(hex("01 03 48 65 6c 80 02 6c 6f"), server))).toEqual(hello as never);
  expect(shown(read(hex("c1 07 f2 48 cd c9 c9 07 00"), { ...server, deflate: true }))).toEqual(hello as never);
  expect(shown(read(hex("41 03 f2 48 cd 80 04 c9 c9 07 00"), { ...server, deflate: true }))).toEqual(hello as never);
  expect(Buffer.from(encodeFrame(OPCODE.text, bytes("Hello"), { mask: MASK })).toString("hex")).toBe(
    "818537fa213d7f9f4d5158",
  );
});

test("a mask turns every byte by the one that is its turn, however long the message is", () => {
  for (const length of [0, 1, 5, 125, 126, 1_023, 1_024, 1_025, 1_026, 1_027, 65_535, 65_536, 70_001]) {
    const payload = Uint8Array.from({ length }, (_, i) => (i * 31) & 0xff);
    const frame = encodeFrame(OPCODE.binary, payload, { mask: MASK });
    const masked = frame.subarray(frame.length - length);
    expect(masked.every((byte, i) => byte === (payload[i]! ^ MASK[i & 3]!))).toBe(true);
  }
});

interface Sent {
  readonly text: string;
  readonly cuts: readonly number[];
  readonly packed: boolean;
  readonly control: boolean;
}

const sent: fc.Arbitrary<Sent> = fc.record({
  text: fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.integer({ min: 100, max: 70_000 }).map((length) => "é".repeat(length / 2)),
  ),
  cuts: fc.array(fc.nat(), { maxLength: 3 }),
  packed: fc.boolean(),
  control: fc.boolean(),
});

/** A message in fragments, with a ping between any two of them when it says so. */
function framesOf({ text, cuts, packed, control }: Sent, mask: Uint8Array | null): Uint8Array[] {
  const payload = packed ? deflateMessage(bytes(text)) : bytes(text);
  const at = [...cuts.map((cut) => cut % (payload.length + 1)), payload.length].sort((a, b) => a - b);
  const frames: Uint8Array[] = [];
  at.forEach((end, index) => {
    const opcode = index === 0 ? OPCODE.text : OPCODE.more;
    const part = payload.subarray(index === 0 ? 0 : at[index - 1], end);
    if (control && index > 0) frames.push(encodeFrame(OPCODE.ping, bytes("?"), { mask }));
    frames.push(encodeFrame(opcode, part, { mask, packed: packed && index === 0, fin: index === at.length - 1 }));
  });
  return frames;
}

test("messages come out as they went in: any cuts, either side, fragments with pings between them, compressed or not", () => {
  fc.assert(
    fc.property(
      fc.array(sent, { maxLength: 5 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.boolean(),
      (messages, cuts, isClient) => {
        const wire = Buffer.concat(messages.flatMap((message) => framesOf(message, isClient ? MASK : null)));
        const reader = createFrameReader({ from: isClient ? "client" : "server", maxBytes: 1 << 20, deflate: true });
        const at = [0, ...cuts.map((cut) => cut % (wire.length + 1)), wire.length].sort((a, b) => a - b);
        const got = at.slice(1).flatMap((end, index) => reader.feed(wire.subarray(at[index], end)));
        const texts = got.filter(({ kind }) => kind === "text").map((message) => "data" in message && message.data);
        // A lone surrogate becomes the replacement character on its way into bytes.
        expect(texts.map((data) => Buffer.from(data as Uint8Array).toString())).toEqual(
          messages.map(({ text }) => bytes(text).toString()),
        );
        const pings = messages.reduce((sum, { control, cuts: parts }) => sum + (control ? parts.length : 0), 0);
        expect(got.filter(({ kind }) => kind === "ping")).toHaveLength(pings);
      },
    ),
    { numRuns: process.env.ROTOR_TEST_DEPTH === "deep" ? 3_000 : 150 },
  );
});

test("one byte at a time is enough", () => {
  const wire = Buffer.concat([
    encodeFrame(OPCODE.text, bytes("x".repeat(300)), { mask: MASK }),
    encodeFrame(OPCODE.close, closePayload(1000, "bye"), { mask: MASK }),
  ]);
  const reader = createFrameReader({ from: "client", maxBytes: 1_000, deflate: false });
  const got = [...wire].flatMap((_, at) => reader.feed(wire.subarray(at, at + 1)));
  expect(shown(got)).toEqual(
    shown([
      { kind: "text", data: bytes("x".repeat(300)) },
      { kind: "close", code: 1000, reason: "bye" },
    ]),
  );
});

test("what the protocol forbids is a fault with its close code", () => {
  const frame = (first: number, second: number, ...rest: number[]) => new Uint8Array([first, second, ...rest]);
  const server = { from: "server" } as const;
  // Unmasked from a client, masked from a server.
  expect(faultOf(() => read(frame(0x81, 0x00)))).toBe(1002);
  expect(faultOf(() => read(frame(0x81, 0x80, 0, 0, 0, 0), server))).toBe(1002);
  // Reserved bits and opcodes; compression that nobody agreed on.
  for (const first of [0xa1, 0x91, 0x83, 0x8b, 0xc1])
    expect(faultOf(() => read(frame(first, 0x00), server))).toBe(1002);
  // A fragmented ping, a long one, a continuation of nothing, a text inside a text.
  expect(faultOf(() => read(frame(0x09, 0x00), server))).toBe(1002);
  expect(faultOf(() => read(frame(0x89, 0x7e, 0, 126), server))).toBe(1002);
  expect(faultOf(() => read(frame(0x80, 0x00), server))).toBe(1002);
  expect(faultOf(() => read(frame(0x01, 0x00, 0x81, 0x00), server))).toBe(1002);
  // Lengths that are written too long; close frames.
  expect(faultOf(() => read(frame(0x82, 0x7e, 0, 5), server))).toBe(1002);
  expect(faultOf(() => read(frame(0x88, 0x01, 3), server))).toBe(1002);
  expect(faultOf(() => read(frame(0x88, 0x02, 0x03, 0xed), server))).toBe(1002);
  // Not UTF-8, not deflate, too long as sent and as unfolded.
  expect(faultOf(() => read(frame(0x81, 0x01, 0xff), server))).toBe(1007);
  expect(faultOf(() => read(frame(0xc1, 0x02, 0xff, 0xff), { ...server, deflate: true }))).toBe(1007);
  expect(faultOf(() => read(frame(0x82, 0x7e, 0xff, 0xff), { ...server, maxBytes: 100 }))).toBe(1009);
  const bomb = encodeFrame(OPCODE.binary, deflateMessage(new Uint8Array(100_000)), { mask: null, packed: true });
  expect(faultOf(() => read(bomb, { ...server, deflate: true, maxBytes: 10_000 }))).toBe(1009);
});

test("a code that may not be sent is not; a long reason is cut", () => {
  expect(closePayload(1006, "x")).toHaveLength(0);
  expect(closePayload(1000, "x".repeat(500))).toHaveLength(125);
});

test("compressing aside gives the same bytes", async () => {
  const text = bytes("abc".repeat(1_000));
  expect(Buffer.from(await deflateMessageAside(text))).toEqual(Buffer.from(deflateMessage(text)));
});

/** 10,000 frames of noise and of good frames with wrong bits: messages or faults, never anything else, and no more memory than was sent. */
test("fuzz: only messages and faults", () => {
  const count = process.env.ROTOR_TEST_DEPTH === "deep" ? 1_000_000 : 10_000;
  let seed = Number(process.env.ROTOR_TEST_SEED ?? 20261121) >>> 0;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  const good = [OPCODE.text, OPCODE.binary, OPCODE.ping, OPCODE.close];
  let messages = 0;
  let faults = 0;
  for (let n = 0; n < count; n++) {
    const payload = Uint8Array.from({ length: random(60) }, () => random(256));
    const frame = Buffer.from(
      random(4) === 0
        ? payload
        : encodeFrame(good[random(4)]!, payload, { mask: random(8) === 0 ? null : MASK, packed: random(4) === 0 }),
    );
    if (random(3) === 0 && frame.length > 0) frame[random(Math.min(4, frame.length))] = random(256);
    try {
      for (const message of read(frame, { deflate: true, maxBytes: 4_096 })) {
        messages++;
        if ("data" in message) expect(message.data.length).toBeLessThanOrEqual(4_096);
      }
    } catch (thrown) {
      if (!(thrown instanceof FrameFault)) throw thrown;
      faults++;
    }
  }
  expect(messages).toBeGreaterThan(count / 10);
  expect(faults).toBeGreaterThan(count / 10);
});
