/**
 * The fault matrix: every fault that the simulator knows × transport × streaming or not × client, and what the client has of it in the end.
 * One line a cell: `answer 1 AB` says that the client got an answer to its first request, and that accounts A and B were asked for it; the words
 * are those of support/client-doubles.ts. Data only; what a fault does to the account itself is in failure-table.ts.
 */
import type { FaultKind } from "../../src/simulator/faults.ts";
import {
  answers,
  type Cells,
  every,
  handshakes,
  inside,
  type MatrixRow,
  onlySockets,
  type Point,
  refreshes,
} from "./support/matrix-rows.ts";

const SERVED = every("answer 1 A");
/** The next account serves; the client notices nothing. */
const MOVED = every("answer 1 AB");
/** The same account serves after all: at once, or with a renewed login. */
const AGAIN = every("answer 1 AA");
/** Nobody is left, and it is known until when. Up to a minute the SDKs wait that out; OpenCode waits however long it is. */
const LIMITED = every("429/pool_exhausted 1 ABC", { openCode: "429/pool_exhausted 3 ABC" });
const LIMITED_SHORTLY = every("429/pool_exhausted 3 ABC", {
  codexHttp: "429/pool_exhausted 1 ABC",
  codexSocket: "frame 429/pool_exhausted 1 ABC",
  sdkSocket: "frame 429/pool_exhausted 1 ABC",
});
/** Only a person can mend it: everybody stops at once. */
const STOPPED = every("400/no_usable_account 1 ABC");
/** Upstream is in trouble: Codex is told what it takes as final, the others when to come back. */
const overloadedAfter = (tried: string, triedInThree: string) =>
  every(`503/upstream_overloaded 3 ${triedInThree}`, {
    codexHttp: `failed/server_is_overloaded 1 ${tried}`,
    codexSocket: `failed/server_is_overloaded 1 ${tried}`,
    sdkSocket: `frame 503/upstream_overloaded 1 ${tried}`,
  });
const OVERLOADED = overloadedAfter("AABB", "AABBCC");
/** The request's own fault, passed on. */
const refused = (code: string) => every(`400/${code} 1 A`);

const usageLimits = [
  ...answers(
    [
      "usage_limit",
      "usage_limit_resets_at_only",
      "usage_limit_resets_in_only",
      "usage_limit_headers_only",
      "usage_limit_retry_after_only",
      "usage_limit_text_only",
      "usage_limit_error_code",
      "rate_limit",
      "rate_limit_tokens",
      "rate_limit_retry_after",
    ],
    MOVED,
    LIMITED,
  ),
  ...answers(
    ["usage_limit_no_reset", "usage_limit_as_404", "usage_not_included", "insufficient_quota", "rate_limit_no_time"],
    MOVED,
    LIMITED_SHORTLY,
  ),
];

/** Every login is renewed once; four attempts an exchange leave the third account for the next request. */
const ALL_LOGINS_REFUSED = every("400/no_usable_account 2 AABBCC", {
  sdkSocket: "frame 429/attempts_exhausted 1 AABB",
});

const logins = [
  ...answers(["unauthorized", "token_expired", "token_invalidated", "token_revoked"], AGAIN, ALL_LOGINS_REFUSED),
  ...answers(["account_deactivated", "deactivated_workspace", "deactivated_workspace_forbidden"], MOVED, STOPPED),
  ...refreshes(
    [
      "refresh_token_reused",
      "refresh_token_expired",
      "refresh_token_invalidated",
      "invalid_grant",
      "app_session_terminated",
      "foreign_account",
    ],
    MOVED,
    STOPPED,
  ),
  ...refreshes(["without_access_token"], MOVED, LIMITED_SHORTLY),
  ...refreshes(["without_refresh_token", "without_id_token"], AGAIN, ALL_LOGINS_REFUSED),
];

