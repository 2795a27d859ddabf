/** An SDK request in the form that upstream takes: one case a rule, and what must never change. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { wholeOf } from "../../src/base/body-bytes.ts";
import { normaliseRequest } from "../../src/proxy/normalise.ts";
import { scanBody } from "../../src/proxy/request-facts.ts";

type Json = Record<string, unknown>;
const isLite = (model: string) => model === "lite";
const run = (source: string) => normaliseRequest(scanBody(new TextEncoder().encode(source)), isLite);
const normalised = (body: Json) =>
  JSON.parse(new TextDecoder().decode(wholeOf(run(JSON.stringify(body)).bytes))) as Json;

/** What upstream wants of every request; a body that has it stays as it is. */
const FIXED = { instructions: "", stream: true, store: false, include: ["reasoning.encrypted_content"] };
const BASE = { model: "gpt-5.5", input: [{ role: "user", content: "hi" }], ...FIXED };

describe("one rule at a time", () => {
  const rules: [string, Json, Json][] = [
    ["store is false", { store: true }, { store: false }],
    ["store null", { store: null }, { store: false }],
    ["upstream is asked for a stream", { stream: false }, { stream: true }],
    ["instructions null", { instructions: null }, { instructions: "" }],
    ["instructions of the client's stay", { instructions: "be brief" }, { instructions: "be brief" }],
    ["include null", { include: null }, { include: ["reasoning.encrypted_content"] }],
    [
      "include is completed",
      { include: ["message.output_text.logprobs"] },
      { include: ["message.output_text.logprobs", "reasoning.encrypted_content"] },
    ],
    [
      "a text is one user message",
      { input: 'say "hi"\n\u2028\\' },
      { input: [{ role: "user", content: [{ type: "input_text", text: 'say "hi"\n\u2028\\' }] }] },
    ],
    [
      "system becomes developer, in place",
      {
        input: [
          { role: "system", content: "a" },
          { role: "user", content: '"system"' },
        ],
      },
      {
        input: [
          { role: "developer", content: "a" },
          { role: "user", content: '"system"' },
        ],
      },
    ],
    [
      "references to stored items go",
      { input: [{ type: "item_reference", id: "msg_1" }, { id: "rs_1" }, { role: "user", content: "x" }] },
      { input: [{ role: "user", content: "x" }] },
    ],
    ["a list of references alone is empty", { input: [{ id: "rs_1" }] }, { input: [] }],
    [
      "names of stored copies go, the items stay",
      {
        input: [
          {
            id: "msg_1",
            type: "message",
            role: "assistant",
            content: [{ type: "output_text", text: "x", id: "inner" }],
          },
          { type: "function_call", id: "fc_1", call_id: "c", name: "f", arguments: '{"id":1}' },
          { type: "function_call_output", call_id: "c", output: "y", id: "fco_1" },
        ],
      },
      {
        input: [
          { type: "message", role: "assistant", content: [{ type: "output_text", text: "x", id: "inner" }] },
          { type: "function_call", call_id: "c", name: "f", arguments: '{"id":1}' },
          { type: "function_call_output", call_id: "c", output: "y" },
        ],
      },
    ],
    [
      "ids that are part of an item stay",
      { input: [{ type: "web_search_call", id: "ws_1", status: "completed" }] },
      { input: [{ type: "web_search_call", id: "ws_1", status: "completed" }] },
    ],
    [
      "sealed reasoning stays whole, unsealed goes",
      {
        input: [
          { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" },
          { type: "reasoning", id: "rs_2", summary: [], encrypted_content: null },
          { type: "reasoning", id: "rs_3", summary: [] },
          { type: "reasoning", id: "rs_4", summary: [], encrypted_content: "" },
        ],
      },
      { input: [{ type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAA" }] },
    ],
    [
      "effort minimal",
      { reasoning: { effort: "minimal", summary: "auto" } },
      { reasoning: { effort: "low", summary: "auto" } },
    ],
    ["effort ultra", { reasoning: { effort: "ultra" } }, { reasoning: { effort: "max" } }],
    ["effort none stays", { reasoning: { effort: "none" } }, { reasoning: { effort: "none" } }],
    [
      "effort by a name of every object stays",
      { reasoning: { effort: "constructor" } },
      { reasoning: { effort: "constructor" } },
    ],
    ["reasoning null stays", { reasoning: null }, { reasoning: null }],
    ["fast is priority", { service_tier: "fast" }, { service_tier: "priority" }],
    ["priority and flex pass", { service_tier: "flex" }, { service_tier: "flex" }],
    ["auto means absent", { service_tier: "auto" }, {}],
    [
      "the preview of web search",
      {
        tools: [
          { type: "web_search_preview_2025_03_11", user_location: null },
          { type: "function", name: "f" },
        ],
        tool_choice: { type: "web_search_preview" },
      },
      {
        tools: [
          { type: "web_search", user_location: null },
          { type: "function", name: "f" },
        ],
        tool_choice: { type: "web_search" },
      },
    ],
    [
      "a tool that only mentions it",
      { tools: [{ type: "function", name: "web_search_preview" }] },
      { tools: [{ type: "function", name: "web_search_preview" }] },
    ],
    ["previous_response_id null", { previous_response_id: null, conversation: null }, {}],
    [
      "unknown members pass",
      { text: { verbosity: "low" }, prompt_cache_key: "p", x: [1.5] },
      { text: { verbosity: "low" }, prompt_cache_key: "p", x: [1.5] },
    ],
  ];
  for (const name of [
    "background",
    "context_management",
    "generate",
    "max_completion_tokens",
    "max_output_tokens",
    "max_tokens",
    "metadata",
    "prompt_cache_breakpoint",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "stream_options",
    "temperature",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
  ]) {
    rules.push([`${name} is not for upstream`, { [name]: 1 }, {}]);
  }

  test.each(rules)("%s", (_, given, expected) => {
    const changed = new Set(Object.keys(given));
    const rest = Object.fromEntries(Object.entries(BASE).filter(([key]) => !changed.has(key)));
    expect(normalised({ ...rest, ...given })).toEqual({ ...rest, ...expected });
  });
});

test("absent members are added", () => {
  expect(normalised({ model: "m", input: "x" })).toMatchObject(FIXED);
});

test("a request that is already as upstream wants it keeps its very bytes", () => {
  const source = `{ "tools":[{"type":"function","parameters":{"a":1.0}}],${JSON.stringify(BASE).slice(1)}`;
  const bytes = new TextEncoder().encode(source);
  expect(normaliseRequest(scanBody(bytes), isLite).bytes).toBe(bytes);
});

test("tools keep their very bytes beside an edit", () => {
  const tools = '[ {"type":"function","name":"f","parameters":{"n":1.00e1,"s":"\\u0041"}} ]';
  const { bytes } = run(`{"model":"m","input":"x","tools":${tools}}`);
  expect(new TextDecoder().decode(wholeOf(bytes))).toContain(`"tools":${tools}`);
});

test("of several members of one name the last is meant, and all of them are edited", () => {
  const { bytes, wantsStream } = run(
    '{"conversation":"c","model":"m","input":7,"stream":true,"user":1,"store":false,"input":"x","stream":false,"user":2,"conversation":null}',
  );
  const text = new TextDecoder().decode(wholeOf(bytes));
  expect(wantsStream).toBe(false);
  expect(text.split('"stream":true').length).toBe(3);
  expect(text.split('"input":[{"role":"user"').length).toBe(3);
  expect(text).not.toContain("conversation");
  expect(text).not.toContain('"user":');
});

test("a text of a tier that cannot be read is the client's mistake", () => {
  const tier = `"${"a".repeat(80)}\\x"`;
  expect(() => run(`{"model":"m","input":"x","service_tier":${tier}}`)).toThrow(
    expect.objectContaining({ code: "invalid_json" }),
  );
});

test("what the client asked for is told", () => {
  expect(run('{"model":"m","input":"x","stream":true}')).toMatchObject({ model: "m", wantsStream: true });
  for (const stream of ["false", "null", '"true"', "1"]) {
    expect(run(`{"model":"m","input":"x","stream":${stream}}`).wantsStream).toBe(false);
  }
  expect(run('{"model":"m","input":"x"}').wantsStream).toBe(false);
});

test.each([
  ['{"input":"x"}', "invalid_request", "model"],
  ['{"model":"","input":"x"}', "invalid_request", "model"],
  ['{"model":7,"input":"x"}', "invalid_request", "model"],
  ['{"model":"m"}', "invalid_request", "input"],
  ['{"model":"m","input":null}', "invalid_request", "input"],
  ['{"model":"m","input":{"role":"user"}}', "invalid_request", "input"],
  ['{"model":"m","input":"x","previous_response_id":"resp_1"}', "previous_response_not_found", "previous_response_id"],
  ['{"model":"m","input":"x","conversation":{"id":"conv_1"}}', "previous_response_not_found", "conversation"],
])("%s is refused", (source, code, param) => {
  expect(() => run(source)).toThrow(expect.objectContaining({ code, facts: { param } }));
});

describe("a lite model", () => {
  const LITE = { parallel_tool_calls: false, reasoning: { context: "all_turns" }, instructions: "" };
  const hi = { role: "user", content: "hi" };
  const tools = [{ type: "function", name: "f", parameters: { a: 1 } }];
  const cases: [string, Json, Json][] = [
    ["a plain question", {}, {}],
    [
      "tools and instructions are the first items",
      { tools, instructions: 'be "brief"' },
      {
        input: [
          { type: "additional_tools", role: "developer", tools },
          { type: "message", role: "developer", content: [{ type: "input_text", text: 'be "brief"' }] },
          hi,
        ],
      },
    ],
    ["no tools", { tools: [] }, {}],
    ["no input", { tools, input: [] }, { input: [{ type: "additional_tools", role: "developer", tools }] }],
    ["one call at a time", { parallel_tool_calls: true }, {}],
    [
      "reasoning keeps what it says",
      { reasoning: { effort: "minimal" } },
      { reasoning: { effort: "low", context: "all_turns" } },
    ],
    ["a context of its own stays", { reasoning: { context: "none" } }, { reasoning: { context: "none" } }],
    ["nulls", { tools: null, reasoning: null, parallel_tool_calls: null }, {}],
    [
      "other edits come first",
      { tools: [{ type: "web_search_preview" }], input: [{ role: "system", content: "a" }] },
      {
        input: [
          { type: "additional_tools", role: "developer", tools: [{ type: "web_search" }] },
          { role: "developer", content: "a" },
        ],
      },
    ],
  ];
  test.each(cases)("%s", (_, given, expected) => {
    const body = { ...BASE, model: "lite", ...given };
    expect(normalised(body)).toEqual({ model: "lite", input: [hi], ...FIXED, ...LITE, ...expected });
    expect(run(JSON.stringify(body)).lite).toBe(true);
  });

  test("what it has is moved byte for byte", () => {
    const source = '[ {"type":"function","name":"f","parameters":{"n":1.00e1,"s":"\\u0041"}} ]';
    const { bytes } = run(`{"model":"lite","input":[ {"role":"user","content":"\\u0041"} ],"tools":${source}}`);
    const text = new TextDecoder().decode(wholeOf(bytes));
    expect(text).toContain(`"tools":${source}`);
    expect(text).toContain('{"role":"user","content":"\\u0041"}');
  });
});

test("doing it twice is doing it once", () => {
  const item = fc.oneof(
    fc.record({ role: fc.constantFrom("system", "user"), content: fc.string() }),
    fc.record({ type: fc.constantFrom("message", "reasoning", "item_reference", "other"), id: fc.string() }),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const body = fc.record(
    {
      model: fc.oneof(fc.constant("lite"), fc.string({ minLength: 1 })),
      instructions: fc.oneof(fc.constant(null), fc.string()),
      input: fc.oneof(fc.string(), fc.array(item)),
      tools: fc.array(fc.record({ type: fc.constantFrom("web_search_preview", "function") })),
      reasoning: fc.record({ effort: fc.constantFrom("minimal", "low", "ultra") }),
      service_tier: fc.constantFrom("fast", "auto", "flex"),
      include: fc.oneof(fc.constant(null), fc.array(fc.string())),
      temperature: fc.double(),
      stream: fc.boolean(),
      store: fc.boolean(),
    },
    { requiredKeys: ["model", "input"] },
  );
  fc.assert(
    fc.property(body, (value) => {
      const once = wholeOf(run(JSON.stringify(value)).bytes);
      expect(normaliseRequest(scanBody(once), isLite).bytes).toBe(once);
    }),
  );
});
