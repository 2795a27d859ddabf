/**
 * Takes the framing off an HTTP/1.1 body as its bytes arrive, at whatever boundaries. What one read of the socket brought comes out as one
 * piece, moved together in place: nothing is copied twice, and the reader is called once. Pure but for the bytes that it is given to keep.
 */
import { HttpFault } from "./http-client.ts";
import type { Framing } from "./response-head.ts";

export interface BodyDecoder {
  /** The payload in `bytes`, which it may rearrange; empty when there is none. Throws an HttpFault. */
  feed(bytes: Uint8Array): Uint8Array;
  /** The body is complete. */
  readonly done: boolean;
  /** Bytes of the last feed that lie behind the end: nobody asked for them. */
  readonly excess: number;
}

export function createBodyDecoder(framing: Framing): BodyDecoder {
  return framing.kind === "chunked"
    ? new ChunkedDecoder()
    : new PlainDecoder(framing.kind === "length" ? framing.bytes : framing.kind === "none" ? 0 : Infinity);
}

const NO_BYTES = new Uint8Array(0);

class PlainDecoder implements BodyDecoder {
  excess = 0;
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get done(): boolean {
    return this.#left === 0;
  }

  feed(bytes: Uint8Array): Uint8Array {
    const taken = Math.min(bytes.length, this.#left);
    this.#left -= taken;
    this.excess = bytes.length - taken;
    return this.excess === 0 ? bytes : bytes.subarray(0, taken);
  }
}

const CR = 13;
const LF = 10;
const SEMICOLON = 0x3b;
/** 2^48 bytes: far beyond any body, far below where numbers lose their last digit. */
const SIZE_DIGITS = 12;
/** Chunk extensions and trailers mean nothing to us; this much of them, in all of a chunk's line or all trailers, is ignored quietly. */
const IGNORED_MAX_BYTES = 16 * 1024;

type Phase =
  | "size"
  | "extension"
  | "size_end"
  | "data"
  | "data_end"
  | "data_end_lf"
  | "trailer"
  | "trailer_lf"
  | "done";

/** RFC 9112 §7.1, lines ended by CRLF only. */
class ChunkedDecoder implements BodyDecoder {
  excess = 0;
  #phase: Phase = "size";
  #left = 0;
  #digits = 0;
  #ignored = 0;
  #lineLength = 0;

  get done(): boolean {
    return this.#phase === "done";
  }

  feed(bytes: Uint8Array): Uint8Array {
    const length = bytes.length;
    let at = 0;
    // The payload found so far lies at start..end.
    let start = 0;
    let end = 0;
    while (at < length && this.#phase !== "done") {
      if (this.#phase !== "data") {
        this.#step(bytes[at++]!);
        continue;
      }
      const taken = Math.min(this.#left, length - at);
      if (start === end) start = end = at;
      else bytes.copyWithin(end, at, at + taken);
      end += taken;
      this.#left -= taken;
      at += taken;
      if (this.#left === 0) this.#phase = "data_end";
    }
    this.excess = length - at;
    return start === end ? NO_BYTES : bytes.subarray(start, end);
  }

  /** One byte of what is not payload. */
  #step(byte: number): void {
    switch (this.#phase) {
      case "size":
        this.#stepSize(byte);
        return;
      case "extension":
        if (byte === CR) this.#phase = "size_end";
        else this.#ignore(byte);
        return;
      case "size_end":
        expect(byte === LF);
        this.#phase = this.#left === 0 ? "trailer" : "data";
        this.#digits = 0;
        this.#ignored = 0;
        return;
      case "data_end":
        expect(byte === CR);
        this.#phase = "data_end_lf";
        return;
      case "data_end_lf":
        expect(byte === LF);
        this.#phase = "size";
        return;
      case "trailer":
        if (byte === CR) this.#phase = "trailer_lf";
        else {
          this.#lineLength++;
          this.#ignore(byte);
        }
        return;
      default:
        expect(byte === LF);
        this.#phase = this.#lineLength === 0 ? "done" : "trailer";
        this.#lineLength = 0;
    }
  }

  #stepSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      expect(++this.#digits <= SIZE_DIGITS);
      this.#left = this.#left * 16 + digit;
      return;
    }
    expect(this.#digits > 0);
    if (byte === CR) this.#phase = "size_end";
    else {
      expect(byte === SEMICOLON);
      this.#phase = "extension";
    }
  }

  #ignore(byte: number): void {
    expect(byte !== LF && ++this.#ignored <= IGNORED_MAX_BYTES);
  }
}

function expect(isRight: boolean): void {
  if (!isRight) throw new HttpFault("Malformed_HTTP_Response", "the answer is not HTTP: a chunk");
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}
