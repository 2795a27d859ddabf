/**
 * The fault matrix once more for the other two values of `upstream_transport`: what a client has of a fault is decided by how the request was
 * carried to upstream, so only what is another carriage than with `auto` can differ. The differences, as data; the rest is fault-matrix.ts.
 */
import type { FaultKind } from "../../src/simulator/faults.ts";
import { COLUMNS, type Column, type MatrixRow, type Spread } from "./support/matrix-rows.ts";

export const TRANSPORTS = ["auto", "http", "websocket"] as const;
export type Transport = (typeof TRANSPORTS)[number];

type Differences = Readonly<Record<Spread, Partial<Record<Column, string>>>>;

/** Whether the setting changes how this client's requests are carried. */
export function isCarriedAnew(transport: Transport, column: Column): boolean {
  return transport !== "auto" && column.endsWith("Socket") === (transport === "http");
}

/** What the client has; undefined where there is nothing to meet. */
export function expectedIn(row: MatrixRow, transport: Transport, spread: Spread, column: Column): string | undefined {
  const usual = row[spread][column];
  if (transport === "auto") return usual;
  const { kind, at } = row.faults.at(-1)!;
  if (at === "upgrade") return transport === "http" ? NO_HANDSHAKE : (usual ?? atTheHandshake(row, spread, column));
  const own = (transport === "http" ? OVER_HTTP : OVER_WEBSOCKET)[kind]?.[spread][column];
  if (own !== undefined) return own;
  // Upstream's `detail` is put into the words of a frame; Codex sees that over HTTP, too, when it leaves its WebSocket.
  return transport === "websocket" ? usual?.replace("/detail ", "/invalid_request_error ") : usual;
}

/** Over HTTP there is none, and nothing fails at it. */
const NO_HANDSHAKE = "answer 1 A";

/** Nobody has been asked for an answer yet: who asks over HTTP is told in a status what a WebSocket's client is told in a frame. */
function atTheHandshake(row: MatrixRow, spread: Spread, column: Column): string {
  const framed = row[spread].sdkSocket!;
  const isAsked = framed.startsWith("answer");
  if (isAsked) return framed;
  if (framed.includes("attempts_exhausted")) return "400/no_usable_account 2 ";
  if (framed.includes("upstream_timed_out"))
    return column === "codexHttp" ? "failed/server_is_overloaded 1 " : "503/upstream_timed_out 3 ";
  const told = framed.replace("frame ", "");
  if (!told.startsWith("429/") || column === "codexHttp") return told;
  // OpenCode waits however long it is, the SDKs up to a minute.
  const isShort = SHORT.has(row.faults.at(-1)!.kind);
  return column === "openCode" || isShort ? told.replace(/ 1 $/, " 3 ") : told;
}

/** No time is stated with these: an account rests a short while. */
const SHORT: ReadonlySet<FaultKind> = new Set([
  "usage_limit_no_reset",
  "usage_not_included",
  "insufficient_quota",
  "rate_limit_no_time",
]);

const sockets = (codexSocket: string, sdkSocket: string) => ({ codexSocket, sdkSocket });
const everybody = (cell: string) => Object.fromEntries(COLUMNS.map((column) => [column, cell]));

/** Of these two words a WebSocket is told by opening another one; over HTTP they are refusals like any other. */
const refusedOverHttp = (code: string): Differences => ({
  once: sockets("answer 2 AA", `frame 400/${code} 1 A`),
  always: sockets(`400/${code} 8 AAAAAAAA`, `frame 400/${code} 1 A`),
});
const EDGE_OVER_HTTP: Differences = {
  once: sockets("answer 1 AB", "answer 1 AB"),
  always: sockets("failed/server_is_overloaded 1 ABC", "frame 503/upstream_overloaded 1 ABC"),
};
const NONSENSE_OVER_HTTP: Differences = {
  once: sockets("answer 1 AA", "answer 1 AA"),
  always: sockets("failed/server_is_overloaded 1 AABB", "frame 503/upstream_overloaded 1 AABB"),
};

const OVER_HTTP: Readonly<Partial<Record<FaultKind, Differences>>> = {
  cloudflare_challenge: EDGE_OVER_HTTP,
  not_found_empty: EDGE_OVER_HTTP,
  html_instead_of_json: NONSENSE_OVER_HTTP,
  empty_body: NONSENSE_OVER_HTTP,
  broken_json: NONSENSE_OVER_HTTP,
  previous_response_not_found: refusedOverHttp("previous_response_not_found"),
  connection_limit: refusedOverHttp("websocket_connection_limit_reached"),
  // It is a header.
  model_header: { once: { codexSocket: "warned 1 A" }, always: { codexSocket: "warned 1 A" } },
};

const mended = (codex: string, others: string): Differences => ({
  once: everybody("answer 1 AA"),
  always: {
    ...everybody(`503/upstream_overloaded 3 ${others}`),
    codexHttp: `failed/server_is_overloaded 1 ${codex}`,
    codexSocket: undefined,
    sdkSocket: undefined,
  },
});
/** A page of the edge is in a frame what upstream itself says: a refusal, which the SDKs do not send again. */
const edgeFramed = (status: number): Differences => {
  const told = `${status}/invalid_request_error`;
  const once = `${told} 1 A`;
  return {
    once: { codexHttp: "answer 2 AB", openCode: once, sdkStream: once, sdkWhole: once },
    always: {
      ...{ openCode: once, sdkStream: once, sdkWhole: once },
      ...{ codexHttp: `${told} 6 ABCABC`, codexSocket: `${told} 12 AAAAAAAAAAAA` },
    },
  };
};
/** A frame of no sense is the beginning of something, and nothing follows. */
const NONSENSE_FRAMED: Differences = {
  once: { codexHttp: "answer 2 AA", openCode: "answer 2 AA", sdkWhole: "answer 2 AA", sdkStream: "odd 1 A" },
  always: {
    ...{ codexHttp: "cut 6 AAAAAA", codexSocket: "cut 12 AAAAAAAAAAAA", openCode: "odd 3 AAA", sdkStream: "odd 1 A" },
    ...{ sdkWhole: "502/upstream_cut 3 AAA" },
  },
};
/** Frames are neither packed by `content-encoding` nor do they have headers. */
const NO_HEADERS: Differences = { once: everybody("answer 1 A"), always: everybody("answer 1 A") };

const OVER_WEBSOCKET: Readonly<Partial<Record<FaultKind, Differences>>> = {
  cloudflare_challenge: edgeFramed(403),
  not_found_empty: edgeFramed(404),
  html_instead_of_json: NONSENSE_FRAMED,
  empty_body: NONSENSE_FRAMED,
  broken_json: NONSENSE_FRAMED,
  previous_response_not_found: mended("AABB", "AABBCC"),
  connection_limit: mended("AAAAAABBBBBB", "AAAAAABBBBBBCCCCCC"),
  gzip: NO_HEADERS,
  model_header: NO_HEADERS,
};
