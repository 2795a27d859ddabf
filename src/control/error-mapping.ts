/**
 * AppError → the error of Connect and gRPC, with the typed detail that ctl and plugin read. Strangers become `internal` and say nothing
 * of themselves; their cause goes to the log.
 */
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type Interceptor } from "@connectrpc/connect";
import { AppError, type ConnectCode, type ErrorFacts, fromUnknown } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { withoutTokens } from "../base/token-shape.ts";
import { ErrorDetailSchema } from "../gen/rotor/v1/error_pb.ts";

const CODES: Readonly<Record<ConnectCode, Code>> = {
  canceled: Code.Canceled,
  invalid_argument: Code.InvalidArgument,
  deadline_exceeded: Code.DeadlineExceeded,
  not_found: Code.NotFound,
  already_exists: Code.AlreadyExists,
  permission_denied: Code.PermissionDenied,
  resource_exhausted: Code.ResourceExhausted,
  failed_precondition: Code.FailedPrecondition,
  internal: Code.Internal,
  unavailable: Code.Unavailable,
  data_loss: Code.DataLoss,
  unauthenticated: Code.Unauthenticated,
};

/**
 * An error travels in HTTP/2 header fields, and most gRPC clients take 8 KiB of those at the most (Bun 1.4.5 ends the whole connection
 * above its limit). What a caller sent, however long, may come back in words: shortened here, once for all. It may be a token that was given
 * where a name belongs: that does not come back.
 */
const MESSAGE_MAX_CHARACTERS = 500;
const FACT_MAX_CHARACTERS = 200;

export function toConnectError(error: AppError): ConnectError {
  const detail = {
    code: error.code,
    hint: withoutTokens(error.hint ?? ""),
    facts: factTexts(error.facts),
    retryTime: error.retryAtMs === null ? undefined : timestampFromMs(error.retryAtMs),
  };
  const message = shorten(error.message, MESSAGE_MAX_CHARACTERS);
  return new ConnectError(message, CODES[error.row.connect], undefined, [{ desc: ErrorDetailSchema, value: detail }]);
}

/** A map of proto holds texts only; what is not known is left out. */
function factTexts(facts: ErrorFacts): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(facts))
    if (value !== null) texts[name] = shorten(String(value), FACT_MAX_CHARACTERS);
  return texts;
}

function shorten(words: string, most: number): string {
  const text = withoutTokens(words);
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`;
}

/** Outermost of all interceptors: whatever a handler throws leaves as an error with its detail. */
export function createErrorInterceptor(log: Log): Interceptor {
  return (next) => async (request) => {
    const translate = (thrown: unknown) => {
      // Connect's own words (the deadline, a cancelled call) are already right.
      if (thrown instanceof ConnectError) return thrown;
      if (request.signal.aborted && !(thrown instanceof AppError))
        return toConnectError(new AppError("canceled", "the call was cancelled", { cause: thrown }));
      const error = fromUnknown(thrown);
      if (error.row.connect === "internal" || error.row.connect === "data_loss") {
        const method = `${request.service.typeName}/${request.method.name}`;
        log.error("call.failed", { method, code: error.code, message: error.message, cause: error.cause ?? null });
      }
      return toConnectError(error);
    };
    try {
      const response = await beforeAbort(next(request), request.signal);
      return response.stream ? { ...response, message: translated(response.message, translate) } : response;
    } catch (thrown) {
      throw translate(thrown);
    }
  };
}

/**
 * The signal ends the call, whether the handler listens to it or not: a deadline is kept and a closing door gets to say why. The signal
 * also aborts after an ordinary end, when nobody waits any more.
 */
function beforeAbort<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

async function* translated<T>(messages: AsyncIterable<T>, translate: (thrown: unknown) => ConnectError) {
  try {
    yield* messages;
  } catch (thrown) {
    throw translate(thrown);
  }
}
