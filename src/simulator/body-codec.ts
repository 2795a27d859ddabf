/**
 * Request bodies in the encodings that clients use (Codex sends zstd, others gzip, deflate or br). Bounded while unfolding.
 */
import { brotliDecompressSync, gunzipSync, inflateRawSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { BODY_MAX_BYTES } from "../base/bounds.ts";

export type Decoded = { ok: true; bytes: Uint8Array } | { ok: false; status: 400 | 413 | 415; problem: string };

export function decodeBody(bytes: Uint8Array, contentEncoding: string | null): Decoded {
  const names = (contentEncoding ?? "")
    .toLowerCase()
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "" && name !== "identity");
  let current = bytes;
  // Encodings are listed in the order in which they were applied (RFC 9110 §8.4).
  for (const name of names.reverse()) {
    const unfold = DECODERS[name];
    if (!unfold) return { ok: false, status: 415, problem: `Unsupported content-encoding: ${name}` };
    try {
      current = unfold(current);
    } catch (error) {
      const tooLarge = (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
      if (tooLarge) return { ok: false, status: 413, problem: "Request body too large" };
      return { ok: false, status: 400, problem: `The body is not ${name}` };
    }
  }
  return { ok: true, bytes: current };
}

const BOUND = { maxOutputLength: BODY_MAX_BYTES };

const DECODERS: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  gzip: (bytes) => gunzipSync(bytes, BOUND),
  "x-gzip": (bytes) => gunzipSync(bytes, BOUND),
  br: (bytes) => brotliDecompressSync(bytes, BOUND),
  zstd: (bytes) => zstdDecompressSync(bytes, BOUND),
  deflate(bytes) {
    // Half of the world sends the zlib form that the RFC asks for, the other half raw deflate.
    const isZlib = (bytes[0]! & 0x0f) === 8 && ((bytes[0]! << 8) | bytes[1]!) % 31 === 0;
    return isZlib ? inflateSync(bytes, BOUND) : inflateRawSync(bytes, BOUND);
  },
};
