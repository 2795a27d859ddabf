/**
 * The process environment, read once at a face's start and passed on as data. The only file that may touch `process.env`.
 */
import { homedir, tmpdir, userInfo } from "node:os";

export type Env = Readonly<Record<string, string | undefined>>;

/** What the host says about who and where we are. */
export interface Host {
  env: Env;
  platform: NodeJS.Platform;
  /** From the password file when HOME is unset (cron, some ssh set-ups). */
  homeDir: string;
  tempDir: string;
  uid: number;
}

export function readHost(): Host {
  return {
    env: { ...process.env },
    platform: process.platform,
    homeDir: home(),
    tempDir: tmpdir(),
    uid: userInfo().uid,
  };
}

function home(): string {
  try {
    return process.env.HOME || userInfo().homedir || homedir();
  } catch {
    // A container may run as a number that the password file does not know. Whoever must write there is told in words that it cannot.
    return "/";
  }
}

/** A copy of the environment with changes; `undefined` removes a name. For children that we start. */
export function childEnv(changes: Record<string, string | undefined>): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...process.env, ...changes }))
    if (value !== undefined) merged[name] = value;
  return merged;
}
