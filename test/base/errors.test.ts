/**
 * The table of errors: every code is complete and its columns agree with each other, so that no door has to guess.
 */
import { expect, test } from "bun:test";
import {
  AppError,
  ERROR_TABLE,
  type ErrorCode,
  type ErrorRow,
  fromUnknown,
  isErrorCode,
} from "../../src/base/errors.ts";

const rows = Object.entries(ERROR_TABLE) as [ErrorCode, ErrorRow][];

test("every code is a stable name", () => {
  expect(rows.length).toBeGreaterThan(30);
  for (const [code] of rows) expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
});

test("exit codes say what product.md §3 promises", () => {
  // Errors of proxy clients never reach a ctl: their exit code is of no consequence.
  for (const [code, row] of rows.filter(([, { source }]) => source !== "client")) {
    if (code.endsWith("_not_found")) expect([code, row.exit]).toEqual([code, 4]);
    if (row.exit === 4) expect([code, row.connect]).toEqual([code, "not_found"]);
    if (row.exit === 2)
      expect([code, ["invalid_argument", "failed_precondition"].includes(row.connect)]).toEqual([code, true]);
    if (["daemon_unreachable", "start_failed"].includes(code)) expect([code, row.exit]).toEqual([code, 3]);
    else expect([code, row.exit === 3]).toEqual([code, false]);
  }
});

/** Statuses that a real client would answer with something harmful, with what we send instead. */
const DELIBERATE: Partial<Record<ErrorCode, number>> = {
  // A client that names no such profile is not at a wrong address; 400 is what every client shows after one request.
  profile_not_found: 400,
  // A 401 would make Codex refresh a login that is not ours.
  foreign_login: 400,
  // OpenAI's own status for it.
  previous_response_not_found: 400,
};

test("HTTP statuses are error statuses and fit the Connect code", () => {
  const fitting: Partial<Record<ErrorRow["connect"], number[]>> = {
    unauthenticated: [401],
    not_found: [404],
    permission_denied: [403],
    resource_exhausted: [429],
    already_exists: [409],
    canceled: [499],
    unavailable: [502, 503],
    data_loss: [503],
  };
  for (const [code, row] of rows) {
    expect(row.http).toBeGreaterThanOrEqual(400);
    expect(row.http).toBeLessThan(600);
    // Whether a store or daemon runs at all is a 503 to HTTP clients, whatever the Connect code.
    if (row.http !== 503 && row.http !== DELIBERATE[code])
      expect([code, fitting[row.connect]?.includes(row.http) ?? true]).toEqual([code, true]);
  }
});

test("no code answers a model client with a status that makes it retry in vain", () => {
  // contracts §4: holds without an end are a 400, never a 429 or 5xx; a 5xx would bring 30 requests from Codex.
  for (const code of ["no_usable_account", "no_accounts", "model_unsupported"] as const)
    expect(ERROR_TABLE[code].http).toBe(400);
  expect(ERROR_TABLE.pool_exhausted.http).toBe(429);
  expect(ERROR_TABLE.pool_exhausted.type).toBe("usage_limit_reached");
});

test("hints are one line, and what they tell to run is rotor", () => {
  for (const [, row] of rows) {
    if (row.hint === null) continue;
    expect(row.hint).not.toContain("\n");
    expect(row.hint.trim()).toBe(row.hint);
  }
});

test("what an operator can mend has a hint, or says enough by itself", () => {
  const selfExplaining = rows.filter(([, row]) => row.source === "operator" && row.hint === null).map(([code]) => code);
  expect(selfExplaining.sort()).toEqual([
    "account_exists",
    "canceled",
    "forbidden_peer",
    "invalid_alias",
    "invalid_import",
    "invalid_login_file",
  ]);
});

test("an AppError takes the table's hint unless the place knows better, or says none", () => {
  expect(new AppError("no_accounts", "x").hint).toBe(ERROR_TABLE.no_accounts.hint);
  expect(new AppError("no_accounts", "x", { hint: "rotor import FILE" }).hint).toBe("rotor import FILE");
  expect(new AppError("no_accounts", "x", { hint: null }).hint).toBeNull();
});

test("a stranger becomes internal; its words stay in the cause", () => {
  const stranger = new Error("password is hunter2");
  const error = fromUnknown(stranger);
  expect([error.code, error.cause]).toEqual(["internal", stranger]);
  expect(error.message).not.toContain("hunter2");
  const own = new AppError("not_ready", "x");
  expect(fromUnknown(own)).toBe(own);
  for (const thrown of [undefined, null, "text", 5, { message: "no error" }])
    expect(fromUnknown(thrown).code).toBe("internal");
});

test("codes are told from other text, inherited names included", () => {
  for (const [code] of rows) expect(isErrorCode(code)).toBe(true);
  for (const text of ["", "nope", "toString", "__proto__", "constructor"]) expect(isErrorCode(text)).toBe(false);
});
