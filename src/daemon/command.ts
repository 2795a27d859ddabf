/**
 * `rotor daemon`: reads what it must know, starts, waits for the end, stops. Its exit code is the error table's; its last words are a log line.
 */
import { parseArgs } from "node:util";
import { systemClock } from "../base/clock.ts";
import { type Config, loadConfig } from "../base/config.ts";
import { type Host, readHost } from "../base/env.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import { systemDice } from "../base/id.ts";
import { createFileSink, createLog, type Log, type LogSink } from "../base/log.ts";
import { type Paths, resolvePaths } from "../base/paths.ts";
import { startDaemon } from "./start.ts";

export interface DaemonIo {
  readonly stderr: LogSink;
  readonly pid: number;
  /** Calls back on the first signal that asks for the end. */
  onSignal(stop: (signal: string) => void): void;
}

export async function runDaemon(args: readonly string[], io: DaemonIo): Promise<number> {
  const host = readHost();
  const paths = resolvePaths(host);
  let log: Log = createLog({ clock: systemClock, level: "info", sinks: [io.stderr] });
  try {
    const options = readArguments(args);
    const config = overlay(loadConfig(paths.configFile, host), options);
    log = openLog(paths, config, options.foreground ? io.stderr : null);
    return await serve({ host, paths, config, log, io });
  } catch (thrown) {
    const error = fromUnknown(thrown);
    log.error("daemon.not_started", { pid: io.pid, error });
    return error.row.exit;
  }
}

async function serve(given: { host: Host; paths: Paths; config: Config; log: Log; io: DaemonIo }): Promise<number> {
  const { host, paths, config, log, io } = given;
  const { promise: ended, resolve: end } = Promise.withResolvers<string>();
  io.onSignal(end);
  const daemon = await startDaemon({
    paths,
    config,
    host,
    clock: systemClock,
    dice: systemDice,
    log,
    pid: io.pid,
    onStop: () => end("request"),
  });
  const reason = await ended;
  log.info("daemon.stopping", { reason });
  await daemon.stop();
  log.info("daemon.stopped", {});
  return 0;
}

interface Arguments {
  readonly foreground: boolean;
  readonly host: string | null;
  readonly port: number | null;
}

function readArguments(args: readonly string[]): Arguments {
  const options = { foreground: { type: "boolean" }, host: { type: "string" }, port: { type: "string" } } as const;
  let values: { foreground?: boolean; host?: string; port?: string };
  try {
    values = parseArgs({ args: [...args], options, strict: true }).values;
  } catch (cause) {
    throw new AppError("bad_usage", cause instanceof Error ? cause.message : "unreadable arguments", { cause });
  }
  const port = values.port === undefined ? null : Number(values.port);
  if (port !== null && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    throw new AppError("bad_usage", `--port must be a number from 0 to 65535, not ${values.port}`);
  }
  return { foreground: values.foreground ?? false, host: values.host ?? null, port };
}

function overlay(config: Config, { host, port }: Arguments): Config {
  return { ...config, proxy: { ...config.proxy, host: host ?? config.proxy.host, port: port ?? config.proxy.port } };
}

function openLog(paths: Paths, config: Config, stderr: LogSink | null): Log {
  const sinks = [openLogFile(paths.logFile), ...(stderr === null ? [] : [stderr])];
  return createLog({ clock: systemClock, level: config.log.level, sinks });
}

function openLogFile(path: string): LogSink {
  try {
    return createFileSink(path);
  } catch (cause) {
    const hint = "check who owns that folder, and the disk; rotor path shows where everything is";
    throw new AppError("start_failed", `the log ${path} cannot be written`, { cause, hint });
  }
}
