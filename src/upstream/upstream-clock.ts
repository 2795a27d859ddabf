/**
 * How far upstream's clock is from ours, as far as its answers tell by themselves (`date`). Sends nothing and sets no clock: whoever asks
 * is told what was seen last.
 */
import type { Clock } from "../base/clock.ts";
import { parseInstant } from "../base/clock.ts";
import { type HeaderList, headerValue } from "../base/header-list.ts";

export interface ClockReading {
  /** Upstream's clock less ours: negative when ours is ahead. Right to a second or two. */
  readonly aheadMs: number;
  readonly seenAtMs: number;
}

export interface UpstreamClock {
  /** Headers of an answer that has just come, as it was sent for this request alone. */
  note(headers: HeaderList): void;
  /** null = no answer has said the time yet. */
  reading(): ClockReading | null;
}

export function createUpstreamClock(clock: Clock): UpstreamClock {
  let reading: ClockReading | null = null;
  let latest: string | null = null;
  return {
    note(headers) {
      const date = headerValue(headers, "date");
      // The same second once more tells nothing new.
      if (date === null || date === latest) return;
      // An answer out of a cache tells when it was put there.
      if (headerValue(headers, "age") !== null) return;
      latest = date;
      const dateMs = parseInstant(date);
      const seenAtMs = clock.nowMs();
      if (dateMs !== null) reading = { aheadMs: dateMs - seenAtMs, seenAtMs };
    },
    reading: () => reading,
  };
}
