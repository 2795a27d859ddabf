/**
 * How a passphrase gets from a person to the daemon: typed without an echo, or through a pipe. Never an argument, which every program on
 * the machine could read, and never printed.
 */
import { AppError } from "../base/errors.ts";
import type { Context } from "./command.ts";

/** The one that is in force. Empty when a pipe gives none: the daemon then takes what it was given itself. */
export async function askPassphrase({ io }: Context): Promise<string> {
  if (!io.stdinIsTty) return piped(await io.readStdin());
  const typed = await io.askSecret("Passphrase: ");
  if (io.interrupted.aborted) throw new AppError("canceled", "nothing was changed", { hint: null });
  return typed;
}

/** Twice: a slip of a finger would lock every login away. A pipe says it once. */
export async function askNewPassphrase({ io }: Context, command: string): Promise<string> {
  if (!io.stdinIsTty) {
    const given = piped(await io.readStdin());
    if (given !== "") return given;
    const hint = `${command} < FILE   (its first line is the passphrase)`;
    throw new AppError("passphrase_required", "nobody is here to type a passphrase, and the pipe gave none", { hint });
  }
  const first = await io.askSecret("New passphrase: ");
  const again = first === "" ? "" : await io.askSecret("The same again: ");
  if (io.interrupted.aborted) throw new AppError("canceled", "nothing was changed", { hint: null });
  if (first === "")
    throw new AppError("passphrase_required", "an empty passphrase protects nothing", { hint: command });
  if (first !== again)
    throw new AppError("bad_usage", "the two are not the same; nothing was changed", { hint: command });
  return first;
}

function piped(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).split(/\r?\n/, 1)[0]!;
}
