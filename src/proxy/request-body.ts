/**
 * Reads a request body whole, counting while it arrives and while it unfolds, so that neither a long body nor a small one that
 * unfolds into gigabytes takes the daemon's memory. Keeps the bytes as they came: an unedited body is forwarded with its own encoding.
 */
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from "node:zlib";
import { BODY_PATIENCE_MS, BODY_SLOWEST_BYTES_PER_SECOND } from "../base/bounds.ts";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";

type BodyClock = Pick<Clock, "after" | "monotonicMs">;

export interface RequestBody {
  /** As received. */
  readonly bytes: Uint8Array;
  /** Decoded; the same array as `bytes` when the body came plain. */
  readonly plain: Uint8Array;
}

/**
 * The bytes as they come, at most `maxBytes` of them. Rejects with `body_too_large`, `request_timeout` when they come too slowly (the server
 * itself bounds only the time for the head: 12 s, Bun 1.4.5), or `client_gone` when the client hung up while it sent them.
 */
export async function readBytes(request: Request, maxBytes: number, clock: BodyClock): Promise<Uint8Array> {
  const stated = request.headers.get("content-length");
  if (stated !== null && Number(stated) > maxBytes) throw tooLarge(maxBytes);
  // With a stated length the server itself stops at that length, and reads it in one native call (`bytes` takes three times as long,
  // Bun 1.4.5). A Buffer from here on: every scan of it would have to make that view again.
  if (stated !== null) return Buffer.from(await inTime(request.arrayBuffer(), patienceMs(Number(stated)), clock));
  return request.body === null ? Buffer.alloc(0) : await collect(request.body, maxBytes, clock);
}

/** Undoes `content-encoding`. Rejects with `unsupported_encoding`, `body_too_large`, or `invalid_request` for bytes that are not what the header says. */
export async function decodeBody(bytes: Uint8Array, encoding: string | null, maxBytes: number): Promise<RequestBody> {
  const name = (encoding ?? "").trim().toLowerCase();
  if (name === "" || name === "identity") return { bytes, plain: bytes };
  const decode = decoderOf(name, bytes);
  if (decode === null) {
    const words = name.includes(",") ? "more than one content-encoding" : `content-encoding ${JSON.stringify(name)}`;
    throw new AppError("unsupported_encoding", `${words} is not understood`);
  }
  try {
    return { bytes, plain: await decode(bytes, { maxOutputLength: maxBytes }) };
  } catch (thrown) {
    if ((thrown as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(maxBytes);
    throw new AppError("invalid_request", `the body is not valid ${name}, though its content-encoding says so`, {
      cause: thrown,
    });
  }
}

type Decoder = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>;

// The asynchronous forms unfold on the runtime's thread pool, piece by piece up to the limit: the event loop serves streams meanwhile.
const decodeGzip: Decoder = promisify(gunzip);
const decodeZlib: Decoder = promisify(inflate);
const decodeRawDeflate: Decoder = promisify(inflateRaw);
const decodeBrotli: Decoder = promisify(brotliDecompress);
const decodeZstd: Decoder = promisify(zstdDecompress);

/** One coding only: nobody sends a chain, and each link would need its own limit. */
function decoderOf(name: string, bytes: Uint8Array): Decoder | null {
  switch (name) {
    case "gzip":
    case "x-gzip":
      return decodeGzip;
    case "deflate":
      return hasZlibHeader(bytes) ? decodeZlib : decodeRawDeflate;
    case "br":
      return decodeBrotli;
    case "zstd":
      return decodeZstd;
    default:
      return null;
  }
}

/** "deflate" means the zlib format (RFC 9110 §8.4.1.2), but many senders leave the two header bytes out. RFC 1950 §2.2 tells them apart. */
function hasZlibHeader(bytes: Uint8Array): boolean {
  const first = bytes[0] ?? 0;
  return (first & 0x0f) === 8 && ((first << 8) | (bytes[1] ?? 0)) % 31 === 0;
}

async function collect(body: ReadableStream<Uint8Array>, maxBytes: number, clock: BodyClock): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  const startMs = clock.monotonicMs();
  const reader = body.getReader();
  try {
    for (;;) {
      const leftMs = startMs + patienceMs(size) - clock.monotonicMs();
      const { done, value } = await inTime(reader.read(), leftMs, clock);
      if (done) return Buffer.concat(chunks, size);
      size += value.byteLength;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(value);
    }
  } catch (thrown) {
    void reader.cancel().catch(() => {});
    throw thrown;
  }
}

/** A body of so many bytes may take this long: in whole seconds, so that bodies of about the same length wait in one line (base/timer-lines.ts). */
function patienceMs(bytes: number): number {
  return BODY_PATIENCE_MS + Math.ceil(bytes / BODY_SLOWEST_BYTES_PER_SECOND) * 1_000;
}

/** Rejects with `request_timeout` or `client_gone`. */
function inTime<T>(work: Promise<T>, limitMs: number, clock: BodyClock): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(limitMs, () =>
      reject(new AppError("request_timeout", "the request body did not arrive in time")),
    );
    work.then(
      (arrived) => {
        timer.cancel();
        resolve(arrived);
      },
      (cause) => {
        timer.cancel();
        reject(new AppError("client_gone", "the client hung up while it sent the request", { cause }));
      },
    );
  });
}

function tooLarge(maxBytes: number): AppError {
  return new AppError("body_too_large", `the request body is larger than ${maxBytes} bytes`, {
    facts: { maxBytes },
  });
}
