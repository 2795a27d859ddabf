/**
 * Undoes a `content-encoding` that upstream chose unasked, as the bytes come: for doors that read or edit them. An encoding that is not
 * known stays, and its name with it.
 */
import { headerValue, withoutHeaders } from "../base/header-list.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { HttpAnswer } from "./http-client.ts";

const FORMATS: ReadonlyMap<string, Bun.CompressionFormat> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "brotli"],
  ["zstd", "zstd"],
]);

const CONTENT_ENCODING: ReadonlySet<string> = new Set(["content-encoding"]);

export function unpackAnswer(answer: HttpAnswer): HttpAnswer {
  const encoding = headerValue(answer.headers, "content-encoding")?.trim().toLowerCase() ?? null;
  const format = encoding === null ? undefined : FORMATS.get(encoding);
  if (format === undefined) return answer;
  const headers = withoutHeaders(answer.headers, CONTENT_ENCODING);
  return { ...answer, headers, reader: answer.reader === null ? null : unpackingReader(answer.reader, format) };
}

function unpackingReader(packed: ByteReader, format: Bun.CompressionFormat): ByteReader {
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const { done, value } = await packed.read();
        if (done || value === undefined) controller.close();
        else controller.enqueue(value as Uint8Array<ArrayBuffer>);
      },
      cancel: () => packed.cancel(),
    },
    { highWaterMark: 0 },
  );
  const reader = source.pipeThrough(new DecompressionStream(format)).getReader();
  return {
    read: () => reader.read(),
    // Both ends: the pipe between them passes it on only when it next moves.
    async cancel() {
      await Promise.all([packed.cancel(), reader.cancel()]);
    },
  };
}
