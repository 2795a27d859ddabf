/**
 * Event streams of the Codex backend, as the official client accepts them (wire §3.8, observed 2026-11). Built here rather than stored,
 * so that a test can choose its line ends. No tokens.
 */

export const USAGE = {
  input_tokens: 1234,
  input_tokens_details: { cached_tokens: 1000 },
  output_tokens: 56,
  output_tokens_details: { reasoning_tokens: 20 },
  total_tokens: 1290,
};

export const USAGE_READ = { inputTokens: 1234, cachedInputTokens: 1000, outputTokens: 56, reasoningTokens: 20 };

type Event = Readonly<Record<string, unknown>> & { readonly type: string };

const response = (more: object) => ({
  id: "resp_1",
  object: "response",
  created_at: 1760000000,
  status: "in_progress",
  model: "gpt-5.5",
  output: [],
  tools: [],
  usage: null,
  user: null,
  metadata: {},
  ...more,
});

export const created: Event = { type: "response.created", sequence_number: 0, response: response({}) };
export const inProgress: Event = { type: "response.in_progress", sequence_number: 1, response: response({}) };
export const delta = (text: string): Event => ({
  type: "response.output_text.delta",
  item_id: "msg_1",
  output_index: 0,
  content_index: 0,
  delta: text,
});
export const completed: Event = {
  type: "response.completed",
  sequence_number: 9,
  response: response({ status: "completed", usage: USAGE }),
};
export const incomplete: Event = {
  type: "response.incomplete",
  response: response({ status: "incomplete", incomplete_details: { reason: "max_output_tokens" }, usage: USAGE }),
};

/** One event on the wire: `event:` line, `data:` line, blank line. */
export const sse = (event: Event, lineEnd = "\n") =>
  `event: ${event.type}${lineEnd}data: ${JSON.stringify(event)}${lineEnd}${lineEnd}`;

export const stream = (...events: readonly Event[]) => events.map((event) => sse(event)).join("");

/** The plain case: opening, text with everything that could be mistaken for structure, end. */
export const WHOLE_STREAM = stream(
  created,
  inProgress,
  { type: "response.output_item.added", output_index: 0, item: { id: "msg_1", type: "message" } },
  delta("hello "),
  delta('a model writes "type":"response.completed" and\n\ndata: {"type":"error"} and "usage":{"input_tokens":1}'),
  completed,
);
