/**
 * An order about many logins as a person follows it: what is skipped and why, each end as it comes, and what was done when it is over or
 * stopped.
 */
import { AppError } from "../../base/errors.ts";
import { type LoginStep, LoginStepState } from "../../gen/rotor/v1/account_service_pb.ts";
import type { Context } from "../command.ts";
import type { ExitCode } from "../failure.ts";
import { printable } from "../print.ts";

/** Resolves with 0 when none failed, and not when the only one was passed over. Rejects with `canceled` when it was stopped, after saying how far it came. */
export async function followSteps(
  { io, print }: Context,
  steps: AsyncIterable<LoginStep>,
  dryRun: boolean,
): Promise<ExitCode> {
  const last = new Map<string, LoginStep>();
  const count = (...states: LoginStepState[]) =>
    [...last.values()].filter(({ state }) => states.includes(state)).length;
  try {
    for await (const step of steps) {
      last.set(step.accountId, step);
      const line = lineOf(step, dryRun);
      if (line !== null) print.note(line);
      const total = last.size - count(LoginStepState.SKIPPED);
      const over = count(LoginStepState.DONE, LoginStepState.FAILED);
      if (!dryRun && over < total) print.progress(`${over} of ${total} done; Ctrl-C stops after those under way`);
    }
  } catch (thrown) {
    if (!io.interrupted.aborted) throw thrown;
  } finally {
    print.progress(null);
  }
  const [done, failed, skipped] = [LoginStepState.DONE, LoginStepState.FAILED, LoginStepState.SKIPPED].map((state) =>
    count(state),
  );
  if (io.interrupted.aborted) {
    const open = `${count(LoginStepState.RUNNING)} under way, ${count(LoginStepState.QUEUED)} not begun`;
    throw new AppError("canceled", `stopped: ${done} done, ${failed} failed, ${open}`, { hint: "rotor account list" });
  }
  if (dryRun) print.note("nothing was sent (--dry-run)");
  else if (last.size > 1) print.note(`${done} done, ${failed} failed, ${skipped} skipped`);
  return dryRun || (failed === 0 && (last.size > 1 || skipped === 0)) ? 0 : 1;
}

function lineOf({ alias, state, text }: LoginStep, dryRun: boolean): string | null {
  const name = printable(alias);
  const words = printable(text);
  if (state === LoginStepState.SKIPPED) return `${name}: skipped, ${words}`;
  if (state === LoginStepState.QUEUED) return dryRun ? `${name}: would be tried; ${words}` : null;
  if (state === LoginStepState.RUNNING) return null;
  return state === LoginStepState.DONE ? `${name}: ${words}` : `${name}: failed, ${words}`;
}
