/**
 * `rotor simulate | daemon`: faces of the program that are not the ctl. Normally chosen before the ctl is loaded; when one is
 * asked for through the ctl (`rotor ctl simulate`), it is run as a program of its own on this terminal.
 */
import { spawn } from "node:child_process";
import { AppError } from "../../base/errors.ts";
import type { Command, Context, Input } from "../command.ts";
import type { ExitCode } from "../failure.ts";

function face(name: string, about: Omit<Command, "path" | "starts" | "run">): Command {
  return {
    ...about,
    path: [name],
    starts: false,
    run: (context, input) => runFace(context, name, faceArguments(about.options ?? [], input)),
  };
}

function faceArguments(options: NonNullable<Command["options"]>, input: Input): string[] {
  return options.flatMap(({ name, value }) => {
    if (value === undefined) return input.has(name) ? [`--${name}`] : [];
    const given = input.value(name);
    return given === null ? [] : [`--${name}`, given];
  });
}

function runFace({ io }: Context, name: string, args: readonly string[]): Promise<ExitCode> {
  const child = spawn(io.selfCommand.command, [...io.selfCommand.args, name, ...args], { stdio: "inherit" });
  io.interrupted.addEventListener("abort", () => child.kill("SIGTERM"), { once: true });
  return new Promise((resolve, reject) => {
    child.once("error", (cause) => reject(new AppError("start_failed", cause.message, { hint: null, cause })));
    child.once("exit", (code) => resolve(code !== null && code >= 0 && code <= 5 ? (code as ExitCode) : 1));
  });
}

export const faceCommands: readonly Command[] = [
  face("simulate", {
    summary: "run a scripted upstream, to try Rotor or test a client without any account",
    details: [
      "Prints one ready line of JSON: url, issuer and the logins of its accounts, ready for rotor import. Loopback only. Point a daemon at it with ROTOR_UPSTREAM_BASE_URL and ROTOR_UPSTREAM_ISSUER.",
    ],
    options: [
      { name: "scenario", value: "FILE", about: "accounts, windows and faults to begin with", completes: "file" },
      { name: "port", value: "N", about: "where to listen, a free port unless told" },
      { name: "host", value: "NAME", about: "127.0.0.1 unless told; localhost or ::1" },
      { name: "accounts", value: "N", about: "so many accounts, 3 unless told" },
      { name: "plan", value: "NAME", about: "their plan" },
      { name: "requests", value: "N", about: "their window holds N requests instead of the plan's tokens" },
      { name: "grace", value: "SECONDS", about: "how long a used refresh token still works" },
      { name: "delay", value: "MS", about: "pause between two stream events" },
      { name: "auto-approve", about: "sign-ins need no person" },
      { name: "verbose", about: "log every fault on stderr" },
    ],
    examples: ["rotor simulate --port 0"],
  }),
  face("daemon", {
    summary: "run the daemon itself; rotor up does this for you",
    hidden: true,
    options: [
      { name: "foreground", about: "log to stderr too" },
      { name: "host", value: "HOST", about: "where the proxy listens" },
      { name: "port", value: "PORT", about: "port of the proxy" },
    ],
  }),
];
