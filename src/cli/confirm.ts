/**
 * The question before something that cannot be taken back. Where nobody can answer, the command is refused and says how to mean it.
 */
import { AppError } from "../base/errors.ts";
import type { Context, Input, Option } from "./command.ts";

export const YES_OPTION: Option = { name: "yes", short: "y", about: "do not ask" };

export interface Question {
  readonly question: string;
  /** The command that needs no answer. */
  readonly command: string;
  /** What is said where nobody can answer. */
  readonly unasked?: string;
}

export async function confirm(
  { io, print }: Context,
  input: Input,
  { question, command, unasked = "this cannot be taken back and nobody is here to ask" }: Question,
): Promise<void> {
  if (input.has("yes")) return;
  if (!io.stdinIsTty || print.json) {
    throw new AppError("confirmation_required", unasked, { hint: command });
  }
  const answer = (await io.ask(`${question} [y/N] `)).trim().toLowerCase();
  if (answer !== "y" && answer !== "yes") {
    throw new AppError("canceled", "nothing was changed", { hint: null });
  }
}
