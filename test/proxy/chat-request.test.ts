/** A Chat Completions request as a Responses request: every row of the vectors, and what holds for all of them. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { wholeOf } from "../../src/base/body-bytes.ts";
import { CHAT_FIELDS, type ChatField } from "../../src/base/chat-fields.ts";
import { translateChat } from "../../src/proxy/chat-request.ts";
import { normaliseRequest } from "../../src/proxy/normalise.ts";
import { scanBody } from "../../src/proxy/request-facts.ts";
import { FIELD_VECTORS, MESSAGE_VECTORS, PLAIN_CHAT, PLAIN_INPUT, REFUSED_VECTORS } from "../vectors/chat-requests.ts";

type Json = Readonly<Record<string, unknown>>;
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const translate = (chat: Json) => translateChat(scanBody(encode(chat)));
/** As upstream gets it. */
const translated = (chat: Json) =>
  JSON.parse(new TextDecoder().decode(wholeOf(normaliseRequest(translate(chat).body, () => false).bytes))) as Json;

const FIXED = { instructions: "", stream: true, store: false, include: ["reasoning.encrypted_content"] };

test.each([...MESSAGE_VECTORS, ...FIELD_VECTORS])("%s", (_, given, expected) => {
  const plain = { model: "gpt-5.5", input: PLAIN_INPUT, ...FIXED };
  expect(translated({ ...PLAIN_CHAT, ...given })).toEqual({ ...plain, ...expected });
});

test.each(REFUSED_VECTORS)("%o is refused as %s at %s", (given, code, param) => {
  expect(() => translated({ ...PLAIN_CHAT, ...given })).toThrow(expect.objectContaining({ code, facts: { param } }));
});

describe("the table of fields", () => {
  const fields = Object.entries(CHAT_FIELDS) as [ChatField, { fate: string }][];
  const plain = translated(PLAIN_CHAT);

  test.each(fields.filter(([, { fate }]) => fate === "dropped").map(([field]) => field))("%s is dropped", (field) => {
    for (const value of [1, "x", true, { a: 1 }]) expect(translated({ ...PLAIN_CHAT, [field]: value })).toEqual(plain);
  });

  test.each(fields.filter(([, { fate }]) => fate === "refused").map(([field]) => field))("%s is refused", (field) => {
    const failure = () => translate({ ...PLAIN_CHAT, [field]: 2 });
    expect(failure).toThrow(expect.objectContaining({ code: "unsupported_parameter", facts: { param: field } }));
  });

  test("every field that is mapped has a case", () => {
    const seen = new Set([...MESSAGE_VECTORS, ...FIELD_VECTORS].flatMap(([, given]) => Object.keys(given)));
    const mapped = fields.filter(([, { fate }]) => fate === "mapped").map(([field]) => field);
    expect(mapped.filter((field) => !seen.has(field) && field !== "model" && field !== "stream")).toEqual([]);
  });
});

test("what the answer must look like is told", () => {
  expect(translate(PLAIN_CHAT).wants).toEqual({ model: "gpt-5.5", includeUsage: false, stop: [], oldCalls: false });
  const asked = { stop: "END", stream_options: { include_usage: true }, functions: [{ name: "f" }] };
  expect(translate({ ...PLAIN_CHAT, ...asked }).wants).toMatchObject({
    stop: ["END"],
    includeUsage: true,
    oldCalls: true,
  });
  expect(translate({ ...PLAIN_CHAT, ...asked, tools: [] }).wants.oldCalls).toBe(false);
});

test("where the new body's members lie is what a scan finds", () => {
  fc.assert(
    fc.property(fc.constantFrom(...MESSAGE_VECTORS, ...FIELD_VECTORS), fc.string(), ([, given], text) => {
      const { bytes, members } = translate({ ...PLAIN_CHAT, ...given, prompt_cache_key: text }).body;
      expect([...members]).toEqual([...scanBody(bytes).members]);
    }),
  );
});

test("schemas keep their very bytes", () => {
  const schema = '{"type" : "object","n":1.00e1,"s":"\\u0041"}';
  const source = `{"model":"m","messages":[{"role":"user","content":"\\u0041\\/"}],"tools":[{"type":"function","function":{"name":"f","parameters":${schema}}}]}`;
  const { bytes } = translateChat(scanBody(new TextEncoder().encode(source))).body;
  const text = new TextDecoder().decode(bytes);
  expect(text).toContain(`"parameters":${schema}`);
});

test("whatever is sent, it is translated or refused in words", () => {
  const message = fc.record(
    {
      role: fc.constantFrom("system", "user", "assistant", "tool", "function", "x"),
      content: fc.oneof(fc.string(), fc.jsonValue({ maxDepth: 3 })),
      tool_call_id: fc.string(),
      tool_calls: fc.jsonValue({ maxDepth: 3 }),
    },
    { requiredKeys: ["role"] },
  );
  const body = fc.record(
    {
      model: fc.constant("m"),
      messages: fc.oneof(fc.array(message), fc.jsonValue()),
      tools: fc.jsonValue({ maxDepth: 3 }),
      tool_choice: fc.jsonValue({ maxDepth: 3 }),
      response_format: fc.jsonValue({ maxDepth: 3 }),
      stop: fc.jsonValue({ maxDepth: 2 }),
    },
    { requiredKeys: ["model", "messages"] },
  );
  fc.assert(
    fc.property(body, (value) => {
      try {
        JSON.parse(new TextDecoder().decode(wholeOf(normaliseRequest(translate(value).body, () => true).bytes)));
      } catch (thrown) {
        expect(["invalid_request", "unsupported_parameter"]).toContain(
          (thrown as { code?: string }).code ?? String(thrown),
        );
      }
    }),
  );
});