/** The edge speaks in pages and empty answers, which no WebSocket carries: there it is a refusal like any other, until Codex goes over to HTTP. */
const ofTheEdge = (kind: FaultKind, status: number): MatrixRow[] =>
  answers(
    [kind],
    { ...MOVED, codexSocket: "answer 2 AA", sdkSocket: `frame ${status}/invalid_request_error 1 A` },
    {
      ...overloadedAfter("ABC", "ABCABCABC"),
      codexSocket: "failed/server_is_overloaded 7 AAAAAAABC",
      sdkSocket: `frame ${status}/invalid_request_error 1 A`,
    },
  );

/** Not the account but the way to it, or the model on it. */
const routes = [
  ...answers(["region_blocked"], MOVED, overloadedAfter("ABC", "ABCABCABC")),
  ...ofTheEdge("cloudflare_challenge", 403),
  ...ofTheEdge("not_found_empty", 404),
  ...answers(["model_unsupported", "model_not_found"], MOVED, every("400/model_unsupported 1 ABC")),
];

/**
 * What upstream refuses with any other status is passed on as it is. Codex sends all but a 400 again, over a WebSocket too, where it goes over to
 * HTTP in the end; the SDKs send 408 and 409 again.
 */
const passedOn = (kind: FaultKind, status: number, code = "detail", framed = "invalid_request_error"): MatrixRow[] => {
  const isRetried = status === 408 || status === 409;
  const told = `${status}/${code}`;
  const frame = `frame ${status}/${framed} 1 A`;
  const once = isRetried ? "answer 2 AB" : `${told} 1 A`;
  const always = isRetried ? `${told} 3 ABC` : `${told} 1 A`;
  return answers(
    [kind],
    every(once, { codexHttp: "answer 2 AB", codexSocket: "answer 2 AA", sdkSocket: frame }),
    every(always, { codexHttp: `${told} 6 ABCABC`, codexSocket: `${told} 12 AAAAAAAAAAAA`, sdkSocket: frame }),
  );
};

const refusals = [
  ...answers(["context_length_exceeded"], refused("context_length_exceeded"), refused("context_length_exceeded")),
  ...answers(["invalid_encrypted_content"], refused("invalid_encrypted_content"), refused("invalid_encrypted_content")),
  ...answers(["invalid_request"], refused("invalid_value"), refused("invalid_value")),
  // Over a WebSocket these two speak of the socket: another one is opened, and everything is sent again.
  ...answers(
    ["previous_response_not_found"],
    { ...refused("previous_response_not_found"), ...onlySockets("answer 1 AA") },
    {
      ...refused("previous_response_not_found"),
      codexSocket: "failed/server_is_overloaded 1 AAABB",
      sdkSocket: "frame 503/upstream_overloaded 1 AABB",
    },
  ),
  ...answers(
    ["connection_limit"],
    { ...refused("websocket_connection_limit_reached"), ...onlySockets("answer 1 AA") },
    {
      ...refused("websocket_connection_limit_reached"),
      codexSocket: "failed/server_is_overloaded 1 AAAAAABBBBBB",
      sdkSocket: "frame 503/upstream_overloaded 1 AAAAAABBBBBB",
    },
  ),
  ...passedOn("not_found", 404),
  ...passedOn("request_timeout", 408),
  ...passedOn("conflict", 409),
  ...passedOn("payload_too_large", 413),
  ...passedOn("unprocessable", 422),
  ...passedOn("upgrade_required", 426),
  ...passedOn("custom", 418, "teapot", "teapot"),
];

const servers = [
  ...answers(
    [
      "server_error",
      "bad_gateway",
      "overloaded",
      "slow_down",
      "gateway_timeout",
      "reset_before_headers",
      "close_before_headers",
      "lost_answer",
    ],
    AGAIN,
    OVERLOADED,
  ),
  // A frame of no sense is the beginning of something, and nothing follows.
  ...answers(
    ["html_instead_of_json", "empty_body", "broken_json"],
    { ...AGAIN, codexSocket: "answer 2 AA", sdkSocket: "cut 1 A" },
    { ...OVERLOADED, codexSocket: "failed/server_is_overloaded 7 AAAAAAAABB", sdkSocket: "cut 1 A" },
  ),
  ...answers(["slow_first_byte", "late_answer"], SERVED, SERVED),
];

