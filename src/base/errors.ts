/**
 * The error vocabulary: one class, one closed list of codes, one table that says what each code is to every door.
 * Outside sees code, message and hint; the cause goes to the log only.
 */

/** Who caused it, which is also who can mend it. */
export type ErrorSource = "client" | "operator" | "upstream" | "self";

export interface ErrorRow {
  /** The code of the Connect and gRPC protocols (connectrpc.com/docs/protocol#error-codes). */
  connect: ConnectCode;
  /** What an HTTP client of the proxy gets, before contracts §4 has its say. */
  http: number;
  /** `error.type` of an OpenAI error body. */
  type: string;
  /** Exit code of the ctl: 1 failed, 2 bad usage, 3 not reachable, 4 not found, 5 refused. */
  exit: 1 | 2 | 3 | 4 | 5;
  source: ErrorSource;
  /** The one command or act that mends it; null when there is none to give. */
  hint: string | null;
}

export type ConnectCode =
  | "canceled"
  | "invalid_argument"
  | "deadline_exceeded"
  | "not_found"
  | "already_exists"
  | "permission_denied"
  | "resource_exhausted"
  | "failed_precondition"
  | "internal"
  | "unavailable"
  | "data_loss"
  | "unauthenticated";

const row = (
  connect: ConnectCode,
  http: number,
  type: string,
  exit: ErrorRow["exit"],
  source: ErrorSource,
  hint: string | null = null,
): ErrorRow => ({ connect, http, type, exit, source, hint });

