/**
 * Settings: what an operator may change while the daemon runs, each with its type, bounds, default and the reason for that default.
 * One catalogue; the store keeps only what was changed.
 */

import { readValue, type SettingReading, type SettingSpec, type SettingValue } from "./setting-spec.ts";

export type { SettingReading, SettingSpec, SettingValue };

/** What a threshold does (domain/threshold.ts). Each does what the ones before it do. */
export const THRESHOLD_ACTIONS = ["off", "warn", "prefer-others", "hold"] as const;
export type ThresholdAction = (typeof THRESHOLD_ACTIONS)[number];

function share(percent: number, why: string) {
  return { type: "integer", default: percent, min: 0, max: 100, unit: "percent left", why } as const;
}

function upTo(requests: number, min: number, max: number, why: string) {
  return { type: "integer", default: requests, min, max, unit: "requests", why } as const;
}

export const SETTINGS = {
  affinity: {
    type: "boolean",
    default: true,
    why: "a conversation stays on its account while that is usable: its prompt cache is worth money",
  },
  affinity_minutes: {
    type: "integer",
    default: 240,
    min: 1,
    max: 10_080,
    unit: "minutes",
    why: "upstream's prompt cache is cold long before four hours of silence",
  },
  low_action: {
    type: "choice",
    default: "prefer-others",
    values: THRESHOLD_ACTIONS,
    why: "a new conversation goes where it can stay: one that is cut off in the middle pays for its prompt cache twice",
  },
  low_short_percent: share(20, "of a window of up to a day: about what one long conversation takes"),
  low_long_percent: share(
    0,
    "of a longer window: set behind the others, the rest of a week would expire (test/bench/month)",
  ),
  critical_action: {
    type: "choice",
    default: "warn",
    values: THRESHOLD_ACTIONS,
    why: "hold would keep the rest back for a pin, and let it expire when nobody asks for it",
  },
  critical_short_percent: share(5, "of a window of up to a day: the next few answers may be the last"),
  critical_long_percent: share(5, "of a longer window: some hours of work are left of a week"),
  model_prefer_latest: {
    type: "text",
    default: "off",
    pattern: /^(?:off|upstream|gpt-\d[a-z0-9.-]{0,60})$/,
    accepts: "off, upstream (the one that upstream names), or a model such as gpt-6-sol",
    why: "a request gets the model that it asks for; rotor help models",
  },
  model_backfill: {
    type: "boolean",
    default: true,
    why: "a client whose own list is older than upstream's can offer new models at once",
  },
  wait_seconds: {
    type: "integer",
    default: 20,
    min: 0,
    max: 600,
    unit: "seconds",
    why: "a short hold is worth waiting out; beyond 20 s a clear answer is kinder than a silent client",
  },
  account_max_leases: {
    type: "integer",
    default: 32,
    min: 1,
    max: 1_000,
    unit: "requests",
    why: "bounds what one runaway client can open on one account",
  },
  account_requests_per_minute: upTo(0, 0, 6_000, "0 = as many as come: upstream says when it is too fast"),
  account_burst: upTo(
    5,
    1,
    1_000,
    "at once after a rest: a pace is for the long run, and clients open a handful at a time",
  ),
  connect_timeout_seconds: {
    type: "integer",
    default: 10,
    min: 1,
    max: 120,
    unit: "seconds",
    why: "a TCP and TLS handshake that takes longer will not work better",
  },
  first_byte_timeout_seconds: {
    type: "integer",
    default: 60,
    min: 5,
    max: 600,
    unit: "seconds",
    why: "upstream answers with headers within seconds, also for long thoughts",
  },
  silence_timeout_seconds: {
    type: "integer",
    default: 300,
    min: 10,
    max: 3_600,
    unit: "seconds",
    why: "the Codex client itself gives up after 300 s without an event",
  },
  upstream_transport: {
    type: "choice",
    default: "auto",
    values: ["auto", "http", "websocket"],
    why: "a client's WebSocket goes on as one, HTTP stays HTTP; websocket carries both, for a faster first word",
  },
  refresh_minutes_before_expiry: {
    type: "integer",
    default: 5,
    min: 1,
    max: 1_440,
    unit: "minutes",
    why: "what the official client does",
  },
  refresh_proactively: {
    type: "boolean",
    default: true,
    why: "an idle account keeps its login alive, and no request waits for a refresh",
  },
  auth_file_watch: {
    type: "boolean",
    default: true,
    why: "a login that another program renews is of use here only when it is seen at once",
  },
  auth_file_adopt: {
    type: "choice",
    default: "offer",
    values: ["offer", "adopt"],
    why: "a sign-in of another program joins the pool when its owner says so",
  },
  refresh_idle_days: {
    type: "integer",
    default: 8,
    min: 0,
    max: 60,
    unit: "days",
    why: "a login that nobody renews dies of idleness; the official client renews after 8 days when a token does not say its end. 0 = only before expiry",
  },
  usage_poll: { type: "boolean", default: true, why: "figures of accounts that serve nothing just now stay true" },
  usage_poll_minutes: {
    type: "integer",
    default: 10,
    min: 2,
    max: 1_440,
    unit: "minutes",
    why: "a person's own client asks every minute; this is for the accounts beside it",
  },
  usage_answer: {
    type: "choice",
    default: "pool",
    values: ["pool", "account"],
    why: "a client that sees one account stops itself while another could serve",
  },
  background_responses: {
    type: "boolean",
    default: false,
    why: "they go on, and use up an account, with nobody there who would see it; kept in memory for an hour, lost by a restart",
  },
  exchanges_kept: {
    type: "integer",
    default: 10_000,
    min: 100,
    max: 1_000_000,
    unit: "exchanges",
    why: "some weeks of one person's work, about 10 MB",
  },
  ledger_days_kept: {
    type: "integer",
    default: 90,
    min: 1,
    max: 3_650,
    unit: "days",
    why: "what each request used, for a quarter; 50 to 400 bytes each, the fewer the more there are",
  },
  usage_days_kept: {
    type: "integer",
    default: 1_100,
    min: 1,
    max: 10_000,
    unit: "days",
    why: "sums by the hour are small, and three years show how habits change",
  },
  audit_days_kept: {
    type: "integer",
    default: 365,
    min: 1,
    max: 3_650,
    unit: "days",
    why: "a year answers when and by whom something was changed; an order takes some 200 bytes",
  },
  backup_daily: {
    type: "boolean",
    default: true,
    why: "a store that breaks loses a day at the most",
  },
  backup_keep_daily: {
    type: "integer",
    default: 7,
    min: 1,
    max: 365,
    unit: "backups",
    why: "a week of days: a mistake is noticed within one",
  },
  backup_keep_weekly: {
    type: "integer",
    default: 4,
    min: 0,
    max: 520,
    unit: "backups",
    why: "a month of weeks, for what was noticed late",
  },
  idle_stop_minutes: {
    type: "integer",
    default: 0,
    min: 0,
    max: 10_080,
    unit: "minutes",
    why: "0 = never: logins are kept alive in the background",
  },
} as const satisfies Record<string, SettingSpec>;

