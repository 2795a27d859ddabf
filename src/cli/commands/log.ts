/**
 * `rotor log`: reads the log file itself, so that it works when the daemon does not.
 */
import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { parseInstant } from "../../base/clock.ts";
import { AppError } from "../../base/errors.ts";
import { LOG_LEVELS, type LogLevel } from "../../base/log.ts";
import type { Command } from "../command.ts";
import { printable, type Style } from "../print.ts";
import { notFound } from "../resolve.ts";
import { formatClock, formatSeconds } from "../text/time-text.ts";

const SHOWN = 50;
/** How often a followed file is looked at: soon enough to read along, rare enough to cost nothing. */
const FOLLOW_MS = 200;
/** The end of the file that is searched for the last lines; one rotation's worth. */
const TAIL_BYTES = 12 * 1024 * 1024;

export const logCommands: readonly Command[] = [
  {
    path: ["log"],
    summary: "what the daemon did, from its log file",
    details: ["JSON lines as they are written with --json. ROTOR_LOG=debug makes the daemon say more."],
    options: [
      { name: "follow", short: "f", about: "go on as lines are written; Ctrl-C stops" },
      { name: "number", short: "n", value: "N", about: `how many of the last lines, ${SHOWN} unless told` },
      { name: "level", value: "LEVEL", about: "only this level and above", completes: LOG_LEVELS },
    ],
    starts: false,
    async run(context, input) {
      const { io, paths, print } = context;
      const threshold = levelIndex(input.value("level"));
      const count = lineCount(input.value("number"));
      const follow = input.has("follow");
      if (!existsSync(paths.logFile) && !follow) {
        print.note(`no log yet at ${paths.logFile}`);
        return 0;
      }
      const tail = createTail(paths.logFile);
      const fits = (line: string) => levelOf(line) >= threshold;
      const put = (line: string) => print.line(print.json ? line : logLine(line, io.clock.nowMs(), print.style));
      const first = tail.read().filter(fits);
      for (const line of count === 0 ? [] : first.slice(-count)) put(line);
      while (follow && !io.interrupted.aborted) {
        for (const line of tail.read().filter(fits)) put(line);
        await io.clock.sleep(FOLLOW_MS, io.interrupted).catch(() => {});
      }
      return 0;
    },
  },
];

function levelIndex(text: string | null): number {
  if (text === null) return 0;
  const index = LOG_LEVELS.indexOf(text.toLowerCase() as LogLevel);
  if (index !== -1) return index;
  throw new AppError("bad_usage", notFound("level", text, LOG_LEVELS), { hint: "rotor help log" });
}

function lineCount(text: string | null): number {
  if (text === null) return SHOWN;
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new AppError("bad_usage", `-n takes a number, not ${text}`, { hint: "rotor help log" });
}

interface LogEntry {
  time?: unknown;
  level?: unknown;
  event?: unknown;
}

function entryOf(line: string): LogEntry | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : null;
  } catch {
    return null;
  }
}

/** Lines that are no JSON are the last words of a crash: they count as errors. */
function levelOf(line: string): number {
  const entry = entryOf(line);
  return entry === null ? LOG_LEVELS.length - 1 : Math.max(0, LOG_LEVELS.indexOf(entry.level as LogLevel));
}

/** `14:05:01  warn   account.held  alias=work until=…` */
function logLine(line: string, nowMs: number, style: Style): string {
  const entry = entryOf(line);
  if (entry === null) return printable(line);
  const { time, level, event, ...fields } = entry as Record<string, unknown>;
  const atMs = typeof time === "string" ? parseInstant(time) : null;
  const day = atMs === null ? "" : formatClock(atMs, nowMs).split(" ").slice(0, -1).join(" ");
  const when = atMs === null ? "" : `${day === "" ? "" : `${day} `}${formatSeconds(atMs)}`;
  const word = String(level ?? "").padEnd(5);
  const painted = level === "error" ? style.bad(word) : level === "warn" ? style.warn(word) : style.dim(word);
  const facts = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return `${when}  ${painted}  ${style.bold(printable(String(event ?? "")))}  ${printable(facts.join(" "))}`.trimEnd();
}

/** Whole lines that were written since the last read; starts over when the file was replaced or shortened. */
export function createTail(path: string): { read(): string[] } {
  let position = -1;
  let inode = 0;
  let rest = "";
  return {
    read() {
      let file: number;
      try {
        file = openSync(path, "r");
      } catch {
        return [];
      }
      try {
        const { size, ino } = fstatSync(file);
        if (position === -1) position = Math.max(0, size - TAIL_BYTES);
        if (ino !== inode && inode !== 0) position = 0;
        if (size < position) position = 0;
        if (position === 0) rest = "";
        inode = ino;
        const buffer = Buffer.alloc(size - position);
        const got = readSync(file, buffer, 0, buffer.length, position);
        position += got;
        const lines = (rest + buffer.toString("utf8", 0, got)).split("\n");
        rest = lines.pop()!;
        return lines.filter((line) => line !== "");
      } finally {
        closeSync(file);
      }
    },
  };
}
