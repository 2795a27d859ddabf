/**
 * Chat Completions with the real `openai` package and the AI SDK, on Node and on Bun; the AI SDK also by its Responses model.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { listExchanges, nextAccount } from "./exchanges.ts";
import { ACCOUNTS } from "./harness.ts";
import { clientSuite } from "./install.ts";
import { RUNTIMES, withProgram } from "./sdk-world.ts";
import { storyOf } from "./upstream.ts";

setDefaultTimeout(60_000);

for (const [name, runtime] of RUNTIMES) {
  clientSuite(`openai chat on ${name}`, () => {
    test("answers, streams, calls, schemas, refusals, images, stop sequences", async () => {
      await withProgram(runtime, "chat.mjs", async (world, steps) => {
        const [whole, stream, accumulated, tools, lite, parsed, refusal, image, stopped] = await steps(
          ...["whole", "stream", "accumulated", "tools", "lite", "parsed", "refusal", "image", "stopped"],
        );
        const text = expect.stringMatching(/^SIM (plus|team|pro) says: say hello$/);
        expect(whole).toMatchObject({ text, finish: "stop", total: expect.any(Number) });
        expect(stream).toMatchObject({ text, finish: "stop", total: expect.any(Number) });
        expect(accumulated).toMatchObject({
          text: "let me see",
          finish: "tool_calls",
          calls: [
            { type: "function", function: { name: "f", arguments: '{"a":1}' } },
            { type: "function", function: { name: "g", arguments: '{"b":2}' } },
          ],
        });
        expect(tools).toMatchObject({
          told: ["echo hi"],
          text: expect.stringContaining("the tool answered: hi from the tool"),
        });
        expect(lite).toMatchObject({ finish: "tool_calls", text: expect.stringContaining("hi from the tool") });
        expect(parsed).toMatchObject({ keys: ["answer"] });
        expect(refusal).toMatchObject({ content: null, refusal: "no way" });
        expect(image).toMatchObject({ text: expect.stringContaining("what is it?") });
        expect(stopped).toMatchObject({ text: "one two ", finish: "stop" });
        for (const exchange of await listExchanges(world)) expect(exchange.status).toBe(200);
      });
    });

    test("a 429 and a limit inside a 200 are met on the way and never noticed", async () => {
      await withProgram(runtime, "chat.mjs", async (world, steps) => {
        const first = await nextAccount(world);
        await world.upstream.exhaust(first);
        await world.upstream.fault({ at: "responses", kind: "failed_usage_limit" });
        const [stream] = await steps("stream");
        const seen = await world.upstream.responses();
        expect(stream!.text).toBe(`SIM ${seen.at(-1)!.account} says: say hello`);
        expect(new Set(seen.map((request) => request.account)).size).toBe(3);
        expect(storyOf(seen)).toStartWith(`${first} 429`);
      });
    });

    test("its own error classes, with our words; a broken stream is an error", async () => {
      await withProgram(runtime, "chat.mjs", async (world, steps) => {
        await world.upstream.fault({ at: "responses", kind: "failed_overloaded", point: "middle" });
        const [broken] = await steps("broken");
        expect(broken).toMatchObject({ failed: true, code: "server_is_overloaded" });
        expect(broken!.chunks).toBeGreaterThan(1);
        const [two, unknownModel] = await steps("two", "unknownModel");
        expect(two).toMatchObject({ name: "BadRequestError", status: 400, code: "unsupported_parameter", param: "n" });
        expect(unknownModel).toMatchObject({ name: "BadRequestError", status: 400 });
        for (const alias of ACCOUNTS) await world.upstream.exhaust(alias);
        const [refused] = await steps("refused");
        expect(refused).toMatchObject({ name: "RateLimitError", status: 429, type: "usage_limit_reached" });
      });
    });

    test("a program that leaves a stream ends it upstream", async () => {
      await withProgram(runtime, "chat.mjs", async (world, steps) => {
        await world.upstream.pace({ deltas: 2_000, delayMs: 5 });
        expect(await steps("aborted")).toMatchObject([{ left: true }]);
        const seen = (await world.upstream.settled())[0]!;
        expect(seen.end).toBe("client_closed");
        expect(seen.eventsSent).toBeLessThan(1_900);
      });
    });
  });

  clientSuite(`the AI SDK on ${name}`, () => {
    for (const way of ["chat", "responses", "compatible"]) {
      test(`texts, streams, tools, objects and thoughts (${way})`, async () => {
        await withProgram(runtime, "ai-sdk.mjs", async (world, steps) => {
          const [whole, stream, tools, toolStream, object, reasoning] = await steps(
            ...[way, "whole", "stream", "tools", "toolStream", "object", "reasoning"],
          );
          const text = expect.stringMatching(/^SIM (plus|team|pro) says: say hello$/);
          expect(whole).toMatchObject({ text, finishReason: "stop", total: expect.any(Number) });
          expect(stream).toMatchObject({ text, finishReason: "stop", total: expect.any(Number) });
          const answered = expect.stringContaining("the tool answered: hi from the tool");
          expect(tools).toMatchObject({ told: ["echo hi"], text: answered, steps: 2 });
          expect(toolStream).toMatchObject({ told: ["echo hi"], text: answered });
          expect(object).toMatchObject({ keys: ["answer"] });
          // The chat model of @ai-sdk/openai does not read reasoning_content; the other two show what was thought.
          expect(reasoning).toMatchObject({ text, reasoning: way === "chat" ? null : "**Thinking**" });
          for (const exchange of await listExchanges(world)) expect(exchange.status).toBe(200);
        });
      });

      test(`failures are failures (${way})`, async () => {
        await withProgram(runtime, "ai-sdk.mjs", async (world, steps) => {
          await world.upstream.fault({ at: "responses", kind: "failed_overloaded", point: "middle" });
          const [broken] = await steps(way, "broken");
          expect(broken!.errors).toBeGreaterThan(0);
          for (const alias of ACCOUNTS) await world.upstream.exhaust(alias);
          const [refused] = await steps(way, "refused");
          expect(refused).toMatchObject({
            failed: true,
            status: 429,
            message: expect.stringContaining("every account is held"),
          });
        });
      });
    }
  });
}
