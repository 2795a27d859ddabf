/**
 * `--for 2h` and `--until 18:00`: when something ends that a person orders.
 */
import { AppError } from "../base/errors.ts";
import type { Input, Option } from "./command.ts";
import { parseDuration, parseUntil } from "./text/time-text.ts";

export const END_OPTIONS: readonly Option[] = [
  { name: "for", value: "DURATION", about: "how long, e.g. 2h, 90m, 1d" },
  { name: "until", value: "TIME", about: "until when, e.g. 18:00, 2026-11-24 08:00" },
];

/** null means without an end. `command` is the one that is typed, for hints: `pool pin`. */
export function endOf(input: Input, nowMs: number, command: string): number | null {
  const hint = `rotor help ${command}`;
  const duration = input.value("for");
  const until = input.value("until");
  if (duration !== null && until !== null)
    throw new AppError("bad_usage", "--for and --until both say when it ends; give one", { hint });
  if (duration !== null) {
    const lengthMs = parseDuration(duration);
    if (lengthMs !== null) return nowMs + lengthMs;
    throw new AppError("bad_usage", `--for ${duration} is not a duration such as 2h, 90m or 1d`, { hint });
  }
  if (until === null) return null;
  const endMs = parseUntil(until, nowMs);
  if (endMs !== null) return endMs;
  throw new AppError("bad_usage", `--until ${until} is not a time to come such as 18:00 or 2026-11-24 08:00`, { hint });
}
