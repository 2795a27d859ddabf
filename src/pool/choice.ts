/** What doors see of choosing beside the pool itself: rules and profiles, and the question what a request would get. */
import type { ProfileAsk } from "../domain/profile.ts";
import type { ProfileDesk } from "./profile-desk.ts";
import type { RuleDesk } from "./rule-desk.ts";

export interface Choice {
  readonly rules: RuleDesk;
  readonly profiles: ProfileDesk;
}

/** A request that might come. */
export interface Question {
  readonly model: string | null;
  /** The profile by its name, or as a request with these would choose it. */
  readonly from: ProfileAsk;
  /** null = now. Accounts are taken as they are now: only what is known to end by then has ended. */
  readonly atMs: number | null;
}
