/**
 * Every way to fail, as one shape: a stable code, what went wrong, the command that mends it, and the exit code.
 * Understands our own errors, the daemon's (which may be newer and know codes that we do not) and the transport's.
 */
import { Code, ConnectError } from "@connectrpc/connect";
import { formatInstant } from "../base/clock.ts";
import { AppError, ERROR_TABLE, fromUnknown, isErrorCode } from "../base/errors.ts";
import { withoutTokens } from "../base/token-shape.ts";
import { ErrorDetailSchema } from "../gen/rotor/v1/error_pb.ts";
import { printable } from "./print.ts";
import { formatEnd } from "./text/time-text.ts";
import { toMs } from "./text/wire-text.ts";

export type ExitCode = 0 | 1 | 2 | 3 | 4 | 5;

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly retryAtMs: number | null;
  readonly exit: ExitCode;
  /** For `--debug`-minded readers: what lay below, one line; null when nothing did. */
  readonly cause: string | null;
}

export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof ConnectError) return fromConnect(thrown);
  const error = fromUnknown(thrown);
  return {
    code: error.code,
    // A token that was given where a name belongs is not put on the screen once more.
    message: withoutTokens(error.message),
    hint: error.hint === null ? null : withoutTokens(error.hint),
    retryAtMs: error.retryAtMs,
    exit: error.row.exit,
    cause: error.cause instanceof Error ? error.cause.message : null,
  };
}

function fromConnect(error: ConnectError): Failure {
  // What was thrown within a call by ourselves (no successor of a daemon that went) comes back wrapped.
  if (error.cause instanceof AppError) return failureOf(error.cause);
  const detail = error.findDetails(ErrorDetailSchema)[0];
  if (detail) {
    return {
      code: detail.code,
      message: error.rawMessage,
      hint: detail.hint || null,
      retryAtMs: toMs(detail.retryTime),
      exit: isErrorCode(detail.code) ? ERROR_TABLE[detail.code].exit : exitOfConnect(error.code),
      cause: null,
    };
  }
  return failureOf(withoutDetail(error));
}

/** The daemon always sends a detail; without one the connection itself failed, or the daemon is of another version. */
function withoutDetail(error: ConnectError): AppError {
  switch (error.code) {
    case Code.Canceled:
      if (CUT_OFF.test(error.rawMessage)) return connectionLost(error);
      return new AppError("canceled", "stopped before it was done", { cause: error });
    case Code.DeadlineExceeded:
      return new AppError("daemon_unreachable", "the daemon did not answer in time", {
        hint: "rotor doctor",
        cause: error,
      });
    case Code.Unimplemented:
      return new AppError("not_ready", "the running daemon is of another version and does not know this command", {
        hint: "rotor down && rotor up",
        cause: error,
      });
    case Code.Unavailable:
    case Code.Internal:
    case Code.Aborted:
    case Code.Unknown:
      return connectionLost(error);
    default:
      return new AppError("internal", error.rawMessage, { cause: error });
  }
}

/** What connect-node 2.2 says when the other process ends in the middle of a call (Bun 1.4.5): the code is that of our own cancel. */
const CUT_OFF = /^http\/2 stream closed/;

function connectionLost(cause: ConnectError): AppError {
  return new AppError("daemon_unreachable", "the connection to the daemon was lost", { hint: "rotor status", cause });
}

/** Exit code for a code that only a newer daemon knows. */
function exitOfConnect(code: Code): ExitCode {
  if (code === Code.InvalidArgument) return 2;
  if (code === Code.NotFound) return 4;
  return [Code.AlreadyExists, Code.PermissionDenied].includes(code) ? 5 : 1;
}

/** What `--json` puts on stderr. */
export function failureJson(failure: Failure): string {
  const { code, message, hint, retryAtMs } = failure;
  const retry_time = retryAtMs === null ? null : formatInstant(retryAtMs);
  return JSON.stringify({ error: { code, message, hint, retry_time } });
}

/** What failed, why, and the one command that mends it. */
export function failureText(failure: Failure, what: string, nowMs: number): string {
  const cause = failure.code === "internal" && failure.cause !== null ? ` (${printable(failure.cause)})` : "";
  const lines = [`${what}: ${printable(failure.message)}${cause}`];
  if (failure.retryAtMs !== null) lines.push(`  again: ${formatEnd(failure.retryAtMs, nowMs)}`);
  if (failure.hint !== null) lines.push(`  try: ${printable(failure.hint)}`);
  return lines.join("\n");
}
