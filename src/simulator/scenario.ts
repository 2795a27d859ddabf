/**
 * The scenario file: what the simulator starts with. Read strictly, so that a misspelt key is told and not ignored.
 */
import { parseInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { type AccountChange, type AccountSpec, LIMIT_ANSWERS } from "./accounts.ts";
import { type FaultSpec, parseFault } from "./fault-book.ts";
import { asList, asObject, type JsonObject } from "./json.ts";
import type { Pacing } from "./pacing.ts";
import { PLAN_NAMES } from "./plans.ts";
import type { RecorderSettings } from "./recorder.ts";
import type { OauthSettings } from "./token-vault.ts";

export interface Scenario {
  /** Instant at which the simulator's clock starts, RFC 3339. Default: now. */
  startTime?: string;
  accounts?: AccountSpec[];
  faults?: FaultSpec[];
  pacing?: Partial<Pacing>;
  oauth?: Partial<OauthSettings>;
  recorder?: Partial<RecorderSettings>;
}

/** Null when the value is right, else a sentence that starts with the path of what is wrong. */
type Check = (value: unknown, path: string) => string | null;

const rule =
  (fits: (value: unknown) => boolean, must: string): Check =>
  (value, path) =>
    fits(value) ? null : `${path} must be ${must}`;
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

const text = rule((value) => typeof value === "string" && value !== "", "a text");
const flag = rule((value) => typeof value === "boolean", "true or false");
const number = rule((value) => isNumber(value) && value >= 0, "a number from 0");
const positive = rule((value) => isNumber(value) && value > 0, "a number above 0");
const count = rule((value) => Number.isInteger(value) && (value as number) >= 0, "a whole number from 0");
const percent = rule((value) => isNumber(value) && value >= 0 && value <= 100, "a number from 0 to 100");
const oneOf = (options: readonly unknown[]) => rule((value) => options.includes(value), `one of ${options.join(", ")}`);
const orNull =
  (check: Check): Check =>
  (value, path) =>
    value === null ? null : check(value, path);
const listOf =
  (check: Check): Check =>
  (value, path) => {
    const list = asList(value);
    if (!list) return `${path} must be a list`;
    for (const [index, entry] of list.entries()) {
      const problem = check(entry, `${path}[${index}]`);
      if (problem) return problem;
    }
    return null;
  };
const object =
  (fields: Record<string, Check>): Check =>
  (value, path) => {
    const given = asObject(value);
    if (!given) return `${path} must be an object`;
    for (const [name, field] of Object.entries(given)) {
      const check = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (!check) return `${path} has no field ${name}; it has ${Object.keys(fields).join(", ")}`;
      const problem = field === undefined ? null : check(field, `${path}.${name}`);
      if (problem) return problem;
    }
    return null;
  };

const windowFields = object({
  minutes: positive,
  capacityTokens: positive,
  capacityRequests: positive,
  usedPercent: percent,
  resetsInSeconds: number,
});
const windowSpec: Check = (value, path) => {
  const problem = windowFields(value, path);
  if (problem) return problem;
  const given = value as JsonObject;
  if (given.minutes === undefined) return `${path} must have minutes`;
  const both = given.capacityTokens !== undefined && given.capacityRequests !== undefined;
  return both ? `${path} must have one of capacityTokens and capacityRequests` : null;
};
const additional = object({ limitName: text, meteredFeature: text, models: listOf(text), windows: listOf(windowSpec) });

const changeable: Record<string, Check> = {
  organizationId: text,
  plan: oneOf(PLAN_NAMES),
  windows: listOf(windowSpec),
  additionalLimits: listOf(additional),
  credits: object({ hasCredits: flag, unlimited: flag, balance: number }),
  resetCredits: count,
  models: orNull(listOf(text)),
  limitAnswer: oneOf(LIMIT_ANSWERS),
  deactivated: flag,
};
/** An alias appears in answers, paths and logs. */
const alias = rule(
  (value) => typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value),
  "letters, digits, . _ -",
);
const accountSpec = object({ alias, email: text, userId: text, accountId: text, ...changeable });
const accountChange = object({ ...changeable, usedPercent: object({ primary: percent, secondary: percent }) });
const faultSpec: Check = (value, path) => {
  const parsed = parseFault(value);
  return parsed.ok ? null : `${path}: ${parsed.problem}`;
};
const pacing = object({
  deltas: orNull(count),
  deltaChars: positive,
  delayMs: number,
  firstDelayMs: number,
  headDelayMs: number,
  emptyOutput: flag,
  rateLimitsEvent: flag,
});
const oauth = object({
  clientId: text,
  graceSeconds: number,
  accessTokenSeconds: positive,
  idTokenSeconds: positive,
  refreshTokenSeconds: orNull(positive),
  replayEndsFamily: flag,
  refusalStatus: oneOf([400, 401]),
  rotate: flag,
  deviceEnabled: flag,
  apiKeyExchange: flag,
  autoApprove: orNull(text),
  anyRedirectPort: flag,
});
const recorder = object({ keep: positive, bodies: flag });
const instant = rule(
  (value) => typeof value === "string" && parseInstant(value) !== null,
  "an instant such as 2026-11-21T12:00:00Z",
);

const scenario = object({
  startTime: instant,
  accounts: listOf(accountSpec),
  faults: listOf(faultSpec),
  pacing,
  oauth,
  recorder,
});

function checked<T>(check: Check, what: string, value: unknown): T {
  const problem = check(value, what);
  if (problem) throw new AppError("invalid_request", problem, { hint: null });
  return value as T;
}

/** Throws AppError `invalid_request` with the path of what is wrong. */
export function parseScenario(value: unknown): Scenario {
  const parsed = checked<Scenario>(scenario, "scenario", value);
  const names = (parsed.accounts ?? []).map((account) => account.alias).filter((name) => name !== undefined);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice) throw new AppError("invalid_request", `scenario: two accounts have the alias ${twice}`, { hint: null });
  return parsed;
}
export const parseAccount = (value: unknown): AccountSpec => checked(accountSpec, "account", value);
export const parseAccountChange = (value: unknown): AccountChange => checked(accountChange, "account", value);
export const parsePacing = (value: unknown): Partial<Pacing> => checked(pacing, "pacing", value);
export const parseOauth = (value: unknown): Partial<OauthSettings> => checked(oauth, "oauth", value);
export const parseRecorder = (value: unknown): Partial<RecorderSettings> => checked(recorder, "recorder", value);
