/**
 * Accounts in words: windows by their length, holds with their ends, logins with what is left of them.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type Account,
  type Hold,
  HoldKind,
  type Window,
  WindowLevel,
  WindowSource,
} from "../../gen/rotor/v1/account_pb.ts";
import { printable, type Style } from "../print.ts";
import { type Column, renderFacts, renderTable } from "./table.ts";
import { formatAgo, formatClock, formatDuration, formatEnd, formatLength } from "./time-text.ts";
import { toMs } from "./wire-text.ts";

/** What a person calls each kind of hold. */
const HOLD_WORDS: Readonly<Record<HoldKind, string>> = {
  [HoldKind.UNSPECIFIED]: "held",
  [HoldKind.DISABLED]: "disabled",
  [HoldKind.NEEDS_LOGIN]: "needs login",
  [HoldKind.COOLING_DOWN]: "cooling down",
  [HoldKind.RESERVED]: "kept in reserve",
  [HoldKind.OFF_SCHEDULE]: "off at this time",
  [HoldKind.WINDOW_EXHAUSTED]: "window used up",
  [HoldKind.MODEL_UNSUPPORTED]: "model not supported",
  [HoldKind.AT_CAPACITY]: "at capacity",
  [HoldKind.PAUSED]: "paused",
  [HoldKind.DRAINING]: "draining",
  [HoldKind.PACING]: "paced",
};

/** Reasons that no clock ends, with the command that does. */
export function mendingCommand(hold: Hold, alias: string): string | null {
  if (hold.kind === HoldKind.DISABLED) return `rotor account enable ${alias}`;
  if (hold.kind === HoldKind.PAUSED || hold.kind === HoldKind.DRAINING) return `rotor account resume ${alias}`;
  if (hold.reason === "owner_must_refresh") return `rotor account take ${alias}`;
  if (hold.kind === HoldKind.NEEDS_LOGIN) return `rotor account relogin ${alias}`;
  return null;
}

/** `window used up, back in 2h 10m (14:05)`. */
function holdText(hold: Hold, nowMs: number): string {
  const words = HOLD_WORDS[hold.kind] ?? "held";
  const endMs = toMs(hold.endTime);
  if (endMs !== null) return `${words}, back ${formatEnd(endMs, nowMs)}`;
  return hold.kind === HoldKind.WINDOW_EXHAUSTED || hold.kind === HoldKind.RESERVED ? `${words}, reset unknown` : words;
}

/** The hold with its reason as the daemon words it, when that says more. */
export function holdReason(hold: Hold, nowMs: number): string {
  const text = holdText(hold, nowMs);
  return hold.text === "" ? text : `${text}: ${printable(hold.text)}`;
}

/** `usable`, or every hold. */
export function stateText(account: Account, nowMs: number): string {
  return account.holds.length === 0 ? "usable" : account.holds.map((hold) => holdText(hold, nowMs)).join("; ");
}

function styledState(account: Account, nowMs: number, style: Style): string {
  const text = stateText(account, nowMs);
  if (account.holds.length === 0) return style.good(text);
  const lasting = account.holds.some((hold) => hold.kind === HoldKind.NEEDS_LOGIN);
  return lasting ? style.bad(text) : style.warn(text);
}

/** `5h`, `7d`; with the limit's own name before it when it is not the main one. */
export function windowName(window: Pick<Window, "limit" | "lengthMinutes" | "slot">): string {
  const length = window.lengthMinutes > 0n ? formatLength(Number(window.lengthMinutes)) : window.slot;
  return window.limit === "codex" || window.limit === "" ? length : `${printable(window.limit)} ${length}`;
}

/** `5h 82 % · 7d 12 %`; a dash when nothing was observed yet. */
export function windowsText(windows: readonly Window[]): string {
  if (windows.length === 0) return "–";
  const ordered = windows.toSorted((a, b) => Number(a.lengthMinutes - b.lengthMinutes));
  return ordered.map((window) => `${windowName(window)} ${percent(window.usedPercent)}`).join(" · ");
}

/** Rounded away from the ends, so that 100 % means used up and 0 % untouched. */
export function percent(usedPercent: number): string {
  const rounded = usedPercent >= 100 ? 100 : usedPercent <= 0 ? 0 : Math.min(99, Math.max(1, Math.round(usedPercent)));
  return `${rounded} %`;
}

/** How long the access token lasts: `9d 23h`, `expired`, a dash when it does not say. */
export function loginText(account: Account, nowMs: number): string {
  if (account.holds.some((hold) => hold.kind === HoldKind.NEEDS_LOGIN)) return "lost";
  const endMs = toMs(account.credentials?.accessExpireTime);
  if (endMs === null) return "–";
  return endMs <= nowMs ? "expired" : formatDuration(endMs - nowMs);
}

