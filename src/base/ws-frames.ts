/**
 * WebSocket frames (RFC 6455) and their compression (RFC 7692, one message at a time), to and from bytes, for either side of a connection.
 * Strict: whatever the RFC forbids is a fault with the code to close with. Knows nothing of sockets, handshakes or what a message says.
 */
import { isUtf8 } from "node:buffer";
import { constants, deflateRaw, deflateRawSync, inflateRawSync } from "node:zlib";

export const OPCODE = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** The peer broke the protocol; close with this code. */
export class FrameFault extends Error {
  constructor(
    readonly closeCode: 1002 | 1007 | 1009,
    message: string,
  ) {
    super(message);
    this.name = "FrameFault";
  }
}

export type WsMessage =
  | { readonly kind: "text"; readonly data: Uint8Array }
  | { readonly kind: "binary"; readonly data: Uint8Array }
  | { readonly kind: "ping" | "pong"; readonly data: Uint8Array }
  /** 1005 when the peer gave no code. */
  | { readonly kind: "close"; readonly code: number; readonly reason: string };

export interface FrameReaderOptions {
  /** Clients mask what they send, servers must not. */
  readonly from: "client" | "server";
  /** Of one message, after decompression. */
  readonly maxBytes: number;
  /** permessage-deflate was agreed on, without context takeover. */
  readonly deflate: boolean;
}

export interface FrameReader {
  /** Every message that is whole now, in order. Throws a FrameFault; the reader is of no use after that. */
  feed(bytes: Uint8Array): WsMessage[];
}

/** RFC 6455 §5.5. */
const CONTROL_MAX_BYTES = 125;
const EMPTY = Buffer.alloc(0);
/** What RFC 7692 §7.2.1 takes off the end of a compressed message. */
const SYNC_TAIL = Buffer.from([0x00, 0x00, 0xff, 0xff]);

interface Head {
  readonly fin: boolean;
  readonly packed: boolean;
  readonly opcode: number;
  readonly mask: Uint8Array | null;
  readonly length: number;
  readonly bytes: number;
}

export function createFrameReader(options: FrameReaderOptions): FrameReader {
  return new Reader(options);
}

class Reader implements FrameReader {
  readonly #options: FrameReaderOptions;
  #chunks: Buffer[] = [];
  #size = 0;
  #head: Head | null = null;
  /** Fragments of the message under way. */
  #parts: Buffer[] = [];
  #partBytes = 0;
  #message: { readonly opcode: number; readonly packed: boolean } | null = null;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
  }

  feed(bytes: Uint8Array): WsMessage[] {
    if (bytes.length > 0) {
      // A runtime may use its read buffer again.
      this.#chunks.push(Buffer.from(bytes));
      this.#size += bytes.length;
    }
    const messages: WsMessage[] = [];
    for (;;) {
      this.#head ??= this.#readHead();
      if (this.#head === null || this.#size < this.#head.bytes + this.#head.length) return messages;
      const head = this.#head;
      this.#head = null;
      this.#take(head.bytes);
      const payload = this.#take(head.length);
      if (head.mask !== null) applyMask(payload, head.mask);
      const message = head.opcode >= OPCODE.close ? controlOf(head.opcode, payload) : this.#join(head, payload);
      if (message !== null) messages.push(message);
    }
  }

  #readHead(): Head | null {
    const start = this.#peek(Math.min(14, this.#size));
    if (start.length < 2) return null;
    const opcode = start[0]! & 0x0f;
    const fin = (start[0]! & 0x80) !== 0;
    const packed = (start[0]! & 0x40) !== 0;
    const isMasked = (start[1]! & 0x80) !== 0;
    const short = start[1]! & 0x7f;
    this.#check(opcode, fin, packed, (start[0]! & 0x30) !== 0, isMasked, short);
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const headBytes = 2 + lengthBytes + (isMasked ? 4 : 0);
    if (start.length < headBytes) return null;
    const length = lengthOf(start, short);
    if (length + this.#partBytes > this.#options.maxBytes) throw new FrameFault(1009, "the message is too long");
    const mask = isMasked ? Buffer.from(start.subarray(headBytes - 4, headBytes)) : null;
    return { fin, packed, opcode, mask, length, bytes: headBytes };
  }

  #check(opcode: number, fin: boolean, packed: boolean, reserved: boolean, isMasked: boolean, short: number): void {
    const { from, deflate } = this.#options;
    const isControl = opcode >= OPCODE.close;
    if (reserved || (packed && (!deflate || isControl || opcode === OPCODE.more))) {
      throw new FrameFault(1002, "a reserved bit is set");
    }
    if ((opcode > OPCODE.binary && !isControl) || opcode > OPCODE.pong) throw new FrameFault(1002, "unknown opcode");
    if (isControl && (!fin || short > CONTROL_MAX_BYTES)) throw new FrameFault(1002, "a control frame is too long");
    if (isMasked !== (from === "client")) throw new FrameFault(1002, "the mask is on the wrong side");
    if (!isControl && (opcode === OPCODE.more) !== (this.#message !== null)) {
      throw new FrameFault(1002, "a fragment is out of order");
    }
  }

  #join(head: Head, payload: Buffer): WsMessage | null {
    this.#message ??= { opcode: head.opcode, packed: head.packed };
    if (payload.length > 0) this.#parts.push(payload);
    this.#partBytes += payload.length;
    if (!head.fin) return null;
    const { opcode, packed } = this.#message;
    const whole = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    this.#message = null;
    this.#parts = [];
    this.#partBytes = 0;
    const data = packed ? inflate(whole, this.#options.maxBytes) : whole;
    if (opcode === OPCODE.binary) return { kind: "binary", data };
    if (!isUtf8(data)) throw new FrameFault(1007, "a text is not UTF-8");
    return { kind: "text", data };
  }

  #peek(count: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= count) return first.subarray(0, count);
    this.#flatten();
    return (this.#chunks[0] ?? EMPTY).subarray(0, count);
  }

  #take(count: number): Buffer {
    if (count === 0) return EMPTY;
    if (this.#chunks[0]!.length < count) this.#flatten();
    const first = this.#chunks[0]!;
    if (first.length === count) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(count);
    this.#size -= count;
    return first.subarray(0, count);
  }

  #flatten(): void {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks, this.#size)];
  }
}

