/** A log that keeps its lines as text, to look for what must not be in them. */
import type { Log } from "../../src/base/log.ts";

export function recordingLog(lines: string[]): Log {
  const write = (event: string, fields?: unknown) => void lines.push(`${event} ${JSON.stringify(fields ?? {})}`);
  return { debug: write, info: write, warn: write, error: write };
}
