/**
 * The ctl as a process of its own, in an environment that holds nothing but what it is given.
 */
import { ROTOR } from "./daemon-process.ts";

export interface CtlResult {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runCtl(args: readonly string[], env: Record<string, string>, stdin?: string): Promise<CtlResult> {
  const child = Bun.spawn([...ROTOR, ...args], {
    env,
    cwd: "/",
    stdin: stdin === undefined ? "ignore" : new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { exit, stdout, stderr };
}

/** The daemon that `rotor status` finds; null when it finds none. Starts none. */
export async function pidOfStatus(env: Record<string, string>): Promise<number | null> {
  const { exit, stdout } = await runCtl(["status", "--json"], env);
  if (exit === 3) return null;
  return Number((JSON.parse(stdout) as { daemon: { pid: string } }).daemon.pid);
}
