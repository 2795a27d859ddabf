/**
 * Bytes that no well-meaning client or upstream would send, made of ones that they do: every choice comes from one chance, so that a seed shows
 * them again. Makes bytes; sends nothing.
 */
import { deflateRawSync } from "node:zlib";
import type { Chance } from "./seed.ts";

/** What is most often forgotten: ends, borders of numbers and encodings, what another grammar means something by. */
const SHARP: readonly string[] = [
  "",
  "\0",
  "\r",
  "\n",
  "\r\n",
  "\r\n\r\n",
  "\u2028",
  "\uFEFF",
  "\\u0000",
  "\\ud800",
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ":",
  ",",
  "data:",
  "event: ",
  "[DONE]",
  "-1",
  "0",
  "1e309",
  "9007199254740993",
  "NaN",
  "null",
  "true",
  "%00",
  "%2e%2e/",
  "../",
  ";",
  "*",
  "é",
  "\u{1F600}",
];

/** Some places changed: cut out, doubled, replaced, filled in. */
export function mutate(chance: Chance, bytes: Buffer, times = chance.between(1, 4)): Buffer {
  let out = bytes;
  for (let count = 0; count < times; count++) {
    const at = chance.between(0, out.length);
    const upTo = Math.min(out.length, at + chance.between(0, 12));
    const before = out.subarray(0, at);
    switch (chance.between(0, 5)) {
      case 0:
        out = Buffer.concat([before, out.subarray(upTo)]);
        break;
      case 1:
        out = Buffer.concat([before, Buffer.from(chance.pick(SHARP)), out.subarray(at)]);
        break;
      case 2:
        out = Buffer.concat([before, Buffer.from(chance.pick(SHARP)), out.subarray(upTo)]);
        break;
      case 3:
        out = Buffer.concat([before, out.subarray(at, upTo), out.subarray(at, upTo), out.subarray(upTo)]);
        break;
      case 4:
        out = Buffer.concat([before, noise(chance, chance.between(1, 8)), out.subarray(upTo)]);
        break;
      default:
        out = out.subarray(0, at);
    }
  }
  return out;
}

export function noise(chance: Chance, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => chance.between(0, 255)));
}

/** A value of any shape, deep now and then. */
export function anyJson(chance: Chance, depth = 0): unknown {
  switch (chance.between(0, depth > 4 ? 5 : 8)) {
    case 0:
      return null;
    case 1:
      return chance.fraction() < 0.5;
    case 2:
      return chance.pick([0, -1, 1.5, 1e308, 2 ** 53, 2 ** 31]);
    case 3:
    case 4:
      return chance.pick(SHARP).repeat(chance.between(0, 5));
    case 5:
      return chance.pick(["user", "developer", "message", "input_text", "function", "gpt-5.5", "auto", "low"]);
    case 6:
      return Array.from({ length: chance.between(0, 4) }, () => anyJson(chance, depth + 1));
    default:
      return Object.fromEntries(
        Array.from({ length: chance.between(0, 5) }, () => [chance.pick(KEYS), anyJson(chance, depth + 1)]),
      );
  }
}

const KEYS: readonly string[] = [
  ...["model", "input", "messages", "role", "content", "type", "text", "tools", "tool_choice", "name", "parameters"],
  ...["stream", "store", "instructions", "reasoning", "effort", "include", "metadata", "n", "stop", "response_format"],
  ...["previous_response_id", "prompt_cache_key", "client_metadata", "generate", "background", "image_url", "call_id"],
  ...[
    "arguments",
    "output",
    "summary",
    "encrypted_content",
    "service_tier",
    "max_tokens",
    "stream_options",
    "__proto__",
  ],
];

/** A request body of one of the doors: a good one with members of any shape, bytes changed, very deep, or nothing like it. */
export function anyBody(chance: Chance): Buffer {
  const input = [{ type: "message", role: "user", content: [{ type: "input_text", text: "fuzz" }] }];
  const good = chance.pick<Record<string, unknown>>([
    { model: "gpt-5.5", instructions: "", input, stream: true, store: false },
    { model: "gpt-5.5", input: "fuzz", stream: false },
    { model: "gpt-5.5", messages: [{ role: "user", content: "fuzz" }], stream: true },
  ]);
  switch (chance.between(0, 5)) {
    case 0:
      return mutate(chance, Buffer.from(JSON.stringify(good)));
    case 1:
      return Buffer.from("[".repeat(chance.between(1, 20_000)));
    case 2:
      return Buffer.from(JSON.stringify(anyJson(chance)) ?? "");
    case 3:
      return noise(chance, chance.between(0, 60));
    default:
      for (let count = chance.between(1, 3); count > 0; count--) good[chance.pick(KEYS)] = anyJson(chance);
      return Buffer.from(JSON.stringify(good));
  }
}