export type SettingKey = keyof typeof SETTINGS;
export type Settings = {
  readonly [K in SettingKey]: (typeof SETTINGS)[K] extends { readonly values: readonly (infer Choice)[] }
    ? Choice
    : (typeof SETTINGS)[K]["default"] extends boolean
      ? boolean
      : (typeof SETTINGS)[K]["default"] extends string
        ? string
        : number;
};

/** Highest wins: a variable in the environment, the config file, what was saved over the API, the default. */
export type SettingSource = "env" | "config" | "saved" | "default";

export const SETTING_KEYS = Object.keys(SETTINGS) as SettingKey[];

export function isSettingKey(text: string): text is SettingKey {
  return Object.hasOwn(SETTINGS, text);
}

/** Reads a text as a value of `key`; the reason says what would be accepted. */
export function readSetting(key: SettingKey, text: string): SettingReading {
  return readValue(key, SETTINGS[key], text.trim());
}

export interface SettingState {
  readonly key: SettingKey;
  readonly value: SettingValue;
  readonly source: SettingSource;
}

/** The value in force for every key, from all sources. Unreadable entries of env and file are reported, never guessed. */
export function resolveSettings(sources: {
  env: Readonly<Record<string, string>>;
  config: Readonly<Record<string, string>>;
  saved: Readonly<Partial<Record<SettingKey, SettingValue>>>;
}): { states: readonly SettingState[]; problems: readonly string[] } {
  const problems: string[] = [];
  for (const [name, entries] of [
    ["environment", sources.env],
    ["config", sources.config],
  ] as const) {
    for (const key of Object.keys(entries)) if (!isSettingKey(key)) problems.push(`${name}: unknown setting ${key}`);
  }
  const states = SETTING_KEYS.map((key): SettingState => {
    for (const [source, entries] of [
      ["env", sources.env],
      ["config", sources.config],
    ] as const) {
      const text = entries[key];
      if (text === undefined) continue;
      const reading = readSetting(key, text);
      if (reading.ok) return { key, value: reading.value, source };
      problems.push(`${source}: ${reading.reason}`);
    }
    const saved = sources.saved[key];
    return saved === undefined
      ? { key, value: SETTINGS[key].default, source: "default" }
      : { key, value: saved, source: "saved" };
  });
  return { states, problems };
}

export function settingsFrom(states: readonly SettingState[]): Settings {
  return Object.fromEntries(states.map(({ key, value }) => [key, value])) as Settings;
}
