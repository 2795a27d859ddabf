/**
 * Chat Completions requests and the Responses requests that they must become (OpenAI API reference, 2026-11; wire §5.1). One fact a row:
 * what is given is laid over a plain question, what is expected over its translation. No tokens.
 */

type Json = Readonly<Record<string, unknown>>;
export type ChatVector = readonly [fact: string, given: Json, expected: Json];

export const PLAIN_CHAT: Json = { model: "gpt-5.5", messages: [{ role: "user", content: "hi" }] };
export const PLAIN_INPUT = [{ type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] }];

const PNG = "data:image/png;base64,iVBORw0KGgo=";
const user = (...content: Json[]) => ({ type: "message", role: "user", content });
const messages = (...list: Json[]) => ({ messages: list });
const asUser = (...parts: Json[]) => messages({ role: "user", content: parts });
const called = (...calls: Json[]) => ({ role: "assistant", content: null, tool_calls: calls });
const call = (id: string, name: string, args: unknown) => ({
  id,
  type: "function",
  function: { name, arguments: args },
});

export const MESSAGE_VECTORS: readonly ChatVector[] = [
  [
    "system and developer are developer, in place; names are left out",
    messages(
      { role: "system", content: "a", name: "boss" },
      { role: "user", content: "b", name: "Ann" },
      { role: "developer", content: [{ type: "text", text: "c" }] },
    ),
    {
      input: [
        { type: "message", role: "developer", content: [{ type: "input_text", text: "a" }] },
        user({ type: "input_text", text: "b" }),
        { type: "message", role: "developer", content: [{ type: "input_text", text: "c" }] },
      ],
    },
  ],
  [
    "texts keep every character",
    messages({ role: "user", content: 'a "b" \\ \n\u2028 \ud83d\ude00 \u0000 \ud800' }),
    { input: [user({ type: "input_text", text: 'a "b" \\ \n\u2028 \ud83d\ude00 \u0000 \ud800' })] },
  ],
  [
    "several texts are several parts",
    asUser({ type: "text", text: "a" }, { type: "text", text: "" }),
    { input: [user({ type: "input_text", text: "a" }, { type: "input_text", text: "" })] },
  ],
  [
    "an image by address, with its detail",
    asUser({ type: "image_url", image_url: { url: "https://example.test/a.png", detail: "high" } }),
    { input: [user({ type: "input_image", image_url: "https://example.test/a.png", detail: "high" })] },
  ],
  [
    "an image as a data URL",
    asUser({ type: "text", text: "what?" }, { type: "image_url", image_url: { url: PNG } }),
    { input: [user({ type: "input_text", text: "what?" }, { type: "input_image", image_url: PNG })] },
  ],
  [
    "an image without the object around its address",
    asUser({ type: "image_url", image_url: PNG }),
    { input: [user({ type: "input_image", image_url: PNG })] },
  ],
  [
    "a file with its data",
    asUser({ type: "file", file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" } }),
    { input: [user({ type: "input_file", filename: "a.pdf", file_data: "data:application/pdf;base64,JVBERi0=" })] },
  ],
  [
    "what the assistant said, and refused",
    messages(
      { role: "assistant", content: "a", refusal: null, audio: null, reasoning_content: "hm" },
      {
        role: "assistant",
        content: [
          { type: "text", text: "b" },
          { type: "refusal", refusal: "no" },
        ],
      },
      { role: "assistant", content: null, refusal: "never" },
    ),
    {
      input: [
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "a" }] },
        {
          type: "message",
          role: "assistant",
          content: [
            { type: "output_text", text: "b" },
            { type: "refusal", refusal: "no" },
          ],
        },
        { type: "message", role: "assistant", content: [{ type: "refusal", refusal: "never" }] },
      ],
    },
  ],
  [
    "pages that the assistant cited, as upstream cited them; what has no place or is no page is left out",
    messages({
      role: "assistant",
      content: "see A",
      annotations: [
        { type: "url_citation", url_citation: { url: "https://a.test", title: "A", start_index: 0, end_index: 5 } },
        { type: "url_citation", url_citation: { url: "https://b.test" } },
        { type: "file_citation", file_citation: { file_id: "f" } },
      ],
    }),
    {
      input: [
        {
          type: "message",
          role: "assistant",
          content: [
            {
              type: "output_text",
              text: "see A",
              annotations: [{ type: "url_citation", url: "https://a.test", title: "A", start_index: 0, end_index: 5 }],
            },
          ],
        },
      ],
    },
  ],
  [
    "text comes before calls; answers carry the id of their call",
    messages(
      { role: "assistant", content: "let me see", tool_calls: [call("c1", "f", '{"a":1}'), call("c2", "g", "")] },
      { role: "tool", tool_call_id: "c1", content: "one" },
      { role: "tool", tool_call_id: "c2", content: [{ type: "text", text: "two" }] },
    ),
    {
      input: [
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "let me see" }] },
        { type: "function_call", call_id: "c1", name: "f", arguments: '{"a":1}' },
        { type: "function_call", call_id: "c2", name: "g", arguments: "" },
        { type: "function_call_output", call_id: "c1", output: "one" },
        { type: "function_call_output", call_id: "c2", output: [{ type: "input_text", text: "two" }] },
      ],
    },
  ],
  [
    "an empty text beside calls is no message",
    messages(
      { role: "assistant", content: "", tool_calls: [call("c1", "f", "{}")] },
      { role: "tool", tool_call_id: "c1" },
    ),
    {
      input: [
        { type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
        { type: "function_call_output", call_id: "c1", output: "" },
      ],
    },
  ],
  [
    "arguments as an object, and none",
    messages(called(call("c1", "f", { a: "é" }), { id: "c2", function: { name: "g" } })),
    {
      input: [
        { type: "function_call", call_id: "c1", name: "f", arguments: '{"a":"é"}' },
        { type: "function_call", call_id: "c2", name: "g", arguments: "{}" },
      ],
    },
  ],
  [
    "calls of custom tools and their answers",
    messages(called({ id: "c1", type: "custom", custom: { name: "sh", input: "ls\n" } }), {
      role: "tool",
      tool_call_id: "c1",
      content: "a b",
    }),
    {
      input: [
        { type: "custom_tool_call", call_id: "c1", name: "sh", input: "ls\n" },
        { type: "custom_tool_call_output", call_id: "c1", output: "a b" },
      ],
    },
  ],
  [
    "an image as a tool's answer",
    messages(called(call("c1", "f", "{}")), {
      role: "tool",
      tool_call_id: "c1",
      content: [{ type: "image_url", image_url: { url: PNG } }],
    }),
    {
      input: [
        { type: "function_call", call_id: "c1", name: "f", arguments: "{}" },
        { type: "function_call_output", call_id: "c1", output: [{ type: "input_image", image_url: PNG }] },
      ],
    },
  ],
  [
    "function calls of the old form, in order",
    messages(
      { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } },
      { role: "function", name: "f", content: "one" },
      { role: "assistant", content: null, function_call: { name: "f", arguments: "[]" } },
      { role: "function", name: "f", content: "two" },
    ),
    {
      input: [
        { type: "function_call", call_id: "call_function_1", name: "f", arguments: "{}" },
        { type: "function_call_output", call_id: "call_function_1", output: "one" },
        { type: "function_call", call_id: "call_function_2", name: "f", arguments: "[]" },
        { type: "function_call_output", call_id: "call_function_2", output: "two" },
      ],
    },
  ],
];

