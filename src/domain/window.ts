/**
 * A window: one upstream allowance of any length. Knows nothing of "5h" or "weekly": upstream changed those before and will again.
 */

export interface Window {
  /** Which limit this is: "codex" for the main one, else upstream's family name ("codex_bengalfox", …). */
  readonly limit: string;
  /** Position in upstream's answer, to tell two windows of one limit apart. */
  readonly slot: "primary" | "secondary";
  /** Models that this window counts; null = all. */
  readonly models: readonly string[] | null;
  /** Length in minutes; null when upstream did not say. */
  readonly lengthMinutes: number | null;
  /** 0–100. */
  readonly usedPercent: number;
  readonly resetsAtMs: number | null;
  /** When it was observed, on our clock, and where from. */
  readonly observedAtMs: number;
  readonly observedFrom: WindowSource;
}

export type WindowSource = "header" | "event" | "error" | "usage_endpoint" | "import";

/** What an observation says about one window; merged by {@link mergeWindows}. */
export type WindowReading = Omit<Window, "observedAtMs" | "observedFrom">;

/** A window whose reset has passed has started again: its old figure says nothing any more. */
function isReset(window: Window, nowMs: number): boolean {
  return window.resetsAtMs !== null && window.resetsAtMs <= nowMs;
}

/** Percent used as of now: 0 once the reset has passed. */
export function usedPercentNow(window: Window, nowMs: number): number {
  return isReset(window, nowMs) ? 0 : window.usedPercent;
}

export function isExhausted(window: Window, nowMs: number): boolean {
  return usedPercentNow(window, nowMs) >= 100;
}

/** Up to a day: such a window is over before a working day is, and paces work; a longer one is what a subscription is worth. */
const SHORT_WINDOW_MINUTES = 1_440;

/** A window of unknown length is taken for a long one: what it holds may have to last. */
export function isShort(window: Pick<Window, "lengthMinutes">): boolean {
  return window.lengthMinutes !== null && window.lengthMinutes <= SHORT_WINDOW_MINUTES;
}

/** Does this window count requests for `model`? An ask without a model is counted by the general windows. */
export function countsModel(window: Window, model: string | null): boolean {
  return window.models === null || (model !== null && window.models.includes(model));
}

/**
 * Lays readings over what is known. A reading older than what we hold for the same window is dropped:
 * answers arrive out of order, and the past must not undo the present.
 */
export function mergeWindows(
  known: readonly Window[],
  readings: readonly WindowReading[],
  observedAtMs: number,
  observedFrom: WindowSource,
): readonly Window[] {
  if (readings.length === 0) return known;
  // Two windows, seldom four: looking through them is cheaper than an index of them, and every answer comes by here.
  const merged = known.slice();
  for (const reading of readings) {
    const place = placeOf(reading, merged);
    const before = merged[place];
    if (before !== undefined && before.observedAtMs > observedAtMs) continue;
    const { limit, slot, lengthMinutes, usedPercent, resetsAtMs } = reading;
    const models = reading.models ?? before?.models ?? null;
    const window: Window = { limit, slot, models, lengthMinutes, usedPercent, resetsAtMs, observedAtMs, observedFrom };
    if (before === undefined) merged.push(window);
    else merged[place] = window;
  }
  return merged;
}

/** Where the window of the same limit and slot stands in `list`; -1 = nowhere. */
export function placeOf(one: Pick<Window, "limit" | "slot">, list: readonly Pick<Window, "limit" | "slot">[]): number {
  for (let place = 0; place < list.length; place++)
    if (list[place]!.limit === one.limit && list[place]!.slot === one.slot) return place;
  return -1;
}
