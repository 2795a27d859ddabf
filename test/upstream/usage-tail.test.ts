/** Usage out of the last bytes of a terminal event. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isWholeObject, readUsageTail } from "../../src/upstream/usage-tail.ts";
import { completed, USAGE, USAGE_READ } from "../vectors/streams.ts";

const read = (text: string) => readUsageTail(new TextEncoder().encode(text));

describe("usage", () => {
  test("of a whole event", () => expect(read(JSON.stringify(completed))).toEqual(USAGE_READ));

  test("of the end of one", () => {
    expect(read(`.."},{"x":"y"}],"usage":${JSON.stringify(USAGE)},"user":null,"metadata":{}}}`)).toEqual(USAGE_READ);
  });

  test("with spaces, and details missing", () => {
    const wanted = { inputTokens: 3, cachedInputTokens: 0, outputTokens: 0, reasoningTokens: 0 };
    expect(read('{"usage" :\n { "input_tokens" : 3 } }')).toEqual(wanted);
  });

  test("the last one that is a count", () => {
    const later = '"metadata":{"usage":"high","usage2":{}},"tools":[{"usage":{"input":1}}]';
    expect(read(`{"usage":${JSON.stringify(USAGE)},${later}}`)).toEqual(USAGE_READ);
  });

  test("braces in texts do not end it", () => {
    expect(read('{"usage":{"note":"}\\"}","input_tokens":2}}')?.inputTokens).toBe(2);
  });

  test.each([
    ["null", '{"usage":null}'],
    ["absent", '{"response":{}}'],
    ["written by a model", '{"text":"\\"usage\\":{\\"input_tokens\\":1}"}'],
    ["cut off", '{"usage":{"input_tokens":1'],
    ["without a count", '{"usage":{}}'],
    ["nothing at all", ""],
    ["at the very start", '"usage"'],
  ])("none when %s", (_, text) => expect(read(text)).toBeNull());

  test("survives any output before it", () => {
    fc.assert(
      fc.property(fc.json(), fc.nat(1_000_000), (output, count) => {
        const event = `{"type":"response.completed","response":{"output":${output},"usage":{"input_tokens":${count}}}}`;
        expect(read(event)?.inputTokens).toBe(count);
      }),
    );
  });
});

test("an object that was cut off is told from a whole one", () => {
  const whole = (text: string) => isWholeObject(new TextEncoder().encode(text));
  expect([whole('{"a":1}'), whole('{"a":1} \n'), whole('{"a":1'), whole(""), whole(" ")]).toEqual([
    true,
    true,
    false,
    false,
    false,
  ]);
});
