/** How long an opening is kept, event by event. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HOLD_BACK_MAX_BYTES, HOLD_BACK_MAX_EVENTS } from "../../src/base/bounds.ts";
import type { Outcome } from "../../src/domain/outcome.ts";
import { HoldBack } from "../../src/upstream/hold-back.ts";
import type { EventType } from "../../src/upstream/sse-events.ts";

const LIMIT: Outcome = { kind: "rate_limited", untilMs: null, message: "" };
const FAULT: Outcome = { kind: "request_rejected", status: 400 };

function after(...events: readonly (readonly [EventType | null, Outcome?])[]) {
  const holdBack = new HoldBack();
  for (const [type, failure] of events) holdBack.noteEvent(type, failure ?? null);
  return holdBack;
}

describe("a stream", () => {
  test("is held while it only opens", () => {
    const held = after(["codex.rate_limits"], ["response.created"], ["response.in_progress"], ["keepalive"]);
    expect([held.verdict, held.created]).toEqual(["hold", true]);
  });

  test.each([null, "response.completed", "response.incomplete"] as const)("goes on with %p", (type) => {
    expect(after(["response.created"], [type]).verdict).toBe("commit");
  });

  test("fails with a failure that another account may not have", () => {
    expect(after(["response.created"], ["response.failed", LIMIT]).verdict).toBe("fail");
    expect(after(["error", LIMIT]).verdict).toBe("fail");
  });

  test("goes on with a failure that every account would have", () => {
    expect(after(["response.created"], ["response.failed", FAULT]).verdict).toBe("commit");
  });

  test("is never taken back once it goes on, nor opened once it has failed", () => {
    const event = fc.constantFrom<readonly [EventType | null, Outcome?]>(
      [null],
      ["response.created"],
      ["response.failed", LIMIT],
      ["error", FAULT],
      ["response.completed"],
    );
    fc.assert(
      fc.property(fc.array(event), fc.array(event), (first, rest) => {
        const holdBack = after(...first);
        const { verdict } = holdBack;
        for (const [type, failure] of rest) holdBack.noteEvent(type, failure ?? null);
        holdBack.noteLate();
        if (verdict !== "hold") expect(holdBack.verdict).toBe(verdict);
        else expect(holdBack.verdict).not.toBe("hold");
      }),
    );
  });
});

describe("what is held is bounded", () => {
  test("in events", () => {
    const many = Array.from({ length: HOLD_BACK_MAX_EVENTS - 1 }, () => ["response.in_progress"] as const);
    expect(after(...many).verdict).toBe("hold");
    expect(after(...many, ["response.in_progress"]).verdict).toBe("commit");
  });

  test("in bytes, unless they are a failure that is still arriving", () => {
    const holdBack = new HoldBack();
    holdBack.noteBytes(HOLD_BACK_MAX_BYTES - 1, null);
    expect(holdBack.verdict).toBe("hold");
    holdBack.noteBytes(1, "response.failed");
    expect(holdBack.verdict).toBe("hold");
    holdBack.noteBytes(1, "response.created");
    expect(holdBack.verdict).toBe("commit");
  });
});
