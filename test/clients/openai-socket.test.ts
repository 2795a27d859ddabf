/**
 * `ResponsesWS` of the real `openai` package, the SDK's own WebSocket for responses, on Node and on Bun: turns on one socket, tools, refusals with
 * their status, and accounts that run out between turns and before output.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { listExchanges, nextAccount, triesOf } from "./exchanges.ts";
import { ACCOUNTS, type World } from "./harness.ts";
import { clientSuite } from "./install.ts";
import { RUNTIMES, type Steps, withProgram } from "./sdk-world.ts";
import type { SeenRequest } from "./upstream.ts";

setDefaultTimeout(60_000);

type Told = Record<string, unknown>;

const withSocket = (runtime: string, body: (world: World, steps: Steps) => Promise<void>) =>
  withProgram(runtime, "sdk-socket.mjs", body);

/** What was asked of the model, handshakes aside. */
const turnsOf = async (world: World) => (await world.upstream.settled(isTurn)).filter(isTurn);
const isTurn = ({ method }: SeenRequest) => method !== "GET";

for (const [name, runtime] of RUNTIMES) {
  clientSuite(`openai's WebSocket on ${name}`, () => {
    test("turns of one history on one socket, each sending what is new alone; a tool; the SDK's iterator", async () => {
      await withSocket(runtime, async (world, steps) => {
        const first = await nextAccount(world);
        const [told, tool, iterated] = await steps("turns", "tool", "iterated");
        const turns = told!.turns as Told[];
        expect(turns.map(({ text }) => text)).toEqual(
          ["one", "two", "three"].map((word) => `SIM ${first} says: ${word}`),
        );
        for (const turn of turns) {
          expect(turn).toMatchObject({ status: "completed", first: "response.created", total: expect.any(Number) });
        }
        expect(tool).toMatchObject({ name: "shell", text: `SIM ${first} says: the tool answered: hi from the tool` });
        expect(JSON.parse(tool!.arguments as string)).toEqual({ cmd: "echo hi" });
        expect(iterated).toMatchObject({ first: "response.created", last: "response.completed" });
        const seen = await turnsOf(world);
        expect(JSON.stringify(seen[2]!.body)).toMatch(/"one".*"two".*"three"/);
        for (const exchange of await listExchanges(world))
          expect(exchange).toMatchObject({ surface: "sdk", status: 200 });
      });
    });

    test("refusals are error events with their status and our words, and the socket stays", async () => {
      await withSocket(runtime, async (_, steps) => {
        const [told, stranger] = await steps("refusals", "stranger");
        expect(told).toMatchObject({
          noModel: { name: "WebSocketError", status: 400 },
          noHistory: { name: "WebSocketError", status: 400, error: { code: "previous_response_not_found" } },
          noBackground: { name: "WebSocketError", status: 400, error: { code: "unsupported_parameter" } },
          after: { status: "completed" },
        });
        expect(stranger!.status).toBeNull();
        expect(stranger!.message ?? stranger!.reason).toMatch(/401|Expected 101/);
      });
    });

    test("an account that runs out between two turns: the next one answers, with the whole history, on the same socket", async () => {
      await withSocket(runtime, async (world, steps) => {
        const [told] = await steps("between");
        const [first, second] = told!.turns as Told[];
        expect(second).toMatchObject({ status: "completed", text: expect.stringContaining("two") });
        expect(second!.account).not.toBe(first!.account);
        const last = (await turnsOf(world)).at(-1)!;
        expect(last.account).toBe(second!.account as string);
        expect(JSON.stringify(last.body)).toMatch(/"one".*"two"/);
      });
    });

    for (const kind of ["usage_limit", "failed_usage_limit"]) {
      test(`${kind} before output: the next account answers, and nothing of it shows`, async () => {
        await withSocket(runtime, async (world, steps) => {
          const first = await nextAccount(world);
          await world.upstream.fault({ at: "responses", kind, account: first });
          const [turn] = await steps("turn");
          expect(turn).toMatchObject({ status: "completed", first: "response.created" });
          expect(turn!.account).not.toBe(first);
          const [exchange] = await listExchanges(world);
          expect(triesOf(exchange!)).toBe(`${first} window_exhausted next, ${turn!.account} served done`);
        });
      });
    }

    test("a limit in the middle is told as upstream told it; a break closes the socket; nobody left is a 429 with its reset", async () => {
      await withSocket(runtime, async (world, steps) => {
        await world.upstream.fault({ at: "responses", kind: "failed_overloaded", point: "middle" });
        await world.upstream.pace({ deltas: 20, delayMs: 3 });
        const [late] = await steps("turn");
        expect(late).toMatchObject({ status: "failed", error: { code: "server_is_overloaded" } });
        await world.upstream.fault({ at: "responses", kind: "cut", point: "middle" });
        const [cut] = await steps("turn");
        expect(cut).toMatchObject({ closed: 1011, text: expect.stringContaining("SIM") });
        for (const alias of ACCOUNTS) await world.upstream.exhaust(alias);
        const [refused] = await steps("turn");
        expect(refused).toMatchObject({ name: "WebSocketError", status: 429, error: { type: "usage_limit_reached" } });
        expect((refused!.error as { resets_at: number }).resets_at).toBeGreaterThan(0);
        for (const alias of ACCOUNTS) await world.ctl("account", "disable", alias, "--force");
        const [stopped] = await steps("turn");
        expect(stopped).toMatchObject({ status: 400, error: { code: "no_usable_account" } });
      });
    });
  });
}