const SCHEMA = { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false };
const flat = (more: Json) => ({
  type: "function",
  name: "f",
  parameters: { type: "object", properties: {} },
  strict: false,
  ...more,
});

export const FIELD_VECTORS: readonly ChatVector[] = [
  [
    "a function, flat; not strict unless it says so",
    { tools: [{ type: "function", function: { name: "f", description: "d", parameters: SCHEMA } }] },
    { tools: [flat({ description: "d", parameters: SCHEMA })] },
  ],
  [
    "a strict one",
    { tools: [{ type: "function", function: { name: "f", parameters: SCHEMA, strict: true } }] },
    { tools: [flat({ parameters: SCHEMA, strict: true })] },
  ],
  [
    "one without parameters",
    { tools: [{ type: "function", function: { name: "f", strict: null } }] },
    { tools: [flat({})] },
  ],
  [
    "one that is flat already",
    { tools: [{ type: "function", name: "f", parameters: SCHEMA }] },
    { tools: [flat({ parameters: SCHEMA })] },
  ],
  [
    "custom tools, a grammar one level up",
    {
      tools: [
        { type: "custom", custom: { name: "sh", description: "d" } },
        { type: "custom", custom: { name: "p", format: { type: "text" } } },
        {
          type: "custom",
          custom: { name: "q", format: { type: "grammar", grammar: { syntax: "lark", definition: "x" } } },
        },
      ],
    },
    {
      tools: [
        { type: "custom", name: "sh", description: "d" },
        { type: "custom", name: "p", format: { type: "text" } },
        { type: "custom", name: "q", format: { type: "grammar", syntax: "lark", definition: "x" } },
      ],
    },
  ],
  ["other tools as they are", { tools: [{ type: "web_search" }] }, { tools: [{ type: "web_search" }] }],
  ["no tools", { tools: [] }, { tools: [] }],
  [
    "web_search_options is a tool",
    {
      web_search_options: {
        search_context_size: "low",
        user_location: { type: "approximate", approximate: { country: "DE", city: "Ulm" } },
      },
    },
    {
      tools: [
        {
          type: "web_search",
          search_context_size: "low",
          user_location: { type: "approximate", country: "DE", city: "Ulm" },
        },
      ],
    },
  ],
  ...["none", "auto", "required"].map(
    (tool_choice): ChatVector => [`tool_choice ${tool_choice}`, { tool_choice }, { tool_choice }],
  ),
  [
    "tool_choice by name",
    { tool_choice: { type: "function", function: { name: "f" } } },
    { tool_choice: { type: "function", name: "f" } },
  ],
  [
    "tool_choice of a custom tool",
    { tool_choice: { type: "custom", custom: { name: "f" } } },
    { tool_choice: { type: "custom", name: "f" } },
  ],
  [
    "tool_choice among some",
    {
      tool_choice: {
        type: "allowed_tools",
        allowed_tools: { mode: "required", tools: [{ type: "function", function: { name: "f" } }] },
      },
    },
    { tool_choice: { type: "allowed_tools", mode: "required", tools: [{ type: "function", name: "f" }] } },
  ],
  ["parallel_tool_calls", { parallel_tool_calls: false }, { parallel_tool_calls: false }],
  [
    "functions of the old form: one call at a time",
    { functions: [{ name: "f", parameters: SCHEMA }], function_call: "auto" },
    { tools: [flat({ parameters: SCHEMA })], tool_choice: "auto", parallel_tool_calls: false },
  ],
  ["function_call by name", { function_call: { name: "f" } }, { tool_choice: { type: "function", name: "f" } }],
  ["response_format text", { response_format: { type: "text" } }, { text: { format: { type: "text" } } }],
  [
    "response_format json_object",
    { response_format: { type: "json_object" } },
    { text: { format: { type: "json_object" } } },
  ],
  [
    "response_format json_schema",
    {
      response_format: {
        type: "json_schema",
        json_schema: { name: "n", description: "d", schema: SCHEMA, strict: true },
      },
    },
    { text: { format: { type: "json_schema", name: "n", description: "d", schema: SCHEMA, strict: true } } },
  ],
  [
    "a schema without a name",
    { response_format: { type: "json_schema", json_schema: { schema: SCHEMA } } },
    { text: { format: { type: "json_schema", name: "response", schema: SCHEMA } } },
  ],
  [
    "verbosity beside a format",
    { verbosity: "low", response_format: { type: "text" } },
    { text: { format: { type: "text" }, verbosity: "low" } },
  ],
  [
    "reasoning_effort asks for a summary",
    { reasoning_effort: "high" },
    { reasoning: { effort: "high", summary: "auto" } },
  ],
  ["reasoning_effort minimal", { reasoning_effort: "minimal" }, { reasoning: { effort: "low", summary: "auto" } }],
  ["reasoning_effort none", { reasoning_effort: "none" }, { reasoning: { effort: "none" } }],
  ["service_tier fast", { service_tier: "fast" }, { service_tier: "priority" }],
  ["service_tier auto", { service_tier: "auto" }, {}],
  ["prompt_cache_key", { prompt_cache_key: "k" }, { prompt_cache_key: "k" }],
  ["n 1", { n: 1 }, {}],
  ["modalities text", { modalities: ["text"] }, {}],
  ["logprobs false", { logprobs: false, top_logprobs: 0 }, {}],
  ["stop is kept here", { stop: ["a"] }, {}],
  ["stream_options is kept here", { stream_options: { include_usage: true } }, {}],
  [
    "unknown fields are dropped",
    { thinking: { type: "enabled" }, top_k: 3, instructions: "x", input: "y", previous_response_id: "r" },
    {},
  ],
  [
    "null means not said",
    {
      tools: null,
      tool_choice: null,
      response_format: null,
      stop: null,
      n: null,
      audio: null,
      reasoning_effort: null,
      logprobs: null,
    },
    {},
  ],
];

