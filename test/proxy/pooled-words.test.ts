/** The pool's figures in upstream's words, read back by the very readers that read upstream. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { HeaderList } from "../../src/base/header-list.ts";
import type { Surface } from "../../src/domain/exchange.ts";
import type { PooledUsage } from "../../src/domain/pooled-usage.ts";
import { answerHeaders, type ToldInHeaders } from "../../src/proxy/answer-headers.ts";
import { PooledEventFilter } from "../../src/proxy/pooled-event-filter.ts";
import { PooledWords, pooledUsageBody } from "../../src/proxy/pooled-words.ts";
import { readLimitHeaders } from "../../src/upstream/codex-headers.ts";
import { readRateLimitEvent } from "../../src/upstream/rate-limit-event.ts";
import { readUsageBody } from "../../src/upstream/usage-body.ts";
import { T0 } from "../support/manual-clock.ts";

const POOL: PooledUsage = {
  tier: "pro",
  main: {
    limit: "codex",
    models: null,
    isReached: false,
    primary: { usedPercent: 33.37, lengthMinutes: 300, resetsAtMs: T0 + 60_000 },
    secondary: { usedPercent: 50, lengthMinutes: 10_080, resetsAtMs: T0 + 90_000_000 },
  },
  others: [
    {
      limit: "codex_bengalfox",
      models: ["gpt-x-spark"],
      isReached: false,
      primary: { usedPercent: 7, lengthMinutes: 300, resetsAtMs: T0 + 60_000 },
      secondary: null,
    },
  ],
  credits: { hasCredits: true, unlimited: false, balance: "2.5" },
};
const FIGURES = (percents: readonly number[]) => [
  {
    limit: "codex",
    slot: "primary",
    models: null,
    lengthMinutes: 300,
    usedPercent: percents[0],
    resetsAtMs: T0 + 60_000,
  },
  {
    limit: "codex",
    slot: "secondary",
    models: null,
    lengthMinutes: 10_080,
    usedPercent: percents[1],
    resetsAtMs: T0 + 90_000_000,
  },
  {
    limit: "codex_bengalfox",
    slot: "primary",
    models: ["gpt-x-spark"],
    lengthMinutes: 300,
    usedPercent: percents[2],
    resetsAtMs: T0 + 60_000,
  },
];

/** What a client is told of `pool`; null = the setting shows it the account. */
const wordsOf = (pool: PooledUsage | null, nowMs = T0) =>
  new PooledWords(
    () => ({ isPooled: () => pool !== null, told: () => pool }),
    () => nowMs,
  );
const UNREACHABLE: ToldInHeaders["words"] = { isInForce: () => true, headers: expect.unreachable };
const EXCHANGE = ["x-rotor-exchange", "E1"] as const;
const tell = (headers: HeaderList, words: ToldInHeaders["words"], surface: Surface = "codex") =>
  answerHeaders(headers, { surface, words }, "E1");

describe("headers", () => {
  const others = [
    ["content-type", "text/event-stream"],
    ["x-codex-turn-state", "abc"],
    ["x-codex-active-limit", "codex"],
    ["x-request-id", "r"],
  ] as const;
  const oneAccounts = [
    ["x-codex-primary-used-percent", "100"],
    ["x-codex-tibeta-secondary-reset-at", "1"],
    ["x-codex-tibeta-limit-name", "T"],
    ["x-codex-plan-type", "free"],
    ["x-codex-rate-limit-reached-type", "rate_limit_reached"],
    ["x-codex-credits-balance", "9"],
  ] as const;

  test("say what the pool has, once, and nothing of the account", () => {
    const told = tell([...others, ...oneAccounts], wordsOf(POOL));
    const seen = readLimitHeaders(told, T0);
    expect(seen).toMatchObject({ tier: "pro", credits: POOL.credits, windows: FIGURES([33.3, 50, 7]) });
    expect(told.filter(([name]) => name.includes("tibeta") || name.includes("reached"))).toEqual([]);
    expect(new Set(told.map(([name]) => name)).size).toBe(told.length);
    expect(told.slice(0, others.length)).toEqual([...others]);
  });

  test("of an answer that speaks of no limit pass as they came", () => {
    expect(tell(others, UNREACHABLE)).toEqual([...others, EXCHANGE]);
  });

  test("are left out for an SDK, for which nothing is reckoned, and pass where clients see the account", () => {
    const all = [...others, ...oneAccounts];
    expect(tell(all, UNREACHABLE, "sdk")).toEqual([...others, EXCHANGE]);
    for (const surface of ["sdk", "codex"] as const)
      expect(tell(all, wordsOf(null), surface)).toEqual([...all, EXCHANGE]);
  });

  test("say that it is reached when it is", () => {
    const reached = { ...POOL, main: { ...POOL.main, isReached: true } };
    const told = tell(oneAccounts, wordsOf(reached));
    expect(told).toContainEqual(["x-codex-rate-limit-reached-type", "rate_limit_reached"]);
  });
});