/** Before output the account can still be another one; the client sees one clean answer. */
const openings = [
  ...inside(["failed_usage_limit", "failed_rate_limit"], ["opening"], MOVED, LIMITED),
  ...inside(["failed_quota", "failed_not_included"], ["opening"], MOVED, LIMITED_SHORTLY),
  ...inside(
    ["failed_overloaded", "failed_slow_down", "failed_unknown", "error_event", "cut", "cut_reset", "close_frame"],
    ["opening"],
    AGAIN,
    OVERLOADED,
  ),
];

const AFTER: readonly Point[] = ["middle", "end"];

/** Once output began it ends as upstream's did: who reads events hears of it, who wants one object gets a status. */
const told = (code: string, codex: string, others: Partial<Cells>): Cells =>
  every(`failed/${code} 1 A`, { codexHttp: codex, codexSocket: codex, ...others });

/** Told inside, and final for Codex; the others ask again. */
const finalInside = (
  kind: FaultKind,
  code: string,
  status: number,
  again: "AA" | "AB",
  thrice: string,
): MatrixRow[] => {
  const codex = `failed/${code} 1 A`;
  return inside(
    [kind],
    AFTER,
    told(code, codex, { openCode: `answer 2 ${again}`, sdkWhole: `answer 2 ${again}` }),
    told(code, codex, { openCode: `failed/${code} 3 ${thrice}`, sdkWhole: `${status}/${code} 3 ${thrice}` }),
  );
};

/** Told inside, and everybody but a program with an SDK asks again by itself. */
const retriedInside = (kind: FaultKind, code: string, status: number): MatrixRow[] =>
  inside(
    [kind],
    AFTER,
    told(code, "answer 2 AA", { openCode: "answer 2 AA", sdkWhole: "answer 2 AA" }),
    told(code, `failed/${code} 6 AAAAAA`, {
      codexSocket: `failed/${code} 12 AAAAAAAAAAAA`,
      openCode: `failed/${code} 3 AAA`,
      sdkWhole: `${status}/${code} 3 AAA`,
    }),
  );

/** A limit that is told late: the next request is spared the account, until none is left. */
const limitInside = (kind: FaultKind, code: string): MatrixRow[] =>
  inside(
    [kind],
    AFTER,
    told(code, "answer 2 AB", { openCode: "answer 2 AB", sdkWhole: "answer 2 AB" }),
    told(code, "429/pool_exhausted 4 ABC", {
      codexSocket: "frame 429/pool_exhausted 4 ABC",
      openCode: `failed/${code} 3 ABC`,
      sdkWhole: `429/${code} 3 ABC`,
    }),
  );

/** The request's own fault, told inside. Before output an SDK's client gets the status that it would have had without a stream. */
const faultInside = (kind: FaultKind, code: string): MatrixRow[] => {
  const codex = `failed/${code} 1 A`;
  const early = told(code, codex, {
    openCode: `400/${code} 1 A`,
    sdkStream: `400/${code} 1 A`,
    sdkWhole: `400/${code} 1 A`,
  });
  const late = { sdkWhole: `400/${code} 1 A` };
  return [
    ...inside([kind], ["opening"], early, early),
    ...inside(
      [kind],
      AFTER,
      told(code, codex, { ...late, openCode: "answer 2 AA" }),
      told(code, codex, { ...late, openCode: `failed/${code} 3 AAA` }),
    ),
  ];
};

const BROKEN = every("cut 1 A", {
  codexHttp: "answer 2 AA",
  codexSocket: "answer 2 AA",
  openCode: "answer 2 AA",
  sdkWhole: "answer 2 AA",
});
const BROKEN_ALWAYS = every("cut 1 A", {
  codexHttp: "cut 6 AAAAAA",
  codexSocket: "cut 12 AAAAAAAAAAAA",
  openCode: "cut 3 AAA",
  sdkWhole: "502/upstream_cut 3 AAA",
});

