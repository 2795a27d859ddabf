/**
 * Upstream that falls silent (contracts §5): before output the next account serves, after output the stream ends; the account is not
 * held for it. Each case waits for real, so they run side by side, each in a lane of its own.
 */
import { expect, test } from "bun:test";
import type { FaultOn } from "./failure-table.ts";
import { type Dress, speakerOf } from "./support/client.ts";
import { openLane } from "./support/lane.ts";
import type { Received } from "./support/raw-http.ts";
import type { Trio } from "./support/trio.ts";

/** The shortest that the settings allow. */
const SHORT = { ROTOR_SETTING_FIRST_BYTE_TIMEOUT_SECONDS: "5", ROTOR_SETTING_SILENCE_TIMEOUT_SECONDS: "10" };
const TEST_MS = 240_000;

interface Case {
  readonly name: string;
  readonly fault: FaultOn;
  readonly dress: Dress;
  readonly tried: string;
  /** Outcomes of the attempts, as the record tells them. */
  readonly outcomes: readonly string[];
  readonly expect: (received: Received, trio: Trio) => void;
}

const servedByB = (received: Received, trio: Trio) => {
  expect(`${received.status} ${received.whole}`).toBe("200 true");
  expect(trio.place(speakerOf(received.text))).toBe("B");
};
const endedUnfinished = (received: Received) => {
  expect(`${received.status} ${received.whole}`).toBe("200 false");
  expect(received.text.includes("response.created")).toBe(true);
};

const CASES: readonly Case[] = [
  ...(["codex", "sdk", "folded"] as const).map(
    (dress): Case => ({
      name: `no answer at all (${dress}): the next account`,
      fault: { kind: "stall_before_headers" },
      dress,
      tried: "AB",
      outcomes: ["timed_out", "served"],
      expect: servedByB,
    }),
  ),
  {
    name: "a head and nothing after it: the next account",
    fault: { kind: "stall_after_headers" },
    dress: "codex",
    tried: "AB",
    outcomes: ["timed_out", "served"],
    expect: servedByB,
  },
  {
    name: "silence after the opening events, once they had to be let through: the stream ends",
    fault: { kind: "stall", point: "opening" },
    dress: "codex",
    tried: "A",
    outcomes: ["timed_out"],
    expect: endedUnfinished,
  },
  {
    name: "silence in the middle: the stream ends",
    fault: { kind: "stall", point: "middle" },
    dress: "sdk",
    tried: "A",
    outcomes: ["timed_out"],
    expect: endedUnfinished,
  },
  {
    name: "silence in the middle, for a client without stream: an error that says when to come back",
    fault: { kind: "stall", point: "middle" },
    dress: "folded",
    tried: "A",
    outcomes: ["timed_out"],
    expect(received) {
      expect(received.status).toBeGreaterThanOrEqual(500);
      expect(Number(received.headers.get("retry-after"))).toBeGreaterThan(0);
    },
  },
  {
    name: "a pause that is shorter than the patience: nothing happens",
    fault: { kind: "pause", point: "middle", delayMs: 6_000 },
    dress: "codex",
    tried: "A",
    outcomes: ["served"],
    expect(received) {
      expect(`${received.status} ${received.whole}`).toBe("200 true");
    },
  },
];

for (const one of CASES) {
  test.concurrent(
    one.name,
    async () => {
      await using lane = await openLane(SHORT);
      await lane.withTrio(async (trio) => {
        trio.order(one.fault);
        const received = await lane.client.ask(one.dress);
        one.expect(received, trio);
        expect(trio.tried()).toBe(one.tried);
        const { attempts } = await lane.control.exchange(received.headers.get("x-rotor-exchange")!);
        expect(attempts!.map(({ outcome }) => outcome)).toEqual([...one.outcomes]);
        expect((await trio.account("A")).holds ?? []).toEqual([]);
      });
    },
    TEST_MS,
  );
}
