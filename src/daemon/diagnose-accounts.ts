/**
 * What `rotor doctor` says of accounts: one finding each (login, renewal, what is used, holds), whose logins two programs renew, and whether
 * anybody can serve. Asks the code that chooses; changes nothing.
 */
import type { Finding } from "../control/daemon-facts.ts";
import type { Account } from "../domain/account.ts";
import { holdText, usedText } from "../domain/explain.ts";
import { type Hold, lastEndMs } from "../domain/hold.ts";
import { activePin } from "../domain/pin.ts";
import type { Engine } from "../pool/engine.ts";
import { error, ok, warning } from "./finding.ts";

export function accountFindings(engine: Engine, nowMs: number): Finding[] {
  const accounts = engine.accounts.list();
  if (accounts.length === 0) return [warning("accounts", "there are no accounts yet", "rotor login")];
  return [
    poolFinding(engine, accounts.length),
    ...pinFindings(engine, nowMs),
    ...accounts.map((account) => accountFinding(account, engine.selection.holdsOn(account), nowMs)),
    ...fileFindings(engine),
  ];
}

function poolFinding(engine: Engine, count: number): Finding {
  const { usableCount, nextUsableAtMs } = engine.selection.view();
  const summary = `${usableCount} of ${count} accounts usable now`;
  if (usableCount > 0) return ok("accounts", summary);
  if (nextUsableAtMs !== null)
    return { ...warning("accounts", summary, "rotor pool explain"), endsAtMs: nextUsableAtMs };
  return error("accounts", `${summary}, and none of them comes back by itself`, "rotor pool explain");
}

/** A pin never falls over: while its account may not serve, nobody does. */
function pinFindings(engine: Engine, nowMs: number): Finding[] {
  const pin = activePin(engine.selection.view().pin, nowMs);
  const account = pin === null ? null : engine.accounts.get(pin.accountId);
  if (account === null) return [];
  const holds = engine.selection.holdsOn(account);
  if (holds.length === 0) return [ok("accounts.pin", `only ${account.alias} serves: it is pinned`)];
  const message = `only ${account.alias} may serve, by a pin, and cannot: ${holds.map(holdText).join("; ")}`;
  return [{ ...error("accounts.pin", message, "rotor pool unpin"), endsAtMs: lastEndMs(holds) }];
}

const CHECK = "accounts.state";
/** Renewal begins long before the end; one that is so late does not come by itself. */
const RENEWAL_OVERDUE_MS = 3_600_000;

function accountFinding(account: Account, holds: readonly Hold[], nowMs: number): Finding {
  const { alias, login, cooldown, refreshOwner, credentials } = account;
  const lost = holds.find(({ kind }) => kind === "needs_login");
  if (login.kind === "needs_login")
    return error(
      CHECK,
      `${alias}: ${holdText(lost ?? { ...login, kind: "needs_login", untilMs: null })}`,
      relogin(alias),
    );
  const words = [loginText(account, nowMs), usedText(account.windows, nowMs), ...holds.map(holdText)].join("; ");
  const message = `${alias} (${account.tier}): ${words}`;
  const endsAtMs = holds.length === 0 ? null : lastEndMs(holds);
  if (cooldown !== null && cooldown.untilMs > nowMs && cooldown.reason !== "rate_limited") {
    const hint =
      cooldown.reason === "owner_must_refresh" ? `rotor account take ${alias}` : `rotor account probe ${alias}`;
    return { ...warning(CHECK, message, hint), endsAtMs };
  }
  const endMs = credentials.accessExpiresAtMs;
  if (refreshOwner.kind === "rotor" && account.enabled && endMs !== null && endMs < nowMs - RENEWAL_OVERDUE_MS)
    return warning(CHECK, message, `rotor account refresh ${alias}`);
  return { ...ok(CHECK, message), endsAtMs };
}

function relogin(alias: string): string {
  return `rotor account relogin ${alias}`;
}

function loginText({ credentials, refreshOwner }: Account, nowMs: number): string {
  const { accessExpiresAtMs: endMs, refreshedAtMs } = credentials;
  const end =
    endMs === null
      ? "login works"
      : endMs > nowMs
        ? `login good for ${lengthText(endMs - nowMs)}`
        : "access token ended";
  const owner = refreshOwner.kind === "rotor" ? "renewed" : "renewed by another program";
  return `${end}, ${owner} ${lengthText(nowMs - refreshedAtMs)} ago`;
}

/** `9 days`, `3 hours`, `5 minutes`: people read no more of it. */
function lengthText(ms: number): string {
  const minutes = Math.max(0, Math.round(ms / 60_000));
  const [count, unit] =
    minutes >= 2_880
      ? [Math.round(minutes / 1_440), "day"]
      : minutes >= 120
        ? [Math.round(minutes / 60), "hour"]
        : [minutes, "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** Files in which other programs keep their logins. */
function fileFindings(engine: Engine): Finding[] {
  const check = "accounts.file";
  return engine.files.list().map(({ path, state, reason, accountId, notice }): Finding => {
    const alias = (accountId === null ? null : engine.accounts.get(accountId))?.alias ?? "an account";
    const sync = `rotor account sync '${path}'`;
    if (notice === "two_owners") {
      const message = `${alias}: Rotor and the program that uses ${path} both renew its login, and will cut each other off`;
      return error(check, message, "rotor help sharing");
    }
    if (notice === "offered") return warning(check, `${path} holds a login that is not here`, sync);
    if (state === "broken" || state === "refused") return warning(check, `${path}: ${reason}`, "rotor file list");
    return ok(check, state === "login" ? `${path} holds the login of ${alias}` : `${path}: ${reason}`);
  });
}
