/** A filter in the one stage that carries a stream: it may pass, drop or hold back, and what it held comes at the end. */
import { expect, test } from "bun:test";
import type { ByteFilter } from "../../src/base/byte-filter.ts";
import { AttemptGuard } from "../../src/upstream/attempt-guard.ts";
import { tapBody } from "../../src/upstream/stream-tap.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { TIMEOUTS } from "./harness.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Drops chunks that begin with "-", holds back one that begins with "+" until the next comes or the end. */
function createPicky(): ByteFilter {
  let held: Uint8Array = new Uint8Array();
  return {
    feed(chunk) {
      const before = held;
      const first = String.fromCharCode(chunk[0]!);
      held = first === "+" ? chunk : new Uint8Array();
      return first === "+" || first === "-" ? before : Buffer.concat([before, chunk]);
    },
    end: () => held,
  };
}

async function pass(held: string[], read: string[]): Promise<string> {
  const guard = new AttemptGuard(createManualClock(), { signal: new AbortController().signal, timeouts: TIMEOUTS });
  const chunks = read.map(bytes);
  const reader = {
    read: async () =>
      chunks.length > 0 ? { done: false as const, value: chunks.shift()! } : { done: true as const, value: undefined },
    cancel: async () => {},
  };
  const { body, end } = tapBody({ reader, guard, held: held.map(bytes), filter: createPicky() });
  const text = await new Response(body).text();
  expect((await end).outcome.kind).toBe("served");
  return text;
}

test("drops and keeps, in the held-back opening as after it", async () => {
  expect(await pass(["a", "-x", "b"], ["-y", "-z", "c"])).toBe("abc");
});

test("an opening that is dropped whole does not end the reading", async () => {
  expect(await pass(["-x"], ["-y", "a"])).toBe("a");
});

test("gives what it held back when the next comes, or at the end", async () => {
  expect(await pass([], ["+1", "a", "-x", "+2"])).toBe("+1a+2");
});

test("a stream of which nothing is left ends", async () => {
  expect(await pass(["-x"], ["-y"])).toBe("");
});
