/** An encoding that upstream chose unasked is undone as the bytes come, and a body that breaks off still breaks off. */
import { expect, test } from "bun:test";
import { brotliCompressSync, constants, createGzip, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { ByteReader } from "../../src/upstream/byte-reader.ts";
import { unpackAnswer } from "../../src/upstream/unpack-answer.ts";
import { readAll } from "./http-client.suite.ts";

const TEXT = "data: hello\n\n".repeat(500);

function readerOf(bytes: Uint8Array, broken = false): ByteReader & { cancelled: boolean } {
  let at = 0;
  return {
    cancelled: false,
    async read() {
      if (at >= bytes.length) {
        if (broken) throw new Error("broken");
        return { done: true };
      }
      const value = bytes.slice(at, at + 100);
      at += 100;
      return { done: false, value };
    },
    async cancel() {
      this.cancelled = true;
    },
  };
}

const answer = (encoding: string, reader: ByteReader | null) => ({
  status: 200,
  headers: [
    ["content-encoding", encoding],
    ["x-a", "1"],
  ] as const,
  reader,
});

test.each([
  ["gzip", gzipSync(TEXT)],
  ["X-GZip ", gzipSync(TEXT)],
  ["deflate", deflateSync(TEXT)],
  ["br", brotliCompressSync(TEXT)],
  ["zstd", zstdCompressSync(TEXT)],
])("%s", async (encoding, bytes) => {
  const unpacked = unpackAnswer(answer(encoding, readerOf(bytes)));
  expect(unpacked.headers).toEqual([["x-a", "1"]]);
  expect((await readAll(unpacked.reader)).toString()).toBe(TEXT);
});

test("what is not packed, or in a way that nobody knows, stays as it is", () => {
  for (const encoding of ["identity", "snappy", "gzip, br"]) {
    const packed = answer(encoding, null);
    expect(unpackAnswer(packed)).toBe(packed);
  }
});

test("an event is handed on before the next one is there", async () => {
  const gzip = createGzip();
  const packed: Uint8Array[] = [];
  gzip.on("data", (data: Uint8Array) => packed.push(data));
  let waiting: ((got: { done: boolean; value?: Uint8Array }) => void) | null = null;
  const reader: ByteReader = {
    read() {
      const value = packed.shift();
      return value ? Promise.resolve({ done: false, value }) : new Promise((resolve) => (waiting = resolve));
    },
    cancel: async () => {},
  };
  const say = async (text: string) => {
    gzip.write(text);
    await new Promise<void>((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, () => resolve()));
    const value = packed.shift();
    if (waiting !== null && value) waiting({ done: false, value });
  };
  const unpacked = unpackAnswer(answer("gzip", reader)).reader!;
  for (const text of ["data: one\n\n", "data: two\n\n"]) {
    const read = unpacked.read();
    await say(text);
    expect(Buffer.from((await read).value!).toString()).toBe(text);
  }
});

test("a body that breaks off, or is not what it says, breaks off; one that is given up is given up below", async () => {
  const whole = gzipSync(TEXT);
  const outcomes = [readerOf(whole.subarray(0, 60), true), readerOf(Buffer.from("this is no gzip"))].map((reader) =>
    readAll(unpackAnswer(answer("gzip", reader)).reader),
  );
  for (const outcome of await Promise.allSettled(outcomes)) expect(outcome.status).toBe("rejected");
  const below = readerOf(whole);
  await unpackAnswer(answer("gzip", below)).reader!.cancel();
  expect(below.cancelled).toBe(true);
});
