/**
 * Events to bytes (text/event-stream), with every oddity that a fault can ask for: line ends, missing `event:` lines,
 * comments, one byte a chunk, gzip. Writes; never decides what.
 */
import { constants, createGzip, type Gzip } from "node:zlib";
import type { Exchange } from "./http-exchange.ts";
import type { JsonObject } from "./json.ts";

export interface SseShape {
  eol: "\n" | "\r\n" | "\r";
  eventLines: boolean;
  comments: boolean;
  /** False leaves the blank line after the last event away. */
  finalBlankLine: boolean;
  chunks: "events" | "bytes" | "whole";
  gzip: boolean;
}

export const PLAIN_SSE: SseShape = {
  eol: "\n",
  eventLines: true,
  comments: false,
  finalBlankLine: true,
  chunks: "events",
  gzip: false,
};

export interface SseWriter {
  /** One event; `sequence_number` is added. False when the client is gone. */
  event(value: JsonObject): Promise<boolean>;
  /** An event whose data is not ours to build: broken JSON, `[DONE]`. */
  raw(type: string | null, data: string): Promise<boolean>;
  /** Everything that was held back, and the last chunk. */
  finish(): Promise<boolean>;
  /** Everything that was held back: before a cut. */
  flush(): Promise<boolean>;
}

const encoder = new TextEncoder();

export function createSseWriter(exchange: Exchange, shape: SseShape): SseWriter {
  let sequence = 0;
  /** The blank line that ends an event is written with the next one when the last shall go without. */
  let owedBlankLine = false;
  let held: Uint8Array[] = [];
  const squeeze = shape.gzip ? createSqueezer() : null;

  const send = async (text: string): Promise<boolean> => {
    const plain = encoder.encode(text);
    const bytes = squeeze ? await squeeze.feed(plain) : plain;
    if (shape.chunks === "whole") {
      held.push(bytes);
      return !exchange.gone.aborted;
    }
    return write(bytes);
  };
  const write = async (bytes: Uint8Array): Promise<boolean> => {
    if (shape.chunks !== "bytes") return exchange.write(bytes);
    for (let at = 0; at < bytes.length; at++) if (!(await exchange.write(bytes.subarray(at, at + 1)))) return false;
    return true;
  };
  const frame = (type: string | null, data: string): string => {
    const { eol } = shape;
    const lead = owedBlankLine ? eol : "";
    const comment = shape.comments ? `: ping${eol}` : "";
    const name = shape.eventLines && type !== null ? `event: ${type}${eol}` : "";
    owedBlankLine = !shape.finalBlankLine;
    return `${lead}${comment}${name}data: ${data}${eol}${shape.finalBlankLine ? eol : ""}`;
  };
  const flush = async (): Promise<boolean> => {
    const bytes = held;
    held = [];
    return bytes.length === 0 || write(Buffer.concat(bytes));
  };
  return {
    event(value) {
      const { type, ...rest } = value;
      return send(frame(String(type), JSON.stringify({ type, sequence_number: sequence++, ...rest })));
    },
    raw: (type, data) => send(frame(type, data)),
    flush,
    async finish() {
      if (squeeze) held.push(await squeeze.end());
      return (await flush()) && exchange.finish();
    },
  };
}

/** Over a WebSocket: an event is a message, and the end of an answer is not the end of anything. */
export function createMessageWriter(exchange: Exchange, send: (text: string) => Promise<boolean>): SseWriter {
  let sequence = 0;
  return {
    event({ type, ...rest }) {
      return send(JSON.stringify({ type, sequence_number: sequence++, ...rest }));
    },
    raw: (_, data) => send(data),
    flush: async () => !exchange.gone.aborted,
    finish: () => exchange.finish(),
  };
}

/** gzip that gives out every event as soon as it is written. */
function createSqueezer() {
  const gzip: Gzip = createGzip();
  let out: Buffer[] = [];
  gzip.on("data", (bytes: Buffer) => out.push(bytes));
  const take = () => {
    const bytes = Buffer.concat(out);
    out = [];
    return bytes;
  };
  return {
    feed(bytes: Uint8Array): Promise<Uint8Array> {
      return new Promise((resolve) => {
        gzip.write(bytes);
        gzip.flush(constants.Z_SYNC_FLUSH, () => resolve(take()));
      });
    },
    end(): Promise<Uint8Array> {
      return new Promise((resolve) => {
        gzip.once("end", () => resolve(take()));
        gzip.end();
      });
    },
  };
}