function agoText(atMs: number | null, nowMs: number): string {
  return atMs === null ? "never" : formatAgo(atMs, nowMs);
}

const ACCOUNT_COLUMNS: readonly Column[] = [
  { header: "#", align: "right" },
  { header: "ALIAS", max: 18 },
  { header: "TIER", max: 10 },
  { header: "WINDOWS", max: 40 },
  { header: "USED" },
  { header: "LOGIN" },
  { header: "STATE" },
];

export interface AccountView {
  readonly nowMs: number;
  readonly width: number | null;
  readonly style: Style;
  /** List number; absent: the place among those that are shown. */
  readonly number?: (account: Account) => number;
}

export function accountTable(accounts: readonly Account[], view: AccountView): string[] {
  const { nowMs, width, style } = view;
  const tagged = accounts.some((account) => account.tags.length > 0);
  const rows = accounts.map((account, i) => [
    String(view.number?.(account) ?? i + 1),
    account.onDevice ? `${account.alias} *` : account.alias,
    account.tier === "" ? "–" : printable(account.tier),
    ...(tagged ? [account.tags.join(",") || "–"] : []),
    [windowsText(account.windows), ...creditWords(account)].join(" · "),
    agoText(toMs(account.lastLeaseTime), nowMs),
    loginText(account, nowMs),
    styledState(account, nowMs, style),
  ]);
  const columns = tagged ? ACCOUNT_COLUMNS.toSpliced(3, 0, { header: "TAGS", max: 16 }) : ACCOUNT_COLUMNS;
  const lines = renderTable(columns, rows, { width, header: style.bold });
  const files = new Set(accounts.flatMap((account) => account.deviceFiles));
  return files.size === 0 ? lines : [...lines, `* on this device: ${[...files].map(printable).join(", ")}`];
}

/** Accounts whose login is lost: why, since when, and what helps. */
export function lostLoginTable(accounts: readonly Account[], view: AccountView): string[] {
  const rows = accounts.map((account, i) => {
    const hold = account.holds.find(({ kind }) => kind === HoldKind.NEEDS_LOGIN);
    const sinceMs = toMs(hold?.startTime);
    return [
      String(view.number?.(account) ?? i + 1),
      account.alias,
      sinceMs === null ? "–" : formatAgo(sinceMs, view.nowMs),
      printable(hold?.text ?? "") || "–",
      (hold && mendingCommand(hold, account.alias)) ?? "–",
    ];
  });
  const columns = [
    { header: "#", align: "right" as const },
    ...["ALIAS", "SINCE", "WHY", "TRY"].map((header) => ({ header })),
  ];
  return renderTable(columns, rows, { width: view.width, header: view.style.bold });
}

/** Everything about one account, line by line. */
export function accountFacts(
  account: Account,
  view: { nowMs: number; width: number | null; trends: readonly string[] },
): string[] {
  const { nowMs, width } = view;
  const facts: [string, string][] = [
    ["alias", account.alias],
    ["id", account.id],
    ["e-mail", printable(account.email) || "–"],
    ["tier", printable(account.tier) || "–"],
    ["workspace", workspaceText(account)],
    ["user", printable(account.userId) || "–"],
    ["issuer", printable(account.issuer)],
    ["enabled", account.enabled ? "yes" : "no"],
  ];
  facts.push(...orderFacts(account));
  if (account.holds.length === 0) facts.push(["state", "usable"]);
  for (const hold of account.holds) {
    facts.push(["held", holdReason(hold, nowMs)]);
    const mend = mendingCommand(hold, account.alias);
    if (mend !== null) facts.push(["", `try: ${mend}`]);
  }
  for (const window of account.windows) facts.push(["window", windowFact(window, nowMs)]);
  facts.push(...creditFacts(account, nowMs));
  for (const trend of view.trends) facts.push(["last 24h", trend]);
  for (const refused of account.unsupportedModels) {
    const endMs = toMs(refused.endTime);
    const until = endMs === null ? "" : `, asked again ${formatEnd(endMs, nowMs)}`;
    facts.push(["not for", `${printable(refused.model)}${until}`]);
  }
  facts.push(...loginFacts(account, nowMs));
  facts.push(...ownerFacts(account));
  facts.push(["open now", String(account.openLeases)], ["last 7 days", `${account.exchangesLastWeek} exchanges`]);
  facts.push(["last used", agoText(toMs(account.lastLeaseTime), nowMs)]);
  facts.push(["last served", agoText(toMs(account.lastServedTime), nowMs)]);
  facts.push(["added", agoText(toMs(account.createTime), nowMs)]);
  return renderFacts(facts, width);
}

/** `5.00 credits`; nothing when there are none. */
function creditWords({ credits }: Account): string[] {
  if (credits?.unlimited) return ["unlimited credits"];
  return credits?.hasCredits ? [`${printable(credits.balance) || "some"} credits`] : [];
}

