/**
 * What clients sent and how each request ended, for tests to look at. Credentials are replaced by the alias they belong
 * to before anything is kept.
 */
import { sha256Hex } from "../base/id.ts";
import type { HeaderList, HttpRequest } from "./http-request.ts";
import { asObject, type JsonObject } from "./json.ts";

/**
 * `open` while it runs; `answered` when every byte was sent; `client_closed` when the client left first; `cut` when a
 * fault ended the connection.
 */
export type RequestEnd = "open" | "answered" | "client_closed" | "cut";

export interface RequestRecord {
  id: number;
  atMs: number;
  method: string;
  path: string;
  query: string;
  /** Wire order, names as sent; credentials replaced. */
  headers: HeaderList;
  account: string | null;
  bodyBytes: number;
  /** Of the bytes as they came, before decoding. */
  bodySha256: string;
  /** Decoded and parsed; null when there is none or it is not kept. */
  body: unknown;
  /** The fault kinds that struck. */
  faults: string[];
  status: number | null;
  end: RequestEnd;
  endedAtMs: number | null;
  /** Events written until now, and how many there would have been. Zero and null for plain answers. */
  eventsSent: number;
  eventsPlanned: number | null;
}

export interface RecorderSettings {
  /** Records kept; the oldest go first. */
  keep: number;
  /** False keeps neither bodies nor their sums: for benchmarks with big bodies. */
  bodies: boolean;
}

/** A thousand Codex bodies of 60 KiB are some 60 MiB: as much as a test run ever needs. */
const DEFAULT_RECORDER: RecorderSettings = { keep: 1_000, bodies: true };

export interface Recorder {
  settings: RecorderSettings;
  open(request: HttpRequest, nowMs: number): RequestRecord;
  /** A record that nobody will read: for the control API's own calls. */
  unkept(request: HttpRequest, nowMs: number): RequestRecord;
  list(): RequestRecord[];
  clear(): void;
}

const SECRET_FIELDS: readonly string[] = [
  "refresh_token",
  "access_token",
  "id_token",
  "subject_token",
  "token",
  "code",
  "code_verifier",
];

export function createRecorder(): Recorder {
  let records: RequestRecord[] = [];
  let lastId = 0;
  const settings = { ...DEFAULT_RECORDER };
  const recordOf = (request: HttpRequest, nowMs: number): RequestRecord => {
    const mark = request.target.indexOf("?");
    return {
      id: ++lastId,
      atMs: nowMs,
      method: request.method,
      path: request.path,
      query: mark < 0 ? "" : request.target.slice(mark + 1),
      headers: request.headers.map(([name, value]) => [name, isSecretHeader(name) ? "account:unknown" : value]),
      account: null,
      bodyBytes: request.body.length,
      bodySha256: settings.bodies ? sha256Hex(request.body) : "",
      body: null,
      faults: [],
      status: null,
      end: "open",
      endedAtMs: null,
      eventsSent: 0,
      eventsPlanned: null,
    };
  };
  return {
    settings,
    unkept: recordOf,
    open(request, nowMs) {
      const record = recordOf(request, nowMs);
      records.push(record);
      if (records.length > settings.keep) records = records.slice(-settings.keep);
      return record;
    },
    list: () => records,
    clear() {
      records = [];
    },
  };
}

/** Notes whose credentials came with the request. */
export function noteAccount(record: RequestRecord, alias: string): void {
  record.account = alias;
  record.headers = record.headers.map(([name, value]) => [name, isSecretHeader(name) ? `account:${alias}` : value]);
}

function isSecretHeader(name: string): boolean {
  return ["authorization", "cookie"].includes(name.toLowerCase());
}

/** A body as it may be kept: one-way marks in place of tokens, equal for equal tokens. */
export function withoutSecrets(value: unknown): unknown {
  const object = asObject(value);
  if (!object) return value;
  const out: JsonObject = {};
  for (const [name, field] of Object.entries(object)) {
    const secret = SECRET_FIELDS.includes(name) && typeof field === "string";
    out[name] = secret ? `secret:${sha256Hex(field).slice(0, 12)}` : field;
  }
  return out;
}
