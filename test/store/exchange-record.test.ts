/** What is kept of an exchange is all of it: packed and unpacked, nothing has changed. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { AccountId } from "../../src/domain/account.ts";
import type { Exchange } from "../../src/domain/exchange.ts";
import { recordPlan } from "../../src/domain/plan.ts";
import { rank } from "../../src/domain/rank.ts";
import { packExchange, unpackExchange } from "../../src/store/exchange-record.ts";
import { selectionArb } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { exchangeId, exchangeLike } from "../support/store-samples.ts";

const text = fc.string({ unit: "grapheme", maxLength: 12 });
const count = fc.nat(1_000_000);
const instant = fc.integer({ min: T0 - 100_000, max: T0 + 100_000 });
const someId = fc.constantFrom("A", "B", "C").map((id) => id as AccountId);

const attemptArb = fc.record({
  accountId: someId,
  alias: text,
  startedAtMs: instant,
  endedAtMs: instant,
  outcome: fc.constantFrom("served" as const, "rate_limited" as const, "cut" as const),
  status: fc.option(fc.integer({ min: 100, max: 599 })),
  message: fc.option(text),
  next: fc.constantFrom("done" as const, "next" as const, "wait" as const),
});

const exchangeArb: fc.Arbitrary<Exchange> = fc
  .record({
    startedAtMs: instant,
    endedAtMs: fc.option(instant),
    surface: fc.constantFrom("codex" as const, "sdk" as const),
    path: text,
    model: fc.option(text),
    mapping: fc.option(fc.record({ asked: text, sent: text, effort: fc.option(text), tier: fc.option(text) })),
    keyId: fc.option(text),
    conversation: fc.option(text),
    attempts: fc.array(attemptArb, { maxLength: 4 }),
    servedBy: fc.option(someId),
    servedByAlias: fc.option(text),
    status: fc.option(fc.integer({ min: 100, max: 599 })),
    errorCode: fc.option(text),
    usage: fc.option(
      fc.record({ inputTokens: count, cachedInputTokens: count, outputTokens: count, reasoningTokens: count }),
    ),
    spend: fc.option(
      fc.record({
        project: fc.option(text),
        effort: fc.option(text),
        tier: fc.option(text),
        costMicroUsd: fc.option(count),
        move: fc.option(
          fc.record({
            fromAccountId: someId,
            fromAlias: text,
            cachedBefore: count,
            cachedAfter: count,
            costMicroUsd: fc.option(count),
          }),
        ),
      }),
    ),
    firstByteMs: fc.option(count),
    waitedMs: count,
    plan: fc.option(selectionArb.map(({ accounts, ask }) => recordPlan(rank(accounts, ask, 4)))),
  })
  .map((change) => exchangeLike(1, change as unknown as Partial<Exchange>));

/** As the columns hand it back. */
const rowOf = (exchange: Exchange, record: string) => ({
  id: exchange.id,
  started_at_ms: exchange.startedAtMs,
  ended_at_ms: exchange.endedAtMs,
  key_id: exchange.keyId,
  status: exchange.status,
  error_code: exchange.errorCode,
  record,
});

test("packed and unpacked, an exchange is what it was", () => {
  fc.assert(
    fc.property(exchangeArb, (exchange) => {
      expect(unpackExchange(rowOf(exchange, packExchange(exchange)))).toEqual(exchange);
    }),
    { numRuns: 500 },
  );
});

test("what is no record is none", () => {
  const exchange = exchangeLike(1, { id: exchangeId(1) });
  for (const record of ["null", "{}", "[]", '["sdk"]']) expect(unpackExchange(rowOf(exchange, record))).toBeNull();
});
