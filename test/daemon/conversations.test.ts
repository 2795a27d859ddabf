/**
 * Conversations (product §4): one stays where it was while that account is usable, moves when it is not, and takes nothing with it that
 * only the old account could read.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { JsonObject } from "../../src/simulator/json.ts";
import type { RequestRecord } from "../../src/simulator/recorder.ts";
import { DRESSES, type Dress, eventsOf, speakerOf } from "./support/client.ts";
import { type Lane, openLane } from "./support/lane.ts";
import type { Trio } from "./support/trio.ts";

let lane: Lane;

beforeAll(async () => {
  lane = await openLane({ ROTOR_SETTING_WAIT_SECONDS: "0" });
});

afterAll(() => lane[Symbol.asyncDispose]());

const inference = (trio: Trio): RequestRecord[] => trio.requests("/backend-api/codex/responses");
const headerOf = (request: RequestRecord, name: string) =>
  request.headers.find(([given]) => given.toLowerCase() === name)?.[1] ?? null;

const userSays = (text: string) => ({ type: "message", role: "user", content: [{ type: "input_text", text }] });

/** The items that upstream answered with, as a client sends them again in its next turn. */
async function firstTurn(dress: Dress, headers: Record<string, string>): Promise<JsonObject[]> {
  const { text } = await lane.client.ask(dress, { headers, text: "one" });
  if (dress === "folded") return (JSON.parse(text) as { output: JsonObject[] }).output;
  return eventsOf(text)
    .filter((event) => event.type === "response.output_item.done")
    .map((event) => event.item as JsonObject);
}

const OWNERS: readonly (readonly [name: string, headers: Record<string, string>, more: object])[] = [
  ["session_id", { session_id: "conversation-1" }, {}],
  ["x-session-id", { "x-session-id": "conversation-2" }, {}],
  ["prompt_cache_key", {}, { prompt_cache_key: "conversation-3" }],
];

describe("a conversation stays on its account", () => {
  for (const dress of DRESSES) {
    for (const [name, headers, more] of OWNERS) {
      test(`known by ${name} (${dress})`, () =>
        lane.withTrio(async (trio) => {
          const named = (turn: number) => ({ text: `turn ${turn}`, headers, more });
          for (let turn = 0; turn < 4; turn++) {
            await lane.client.ask(dress, named(turn));
            // Others come and go in between.
            await lane.client.ask(dress);
          }
          const own = inference(trio).filter((_, i) => i % 2 === 0);
          expect(own.map((request) => trio.place(request.account)).join("")).toBe("AAAA");
          const others = inference(trio).filter((_, i) => i % 2 === 1);
          expect(new Set(others.map(({ account }) => account)).size).toBeGreaterThan(1);
          // When its account is out it moves, and stays where it moved to.
          trio.order({ kind: "usage_limit", resetsInSeconds: 7_200 });
          const moved = await lane.client.ask(dress, named(5));
          const home = trio.place(speakerOf(moved.text));
          expect(["B", "C"]).toContain(home);
          expect(trio.place(speakerOf((await lane.client.ask(dress, named(6))).text))).toBe(home);
        }));
    }
  }
});

describe("a conversation that moves", () => {
  for (const dress of DRESSES) {
    test(`leaves behind what the new account cannot read, and is served (${dress})`, () =>
      lane.withTrio(async (trio) => {
        const headers = { session_id: `moving-${dress}` };
        const items = await firstTurn(dress, headers);
        expect(items.some((item) => item.type === "reasoning" && typeof item.encrypted_content === "string")).toBe(
          true,
        );
        trio.order({ kind: "usage_limit", resetsInSeconds: 7_200 });
        const second = await lane.client.ask(dress, {
          headers,
          more: { input: [userSays("one"), ...items, userSays("two")] },
        });
        expect(second.status).toBe(200);
        expect(trio.place(speakerOf(second.text))).toBe("B");
        expect(second.text.includes("two")).toBe(true);
        // A is out; what A sealed is known to be of no use to B, and is not sent there.
        expect(trio.tried()).toBe("AAB");
        const last = inference(trio).at(-1)!.body as { input: JsonObject[] };
        expect(last.input.some((item) => "encrypted_content" in item && item.encrypted_content !== null)).toBe(false);
        expect(last.input.filter((item) => item.role === "user").length).toBe(2);
        for (const place of ["B", "C"] as const) expect((await trio.account(place)).holds ?? []).toEqual([]);
      }));
  }

  test("takes the turn state of its old account nowhere else", () =>
    lane.withTrio(async (trio) => {
      const headers = { session_id: "turns", "x-codex-turn-state": "belongs-to-a" };
      await lane.client.ask("codex", { headers: { session_id: "turns" } });
      await lane.client.ask("codex", { headers });
      trio.order({ kind: "usage_limit", resetsInSeconds: 7_200 });
      await lane.client.ask("codex", { headers });
      expect(trio.tried()).toBe("AAAB");
      expect(inference(trio).map((request) => headerOf(request, "x-codex-turn-state"))).toEqual([
        null,
        "belongs-to-a",
        "belongs-to-a",
        null,
      ]);
    }));
});

test("every request goes out as its account's, and carries nothing of the client's own login or key", () =>
  lane.withTrio(async (trio) => {
    const headers = { "chatgpt-account-id": "somebody-elses", cookie: "session=theirs", "x-api-key": lane.client.key };
    for (const dress of DRESSES) await lane.client.ask(dress, { headers });
    for (const request of inference(trio)) {
      const { accountId } = lane.stage.sim.account(request.account!);
      expect(headerOf(request, "chatgpt-account-id")).toBe(accountId);
      expect(headerOf(request, "authorization")).toBe(`account:${request.account}`);
      expect(headerOf(request, "cookie")).toBeNull();
      expect(JSON.stringify([request.headers, request.body])).not.toContain(lane.client.key);
      expect(request.status).toBe(200);
    }
  }));
