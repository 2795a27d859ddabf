/**
 * One binary, several faces. Looks at the first word, loads that face and nothing else; composes, decides nothing.
 */
import { isMainThread } from "node:worker_threads";
import { prepareRuntime } from "./base/bootstrap.ts";

const args = process.argv.slice(2);

// A worker of the daemon runs this same file: a compiled program has no other.
switch (isMainThread ? args[0] : "worker") {
  case "worker":
    if (!isMainThread) await (await import("./daemon/worker.ts")).runWorkerJob();
    else process.exitCode = await ctl(args);
    break;
  case "daemon":
    prepareRuntime();
    process.exitCode = await daemon(args.slice(1));
    break;
  case "simulate":
    process.exitCode = await simulate(args.slice(1));
    break;
  default:
    process.exitCode = await ctl(args);
}
if (isMainThread) process.exit();

async function daemon(rest: string[]): Promise<number> {
  const { runDaemon } = await import("./daemon/command.ts");
  process.umask(0o077);
  return runDaemon(rest, {
    stderr: (line) => void process.stderr.write(`${line}\n`),
    pid: process.pid,
    onSignal(stop) {
      // A supervisor may say it twice: the end stays a tidy one. A second Ctrl-C is a person who means it.
      for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => stop(signal));
      process.once("SIGINT", () => stop("SIGINT"));
    },
  });
}

async function simulate(rest: string[]): Promise<number> {
  const { runSimulate } = await import("./simulator/command.ts");
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => stop.abort());
  return runSimulate(rest, {
    stdout: (line) => void process.stdout.write(`${line}\n`),
    stderr: (line) => void process.stderr.write(`${line}\n`),
    stop: stop.signal,
  });
}

async function ctl(rest: string[]): Promise<number> {
  const [{ runCli }, { createProcessIo }] = await Promise.all([import("./cli/main.ts"), import("./cli/process-io.ts")]);
  return runCli(rest, createProcessIo());
}
