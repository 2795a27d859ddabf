/** Bodies that are read whole: bounded, broken, packed. */
import { describe, expect, test } from "bun:test";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { ERROR_BODY_MAX_BYTES } from "../../src/base/bounds.ts";
import { readBounded, textOf } from "../../src/upstream/bounded-body.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("a body", () => {
  test("that ends is whole", async () => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const part of ["a", "b", "c"]) controller.enqueue(bytes(part));
        controller.close();
      },
    });
    const got = await readBounded(body.getReader(), null);
    expect({ text: textOf(got.bytes, null), whole: got.whole }).toEqual({ text: "abc", whole: true });
  });

  test("that breaks off is not", async () => {
    let pulls = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (pulls++ === 0) controller.enqueue(bytes("half"));
        else controller.error(new Error("reset"));
      },
    });
    const got = await readBounded(body.getReader(), null);
    expect({ text: textOf(got.bytes, null), whole: got.whole }).toEqual({ text: "half", whole: false });
  });

  test("without end is read to the bound and then let go", async () => {
    let cancelled = false;
    let pulled = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(100_000));
      },
      cancel() {
        cancelled = true;
      },
    });
    const got = await readBounded(body.getReader(), null);
    expect(got.bytes.length).toBe(ERROR_BODY_MAX_BYTES);
    expect(got.whole).toBe(true);
    expect(cancelled).toBe(true);
    expect(pulled).toBeLessThanOrEqual(Math.ceil(ERROR_BODY_MAX_BYTES / 100_000) + 1);
  });

  test("that is not there is empty", async () => {
    expect(await readBounded(null, null)).toEqual({ bytes: new Uint8Array(0), whole: true });
  });
});

describe("its text", () => {
  test.each([
    ["gzip", gzipSync("text")],
    ["GZIP", gzipSync("text")],
    ["deflate", deflateSync("text")],
    ["br", brotliCompressSync("text")],
    ["zstd", zstdCompressSync("text")],
    [null, bytes("text")],
  ] as const)("packed as %s", (encoding, packed) => expect(textOf(packed, encoding)).toBe("text"));

  test("is empty when it cannot be read", () => {
    expect(textOf(bytes("not gzip"), "gzip")).toBe("");
    expect(textOf(gzipSync(Buffer.alloc(ERROR_BODY_MAX_BYTES + 1)), "gzip")).toBe("");
  });
});
