/**
 * How a person signs in from here: what was asked for, else what this machine can do. Pure: opens nothing, asks nobody.
 */

import type { Host } from "../../base/env.ts";
import { AppError } from "../../base/errors.ts";
import { LoginMethod } from "../../gen/rotor/v1/login_service_pb.ts";
import type { Context, Input, Option } from "../command.ts";

export const METHOD_OPTIONS: readonly Option[] = [
  { name: "browser", about: "sign in with a browser on this machine" },
  { name: "no-browser", about: "the same, but print the address instead of opening it" },
  { name: "device", about: "type a code on a page, in any browser anywhere" },
  { name: "manual", about: "any browser anywhere; paste the address that it ends at" },
];

export interface ChosenMethod {
  readonly method: LoginMethod;
  /** What was asked for; null when the machine decided. */
  readonly asked: AskedMethod | null;
  /** Whether we open the browser. */
  readonly opens: boolean;
  /** Why no browser is used although nobody said so; null when it was asked for or when one is used. */
  readonly because: string | null;
}

export type AskedMethod = "browser" | "no-browser" | "device" | "manual";

/** The method that was asked for, or that this machine allows. Rejects with `bad_usage` when the options contradict each other. */
export function chosenMethod({ io, title }: Context, input: Input): ChosenMethod {
  const asked = (["browser", "no-browser", "device", "manual"] as const).filter((name) => input.has(name));
  if (asked.length < 2) return chooseMethod(asked[0] ?? null, io.host);
  const message = `${asked.map((name) => `--${name}`).join(" and ")} contradict each other`;
  throw new AppError("bad_usage", message, { hint: title.replace("rotor", "rotor help") });
}

export function chooseMethod(asked: AskedMethod | null, host: Pick<Host, "env" | "platform">): ChosenMethod {
  if (asked === "device") return { method: LoginMethod.DEVICE, asked, opens: false, because: null };
  if (asked === "manual") return { method: LoginMethod.MANUAL, asked, opens: false, because: null };
  if (asked !== null) return { method: LoginMethod.BROWSER, asked, opens: asked === "browser", because: null };
  const because = whyNoBrowser(host);
  if (because === null) return { method: LoginMethod.BROWSER, asked, opens: true, because: null };
  return { method: LoginMethod.DEVICE, asked, opens: false, because };
}

/** The same way again, for a hint. */
export function methodFlag({ asked }: ChosenMethod): string {
  return asked === null ? "" : ` --${asked}`;
}

/** True when the person sits at another machine: a browser there cannot reach our loopback port. */
export function isRemote(env: Host["env"]): boolean {
  return Boolean(env.SSH_CONNECTION || env.SSH_TTY);
}

/** In words, why a browser cannot be opened here; null when it can. */
function whyNoBrowser({ env, platform }: Pick<Host, "env" | "platform">): string | null {
  if (env.ROTOR_NO_BROWSER) return "ROTOR_NO_BROWSER is set";
  // A forwarded DISPLAY does not help: the browser would run here, and slowly, while the person's own is over there.
  if (isRemote(env)) return "this is an SSH connection";
  if (platform === "darwin" || platform === "win32") return null;
  return env.DISPLAY || env.WAYLAND_DISPLAY ? null : "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)";
}
