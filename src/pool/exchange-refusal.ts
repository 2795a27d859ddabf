/**
 * Puts "nobody could" into an AppError: code, words, the command that mends it, and the true earliest time. Doors turn it into bytes.
 */
import { type Clock, formatInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { ruleName } from "../domain/explain.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { Refusal } from "../domain/refusal.ts";

/** Somebody is usable; only this request has used up its tries. */
const NEXT_TRY_MS = 1_000;

export function refusalError(refusal: Refusal, nowMs: number): AppError {
  switch (refusal.kind) {
    case "no_accounts":
      return new AppError("no_accounts", "there are no accounts yet");
    case "nobody_allowed": {
      const { profile, rules } = refusal;
      const who = profile === null ? "the rules leave" : `the profile ${profile} leaves`;
      const named = rules.map(ruleName).join("; ");
      return new AppError(
        "no_usable_account",
        `${who} no account for this request${named === "" ? "" : ` (${named})`}`,
        {
          hint: profile === null ? "rotor pool rule list" : `rotor profile show ${profile}`,
        },
      );
    }
    case "pool_exhausted":
      return new AppError(
        "pool_exhausted",
        `every account is held; the first is usable at ${formatInstant(refusal.untilMs)}`,
        {
          retryAtMs: refusal.untilMs,
        },
      );
    case "pinned_account_held": {
      const until = refusal.untilMs === null ? "with no known end" : `until ${formatInstant(refusal.untilMs)}`;
      return new AppError(
        "no_usable_account",
        `the pinned account is held ${until}, and a pin never falls over to another one`,
        {
          hint: "rotor pool unpin",
          facts: { holds: "pinned" },
        },
      );
    }
    case "asked_account_held": {
      const until = refusal.untilMs === null ? "with no known end" : `until ${formatInstant(refusal.untilMs)}`;
      return new AppError(
        "no_usable_account",
        `the account that was asked for is held ${until}, and no other one may serve in its place`,
        { hint: "leave out --account, or name another account", facts: { holds: "pinned" } },
      );
    }
    case "model_unsupported":
      return new AppError("model_unsupported", `no account may use the model ${refusal.model}`, {
        facts: { model: refusal.model },
      });
    case "at_capacity":
      return new AppError("at_capacity", "every account serves as many requests as it may have at once");
    case "no_usable_account": {
      const kinds = refusal.kinds.join(", ");
      const [only] = refusal.kinds;
      const hint =
        refusal.kinds.length > 1 || only !== "disabled" ? "rotor account list" : "rotor account enable ALIAS";
      return new AppError("no_usable_account", `no account is usable (${kinds})`, {
        facts: { holds: kinds },
        hint,
      });
    }
    case "attempts_exhausted":
      return new AppError(
        "attempts_exhausted",
        "as many accounts as one request may try have refused; others are left for the next try",
        { retryAtMs: nowMs + NEXT_TRY_MS },
      );
  }
}

/** How soon a client may come back when upstream or the way to it was the trouble: longer than a pause of the pool. */
const COME_BACK_MS = 10_000;

/** The refusal that the last outcome itself calls for; null when the accounts' holds say it better. */
export function outcomeError(outcome: Outcome, clock: Clock): AppError | null {
  const retryAtMs = clock.nowMs() + COME_BACK_MS;
  switch (outcome.kind) {
    case "upstream_failed":
      return new AppError("upstream_overloaded", `upstream failed: ${outcome.message}`, {
        retryAtMs: outcome.retryAtMs ?? retryAtMs,
      });
    case "challenged":
      return new AppError("upstream_overloaded", `upstream refused this route: ${outcome.message}`, { retryAtMs });
    case "unreachable":
      return new AppError("upstream_unreachable", `upstream cannot be reached: ${outcome.message}`, { retryAtMs });
    case "timed_out":
      return new AppError("upstream_timed_out", outcome.message, { retryAtMs });
    default:
      return null;
  }
}

/** What the record keeps of upstream's words: enough to understand, too little to leak a body. */
const MESSAGE_MAX_CHARS = 200;

export function messageOf(outcome: Outcome): string | null {
  const text = "message" in outcome ? outcome.message : "reason" in outcome ? outcome.reason : null;
  return text === null || text === "" ? null : text.slice(0, MESSAGE_MAX_CHARS);
}
