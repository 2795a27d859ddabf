/**
 * Reading bodies: whole ones up to a bound, under the attempt's time-outs, and their text for judging them.
 */
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { ERROR_BODY_MAX_BYTES } from "../base/bounds.ts";
import type { AttemptGuard } from "./attempt-guard.ts";
import type { ByteRead, ByteReader } from "./byte-reader.ts";

/** null for answers without a body, such as to HEAD. */
export function readerOf(response: Response): ByteReader | null {
  return (response.body as ReadableStream<Uint8Array> | null)?.getReader() ?? null;
}

/** The same bytes, after those that were read to see what they are. */
export function readerAfter(first: Awaited<ByteRead>, rest: ByteReader): ByteReader {
  let next: Awaited<ByteRead> | null = first;
  return {
    read() {
      const got = next;
      next = null;
      return got === null ? rest.read() : Promise.resolve(got);
    },
    cancel: () => rest.cancel(),
  };
}

export interface BoundedBody {
  readonly bytes: Uint8Array;
  /** false when the connection broke before its end; a body that was cut at the bound counts as whole. */
  readonly whole: boolean;
}

/** Never rejects. What lies beyond `ERROR_BODY_MAX_BYTES` is not read. */
export async function readBounded(reader: ByteReader | null, guard: AttemptGuard | null): Promise<BoundedBody> {
  if (reader === null) return { bytes: new Uint8Array(0), whole: true };
  const pieces: Uint8Array[] = [];
  let size = 0;
  let whole = true;
  try {
    while (size < ERROR_BODY_MAX_BYTES) {
      const value = reader.take?.() ?? (await nextOf(reader, guard));
      if (value === null) break;
      pieces.push(value);
      size += value.length;
    }
  } catch {
    whole = false;
  }
  if (size >= ERROR_BODY_MAX_BYTES) reader.cancel().catch(() => {});
  return { bytes: Buffer.concat(pieces).subarray(0, ERROR_BODY_MAX_BYTES), whole };
}

/** null at the end. */
async function nextOf(reader: ByteReader, guard: AttemptGuard | null): Promise<Uint8Array | null> {
  guard?.beginWait();
  const { done, value } = await reader.read();
  guard?.endWait();
  return done ? null : (value ?? null);
}

const LIMIT = { maxOutputLength: ERROR_BODY_MAX_BYTES };

/** We ask for identity, but whatever stands in between may answer packed. Unreadable bytes give an empty text. */
export function textOf(bytes: Uint8Array, contentEncoding: string | null): string {
  try {
    return new TextDecoder().decode(unpacked(bytes, contentEncoding?.trim().toLowerCase() ?? ""));
  } catch {
    return "";
  }
}

function unpacked(bytes: Uint8Array, encoding: string): Uint8Array {
  switch (encoding) {
    case "gzip":
    case "x-gzip":
      return gunzipSync(bytes, LIMIT);
    case "deflate":
      return inflateSync(bytes, LIMIT);
    case "br":
      return brotliDecompressSync(bytes, LIMIT);
    case "zstd":
      return zstdDecompressSync(bytes, LIMIT);
    default:
      return bytes;
  }
}
