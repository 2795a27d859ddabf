/**
 * What upstream streams is what a Codex client gets, byte for byte, however oddly it is written or cut into pieces; and an SDK gets the
 * same response out of it, streamed or in one piece. The bytes are compared with what went over the wire before the daemon.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { gunzipSync } from "node:zlib";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import { DRESSES, eventsOf, shapeOf, speakerOf } from "./support/client.ts";
import { type Lane, openLane } from "./support/lane.ts";
import type { Trio } from "./support/trio.ts";

let lane: Lane;

beforeAll(async () => {
  // Told of the account that serves, so that every byte is upstream's; what the pool's figures change: test/proxy/pooled-words.test.ts.
  lane = await openLane({ ROTOR_SETTING_WAIT_SECONDS: "0", ROTOR_SETTING_USAGE_ANSWER: "account" });
});

afterAll(() => lane[Symbol.asyncDispose]());

type Oddity = Pick<FaultSpec, "kind" | "point" | "bytes" | "count" | "model">;

const MIB = 1024 * 1024;

/** Good streams in strange clothes. Every one of them is served by the first account. */
const ODDITIES: readonly Oddity[] = [
  { kind: "crlf" },
  { kind: "cr" },
  { kind: "comments" },
  { kind: "byte_writes" },
  { kind: "one_write" },
  { kind: "huge_event", bytes: MIB },
  { kind: "huge_event", bytes: 6 * MIB },
  { kind: "line_separator" },
  { kind: "no_event_lines" },
  { kind: "no_final_blank_line" },
  { kind: "no_created" },
  { kind: "empty_output" },
  { kind: "done_marker" },
  { kind: "rate_limits_event" },
  { kind: "model_header", model: "gpt-5.4-nano" },
  ...(["opening", "middle", "end"] as const).flatMap((point): Oddity[] => [
    { kind: "keepalive_events", count: 100, point },
    { kind: "unknown_events", count: 20, point },
  ]),
];

const nameOf = ({ kind, ...more }: Oddity) => [kind, ...Object.values(more)].join(" ");

describe("a good stream, however it is written, is served by the first account", () => {
  for (const oddity of ODDITIES) {
    test(`${nameOf(oddity)}: the same bytes for Codex`, () =>
      lane.withTrio(async (trio) => {
        trio.order(oddity);
        const received = await lane.client.ask("codex");
        expectSameBytes(received.bytes);
        expect(received.headers.get("content-type")).toStartWith("text/event-stream");
        await expectServedByFirst(trio);
      }));

    test(`${nameOf(oddity)}: the same response for SDKs`, () =>
      lane.withTrio(async (trio) => {
        trio.order(oddity);
        const streamed = await lane.client.ask("sdk");
        expect(streamed.whole).toBe(true);
        // Also where upstream leaves the first out.
        expect(shapeOf(streamed.text)).toEqual(["response.created", "response.completed"]);
        expect(streamed.text).not.toContain("codex.rate_limits");
        expect(trio.place(speakerOf(streamed.text))).toBe("A");
        await expectServedByFirst(trio);
      }));

    test(`${nameOf(oddity)}: one whole answer for SDKs that stream nothing`, () =>
      lane.withTrio(async (trio) => {
        trio.order(oddity);
        const folded = await lane.client.ask("folded");
        expect(folded.status).toBe(200);
        const response = JSON.parse(folded.text) as { status: string; output: unknown[] };
        expect(response.status).toBe("completed");
        expect(response.output.length).toBeGreaterThan(0);
        expect(trio.place(speakerOf(folded.text))).toBe("A");
        await expectServedByFirst(trio);
      }));
  }
});

/** Byte for byte; `toEqual` of megabytes would print them. */
function expectSameBytes(bytes: Uint8Array): void {
  const upstream = lane.relay.answers().at(-1)!.body;
  expect(bytes.length).toBe(upstream.length);
  expect(Buffer.compare(bytes, upstream)).toBe(0);
}

async function expectServedByFirst(trio: Trio): Promise<void> {
  expect(trio.tried()).toBe("A");
  expect((await trio.account("A")).holds ?? []).toEqual([]);
}

describe("a stream that is broken inside", () => {
  for (const point of ["opening", "middle", "end"] as const) {
    for (const dress of DRESSES) {
      test(`an event that is not JSON at the ${point} goes on to who can judge it (${dress})`, () =>
        lane.withTrio(async (trio) => {
          trio.order({ kind: "bad_json_event", point });
          const received = await lane.client.ask(dress);
          expect(received.status).toBe(200);
          expect(received.whole).toBe(true);
          if (dress !== "folded") {
            expect(received.text.includes('"delta":"bro\n')).toBe(true);
            expect(shapeOf(received.text)).toEqual(["response.created", "response.completed"]);
          }
          if (dress === "codex") expectSameBytes(received.bytes);
          await expectServedByFirst(trio);
        }));
    }
  }

  test("an answer that nobody asked to be packed reaches Codex as it was packed", () =>
    lane.withTrio(async (trio) => {
      trio.order({ kind: "gzip" });
      const received = await lane.client.ask("codex");
      expect(received.headers.get("content-encoding")).toBe("gzip");
      expectSameBytes(received.bytes);
      expect(shapeOf(gunzipSync(received.bytes).toString())).toEqual(["response.created", "response.completed"]);
      expect(trio.tried()).toBe("A");
    }));

  test("SDKs get it unpacked: streamed as events, and folded", () =>
    lane.withTrio(async (trio) => {
      trio.order({ kind: "gzip", times: 2 });
      const here = { more: { prompt_cache_key: trio.alias("A") } };
      const streamed = await lane.client.ask("sdk", here);
      expect(streamed.headers.get("content-encoding")).toBeNull();
      expect(shapeOf(streamed.text)).toEqual(["response.created", "response.completed"]);
      const folded = await lane.client.ask("folded", here);
      expect(JSON.parse(folded.text)).toMatchObject({ status: "completed" });
      expect(trio.tried()).toBe("AA");
    }));
});

describe("what is learnt from a stream on its way", () => {
  test("usage and windows, whatever the dress", () =>
    lane.withTrio(async (trio) => {
      trio.order({ kind: "rate_limits_event", times: "always" });
      for (const dress of DRESSES) {
        const received = await lane.client.ask(dress);
        const { usage } = await lane.control.exchange(received.headers.get("x-rotor-exchange")!);
        expect(Number(usage?.inputTokens)).toBeGreaterThan(0);
        expect(Number(usage?.outputTokens)).toBeGreaterThan(0);
      }
      const served = await Promise.all((["A", "B", "C"] as const).map((place) => trio.account(place)));
      const windows = served.flatMap((account) => account.windows ?? []);
      expect(windows.map(({ limit, slot }) => `${limit}/${slot}`)).toEqual(
        expect.arrayContaining(["codex/primary", "codex/secondary"]),
      );
    }));

  test("a thousand events arrive as they are sent, and none is kept", () =>
    lane.withTrio(async () => {
      lane.stage.sim.pacing.deltas = 1_000;
      try {
        const received = await lane.client.ask("codex");
        expectSameBytes(received.bytes);
        expect(eventsOf(received.text).filter((event) => event.type === "response.output_text.delta").length).toBe(
          1_000,
        );
      } finally {
        lane.stage.sim.pacing.deltas = 6;
      }
    }));
});