/** Where what is in a request counts. */
const DOORS: readonly string[] = ["/v1/responses", "/v1/chat/completions", "/backend-api/codex/responses"];
const PATHS: readonly string[] = [
  ...DOORS,
  "/v1/models",
  "/v1/models/gpt-5.5",
  "/backend-api/codex/models",
  "/backend-api/wham/usage",
  "/v1/responses/resp_x/cancel",
  "/health",
  "/ready",
  "/k/nobody/v1/responses",
  "/",
  "*",
];
const METHODS: readonly string[] = ["POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "get", "X"];
const ENCODINGS: readonly string[] = ["gzip", "deflate", "br", "zstd", "identity", "x-unknown", "gzip, gzip", ""];

export interface FuzzedRequest {
  readonly bytes: Buffer;
  /** Its length is as stated and its head is HTTP: an answer must come. */
  readonly mustBeAnswered: boolean;
}

export function anyRequest(chance: Chance, host: string, key: string): FuzzedRequest {
  const path =
    chance.fraction() < 0.8
      ? chance.pick(chance.fraction() < 0.5 ? DOORS : PATHS)
      : `${chance.pick(PATHS)}${encodeURI(chance.pick(SHARP))}?${encodeURI(chance.pick(SHARP))}`;
  const method = chance.fraction() < 0.8 ? "POST" : chance.pick(METHODS);
  const isBare = method === "GET" || method === "HEAD";
  const body = packed(chance, isBare ? Buffer.alloc(0) : anyBody(chance));
  const fields: [string, string][] = [
    ["host", host],
    ["authorization", chance.fraction() < 0.85 ? `Bearer ${key}` : chance.pick(["Bearer", "Basic eDp5", "bearer x y"])],
    [
      "content-type",
      chance.fraction() < 0.8 ? "application/json" : chance.pick(["text/plain", "", "multipart/form-data"]),
    ],
  ];
  if (body.encoding !== null) fields.push(["content-encoding", body.encoding]);
  for (let count = chance.between(0, 3); count > 0; count--) fields.push(anyField(chance));
  fields.push(["content-length", String(body.bytes.length)]);
  const head = `${method} ${path === "*" ? "*" : path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  const whole = Buffer.concat([Buffer.from(head, "latin1"), body.bytes]);
  const isBent = chance.fraction() < 0.25;
  const isKnown = ["POST", "GET", "PUT", "DELETE", "OPTIONS", "PATCH"].includes(method) && path !== "*";
  return { bytes: isBent ? mutate(chance, whole) : whole, mustBeAnswered: !isBent && isKnown };
}

function packed(chance: Chance, bytes: Buffer): { bytes: Buffer; encoding: string | null } {
  if (chance.fraction() < 0.75) return { bytes, encoding: null };
  const encoding = chance.pick(ENCODINGS);
  const made =
    encoding === "gzip"
      ? Buffer.from(Bun.gzipSync(bytes as Buffer<ArrayBuffer>))
      : encoding === "zstd"
        ? Bun.zstdCompressSync(bytes)
        : encoding === "deflate"
          ? deflateRawSync(bytes)
          : bytes;
  return { bytes: chance.fraction() < 0.4 ? mutate(chance, made) : made, encoding };
}

const FIELD_NAMES: readonly string[] = [
  ...["accept-encoding", "originator", "x-codex-turn-state", "session-id", "x-codex-window-id", "cookie", "expect"],
  ...["origin", "x-forwarded-for", "te", "trailer", "upgrade", "range", "if-none-match", "x-rotor-project"],
  ...["x-rotor-profile", "chatgpt-account-id", "content-language", "prefer", "via", "forwarded", "x-stainless-os"],
];

function anyField(chance: Chance): [string, string] {
  const printable = (text: string) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, "?");
  const value = chance.fraction() < 0.3 ? chance.pick(SHARP).repeat(chance.between(0, 40)) : chance.pick(KEYS);
  return [chance.pick(FIELD_NAMES), printable(value)];
}

/** A text frame's payload: what a client asks over a WebSocket, bent. */
export function anyMessage(chance: Chance): Buffer {
  if (chance.fraction() < 0.1) return anyBody(chance);
  const input = [{ type: "message", role: "user", content: [{ type: "input_text", text: "fuzz" }] }];
  const good: Record<string, unknown> = {
    type: "response.create",
    model: "gpt-5.5",
    instructions: "",
    input,
    store: false,
  };
  if (chance.fraction() < 0.5) good.generate = false;
  if (chance.fraction() < 0.3) good.type = chance.pick(["response.processed", "response.cancel", "", null, 7]);
  for (let count = chance.between(0, 2); count > 0; count--) good[chance.pick(KEYS)] = anyJson(chance);
  const bytes = Buffer.from(JSON.stringify(good));
  return chance.fraction() < 0.3 ? mutate(chance, bytes) : bytes;
}