function lengthOf(start: Buffer, short: number): number {
  if (short < 126) return short;
  if (short === 126) {
    const length = start.readUInt16BE(2);
    if (length < 126) throw new FrameFault(1002, "a length is written too long");
    return length;
  }
  const length = start.readBigUInt64BE(2);
  if (length < 65_536n) throw new FrameFault(1002, "a length is written too long");
  // Beyond what a number holds exactly nobody's limit lies.
  return length > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(length);
}

function controlOf(opcode: number, data: Buffer): WsMessage {
  if (opcode !== OPCODE.close) return { kind: opcode === OPCODE.ping ? "ping" : "pong", data };
  if (data.length === 0) return { kind: "close", code: 1005, reason: "" };
  if (data.length === 1) throw new FrameFault(1002, "a close frame is cut short");
  const code = data.readUInt16BE(0);
  if (!isCloseCode(code)) throw new FrameFault(1002, "a close code that nobody may send");
  const reason = data.subarray(2);
  if (!isUtf8(reason)) throw new FrameFault(1007, "a close reason is not UTF-8");
  return { kind: "close", code, reason: reason.toString("utf8") };
}

/** RFC 6455 §7.4: what may stand in a frame. */
function isCloseCode(code: number): boolean {
  return (
    (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code < 5000)
  );
}

/** Word by word where there are many: a first turn is a whole conversation. */
function applyMask(bytes: Uint8Array, mask: Uint8Array): void {
  let at = 0;
  if (bytes.length >= WORDS_FROM_BYTES) {
    for (; (bytes.byteOffset + at) % 4 !== 0; at++) bytes[at] = bytes[at]! ^ mask[at & 3]!;
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset + at, (bytes.length - at) >>> 2);
    const turned = Uint8Array.from({ length: 4 }, (_, i) => mask[(at + i) & 3]!);
    const [word] = new Uint32Array(turned.buffer);
    for (let i = 0; i < words.length; i++) words[i] = words[i]! ^ word!;
    at += words.length * 4;
  }
  for (; at < bytes.length; at++) bytes[at] = bytes[at]! ^ mask[at & 3]!;
}

const WORDS_FROM_BYTES = 1_024;

function inflate(bytes: Buffer, maxBytes: number): Buffer {
  try {
    return inflateRawSync(Buffer.concat([bytes, SYNC_TAIL]), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: maxBytes,
    });
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") {
      throw new FrameFault(1009, "the message is too long when unfolded");
    }
    throw new FrameFault(1007, "a message does not unfold");
  }
}

const FLUSHED = { finishFlush: constants.Z_SYNC_FLUSH } as const;

/** A message's payload as permessage-deflate wants it, to be sent with `packed`. */
export function deflateMessage(data: Uint8Array): Uint8Array {
  return withoutTail(deflateRawSync(data, FLUSHED));
}

/** The same on the runtime's thread pool: for what is long enough to be felt. */
export function deflateMessageAside(data: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    deflateRaw(data, FLUSHED, (error, packed) => (error === null ? resolve(withoutTail(packed)) : reject(error)));
  });
}

function withoutTail(packed: Buffer): Buffer {
  return packed.subarray(0, packed.length - SYNC_TAIL.length);
}

export interface FrameOptions {
  /** Four random bytes for what a client sends; null for a server's. */
  readonly mask: Uint8Array | null;
  /** The payload is compressed. */
  readonly packed?: boolean;
  /** False for a fragment that others follow. */
  readonly fin?: boolean;
}

export function encodeFrame(opcode: number, payload: Uint8Array, options: FrameOptions): Uint8Array {
  const { mask, packed = false, fin = true } = options;
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.allocUnsafe(2 + lengthBytes + (mask === null ? 0 : 4) + length);
  frame[0] = (fin ? 0x80 : 0) | (packed ? 0x40 : 0) | opcode;
  frame[1] = (mask === null ? 0 : 0x80) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  else if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  const at = frame.length - length;
  frame.set(payload, at);
  if (mask !== null) {
    frame.set(mask, at - 4);
    applyMask(frame.subarray(at), mask);
  }
  return frame;
}

/** The payload of a close frame; codes that may not be sent become an empty one. */
export function closePayload(code: number, reason: string): Uint8Array {
  if (!isCloseCode(code)) return EMPTY;
  const words = Buffer.from(reason, "utf8").subarray(0, CONTROL_MAX_BYTES - 2);
  const payload = Buffer.allocUnsafe(2 + words.length);
  payload.writeUInt16BE(code, 0);
  payload.set(words, 2);
  return payload;
}