const afterOutput = [
  ...finalInside("failed_overloaded", "server_is_overloaded", 503, "AA", "AAA"),
  ...finalInside("failed_quota", "insufficient_quota", 429, "AB", "ABC"),
  ...finalInside("failed_not_included", "usage_not_included", 429, "AB", "ABC"),
  ...retriedInside("failed_slow_down", "slow_down", 503),
  ...retriedInside("failed_unknown", "something_new", 502),
  ...limitInside("failed_usage_limit", "usage_limit_reached"),
  ...limitInside("failed_rate_limit", "rate_limit_exceeded"),
  ...faultInside("failed_context_length", "context_length_exceeded"),
  ...faultInside("failed_invalid_prompt", "invalid_prompt"),
  ...faultInside("failed_policy", "cyber_policy"),
  ...inside(["cut", "cut_reset", "close_frame"], AFTER, BROKEN, BROKEN_ALWAYS),
  ...answers(["missing_completed"], BROKEN, BROKEN_ALWAYS),
  ...inside(["incomplete"], ["opening", "middle", "end"], every("short 1 A"), every("short 1 A")),
];

const POINTS: readonly Point[] = ["opening", "middle", "end"];

/** Streams that are whole, and odd. */
const odd = [
  ...answers(
    [
      "done_marker",
      "no_event_lines",
      "no_final_blank_line",
      "no_deltas",
      "empty_output",
      "crlf",
      "cr",
      "comments",
      "byte_writes",
      "one_write",
      "huge_event",
      "line_separator",
      "rate_limits_event",
      "wrong_content_type",
    ],
    SERVED,
    SERVED,
  ),
  ...inside(["pause", "keepalive_events", "unknown_events"], POINTS, SERVED, SERVED),
];

/** What is told of the account holds it; what is told of WebSockets sends the request over HTTP, warm-up and all. */
const atTheHandshake = [
  ...handshakes(
    [
      "usage_limit",
      "usage_limit_resets_at_only",
      "usage_limit_resets_in_only",
      "usage_limit_headers_only",
      "usage_limit_retry_after_only",
      "usage_limit_text_only",
      "usage_limit_no_reset",
      "usage_limit_error_code",
      "usage_not_included",
      "insufficient_quota",
      "rate_limit",
      "rate_limit_tokens",
      "rate_limit_no_time",
      "rate_limit_retry_after",
    ],
    { codexSocket: "answer 1 BB", sdkSocket: "answer 1 B" },
    onlySockets("frame 429/pool_exhausted 1 "),
  ),
  ...handshakes(
    ["account_deactivated", "deactivated_workspace"],
    { codexSocket: "answer 1 BB", sdkSocket: "answer 1 B" },
    onlySockets("frame 400/no_usable_account 1 "),
  ),
  ...handshakes(
    ["unauthorized", "token_expired", "token_invalidated", "token_revoked"],
    { codexSocket: "answer 1 AA", sdkSocket: "answer 1 A" },
    { codexSocket: "frame 400/no_usable_account 2 ", sdkSocket: "frame 429/attempts_exhausted 1 " },
  ),
  ...handshakes(
    [
      "usage_limit_as_404",
      "deactivated_workspace_forbidden",
      "cloudflare_challenge",
      "region_blocked",
      "model_unsupported",
      "model_not_found",
      "context_length_exceeded",
      "invalid_encrypted_content",
      "previous_response_not_found",
      "connection_limit",
      "invalid_request",
      "not_found",
      "not_found_empty",
      "request_timeout",
      "conflict",
      "payload_too_large",
      "unprocessable",
      "upgrade_required",
      "server_error",
      "bad_gateway",
      "overloaded",
      "slow_down",
      "gateway_timeout",
      "custom",
      "html_instead_of_json",
      "empty_body",
      "broken_json",
      "reset_before_headers",
      "close_before_headers",
      "lost_answer",
    ],
    onlySockets("answer 1 A"),
    onlySockets("answer 1 A"),
  ),
  ...handshakes(
    ["slow_first_byte", "late_answer"],
    { codexSocket: "answer 1 AA", sdkSocket: "answer 1 A" },
    { codexSocket: "answer 1 AA", sdkSocket: "answer 1 A" },
  ),
  ...handshakes(
    ["stall_before_headers"],
    { codexSocket: "answer 1 BB", sdkSocket: "answer 1 B" },
    { codexSocket: "failed/server_is_overloaded 2 ", sdkSocket: "frame 503/upstream_timed_out 1 " },
  ),
  ...handshakes(["stall_after_headers"], onlySockets("answer 1 A"), onlySockets("answer 1 A")),
];

