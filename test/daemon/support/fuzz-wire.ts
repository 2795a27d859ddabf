/**
 * Sends fuzzed bytes to a daemon on bare sockets and sees what comes back. Judges nothing but whether an answer that must come has come.
 */
import type { Socket } from "bun";
import { encodeFrame, OPCODE } from "../../../src/base/ws-frames.ts";
import { anyMessage, anyRequest, mutate, noise } from "./fuzz-bytes.ts";
import type { Chance } from "./seed.ts";
import { within } from "./until.ts";

export interface Address {
  readonly hostname: string;
  readonly port: number;
  readonly key: string;
}

/** What one connection heard, and that it is over. */
interface Heard {
  bytes: Buffer;
  closed: boolean;
}

interface Line {
  readonly heard: Heard;
  write(bytes: Uint8Array): void;
  /** Until it is so, or the connection is closed. */
  until(isSo: (heard: Buffer) => boolean): Promise<void>;
  end(): void;
}

async function openLine({ hostname, port }: Address): Promise<Line> {
  const heard: Heard = { bytes: Buffer.alloc(0), closed: false };
  let look: () => void = () => {};
  let unsent: Uint8Array = new Uint8Array(0);
  const send = (socket: Socket, bytes: Uint8Array) => {
    unsent = bytes.subarray(Math.max(0, socket.write(bytes)));
  };
  const close = () => {
    heard.closed = true;
    look();
  };
  const socket = await Bun.connect({
    hostname,
    port,
    socket: {
      data(_, bytes) {
        heard.bytes = Buffer.concat([heard.bytes, bytes]);
        look();
      },
      drain: (it) => send(it, unsent),
      close,
      error: close,
    },
  });
  return {
    heard,
    write: (bytes) => send(socket, unsent.length === 0 ? bytes : Buffer.concat([unsent, bytes])),
    until(isSo) {
      if (heard.closed || isSo(heard.bytes)) return Promise.resolve();
      return new Promise((resolve) => {
        look = () => {
          if (!heard.closed && !isSo(heard.bytes)) return;
          look = () => {};
          resolve();
        };
      });
    },
    end: () => void socket.terminate(),
  };
}

/** Status of an answer; null when there was none and none had to be. `text` is its beginning. */
export interface Answered {
  readonly status: number | null;
  readonly text: string;
  /** What was sent, to see it again. */
  readonly sent: Buffer;
}

/** Enough of an answer to judge it by. */
const hasAnswer = (heard: Buffer) =>
  heard.includes("\r\n\r\n") && !/^HTTP\/1\.1 10[023]/.test(heard.toString("latin1", 0, 12));
/** Where no answer need come, its absence is no news after this. */
const NO_NEWS_MS = 15;

export async function sendFuzzedRequest(address: Address, chance: Chance): Promise<Answered> {
  const { bytes, mustBeAnswered } = anyRequest(chance, `${address.hostname}:${address.port}`, address.key);
  const line = await openLine(address);
  try {
    line.write(bytes);
    const answered = line.until(hasAnswer);
    if (mustBeAnswered)
      await within(answered, `an answer to ${JSON.stringify(bytes.toString("latin1").slice(0, 2_000))}`);
    else await Promise.race([answered, Bun.sleep(NO_NEWS_MS)]);
    const text = line.heard.bytes.toString("latin1", 0, 4_000);
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    if (mustBeAnswered && status === undefined)
      throw new Error(`closed without an answer: ${JSON.stringify(bytes.toString("latin1"))}`);
    if (mustBeAnswered && chance.fraction() < KEPT_ALIVE) await expectAnswerBehind(address, line, bytes);
    return { status: status === undefined ? null : Number(status), text, sent: bytes };
  } finally {
    line.end();
  }
}

/** How many ask for something more on their connection. */
const KEPT_ALIVE = 0.2;

