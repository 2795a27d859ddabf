/** Every refusal that the vectors record, against what it is read as. */
import { describe, expect, test } from "bun:test";
import { judgeAnswer, judgeEvent } from "../../src/upstream/codex-outcome.ts";
import { T0 } from "../support/manual-clock.ts";
import { FAILURE_EVENTS } from "../vectors/failure-events.ts";
import { REFUSALS } from "../vectors/refusals.ts";

function expectOutcome(actual: object, means: object): void {
  for (const [field, wanted] of Object.entries(means)) {
    const value = (actual as Record<string, unknown>)[field];
    if (wanted instanceof RegExp) expect(String(value)).toMatch(wanted);
    else expect({ [field]: value }).toEqual({ [field]: wanted });
  }
}

describe("a refused answer", () => {
  for (const refusal of REFUSALS) {
    test(`${refusal.status} ${refusal.fact}`, () => {
      const headers = Object.entries(refusal.headers ?? {});
      const answer = { status: refusal.status, headers, text: refusal.body, stream: refusal.stream ?? false };
      expectOutcome(judgeAnswer(answer, T0).outcome, refusal.means);
    });
  }

  test("teaches the windows in its headers and the plan in its body", () => {
    const headers = [
      ["x-codex-primary-used-percent", "100"],
      ["x-codex-primary-window-minutes", "300"],
      ["x-codex-primary-reset-at", String(T0 / 1000 + 60)],
    ] as const;
    const text = JSON.stringify({ error: { type: "usage_limit_reached", plan_type: "Plus" } });
    const { observation } = judgeAnswer({ status: 429, headers, text, stream: true }, T0);
    expect(observation).toMatchObject({
      from: "header",
      tier: "plus",
      windows: [
        {
          limit: "codex",
          slot: "primary",
          models: null,
          lengthMinutes: 300,
          usedPercent: 100,
          resetsAtMs: T0 + 60_000,
        },
      ],
    });
    expect(judgeAnswer({ status: 429, headers: [], text, stream: true }, T0).observation).toMatchObject({
      from: "error",
      tier: "plus",
      windows: [],
    });
  });

  test("never shows a token or an address that upstream quotes", () => {
    const jwt = `ey${"J"}hbGciOiJub25lIn0.${"e30".repeat(8)}.sig`;
    const text = JSON.stringify({ error: { message: `bad Bearer ${jwt} of someone@example.com\nnext line` } });
    const { outcome } = judgeAnswer({ status: 401, headers: [], text, stream: true }, T0);
    expect(outcome).toEqual({ kind: "unauthorized", message: "bad [removed] of [removed] next line" });
  });
});

describe("a failure inside a stream", () => {
  for (const { fact, event, means } of FAILURE_EVENTS) {
    test(fact, () => expectOutcome(judgeEvent(event, T0).outcome, means));
  }
});
