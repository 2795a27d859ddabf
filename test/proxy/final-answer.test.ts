/** Rotor's own answers byte for byte, by surface, and what must hold of every code. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AppError, ERROR_TABLE, type ErrorCode } from "../../src/base/errors.ts";
import type { Surface } from "../../src/domain/exchange.ts";
import { type AnswerContext, finalAnswer } from "../../src/proxy/final-answer.ts";
import { EXCHANGE_ID, refused } from "../support/fake-exchange-engine.ts";
import { T0 } from "../support/manual-clock.ts";
import { openDoor, TURN } from "./door.ts";

const context = (surface: Surface, stream = true): AnswerContext => ({
  surface,
  stream,
  exchangeId: EXCHANGE_ID,
  nowMs: T0,
});
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const give = (error: AppError, surface: Surface, stream = true) => {
  const { status, headers, body } = finalAnswer(error, context(surface, stream));
  return { status, headers: Object.fromEntries(headers), body: text(body) };
};
const JSON_HEADERS = { "content-type": "application/json", "x-rotor-exchange": EXCHANGE_ID };

describe("byte for byte", () => {
  const exhausted = new AppError("pool_exhausted", "every account is held", { retryAtMs: T0 + 3_599_001 });
  test.each(["codex", "sdk"] as const)("every hold ends at a known time: %s", (surface) => {
    for (const stream of [true, false]) {
      expect(give(exhausted, surface, stream)).toEqual({
        status: 429,
        headers: { ...JSON_HEADERS, "retry-after": "3600", "x-should-retry": "false" },
        body: '{"error":{"message":"every account is held (to mend it: rotor pool explain)","type":"usage_limit_reached","code":"pool_exhausted","param":null,"plan_type":null,"resets_at":1795266000,"resets_in_seconds":3600}}',
      });
    }
  });

  test.each(["codex", "sdk"] as const)("no known end: %s", (surface) => {
    const error = new AppError("no_usable_account", "no account is usable (needs_login)", {
      hint: "rotor account list",
    });
    expect(give(error, surface)).toEqual({
      status: 400,
      headers: JSON_HEADERS,
      body: '{"error":{"message":"no account is usable (needs_login) (to mend it: rotor account list)","type":"invalid_request_error","code":"no_usable_account","param":null}}',
    });
  });

  test("a reset that nobody knows is no limit to wait for", () => {
    expect(give(new AppError("pool_exhausted", "held"), "codex")).toMatchObject({ status: 400, headers: JSON_HEADERS });
  });

  test("overloaded or unreachable: a terminal event for Codex", () => {
    for (const code of ["upstream_overloaded", "upstream_unreachable", "upstream_timed_out"] as const) {
      expect(give(new AppError(code, "upstream is away", { hint: null }), "codex")).toEqual({
        status: 200,
        headers: {
          "content-type": "text/event-stream; charset=utf-8",
          "cache-control": "no-cache",
          "x-rotor-exchange": EXCHANGE_ID,
        },
        body: `event: response.failed\ndata: {"type":"response.failed","sequence_number":0,"response":{"id":"resp_rotor_${EXCHANGE_ID.toLowerCase()}","object":"response","created_at":1795262400,"status":"failed","error":{"code":"server_is_overloaded","message":"upstream is away"},"incomplete_details":null,"output":[],"usage":null}}\n\n`,
      });
    }
  });

  test("overloaded or unreachable: 503 with a time for SDKs, and for Codex's control calls", () => {
    const error = new AppError("upstream_overloaded", "upstream is busy", { retryAtMs: T0 + 10_000 });
    for (const [surface, stream] of [
      ["sdk", true],
      ["sdk", false],
      ["codex", false],
    ] as const) {
      expect(give(error, surface, stream)).toEqual({
        status: 503,
        headers: { ...JSON_HEADERS, "retry-after": "10" },
        body: '{"error":{"message":"upstream is busy","type":"server_error","code":"upstream_overloaded","param":null}}',
      });
    }
  });

  test("out of tries, with accounts left: Codex is told to come back, in the words that it reads", () => {
    const error = new AppError("attempts_exhausted", "tried enough", { hint: null, retryAtMs: T0 + 1_500 });
    expect(give(error, "codex").body).toContain(
      '"error":{"code":"rate_limit_exceeded","message":"tried enough. Please try again in 2s."}',
    );
    expect(give(error, "sdk")).toMatchObject({ status: 429, headers: { "retry-after": "2" } });
  });

  test("a command about this exchange names it", () => {
    expect(give(new AppError("attempts_exhausted", "tried enough"), "sdk").body).toContain(
      `tried enough (to mend it: rotor exchange show ${EXCHANGE_ID})`,
    );
  });

  test("a time that has passed is one second, not none", () => {
    const error = new AppError("pool_exhausted", "held", { retryAtMs: T0 - 5_000 });
    expect(give(error, "sdk")).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
  });

  test("an answer outside of any exchange names none", () => {
    const { headers } = finalAnswer(exhausted, { ...context("sdk"), exchangeId: null });
    expect(headers.some(([name]) => name === "x-rotor-exchange")).toBe(false);
  });
});

describe("of every code", () => {
  const codes = Object.keys(ERROR_TABLE) as ErrorCode[];
  const surfaces: Surface[] = ["codex", "sdk"];

  test("nothing makes Codex send a turn thirty times, and nothing fails inside a 200 for an SDK", () => {
    for (const code of codes) {
      expect([code, give(new AppError(code, "m"), "codex").status < 500 || isDoorsOwn(code)]).toEqual([code, true]);
      expect([code, give(new AppError(code, "m"), "sdk").status >= 400]).toEqual([code, true]);
    }
  });

  /** Codes of the ctl and the daemon's start, which no request can meet. */
  const isDoorsOwn = (code: ErrorCode) =>
    ["config_invalid", "daemon_unreachable", "start_failed", "address_in_use"].includes(code);

  test("a final 400 has no word that OpenCode takes for a reason to retry", () => {
    const words = [
      "unavailable",
      "try again later",
      "timeout",
      "timed out",
      "overloaded",
      "rate limit",
      "too many requests",
      "ECONNREFUSED",
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...codes),
        fc.constantFrom(...surfaces),
        fc.array(fc.constantFrom(...words)),
        (code, surface, said) => {
          const answer = give(new AppError(code, `it is ${said.join(", Please ")}`, { hint: null }), surface);
          if (answer.status !== 400) return;
          for (const word of words) expect(answer.body.toLowerCase()).not.toContain(word.toLowerCase());
        },
      ),
    );
  });

  test("every body is an OpenAI error body with the code, or a stream of one event that ends it", () => {
    for (const code of codes) {
      for (const surface of surfaces) {
        const answer = give(new AppError(code, "m", { facts: { param: "p" }, cause: new Error("inside") }), surface);
        expect(answer.body).not.toContain("inside");
        if (answer.status === 429 || answer.status === 503) {
          expect([code, Number(answer.headers["retry-after"]) > 0]).toEqual([code, true]);
        }
        if (answer.status === 200) {
          expect(answer.body).toMatch(/^event: response\.failed\ndata: \{.*\}\n\n$/);
          continue;
        }
        const { error } = JSON.parse(answer.body) as { error: Record<string, unknown> };
        expect(error).toMatchObject({ code, param: "p", type: expect.any(String), message: expect.any(String) });
      }
    }
  });
});

test("through the door it is the same bytes", async () => {
  const door = openDoor();
  try {
    const error = new AppError("upstream_unreachable", "upstream is away");
    door.fake.reply = () => refused(error);
    for (const [path, surface] of [
      ["/v1/responses", "sdk"],
      ["/backend-api/codex/responses", "codex"],
    ] as const) {
      const response = await door.post(path, TURN);
      const expected = finalAnswer(error, context(surface));
      expect(response.status).toBe(expected.status);
      for (const [name, value] of expected.headers) expect(response.headers.get(name)).toBe(value);
      expect(await response.text()).toBe(text(expected.body));
    }
  } finally {
    await door.close();
  }
});
