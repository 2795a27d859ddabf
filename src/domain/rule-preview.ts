/**
 * What other rules would have done to the last days: every exchange that was kept, asked again (domain/rule-replay.ts), and the hours in which
 * they would have kept an account from serving. Pure; seconds of work, and never on the loop that serves streams.
 */
import type { Account, AccountId } from "./account.ts";
import type { Exchange } from "./exchange.ts";
import type { Profile } from "./profile.ts";
import { accountsAt, hoursHeld, type Replay, type ReplayWith, replayExchange } from "./rule-replay.ts";
import { compileRules } from "./rule-set.ts";
import { parseRules } from "./rule-syntax.ts";
import type { ZoneOffset } from "./schedule.ts";
import type { Thresholds } from "./threshold.ts";
import type { WindowSample } from "./window-history.ts";

/** Everything that is asked and that is not in the store's history. Data alone: it goes to another thread. */
export interface PreviewAsk {
  /** In place of the pool's; understood, every one. */
  readonly lines: readonly string[];
  readonly sinceMs: number;
  readonly nowMs: number;
  readonly accounts: readonly Account[];
  readonly profiles: readonly Profile[];
  readonly thresholds: Thresholds;
}

export interface PreviewPast {
  /** Newest first. */
  readonly exchanges: readonly Exchange[];
  /** There are more than were read. */
  readonly isCut: boolean;
  /** From {@link HISTORY_BACK_MS} before the asked time on. */
  readonly samples: readonly WindowSample[];
}

export interface RulePreview {
  readonly sinceMs: number;
  readonly counts: Readonly<Record<Replay["kind"], number>>;
  /** Those of which nothing can be said: nothing was kept of what they asked the pool. */
  readonly unknown: number;
  /** Newest first, at most {@link CHANGES_SHOWN}. */
  readonly changes: readonly { readonly exchange: Exchange; readonly replay: Replay }[];
  /** By the history of windows: hours in which the rules would have kept an account from serving, and of how many. */
  readonly held: readonly { readonly accountId: AccountId; readonly hours: number }[];
  readonly hours: number;
  /** More requests came in than are looked at. */
  readonly isCut: boolean;
}

const HOUR_MS = 3_600_000;
/** The first hour begins with what the one before it ended with. */
export const HISTORY_BACK_MS = HOUR_MS;
const CHANGES_SHOWN = 200;

export function previewRules(ask: PreviewAsk, past: PreviewPast, zone: ZoneOffset): RulePreview {
  const then = accountsAt(ask.accounts, past.samples);
  const givenFor = underProfiles(ask, zone);
  const counts = { same: 0, elsewhere: 0, nowhere: 0, gained: 0 };
  const changes: { exchange: Exchange; replay: Replay }[] = [];
  let unknown = 0;
  for (const exchange of past.exchanges) {
    const replay = replayExchange(exchange, then, givenFor(exchange.plan?.profile ?? null));
    if (replay === null) unknown++;
    else counts[replay.kind]++;
    if (replay !== null && replay.kind !== "same" && changes.length < CHANGES_SHOWN) changes.push({ exchange, replay });
  }
  const hours: number[] = [];
  for (let atMs = ask.sinceMs; atMs < ask.nowMs; atMs += HOUR_MS) hours.push(atMs);
  const held = [...hoursHeld(then, hours, givenFor(null))].map(([accountId, count]) => ({ accountId, hours: count }));
  return { sinceMs: ask.sinceMs, counts, unknown, changes, held, hours: hours.length, isCut: past.isCut };
}

/** A profile's own rules come after the pool's, whichever those are. */
function underProfiles({ lines, profiles, thresholds }: PreviewAsk, zone: ZoneOffset) {
  const ready = new Map<string | null, ReplayWith>();
  return (name: string | null): ReplayWith => {
    const known = ready.get(name);
    if (known !== undefined) return known;
    const profile = profiles.find((one) => one.name === name) ?? null;
    const lists = [
      { profile: null, rules: parseRules(lines).rules },
      ...(profile === null ? [] : [{ profile: name, rules: parseRules(profile.rules).rules }]),
    ];
    const given: ReplayWith = { rules: compileRules(lists, zone), profile, thresholds };
    ready.set(name, given);
    return given;
  };
}
