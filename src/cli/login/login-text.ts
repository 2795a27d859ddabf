/**
 * Logins in words: what a person has to open or type, how one ended, and what mends one that failed.
 */
import { AppError, ERROR_TABLE, type ErrorCode, isErrorCode } from "../../base/errors.ts";
import {
  type Login,
  LoginMethod,
  LoginMethodSchema,
  LoginState,
  LoginStateSchema,
} from "../../gen/rotor/v1/login_service_pb.ts";
import { printable } from "../print.ts";
import { renderTable } from "../text/table.ts";
import { formatAgo, formatEnd } from "../text/time-text.ts";
import { enumText, toMs } from "../text/wire-text.ts";

/** What stands above the address or the code. */
export function instruction(login: Login, how: { opens: boolean; remote: boolean }): string {
  if (login.method === LoginMethod.DEVICE) return "open this page in any browser and type the code:";
  if (login.method === LoginMethod.MANUAL) {
    return `open this address in any browser and sign in. The browser ends at an address that begins with ${printable(login.redirectUri)}; whether that page loads does not matter, its address does:`;
  }
  if (how.opens) return "opening a browser; if none comes up, open this address on this machine:";
  const port = URL.parse(login.redirectUri)?.port;
  const tunnel =
    how.remote && port ? ` (from another one, let it through first: ssh -L ${port}:127.0.0.1:${port} …)` : "";
  return `open this address in a browser on this machine${tunnel}:`;
}

/** `added work: ann@example.org, plus, workspace 1234`. */
export function doneText(login: Login): string {
  const { account, added } = login;
  if (account === undefined) return added ? "added" : "renewed";
  const facts = [
    account.email,
    account.tier,
    account.workspaceId && `workspace ${account.workspaceName || account.workspaceId}`,
  ];
  const known = facts.filter(Boolean).join(", ");
  return printable(`${added ? "added" : "renewed"} ${account.alias}${known === "" ? "" : `: ${known}`}`);
}

/** Codes after which only signing in again helps; every other one has its own command in the table. */
const TRY_AGAIN: readonly string[] = ["canceled", "login_expired", "login_refused", "login_rejected"];

/** What a login that ended otherwise than well means to the command; `again` is the command to try. */
export function failureOfLogin(login: Login, again: string): AppError {
  const otherwise = OTHERWISE[login.state] ?? { code: "login_rejected", message: "the login failed" };
  const code = isErrorCode(login.errorCode) ? login.errorCode : otherwise.code;
  const hint = TRY_AGAIN.includes(code) ? again : (ERROR_TABLE[code].hint ?? again);
  return new AppError(code, login.errorMessage || otherwise.message, { hint });
}

/** For an end that says no more than its name. */
const OTHERWISE: Readonly<Partial<Record<LoginState, { code: ErrorCode; message: string }>>> = {
  [LoginState.CANCELED]: { code: "canceled", message: "the login was called off" },
  [LoginState.EXPIRED]: { code: "login_expired", message: "nobody signed in in time" },
};

const COLUMNS = [
  { header: "#", align: "right" as const },
  { header: "ID" },
  { header: "METHOD" },
  { header: "STATE" },
  { header: "BEGAN" },
  { header: "WHAT" },
];

export function loginTable(
  logins: readonly Login[],
  view: { nowMs: number; width: number | null; header: (text: string) => string },
): string[] {
  const rows = logins.map((login, i) => [
    String(i + 1),
    printable(login.id),
    enumText(LoginMethodSchema, login.method),
    enumText(LoginStateSchema, login.state),
    formatAgo(toMs(login.startTime) ?? view.nowMs, view.nowMs),
    outcomeText(login, view.nowMs),
  ]);
  return renderTable(COLUMNS, rows, { width: view.width, header: view.header });
}

function outcomeText(login: Login, nowMs: number): string {
  if (login.state === LoginState.COMPLETED) return doneText(login);
  if (login.state !== LoginState.PENDING) return printable(login.errorMessage) || "–";
  const endMs = toMs(login.expireTime);
  return endMs === null ? "waits" : `expires ${formatEnd(endMs, nowMs)}`;
}