/** Code → everything that any door needs to know about it. */
export const ERROR_TABLE = {
  // What a client of the proxy did.
  invalid_json: row("invalid_argument", 400, "invalid_request_error", 2, "client"),
  invalid_request: row("invalid_argument", 400, "invalid_request_error", 2, "client"),
  /** OpenAI's own code for it. */
  unsupported_parameter: row("invalid_argument", 400, "invalid_request_error", 2, "client", "rotor help chat"),
  unsupported_encoding: row(
    "invalid_argument",
    415,
    "invalid_request_error",
    2,
    "client",
    "send the body plain, gzip, deflate, br or zstd",
  ),
  request_timeout: row("deadline_exceeded", 408, "invalid_request_error", 1, "client"),
  body_too_large: row("invalid_argument", 413, "invalid_request_error", 2, "client"),
  missing_client_key: row("unauthenticated", 401, "authentication_error", 5, "client", "rotor key create NAME"),
  invalid_client_key: row("unauthenticated", 401, "authentication_error", 5, "client", "rotor key create NAME"),
  /** 403 for what a client may not ask for; a Codex client gets 400, because it would send a 403 six times (contracts §4). */
  key_out_of_scope: row("permission_denied", 403, "invalid_request_error", 5, "client", "rotor key show KEY"),
  key_limit_reached: row("failed_precondition", 400, "invalid_request_error", 5, "operator", "rotor key show KEY"),
  budget_exhausted: row("failed_precondition", 400, "invalid_request_error", 5, "operator", "rotor budget list"),
  /** A Codex client showed its own ChatGPT login. 400, because a 401 would make it refresh that login and try again. */
  foreign_login: row("unauthenticated", 400, "invalid_request_error", 5, "client", "rotor connect codex"),
  /** OpenAI's own code for it: clients that know it send their whole history again. */
  previous_response_not_found: row("not_found", 400, "invalid_request_error", 2, "client"),
  response_not_found: row("not_found", 404, "invalid_request_error", 4, "client"),
  background_off: row(
    "failed_precondition",
    400,
    "invalid_request_error",
    5,
    "client",
    "rotor setting set background_responses on",
  ),
  background_full: row("resource_exhausted", 429, "rate_limit_error", 1, "client"),
  route_not_found: row("not_found", 404, "invalid_request_error", 4, "client"),
  upgrade_required: row("failed_precondition", 426, "invalid_request_error", 5, "client"),
  forbidden_host: row(
    "permission_denied",
    403,
    "invalid_request_error",
    5,
    "client",
    "use 127.0.0.1 or localhost, or list the host in [proxy] allowed_hosts",
  ),
  client_gone: row("canceled", 499, "invalid_request_error", 1, "client"),
  // What the pool could not do.
  pool_exhausted: row("resource_exhausted", 429, "usage_limit_reached", 1, "self", "rotor pool explain"),
  no_usable_account: row("failed_precondition", 400, "invalid_request_error", 1, "operator", "rotor pool explain"),
  no_accounts: row("failed_precondition", 400, "invalid_request_error", 1, "operator", "rotor login"),
  model_unsupported: row("failed_precondition", 400, "invalid_request_error", 1, "operator", "rotor pool explain"),
  /** OpenAI's own code for it; of the model list, not of a request. */
  model_not_found: row("not_found", 404, "invalid_request_error", 4, "client", "rotor model list"),
  attempts_exhausted: row("resource_exhausted", 429, "rate_limit_exceeded", 1, "self", "rotor exchange show ID"),
  at_capacity: row("resource_exhausted", 503, "server_error", 1, "self", "rotor setting set account_max_leases N"),
  // What upstream did.
  upstream_overloaded: row("unavailable", 503, "server_error", 1, "upstream"),
  upstream_unreachable: row("unavailable", 503, "server_error", 1, "upstream", "check the network, then: rotor doctor"),
  upstream_timed_out: row("deadline_exceeded", 503, "server_error", 1, "upstream"),
  upstream_rejected: row("failed_precondition", 502, "server_error", 1, "upstream"),
  upstream_cut: row("unavailable", 502, "server_error", 1, "upstream"),
  upstream_malformed: row("internal", 502, "server_error", 1, "upstream"),
  login_rejected: row("unauthenticated", 401, "authentication_error", 1, "upstream", "rotor account relogin ALIAS"),
  // What the operator asked for.
  invalid_model_alias: row("invalid_argument", 400, "invalid_request_error", 2, "operator", "rotor help models"),
  model_alias_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor model alias"),
  bad_usage: row("invalid_argument", 400, "invalid_request_error", 2, "operator", "rotor help"),
  account_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor account list"),
  account_ambiguous: row("invalid_argument", 400, "invalid_request_error", 2, "operator", "rotor account list"),
  account_exists: row("already_exists", 409, "invalid_request_error", 5, "operator"),
  alias_taken: row("already_exists", 409, "invalid_request_error", 5, "operator", "rotor account list"),
  invalid_alias: row("invalid_argument", 400, "invalid_request_error", 2, "operator"),
  last_usable_account: row(
    "failed_precondition",
    409,
    "invalid_request_error",
    5,
    "operator",
    "add --force if you mean it",
  ),
  login_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor login list"),
  login_expired: row("deadline_exceeded", 408, "invalid_request_error", 1, "operator", "rotor login"),
  too_many_logins: row("resource_exhausted", 429, "invalid_request_error", 5, "operator", "rotor login list"),
  invalid_callback: row(
    "invalid_argument",
    400,
    "invalid_request_error",
    2,
    "operator",
    "paste the whole address that the browser ended at",
  ),
  /** The person said no, or the issuer did. */
  login_refused: row("permission_denied", 403, "authentication_error", 1, "upstream"),
  wrong_identity: row(
    "failed_precondition",
    409,
    "invalid_request_error",
    5,
    "operator",
    "sign in to the account that is to be renewed; for another one: rotor login",
  ),
  invalid_import: row("invalid_argument", 400, "invalid_request_error", 2, "operator"),
  passphrase_required: row(
    "failed_precondition",
    409,
    "invalid_request_error",
    5,
    "operator",
    "give the passphrase that it was encrypted with",
  ),
  passphrase_wrong: row(
    "permission_denied",
    403,
    "invalid_request_error",
    5,
    "operator",
    "check the passphrase; it counts every space and capital letter",
  ),
  /** A file of another program cannot be edited without harm. */
  client_config_refused: row(
    "failed_precondition",
    409,
    "invalid_request_error",
    5,
    "operator",
    "rotor connect TOOL --print   (says what to put there by hand)",
  ),
  not_connected: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor connect"),
  /** The file that an export would go into is not one that can be changed without harm. */
  export_refused: row("failed_precondition", 409, "invalid_request_error", 5, "operator", "export to another file"),
  issuer_mismatch: row(
    "failed_precondition",
    409,
    "invalid_request_error",
    5,
    "operator",
    "rotor path   (shows which config is in force)",
  ),
  /** Another program renews this login; Rotor only adopts what that program has renewed (contracts §15). */
  owner_must_refresh: row(
    "failed_precondition",
    409,
    "invalid_request_error",
    5,
    "operator",
    "rotor account take ALIAS   (Rotor renews it from then on)",
  ),
  file_not_watched: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor file list"),
  file_in_use: row("failed_precondition", 409, "invalid_request_error", 5, "operator", "rotor file list"),
  invalid_login_file: row("invalid_argument", 400, "invalid_request_error", 5, "operator"),
  login_file_broken: row("failed_precondition", 409, "invalid_request_error", 5, "operator", "rotor file list"),
  key_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor key list"),
  /** A client's requests are counted under the key of its name; that one is not good any more. */
  key_expired: row("failed_precondition", 400, "invalid_request_error", 5, "operator", "rotor key show KEY"),
  client_not_found: row("not_found", 404, "invalid_request_error", 4, "client", "rotor client list"),
  key_exists: row("already_exists", 409, "invalid_request_error", 5, "operator", "rotor key list"),
  budget_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor budget list"),
  invalid_limit: row("invalid_argument", 400, "invalid_request_error", 2, "operator", "rotor help limits"),
  codex_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "npm install -g @openai/codex"),
  exchange_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor exchange list"),
  profile_not_found: row("not_found", 400, "invalid_request_error", 4, "operator", "rotor profile list"),
  profile_exists: row("already_exists", 409, "invalid_request_error", 5, "operator", "rotor profile list"),
  /** A request asks through a profile that does not allow its model. */
  model_not_allowed: row("failed_precondition", 400, "invalid_request_error", 5, "operator", "rotor profile list"),
  invalid_rule: row("invalid_argument", 400, "invalid_request_error", 2, "operator", "rotor help rules"),
  rule_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor pool rule list"),
  setting_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor setting list"),
  invalid_setting: row("invalid_argument", 400, "invalid_request_error", 2, "operator", "rotor setting list"),
  setting_overridden: row(
    "failed_precondition",
    409,
    "invalid_request_error",
    5,
    "operator",
    "rotor setting get KEY   (shows where it comes from)",
  ),
  backup_not_found: row("not_found", 404, "invalid_request_error", 4, "operator", "rotor backup list"),
  backup_damaged: row("failed_precondition", 409, "invalid_request_error", 1, "operator", "rotor backup list"),
  confirmation_required: row("failed_precondition", 409, "invalid_request_error", 5, "operator", "add --yes"),
  canceled: row("canceled", 499, "invalid_request_error", 1, "operator"),
  // What is wrong with this installation.
  config_invalid: row("failed_precondition", 500, "server_error", 2, "operator", "rotor path   (shows which file)"),
  already_running: row("already_exists", 409, "server_error", 5, "operator", "rotor status"),
  daemon_unreachable: row("unavailable", 503, "server_error", 3, "operator", "rotor up"),
  start_failed: row("unavailable", 503, "server_error", 3, "operator", "rotor log"),
  address_in_use: row("unavailable", 503, "server_error", 1, "operator", "rotor up --port 0"),
  forbidden_peer: row("permission_denied", 403, "server_error", 5, "operator"),
  not_ready: row("failed_precondition", 503, "server_error", 1, "operator", "rotor status"),
  /** The seal: its keys are not in memory, so that logins can be neither read nor kept. */
  store_locked: row("failed_precondition", 503, "server_error", 1, "operator", "rotor seal unlock"),
  /** Another program holds the file. */
  store_busy: row("unavailable", 503, "server_error", 1, "operator", "rotor doctor"),
  disk_full: row("failed_precondition", 409, "invalid_request_error", 1, "operator", "make room on that disk"),
  store_damaged: row("data_loss", 503, "server_error", 1, "operator", "rotor doctor"),
  store_newer: row(
    "failed_precondition",
    503,
    "server_error",
    1,
    "operator",
    "install the newer rotor that wrote this store",
  ),
  seal_key_missing: row("failed_precondition", 503, "server_error", 1, "operator", "rotor seal show"),
  guard_unavailable: row("failed_precondition", 409, "server_error", 5, "operator", "rotor seal show"),
  internal: row("internal", 500, "server_error", 1, "self", "rotor log"),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** Facts are safe to show: numbers, names, instants. Never a secret, an e-mail address or a body. */
export type ErrorFacts = Record<string, string | number | boolean | null>;

export interface AppErrorOptions {
  facts?: ErrorFacts;
  /** Overrides the table's hint where the place knows a better command. */
  hint?: string | null;
  /** When trying again makes sense, milliseconds since the epoch. */
  retryAtMs?: number | null;
  cause?: unknown;
}

export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;
  readonly hint: string | null;
  readonly retryAtMs: number | null;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.facts = options.facts ?? {};
    this.hint = options.hint === undefined ? ERROR_TABLE[code].hint : options.hint;
    this.retryAtMs = options.retryAtMs ?? null;
  }

  get row(): ErrorRow {
    return ERROR_TABLE[this.code];
  }
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_TABLE, text);
}

/** Normalises anything caught. A stranger becomes `internal`; its own words stay in the cause, for the log. */
export function fromUnknown(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  return new AppError("internal", "something went wrong inside Rotor", { cause: thrown });
}
