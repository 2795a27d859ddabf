/**
 * JSON lines. Event names are `noun.past_verb`; transitions are logged, not states.
 * Never give it credentials, bodies or e-mail addresses: values of type Secret print as `[secret]`, and that is the last line of defence.
 */
import { appendFileSync, chmodSync, closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { type Clock, formatInstant } from "./clock.ts";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Record<string, unknown>;

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** Where finished lines go (without the newline). */
export type LogSink = (line: string) => void;

export function createLog(options: { clock: Clock; level: LogLevel; sinks: LogSink[] }): Log {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const write = (level: LogLevel, event: string, fields: LogFields = {}) => {
    if (LOG_LEVELS.indexOf(level) < threshold) return;
    const line = JSON.stringify({ time: formatInstant(options.clock.nowMs()), level, event, ...plain(fields) });
    for (const sink of options.sinks) sink(line);
  };
  return {
    debug: (event, fields) => write("debug", event, fields),
    info: (event, fields) => write("info", event, fields),
    warn: (event, fields) => write("warn", event, fields),
    error: (event, fields) => write("error", event, fields),
  };
}

/** Errors do not serialise by themselves; a cause chain is worth having in the log and nowhere else. */
function plain(fields: LogFields): LogFields {
  const out: LogFields = {};
  for (const [name, value] of Object.entries(fields)) out[name] = value instanceof Error ? describe(value) : value;
  return out;
}

function describe(error: Error): LogFields {
  const cause = error.cause instanceof Error ? describe(error.cause) : error.cause;
  const code = (error as { code?: unknown }).code;
  return { name: error.name, message: error.message, ...(code ? { code } : {}), ...(cause ? { cause } : {}) };
}

/** 10 MB a file and three older ones: enough for weeks of transitions, small enough to attach to a report. */
const ROTATE_AT_BYTES = 10 * 1024 * 1024;
const OLDER_FILES = 3;

/** A sink that appends to `path` (0600, folder 0700) and rotates to `path.1` … `path.3`. Losing a log line never stops the product. */
export function createFileSink(path: string): LogSink {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  closeSync(openSync(path, "a", 0o600));
  chmodSync(path, 0o600);
  let size = statSync(path).size;
  return (line) => {
    try {
      if (size > ROTATE_AT_BYTES) {
        for (let i = OLDER_FILES - 1; i >= 1; i--) renameIfPresent(`${path}.${i}`, `${path}.${i + 1}`);
        renameIfPresent(path, `${path}.1`);
        size = 0;
      }
      appendFileSync(path, `${line}\n`, { mode: 0o600 });
      size += line.length + 1;
    } catch {
      // A full or vanished disk must not take the streams down with it; the next line tries again.
    }
  };
}

function renameIfPresent(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // Absent is the common case: fewer than three older files exist yet.
  }
}

/** Discards everything; for tests and one-shot faces. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
