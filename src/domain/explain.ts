/**
 * Holds in words, for people. Says what is; when it ends stands beside it and is put in words by whoever knows the reader's clock.
 */
import type { CooldownReason } from "./account.ts";
import type { Hold } from "./hold.ts";
import type { RuleRef } from "./rule.ts";
import { usedPercentNow, type Window } from "./window.ts";

const COOLDOWN_TEXTS: Readonly<Record<CooldownReason, string>> = {
  rate_limited: "upstream asked for a slower pace",
  refresh_failed: "its login could not be renewed for a passing reason",
  upstream_failing: "upstream failed on it several times",
  owner_must_refresh: "its access token has ended, and the program that renews this login has not done so yet",
};

/** One reason, as half a sentence without a full stop. */
export function holdText(hold: Hold): string {
  switch (hold.kind) {
    case "disabled":
      return "switched off by the operator";
    case "paused":
      return "paused by the operator";
    case "draining":
      return "draining: it keeps its conversations and takes no new ones";
    case "needs_login":
      return hold.reason === "" ? "its login no longer works" : `its login no longer works: ${hold.reason}`;
    case "cooling_down":
      return `set aside for a while: ${COOLDOWN_TEXTS[hold.reason]}`;
    case "window_exhausted":
      return `${hold.limit} limit${lengthText(hold.lengthMinutes)} is used up`;
    case "reserved":
      return `the last ${hold.keptPercent} % of its ${hold.limit} limit${lengthText(hold.lengthMinutes)} are kept back${byRule(hold.rule)}`;
    case "off_schedule":
      return `off at this time${byRule(hold.rule)}`;
    case "model_unsupported":
      return `upstream refused ${hold.model} for it`;
    case "at_capacity":
      return `it serves ${hold.openLeases} ${hold.openLeases === 1 ? "request" : "requests"}, as many as it may`;
    case "pacing":
      return `paced: it takes at most ${count(hold.requestsPerMinute, "request")} a minute`;
  }
}

/** `used: 12 % of 5 hours, 34 % of 7 days`; windows of single models by their name. */
export function usedText(windows: readonly Window[], nowMs: number): string {
  if (windows.length === 0) return "upstream states no windows";
  const parts = windows.map((window) => {
    const limit = window.models === null ? "" : ` of ${window.limit}`;
    return `${Math.round(usedPercentNow(window, nowMs))} %${limit}${lengthText(window.lengthMinutes)}`;
  });
  return `used: ${parts.join(", ")}`;
}

/** `, by line 3: keep 20% of work`. */
function byRule(rule: RuleRef | null): string {
  return rule === null ? "" : `, by ${ruleName(rule)}`;
}

export function ruleName({ profile, line, text }: RuleRef): string {
  return `${profile === null ? "rule" : `profile ${profile}, rule`} ${line}: ${text}`;
}

/** Whole days and hours in those words; any other length as it came. */
function lengthText(minutes: number | null): string {
  if (minutes === null || minutes <= 0) return "";
  if (minutes % 1_440 === 0) return ` of ${count(minutes / 1_440, "day")}`;
  if (minutes % 60 === 0) return ` of ${count(minutes / 60, "hour")}`;
  return ` of ${count(minutes, "minute")}`;
}

function count(number: number, unit: string): string {
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}
