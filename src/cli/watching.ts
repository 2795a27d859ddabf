/**
 * What every watch shares: its end. Stopped by the person it is done; stopped by the daemon it is a failure, said as one.
 */
import { AppError } from "../base/errors.ts";
import type { Context } from "./command.ts";
import type { ExitCode } from "./failure.ts";

export async function watching<T>(
  { io }: Context,
  responses: AsyncIterable<T>,
  show: (response: T) => void,
): Promise<ExitCode> {
  try {
    for await (const response of responses) show(response);
  } catch (thrown) {
    if (!io.interrupted.aborted) throw thrown;
  }
  if (io.interrupted.aborted) return 0;
  throw new AppError("daemon_unreachable", "the daemon has stopped");
}
