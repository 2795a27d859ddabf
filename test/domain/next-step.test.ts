/** The attempt loop always ends, within its bounds, and never repeats what cannot help. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { nextStep, type Progress } from "../../src/domain/next-step.ts";
import type { Outcome } from "../../src/domain/outcome.ts";

const progress = (change: Partial<Progress> = {}): Progress => ({
  attempts: 1,
  accounts: 1,
  refreshed: false,
  sameFailures: 1,
  stripped: false,
  canStrip: true,
  maxAttempts: 4,
  maxAccounts: 3,
  dice: 0.5,
  ...change,
});

const outcomes: Outcome[] = [
  { kind: "served", usage: null },
  { kind: "window_exhausted", untilMs: null, message: "" },
  { kind: "rate_limited", untilMs: null, message: "" },
  { kind: "unauthorized", message: "" },
  { kind: "login_rejected", reason: "" },
  { kind: "refresh_failed", message: "" },
  { kind: "challenged", message: "" },
  { kind: "model_unsupported", model: null, message: "" },
  { kind: "encrypted_content_rejected" },
  { kind: "request_rejected", status: 422 },
  { kind: "upstream_failed", status: 500, message: "", retryAtMs: null },
  { kind: "unreachable", message: "" },
  { kind: "timed_out", phase: "first_byte", message: "" },
  { kind: "cut", message: "" },
  { kind: "client_gone" },
];

test("whatever upstream does, an exchange ends within four attempts on three accounts", () => {
  fc.assert(
    fc.property(
      fc.infiniteStream(fc.constantFrom(...outcomes)),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      (stream, dice) => {
        let state = progress({ dice });
        const accounts = new Set([0]);
        let account = 0;
        for (const outcome of stream) {
          expect(state.attempts).toBeLessThanOrEqual(4);
          expect(state.accounts).toBeLessThanOrEqual(3);
          const step = nextStep(outcome, state);
          if (step.kind === "done" || step.kind === "answer") return;
          if (step.kind === "next") accounts.add(++account);
          const isNext = step.kind === "next";
          state = {
            ...state,
            attempts: state.attempts + 1,
            accounts: accounts.size,
            refreshed: !isNext && (state.refreshed || step.kind === "refresh"),
            stripped: state.stripped || step.kind === "strip",
            sameFailures: isNext ? 1 : state.sameFailures + 1,
          };
        }
      },
    ),
  );
});

describe("after each outcome", () => {
  const step = (outcome: Outcome, change: Partial<Progress> = {}) => nextStep(outcome, progress(change)).kind;
  const [
    served,
    exhausted,
    limited,
    unauthorized,
    rejected,
    refreshFailed,
    challenged,
    model,
    encrypted,
    refused,
    failed,
    unreachable,
    timedOut,
    cut,
    gone,
  ] = outcomes as [
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
    Outcome,
  ];

  test("what is over stays over", () => {
    for (const outcome of [served, refused, cut, gone]) expect(step(outcome)).toBe("done");
  });

  test("what is the account's moves on", () => {
    for (const outcome of [exhausted, limited, rejected, refreshFailed, challenged, model, timedOut]) {
      expect(step(outcome)).toBe("next");
      expect(step(outcome, { accounts: 3 })).toBe("wait");
      expect(step(outcome, { attempts: 4 })).toBe("answer");
    }
  });

  test("a 401 renews the login once and tries the same account", () => {
    expect(step(unauthorized)).toBe("refresh");
    expect(step(unauthorized, { refreshed: true })).toBe("next");
  });

  test("a passing failure is tried once more on the same account, after a jittered moment", () => {
    expect(nextStep(failed, progress({ dice: 0 }))).toEqual({ kind: "same", delayMs: 150 });
    expect(nextStep(failed, progress({ dice: 0.5 }))).toEqual({ kind: "same", delayMs: 300 });
    expect(step(failed, { sameFailures: 2 })).toBe("next");
  });

  test("a dead network is given three tries and nobody else is bothered", () => {
    expect(nextStep(unreachable, progress())).toEqual({ kind: "same", delayMs: 500 });
    expect(nextStep(unreachable, progress({ sameFailures: 2, attempts: 2 }))).toEqual({ kind: "same", delayMs: 1_000 });
    expect(step(unreachable, { sameFailures: 3, attempts: 3 })).toBe("answer");
  });

  test("foreign encrypted content is stripped once, if it may be", () => {
    expect(step(encrypted)).toBe("strip");
    expect(step(encrypted, { stripped: true })).toBe("done");
    expect(step(encrypted, { canStrip: false })).toBe("done");
  });
});
