/**
 * One request inside a WebSocket as an exchange like any other: what would be a stream are text frames, what would be a refusal is an error
 * frame with its status, and to cut it is to cut the connection.
 */
import { closePayload, deflateMessage, encodeFrame, OPCODE } from "../base/ws-frames.ts";
import type { Exchange, RawWire } from "./http-exchange.ts";
import type { HeaderList, HttpRequest } from "./http-request.ts";
import { asObject, type JsonObject, tryParseJson } from "./json.ts";

export interface FrameWire {
  wire: RawWire;
  deflate: boolean;
}

/** Below this a message only grows by being compressed. */
const PACK_MIN_BYTES = 1_024;

export function sendFrame(
  { wire, deflate }: FrameWire,
  opcode: number,
  payload: Uint8Array | { code: number; reason: string },
): Promise<boolean> {
  const bytes = payload instanceof Uint8Array ? payload : closePayload(payload.code, payload.reason);
  const packed = deflate && opcode === OPCODE.text && bytes.length >= PACK_MIN_BYTES;
  return wire.send(encodeFrame(opcode, packed ? deflateMessage(bytes) : bytes, { mask: null, packed }));
}

export interface FrameExchangeHooks {
  /** Every event before it goes out. */
  onEvent(event: JsonObject): void;
  close(code: number, reason: string): Promise<void>;
}

export function createFrameExchange(
  connection: Exchange,
  request: HttpRequest,
  wire: FrameWire,
  hooks: FrameExchangeHooks,
): Exchange {
  let status: number | null = null;
  const { gone } = connection;
  const isThere = () => Promise.resolve(!gone.aborted);
  const text = (value: string) => sendFrame(wire, OPCODE.text, new TextEncoder().encode(value));
  return {
    request,
    gone,
    get status() {
      return status;
    },
    answer(code, headers, body = "") {
      status = code;
      const said = typeof body === "string" ? body : new TextDecoder().decode(body);
      return text(code < 400 ? said : JSON.stringify(errorFrame(code, headers, said)));
    },
    begin(code) {
      status = code;
      return isThere();
    },
    write: isThere,
    finish: isThere,
    cut: (how) => wire.wire.close(how),
    untilGone: () => connection.untilGone(),
    upgrade: null,
    message(value) {
      const event = asObject(tryParseJson(value));
      if (event) hooks.onEvent(event);
      return text(value);
    },
    closeWith: (code, reason) => hooks.close(code, reason),
  };
}

/** `{"type":"error","status":…,"error":…,"headers":…}` (wire reference §3.5). */
function errorFrame(status: number, headers: HeaderList, body: string): JsonObject {
  const said = asObject(tryParseJson(body));
  const detail = said?.detail;
  const error = asObject(said?.error) ?? {
    type: "invalid_request_error",
    message: typeof detail === "string" ? detail : said ? JSON.stringify(detail ?? said) : body.slice(0, 500),
    ...(asObject(detail) ?? {}),
  };
  const told = headers.filter(([name]) => name.startsWith("x-") || name === "retry-after");
  return { type: "error", status, error, headers: Object.fromEntries(told) };
}