/** `5.00, seen 2m ago`; nothing of credits that were never there. */
function creditFacts(account: Account, nowMs: number): [string, string][] {
  const { alias, resetCredits } = account;
  const facts: [string, string][] = [];
  for (const words of creditWords(account)) facts.push(["credits", `${words}${seenText(account.credits!, nowMs)}`]);
  if (resetCredits !== undefined && resetCredits.available > 0) {
    facts.push(["resets", `${resetCredits.available} to be redeemed${seenText(resetCredits, nowMs)}`]);
    facts.push(["", `empty its windows now: rotor account redeem ${alias}`]);
  }
  return facts;
}

const SOURCE_WORDS: Readonly<Record<WindowSource, string>> = {
  [WindowSource.UNSPECIFIED]: "",
  [WindowSource.HEADER]: " in an answer",
  [WindowSource.EVENT]: " in an answer",
  [WindowSource.ERROR]: " in a refusal",
  [WindowSource.USAGE_ENDPOINT]: " at the usage endpoint",
  [WindowSource.IMPORT]: " in an import",
};

/** `, seen 2m ago in an answer`. */
function seenText(seen: { observeTime?: Timestamp; source: WindowSource }, nowMs: number): string {
  const atMs = toMs(seen.observeTime);
  return atMs === null ? "" : `, seen ${formatAgo(atMs, nowMs)}${SOURCE_WORDS[seen.source] ?? ""}`;
}

const LEVEL_WORDS: Readonly<Record<WindowLevel, string>> = {
  [WindowLevel.UNSPECIFIED]: "",
  [WindowLevel.OK]: "",
  [WindowLevel.LOW]: " (low)",
  [WindowLevel.CRITICAL]: " (critical)",
};

/** `Acme (1234-…)`, or the id alone. */
function workspaceText({ workspaceId, workspaceName }: Account): string {
  const id = printable(workspaceId) || "–";
  return workspaceName === "" ? id : `${printable(workspaceName)} (${id})`;
}

/** What the operator ordered, as far as it is no hold and not the default. */
function orderFacts(account: Account): [string, string][] {
  const facts: [string, string][] = [];
  if (account.tags.length > 0) facts.push(["tags", account.tags.join(", ")]);
  if (account.note !== "") facts.push(["note", printable(account.note)]);
  if (account.weight !== 1) facts.push(["weight", String(account.weight)]);
  if (account.priority !== 0) facts.push(["priority", String(account.priority)]);
  if (account.pace) facts.push(["pace", paceText(account)]);
  return facts;
}

/** `10 requests a minute, 2 at once`. */
export function paceText({ pace }: Account): string {
  if (pace === undefined) return "as the settings say";
  const { requestsPerMinute, burst } = pace;
  return requestsPerMinute === 0 ? "as many as come" : `${requestsPerMinute} requests a minute, ${burst} at once`;
}

/** Who renews the login, and which other programs of this device have it. Nothing to say when it is Rotor's alone. */
function ownerFacts(account: Account): [string, string][] {
  const { refreshOwnerFile: owner, deviceFiles, twoOwners, alias } = account;
  const facts: [string, string][] = deviceFiles.map((file) => ["on device", printable(file)]);
  if (owner !== "") {
    const gone = deviceFiles.includes(owner) ? "" : ", which holds it no more";
    facts.push(["renewed by", `the program that uses ${printable(owner)}${gone}`]);
    facts.push(["", `let Rotor renew it: rotor account take ${alias}`]);
  } else if (twoOwners) facts.push(["renewed by", "Rotor, and the program on this device too: rotor help sharing"]);
  return facts;
}

function windowFact(window: Window, nowMs: number): string {
  const resetMs = toMs(window.resetTime);
  const reset = resetMs === null ? "reset unknown" : `resets ${formatEnd(resetMs, nowMs)}`;
  const seen = seenText(window, nowMs);
  const models = window.models.length === 0 ? "" : ` (${window.models.map(printable).join(", ")})`;
  const level = LEVEL_WORDS[window.level];
  return `${windowName(window)}${models} ${percent(window.usedPercent)} used${level}, ${reset}${seen}`;
}

function loginFacts(account: Account, nowMs: number): [string, string][] {
  const credentials = account.credentials;
  if (credentials === undefined) return [["login", "none"]];
  const endMs = toMs(credentials.accessExpireTime);
  const end =
    endMs === null ? "expiry unknown" : endMs <= nowMs ? "expired" : `access token ends ${formatEnd(endMs, nowMs)}`;
  const renewedMs = toMs(credentials.refreshTime);
  const renewed = renewedMs === null ? "" : `, renewed ${formatClock(renewedMs, nowMs)}`;
  return [["login", `${end}${renewed} (generation ${credentials.generation})`]];
}