/** A second request on a connection is answered like the first, unless the first has ended it. */
async function expectAnswerBehind(address: Address, line: Line, before: Buffer): Promise<void> {
  line.write(Buffer.from(`GET /health HTTP/1.1\r\nhost: ${address.hostname}:${address.port}\r\n\r\n`));
  const isHealth = (heard: Buffer) => heard.includes('"status":"alive"');
  await within(line.until(isHealth), `an answer behind ${JSON.stringify(before.toString("latin1").slice(0, 2_000))}`);
}

const PATHS: readonly string[] = ["/v1/responses", "/backend-api/codex/responses"];

/** A connection with some fuzzed frames, and a ping behind them: an answer to that, or a close, must come. How many frames there were. */
export async function sendFuzzedFrames(address: Address, chance: Chance): Promise<number> {
  const line = await openLine(address);
  try {
    const head = [
      `GET ${chance.pick(PATHS)} HTTP/1.1`,
      `host: ${address.hostname}:${address.port}`,
      `authorization: Bearer ${address.key}`,
      "connection: Upgrade",
      "upgrade: websocket",
      "sec-websocket-version: 13",
      "sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==",
      ...(chance.fraction() < 0.5 ? ["sec-websocket-extensions: permessage-deflate"] : []),
      "",
      "",
    ];
    line.write(Buffer.from(head.join("\r\n"), "latin1"));
    await within(line.until(hasAnswer), "a handshake");
    const frames = Array.from({ length: chance.between(1, 24) }, () => anyFrame(chance));
    const mark = Buffer.from(`mark-${chance.between(0, 1e9)}`);
    const ping = encodeFrame(OPCODE.ping, mark, { mask: noise(chance, 4), packed: false });
    line.write(Buffer.concat([...frames.map(({ bytes }) => bytes), ping]));
    const answered = line.until((heard) => heard.includes(mark) || isClosing(heard));
    // A frame that says it is longer than it is swallows the ping.
    if (frames.some(({ isBent }) => isBent)) await Promise.race([answered, Bun.sleep(NO_NEWS_MS)]);
    else
      await within(answered, `a pong or a close behind ${frames.map(({ bytes }) => bytes.toString("hex")).join(" ")}`);
    return frames.length;
  } finally {
    line.end();
  }
}

/** A close frame of the server, at the end of what came. */
function isClosing(heard: Buffer): boolean {
  for (let at = heard.indexOf("\r\n\r\n") + 4; at + 2 <= heard.length; ) {
    if ((heard[at]! & 0x0f) === OPCODE.close) return true;
    const short = heard[at + 1]! & 0x7f;
    const wide = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (at + 2 + wide > heard.length) return false;
    const length = wide === 0 ? short : wide === 2 ? heard.readUInt16BE(at + 2) : Number(heard.readBigUInt64BE(at + 2));
    at += 2 + wide + length;
  }
  return false;
}

interface FuzzedFrame {
  readonly bytes: Buffer;
  readonly isBent: boolean;
}

function anyFrame(chance: Chance): FuzzedFrame {
  const payload = anyMessage(chance);
  const opcode = chance.fraction() < 0.8 ? OPCODE.text : chance.pick([...Object.values(OPCODE), 3, 7, 11, 15]);
  // The payload of a control frame is short, unless it is wrong.
  const cut = opcode >= 8 && chance.fraction() < 0.8 ? payload.subarray(0, 100) : payload;
  const bytes = Buffer.from(encodeFrame(opcode, cut, { mask: noise(chance, 4), packed: false }));
  if (chance.fraction() < 0.03) bytes[0]! ^= chance.pick([0x80, 0x40, 0x20, 0x10]);
  switch (chance.between(0, 40)) {
    case 0:
      bytes[1]! ^= 0x80;
      return { bytes, isBent: true };
    case 1:
      return { bytes: mutate(chance, bytes, 1), isBent: true };
    default:
      return { bytes, isBent: false };
  }
}
