/**
 * The columns of the fault matrix, what a row of it is, and short ways to write many. The rows themselves are in ../fault-matrix.ts.
 */
import type { FaultKind, FaultParams, FaultPlace } from "../../../src/simulator/faults.ts";

export const COLUMNS = ["codexHttp", "codexSocket", "openCode", "sdkStream", "sdkWhole", "sdkSocket"] as const;
export type Column = (typeof COLUMNS)[number];

/** Combinations that nobody speaks, and why there is nothing to expect. */
export const UNSPOKEN: Readonly<Record<string, string>> = {
  "codex, no stream": "Codex always streams; without it upstream itself refuses (`Stream must be set to true`)",
  "opencode, no stream": "OpenCode always streams, its titles too",
  "opencode, websocket": "OpenCode 1.18.33 asks over HTTP, with OPENCODE_EXPERIMENTAL_WEBSOCKETS=1 too (seen 2026-11)",
  "websocket, no stream": "over a WebSocket every answer is its events; `stream` says nothing there",
};

/** `once` on the account that comes first, or `always` on every account. */
export const SPREADS = ["once", "always"] as const;
export type Spread = (typeof SPREADS)[number];

export type Cells = Readonly<Record<Column, string>>;
/** A fault at the handshake to upstream: only a WebSocket has one. */
export type SocketCells = Readonly<Pick<Cells, "codexSocket" | "sdkSocket">>;

export interface MatrixRow {
  readonly name: string;
  readonly faults: readonly { readonly kind: FaultKind; readonly at: FaultPlace; readonly params: FaultParams }[];
  /** Takes a time-out. */
  readonly isSlow: boolean;
  readonly once: Partial<Cells>;
  readonly always: Partial<Cells>;
}

/** Times far enough away that no retry meets their end; delays short enough to wait for. */
const PARAMS: Readonly<Partial<Record<FaultKind, FaultParams>>> = {
  usage_limit: { resetsInSeconds: 7_200 },
  usage_limit_resets_at_only: { resetsInSeconds: 7_200 },
  usage_limit_resets_in_only: { resetsInSeconds: 7_200 },
  usage_limit_headers_only: { resetsInSeconds: 7_200 },
  usage_limit_retry_after_only: { resetsInSeconds: 7_200 },
  usage_limit_error_code: { resetsInSeconds: 7_200 },
  usage_limit_text_only: { tryAgainIn: "2h5m" },
  rate_limit: { tryAgainIn: "6m0s" },
  rate_limit_tokens: { tryAgainIn: "6m0s" },
  rate_limit_retry_after: { retryAfterSeconds: 360 },
  failed_rate_limit: { tryAgainIn: "6m0s" },
  failed_usage_limit: { resetsInSeconds: 7_200 },
  slow_first_byte: { delayMs: 200 },
  late_answer: { delayMs: 200 },
  pause: { delayMs: 200 },
  custom: { status: 418, body: { error: { code: "teapot", type: "teapot", message: "no coffee" } } },
};

/** A time-out alone ends these; some of them only over a WebSocket, where nothing says that an answer is over. */
const SLOW: ReadonlySet<FaultKind> = new Set([
  "stall_before_headers",
  "stall_after_headers",
  "stall",
  "html_instead_of_json",
  "empty_body",
  "broken_json",
  "missing_completed",
]);

/** The same for everybody; a WebSocket says a status in a frame. */
export function every(cell: string, others: Partial<Cells> = {}): Cells {
  const framed = cell.replace(/^(\d{3}\/)/, "frame $1");
  const all = Object.fromEntries(COLUMNS.map((column) => [column, column.endsWith("Socket") ? framed : cell]));
  return { ...(all as Record<Column, string>), ...others };
}

type Row = Omit<MatrixRow, "name" | "faults" | "isSlow">;

const named = (
  name: string,
  kinds: readonly FaultKind[],
  at: FaultPlace,
  row: Row,
  more: FaultParams = {},
): MatrixRow => ({
  ...row,
  name,
  faults: kinds.map((kind, index) => ({
    kind,
    at: index === kinds.length - 1 ? at : "responses",
    params: { ...PARAMS[kind], ...(index === kinds.length - 1 ? more : {}) },
  })),
  isSlow: kinds.some((kind) => SLOW.has(kind)),
});

/** Instead of the answer. */
export const answers = (kinds: readonly FaultKind[], once: Cells, always: Cells): MatrixRow[] =>
  kinds.map((kind) => named(kind, [kind], "responses", { once, always }));
/** At the token endpoint, when a 401 makes a refresh necessary. */
export const refreshes = (kinds: readonly FaultKind[], once: Cells, always: Cells): MatrixRow[] =>
  kinds.map((kind) => named(`${kind}, at a refresh`, ["unauthorized", kind], "refresh", { once, always }));
/** At the handshake of a WebSocket. */
export const handshakes = (kinds: readonly FaultKind[], once: SocketCells, always: SocketCells): MatrixRow[] =>
  kinds.map((kind) => named(`${kind}, at the handshake`, [kind], "upgrade", { once, always }));

export const onlySockets = (cell: string): SocketCells => ({ codexSocket: cell, sdkSocket: cell });

export type Point = "opening" | "middle" | "end";
/** Inside the answer. */
export const inside = (
  kinds: readonly FaultKind[],
  points: readonly Point[],
  once: Cells,
  always: Cells,
): MatrixRow[] =>
  kinds.flatMap((kind) =>
    points.map((point) => named(`${kind}, ${point}`, [kind], "responses", { once, always }, { point })),
  );