export const REFUSED_VECTORS: readonly (readonly [given: Json, code: string, param: string])[] = [
  [{ model: undefined }, "invalid_request", "model"],
  [{ messages: undefined }, "invalid_request", "messages"],
  [{ messages: "hi" }, "invalid_request", "messages"],
  [{ messages: [] }, "invalid_request", "messages"],
  [{ messages: ["hi"] }, "invalid_request", "messages[0]"],
  [{ messages: [{ role: "robot", content: "x" }] }, "invalid_request", "messages[0].role"],
  [{ messages: [{ content: "x" }] }, "invalid_request", "messages[0].role"],
  [{ messages: [{ role: "user" }] }, "invalid_request", "messages[0].content"],
  [{ messages: [{ role: "user", content: 7 }] }, "invalid_request", "messages[0].content"],
  [asUser({ type: "video_url" }), "invalid_request", "messages[0].content[0].type"],
  [asUser({ type: "text" }), "invalid_request", "messages[0].content[0].text"],
  [
    asUser({ type: "text", text: "a" }, { type: "image_url", image_url: {} }),
    "invalid_request",
    "messages[0].content[1].image_url.url",
  ],
  [asUser({ type: "input_audio", input_audio: {} }), "unsupported_parameter", "messages[0].content[0]"],
  [
    asUser({ type: "file", file: { file_id: "file_1" } }),
    "unsupported_parameter",
    "messages[0].content[0].file.file_id",
  ],
  [asUser({ type: "file", file: {} }), "invalid_request", "messages[0].content[0].file.file_data"],
  [
    messages({ role: "system", content: [{ type: "image_url", image_url: PNG }] }),
    "invalid_request",
    "messages[0].content[0].type",
  ],
  [messages({ role: "tool", content: "x" }), "invalid_request", "messages[0].tool_call_id"],
  [messages(called({ function: { name: "f" } })), "invalid_request", "messages[0].tool_calls[0].id"],
  [messages(called({ id: "c", function: {} })), "invalid_request", "messages[0].tool_calls[0].function.name"],
  [messages({ role: "assistant", tool_calls: {} }), "invalid_request", "messages[0].tool_calls"],
  [{ n: 2 }, "unsupported_parameter", "n"],
  [{ modalities: ["text", "audio"] }, "unsupported_parameter", "modalities"],
  [{ audio: { voice: "alloy" } }, "unsupported_parameter", "audio"],
  [{ logprobs: true }, "unsupported_parameter", "logprobs"],
  [{ top_logprobs: 3 }, "unsupported_parameter", "top_logprobs"],
  [{ tools: {} }, "invalid_request", "tools"],
  [{ tools: [{ function: {} }] }, "invalid_request", "tools[0]"],
  [{ tools: [{ type: "function", function: {} }] }, "invalid_request", "tools[0].function.name"],
  [{ tool_choice: "any" }, "invalid_request", "tool_choice"],
  [{ tool_choice: { type: "function", function: {} } }, "invalid_request", "tool_choice.function.name"],
  [{ response_format: { type: "xml" } }, "invalid_request", "response_format"],
  [
    { response_format: { type: "json_schema", json_schema: {} } },
    "invalid_request",
    "response_format.json_schema.schema",
  ],
  [{ stop: "" }, "invalid_request", "stop"],
  [{ stop: [1] }, "invalid_request", "stop"],
  [{ stop: Array.from({ length: 17 }, (_, n) => `${n}`) }, "invalid_request", "stop"],
];