const ERROR_EVENT = told("server_error", "answer 2 AA", {
  openCode: "answer 2 AA",
  sdkWhole: "answer 2 AA",
  sdkSocket: "frame 502/server_error 1 A",
});
/** To Codex over HTTP an `error` event says nothing: what it sees is a stream without an end. */
const ERROR_EVENT_ALWAYS = told("server_error", "cut 6 AAAAAA", {
  codexSocket: "cut 12 AAAAAAAAAAAA",
  openCode: "failed/server_error 3 AAA",
  sdkWhole: "502/server_error 3 AAA",
  sdkSocket: "frame 502/server_error 1 A",
});
/** Nothing more comes: before output the next account, after output the end. */
const SILENT_ALWAYS = every("503/upstream_timed_out 3 ABCABCABC", {
  codexHttp: "failed/server_is_overloaded 1 ABC",
  codexSocket: "failed/server_is_overloaded 1 ABC",
  sdkSocket: "frame 503/upstream_timed_out 1 ABC",
});
/** Only a new login mends it; until somebody sees that, four attempts an exchange go round. */
const EXPIRED_ALWAYS = every("429/attempts_exhausted 3 AABBCCAABBCC", {
  codexHttp: "failed/rate_limit_exceeded 6 AABBCCAABBCCAABBCCAABBCC",
  codexSocket: `failed/rate_limit_exceeded 12 ${"AABBAACC".repeat(6)}`,
  sdkSocket: "frame 429/attempts_exhausted 1 AABB",
});
/** What is no JSON goes on to who can judge it; typed clients cannot. */
const ODD = { sdkStream: "odd 1 A" };

const rest = [
  ...inside(["error_event"], AFTER, ERROR_EVENT, ERROR_EVENT_ALWAYS),
  ...answers(["stall_before_headers", "stall_after_headers"], MOVED, SILENT_ALWAYS),
  // The opening had to be let through after two seconds: from then on it is output like any other.
  ...inside(["stall"], POINTS, BROKEN, BROKEN_ALWAYS),
  ...refreshes(["already_expired"], AGAIN, EXPIRED_ALWAYS),
  ...inside(
    ["bad_json_event"],
    POINTS,
    every("answer 1 A", { ...ODD, openCode: "answer 2 AA" }),
    every("answer 1 A", { ...ODD, openCode: "odd 3 AAA" }),
  ),
  // SDKs are given the beginning that upstream left out.
  ...answers(["no_created"], every("answer 1 A"), every("answer 1 A")),
  // Codex over HTTP gets every byte as it is, and unpacks nothing.
  ...answers(
    ["gzip"],
    every("answer 1 A", { codexHttp: "answer 2 AA" }),
    every("answer 1 A", { codexHttp: "cut 6 AAAAAA" }),
  ),
  ...answers(
    ["model_header"],
    every("answer 1 A", { codexHttp: "warned 1 A" }),
    every("answer 1 A", { codexHttp: "warned 1 A" }),
  ),
];

export const FAULT_MATRIX: readonly MatrixRow[] = [
  ...usageLimits,
  ...logins,
  ...routes,
  ...refusals,
  ...servers,
  ...openings,
  ...afterOutput,
  ...odd,
  ...rest,
  ...atTheHandshake,
];
