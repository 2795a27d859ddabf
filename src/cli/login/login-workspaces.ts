/**
 * The other workspaces of whoever has just signed in: told, and on a terminal offered. Decides nothing about accounts.
 */
import type { Login } from "../../gen/rotor/v1/login_service_pb.ts";
import type { Context } from "../command.ts";
import { printable } from "../print.ts";

export function isAtTerminal(io: Context["io"], print: Context["print"]): boolean {
  return io.stdinIsTty && io.stdout.isTty && !print.json;
}

/** Id of the one to sign in to next; null for none. */
export async function chooseWorkspace({ io, print }: Context, login: Login): Promise<string | null> {
  const others = login.otherWorkspaces;
  if (others.length === 0 || print.json) return null;
  const names = others.map(({ id, name }) => printable(name || id));
  if (!isAtTerminal(io, print)) {
    const commands = others.map(({ id }, i) => `${names[i]} (rotor login --workspace ${printable(id)})`);
    print.note(`this person is in other workspaces too: ${commands.join(", ")}`);
    return null;
  }
  print.note(`this person is in other workspaces too: ${names.map((name, i) => `${i + 1} ${name}`).join(", ")}`);
  for (;;) {
    const typed = (await io.ask("Sign in to which of them, too? [number, Enter for none] ")).trim();
    if (typed === "" || io.interrupted.aborted) return null;
    const chosen = /^\d{1,3}$/.test(typed) ? others[Number(typed) - 1] : undefined;
    const named = others.filter(({ name }) => name.toLowerCase() === typed.toLowerCase());
    const found = chosen ?? (named.length === 1 ? named[0] : undefined);
    if (found !== undefined) return found.id;
    print.failure(`say a number from 1 to ${others.length}, or nothing`);
  }
}
