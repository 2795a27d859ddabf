/**
 * The real `openai` package through Rotor, run by Node and by Bun; configured by exactly what `rotor connect typescript` and
 * `rotor connect shell` print.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { listExchanges, nextAccount, showExchange, triesOf } from "./exchanges.ts";
import { ACCOUNTS, type World } from "./harness.ts";
import { clientSuite } from "./install.ts";
import { RUNTIMES, type Steps, withProgram } from "./sdk-world.ts";
import { storyOf } from "./upstream.ts";

setDefaultTimeout(60_000);

const withSdk = (runtime: string, body: (world: World, steps: Steps) => Promise<void>) =>
  withProgram(runtime, "sdk.mjs", body);

for (const [name, runtime] of RUNTIMES) {
  clientSuite(`openai on ${name}`, () => {
    test("the printed program runs as it stands, and meets a 429 on its first account", async () => {
      await withSdk(runtime, async (world) => {
        const first = await nextAccount(world);
        await world.upstream.exhaust(first);
        const program = world.write("work/ask.mjs", await world.ctl("connect", "typescript", "--print"));
        const run = await world.run([runtime, program]);
        const seen = await world.upstream.responses();
        const second = seen[1]!.account!;
        expect(storyOf(seen)).toBe(`${first} 429, ${second} 200`);
        expect(run).toEqual({ out: `SIM ${second} says: Say hello.\n`, err: "", exit: 0 });
        const [exchange] = await listExchanges(world);
        expect(triesOf(exchange!)).toBe(`${first} window_exhausted next, ${second} served done`);
        const held = (await showExchange(world, exchange!.id)).plan!.held;
        expect(held.find((account) => account.alias === first)!.holds[0]!.kind).toBe("HOLD_KIND_WINDOW_EXHAUSTED");
      });
    });

    test("whole answers, streams, tools, schemas and models", async () => {
      await withSdk(runtime, async (world, steps) => {
        const first = await nextAccount(world);
        const text = `SIM ${first} says: say hello`;
        const [whole, stream, accumulated, tool, parsed, models] = await steps(
          ...["whole", "stream", "accumulated", "tool", "parsed", "models"],
        );
        expect(whole).toMatchObject({ text, status: "completed", total: expect.any(Number) });
        expect(stream).toMatchObject({ text, first: "response.created", last: "response.completed" });
        expect(accumulated).toMatchObject({ text, status: "completed" });
        expect(tool).toMatchObject({ name: "shell", text: `SIM ${first} says: the tool answered: hi from the tool` });
        expect(JSON.parse(tool!.arguments as string)).toEqual({ cmd: "echo hi" });
        expect(parsed).toMatchObject({ keys: ["answer"] });
        expect(models!.ids).toContain("gpt-5.5");
        for (const exchange of await listExchanges(world)) expect(exchange.status).toBe(200);
      });
    });

    test("an alias is listed and found, and it and a name with an effort reach upstream as what they stand for", async () => {
      await withSdk(runtime, async (world, steps) => {
        await world.ctl("model", "alias", "set", "quick", "gpt-5.5-low");
        const [names] = await steps("otherNames");
        expect(names!.ids).toContain("quick");
        expect(names).toMatchObject({
          id: "quick",
          texts: [expect.stringContaining("say hello"), expect.stringContaining("say hello")],
          unknown: { name: "NotFoundError", status: 404, code: "model_not_found" },
        });
        const sent = (await world.upstream.responses()).map(({ body }) => [body!.model, body!.reasoning]);
        expect(sent).toEqual([
          ["gpt-5.5", expect.objectContaining({ effort: "low" })],
          ["gpt-5.5", expect.objectContaining({ effort: "high" })],
        ]);
      });
    });

    test("background responses: created, retrieved, streamed again, canceled, deleted; off unless the setting says so", async () => {
      await withSdk(runtime, async (world, steps) => {
        const [off] = await steps("backgroundOff");
        expect(off).toMatchObject({ name: "BadRequestError", status: 400, code: "background_off" });
        await world.ctl("setting", "set", "background_responses", "on");
        const first = await nextAccount(world);
        const [whole] = await steps("background");
        expect(whole).toMatchObject({
          ...{ first: "queued", status: "completed", last: "response.completed", canceled: "completed" },
          text: `SIM ${first} says: say hello`,
          gone: { name: "NotFoundError", status: 404, code: "response_not_found" },
        });
        for (const _ of ACCOUNTS) await world.upstream.fault({ at: "responses", kind: "stall_before_headers" });
        const [canceled] = await steps("canceled");
        expect(canceled).toMatchObject({ status: "cancelled", later: "cancelled" });
      });
    });

    test("a stream meets a 429 and a limit inside a 200 on its first two accounts and never notices", async () => {
      await withSdk(runtime, async (world, steps) => {
        const first = await nextAccount(world);
        await world.upstream.exhaust(first);
        await world.upstream.fault({ at: "responses", kind: "failed_usage_limit" });
        const [stream] = await steps("stream");
        const seen = await world.upstream.responses();
        expect(stream).toMatchObject({ first: "response.created", last: "response.completed" });
        expect(stream!.text).toBe(`SIM ${seen.at(-1)!.account} says: say hello`);
        expect(new Set(seen.map((request) => request.account)).size).toBe(seen.length);
      });
    });

    test("a wrong key, an unknown model, and nobody left: the SDK's own error classes with our words", async () => {
      await withSdk(runtime, async (world, steps) => {
        const [wrongKey, unknownModel] = await steps("wrongKey", "unknownModel");
        expect(wrongKey).toMatchObject({ name: "AuthenticationError", status: 401, code: "invalid_client_key" });
        expect(unknownModel).toMatchObject({ name: "BadRequestError", status: 400 });
        for (const alias of ACCOUNTS) await world.upstream.exhaust(alias);
        const [refused, refusedStream] = await steps("refused", "refusedStream");
        expect(refused).toMatchObject({ name: "RateLimitError", status: 429, type: "usage_limit_reached" });
        expect(Number(refused!.retryAfter)).toBeGreaterThan(60);
        expect(refusedStream).toMatchObject({ name: "RateLimitError", status: 429 });
        for (const alias of ACCOUNTS) await world.ctl("account", "disable", alias, "--force");
        const [stopped] = await steps("refused");
        expect(stopped).toMatchObject({ name: "BadRequestError", status: 400, code: "no_usable_account" });
      });
    });

    test("a program that leaves a stream ends it upstream", async () => {
      await withSdk(runtime, async (world, steps) => {
        await world.upstream.pace({ deltas: 2_000, delayMs: 5 });
        expect(await steps("aborted")).toMatchObject([{ left: true }]);
        const seen = (await world.upstream.settled())[0]!;
        expect(seen.end).toBe("client_closed");
        expect(seen.eventsSent).toBeLessThan(1_900);
        expect((await listExchanges(world))[0]!.attempts[0]!.outcome).toBe("client_gone");
      });
    });
  });
}
