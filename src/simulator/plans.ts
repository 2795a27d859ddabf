/**
 * What each plan includes: the length and size of its windows. The lengths are those seen on the wire (wire reference
 * §3.10); the sizes are ours, since upstream publishes none, in proportion so that a bigger plan lasts longer.
 */
export interface WindowSpec {
  /** Length of the window. */
  minutes: number;
  /** Full after so many tokens (input and output); give this or `capacityRequests`. */
  capacityTokens?: number;
  /** Full after so many answered requests. */
  capacityRequests?: number;
  /** Where it stands at the start, 0–100. */
  usedPercent?: number;
  /** When it resets, from the start; without it the window opens at the first request. */
  resetsInSeconds?: number;
}

const FIVE_HOURS_MIN = 300;
const WEEK_MIN = 10_080;
const THIRTY_DAYS_MIN = 43_200;

/** A Codex turn carries 10–20 thousand tokens of instructions: plus serves about a hundred of them in five hours. */
const PLUS_FIVE_HOURS_TOKENS = 1_500_000;
const PLUS_WEEK_TOKENS = 9_000_000;

const pair = (times: number): WindowSpec[] => [
  { minutes: FIVE_HOURS_MIN, capacityTokens: PLUS_FIVE_HOURS_TOKENS * times },
  { minutes: WEEK_MIN, capacityTokens: PLUS_WEEK_TOKENS * times },
];

/** Plan name → its windows, first the primary. The names are those the 0.169 client knows (wire reference §1.8). */
const PLAN_WINDOWS: Readonly<Record<string, WindowSpec[]>> = {
  free: [{ minutes: THIRTY_DAYS_MIN, capacityTokens: 400_000 }],
  go: [{ minutes: WEEK_MIN, capacityTokens: 2_000_000 }],
  plus: pair(1),
  pro: pair(10),
  prolite: pair(5),
  promax: pair(20),
  team: pair(1),
  self_serve_business_prolite: pair(5),
  self_serve_business_usage_based: pair(1),
  business: pair(1),
  ent26: pair(1),
  enterprise_cbp_automation: pair(1),
  enterprise_cbp_usage_based: pair(1),
  enterprise: pair(1),
  edu: pair(1),
  edu_plus: pair(1),
  edu_pro: pair(10),
  sci: pair(1),
  sci_plus: pair(1),
  unknown: pair(1),
};

export const PLAN_NAMES: readonly string[] = Object.keys(PLAN_WINDOWS);

export function windowsOfPlan(plan: string): WindowSpec[] {
  return PLAN_WINDOWS[plan] ?? PLAN_WINDOWS.unknown!;
}

/** Plans whose account is a workspace rather than a person's own. */
export function isWorkspacePlan(plan: string): boolean {
  return /^(team|business|ent|edu|self_serve|sci)/.test(plan);
}
