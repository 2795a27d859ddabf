/**
 * How fast and in what pieces the simulated model writes. Set by the scenario and the control API.
 */
export interface Pacing {
  /** Exactly so many text deltas: the text is padded or cut. Null for as many as the text needs. */
  deltas: number | null;
  /** Characters a delta. */
  deltaChars: number;
  /** Between two events. */
  delayMs: number;
  /** Between `response.in_progress` and the first output: the time to the first token. */
  firstDelayMs: number;
  /** Between the head and the first event. */
  headDelayMs: number;
  /** `response.completed` carries `output: []`, as the ChatGPT backend does. */
  emptyOutput: boolean;
  /** A `codex.rate_limits` event opens every stream. */
  rateLimitsEvent: boolean;
}

/** A delta of about two words and no waiting: what tests want. */
export const DEFAULT_PACING: Pacing = {
  deltas: null,
  deltaChars: 12,
  delayMs: 0,
  firstDelayMs: 0,
  headDelayMs: 0,
  emptyOutput: false,
  rateLimitsEvent: false,
};

/** The text in pieces. With a fixed number of deltas, filler words make up what is missing. */
export function splitText(text: string, pacing: Pacing): string[] {
  const chars = [...text];
  const size = Math.max(1, Math.floor(pacing.deltaChars));
  const pieces: string[] = [];
  const most = pacing.deltas ?? Number.POSITIVE_INFINITY;
  for (let at = 0; at < chars.length && pieces.length < most; at += size)
    pieces.push(chars.slice(at, at + size).join(""));
  for (let n = pieces.length; n < (pacing.deltas ?? 0); n++) pieces.push(` w${n}`.padEnd(size, "."));
  return pieces;
}