test("the event and the usage answer say the same", () => {
  const event = readRateLimitEvent(JSON.parse(wordsOf(POOL).event()!.toString()), T0);
  expect(event).toMatchObject({ tier: "pro", credits: POOL.credits, windows: FIGURES([33, 50, 7]) });
  const body = JSON.stringify(pooledUsageBody(POOL, "workspace-7", T0));
  expect(readUsageBody(body, T0)).toMatchObject({ tier: "pro", windows: FIGURES([33, 50, 7]), resetCredits: 0 });
  expect(JSON.parse(body)).toMatchObject({ account_id: "workspace-7", rate_limit: { allowed: true } });
});

test("words that are kept are what would be said anew, second by second and whatever the figures do", () => {
  const figureArb = fc.constantFrom(POOL, { ...POOL }, { ...POOL, main: { ...POOL.main, isReached: true } }, null);
  const stepArb = fc.record({ figures: figureArb, movesMs: fc.integer({ min: -3_000, max: 70_000 }) });
  fc.assert(
    fc.property(fc.array(stepArb, { maxLength: 40 }), (steps) => {
      let [pool, nowMs]: [PooledUsage | null, number] = [null, T0];
      const kept = new PooledWords(
        () => ({ isPooled: () => true, told: () => pool }),
        () => nowMs,
      );
      for (const { figures, movesMs } of steps) {
        pool = figures;
        nowMs += movesMs;
        const anew = wordsOf(pool, nowMs);
        expect(kept.headers()).toEqual(anew.headers());
        expect(kept.event()).toEqual(anew.event());
        const said = anew.event() === null ? null : JSON.parse(anew.event()!.toString());
        if (pool?.main.primary) {
          const { reset_at, reset_after_seconds } = said.rate_limits.primary;
          expect(reset_at * 1_000).toBe(T0 + 60_000);
          expect(reset_after_seconds).toBe(Math.max(0, Math.ceil((T0 + 60_000 - nowMs) / 1_000)));
        }
      }
    }),
  );
});

describe("the event in a stream", () => {
  const sse = (type: string, more: object = {}, lineEnd = "\n") =>
    `event: ${type}${lineEnd}data: ${JSON.stringify({ type, ...more })}${lineEnd}${lineEnd}`;
  const LIMITS = sse("codex.rate_limits", { rate_limits: { primary: { used_percent: 100 } } });
  const CREATED = sse("response.created", { response: { id: "resp_1" } });
  const DELTA = sse("response.output_text.delta", { delta: "codex.rate_limits" });
  const run = (text: string, cuts: readonly number[], event: string | null = '{"type":"pool"}') => {
    const filter = new PooledEventFilter(() => (event === null ? null : Buffer.from(event)));
    const bytes = Buffer.from(text);
    const out: Buffer[] = [];
    let at = 0;
    for (const cut of [...cuts.map((n) => n % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]) {
      // As the socket does it: the buffer is written over for the next chunk.
      const chunk = new Uint8Array(bytes.subarray(at, cut));
      out.push(Buffer.from(filter.feed(chunk)));
      chunk.fill(0);
      at = cut;
    }
    out.push(Buffer.from(filter.end()));
    return Buffer.concat(out).toString();
  };
  const cutsArb = fc.array(fc.nat(2_000), { maxLength: 12 });

  test("is replaced whole, however it is cut, with any line end, and no other byte changes", () => {
    fc.assert(
      fc.property(cutsArb, fc.constantFrom("\n", "\r\n"), (cuts, lineEnd) => {
        const limits = sse("codex.rate_limits", { rate_limits: {} }, lineEnd);
        const pooled = `event: codex.rate_limits${lineEnd}data: {"type":"pool"}${lineEnd}${lineEnd}`;
        const created = sse("response.created", { response: {} }, lineEnd);
        const rest = sse("response.output_text.delta", { delta: "x" }, lineEnd);
        expect(run(limits + created + rest, cuts)).toBe(pooled + created + rest);
        expect(run(created + limits + rest, cuts)).toBe(created + pooled + rest);
      }),
    );
  });

  test("any other stream passes byte for byte, whatever it says and wherever it ends", () => {
    const noise = fc.array(fc.constantFrom(CREATED, DELTA, ": ping\n\n", "data: [DONE]\n\n", "\n", "data: {", "x"), {
      maxLength: 24,
    });
    fc.assert(
      fc.property(noise, cutsArb, (parts, cuts) => {
        const text = parts.join("");
        expect(run(text, cuts)).toBe(text);
      }),
    );
  });

  test("is left alone when there is nothing to say, and after output began", () => {
    expect(run(LIMITS + CREATED, [], null)).toBe(LIMITS + CREATED);
    expect(run(CREATED + DELTA + LIMITS, [])).toBe(CREATED + DELTA + LIMITS);
  });

  test("does not grow: an event without an end is handed on", () => {
    const filter = new PooledEventFilter(() => Buffer.from("{}"));
    const head = 'data: {"type":"codex.rate_limits","x":"';
    let out = 0;
    out += filter.feed(Buffer.from(head)).length;
    for (let i = 0; i < 3; i++) out += filter.feed(Buffer.from("y".repeat(40_000))).length;
    expect(out).toBe(head.length + 120_000);
  });
});
