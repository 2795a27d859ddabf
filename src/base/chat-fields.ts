/**
 * What becomes of each field of a Chat Completions request: one table, read by the door that translates and by `rotor help chat`.
 * Says what; how is written in proxy/chat-request.ts. Never grows a default: a field without a row is unknown and dropped.
 */

export type ChatFate =
  /** Taken over, as the note says. */
  | "mapped"
  /** Left out: it tunes an answer, and upstream has no such knob. */
  | "dropped"
  /** 400: leaving it out would answer something else than was asked. */
  | "refused";

export interface ChatFieldRow {
  readonly fate: ChatFate;
  readonly note: string;
}

const row = (fate: ChatFate, note: string): ChatFieldRow => ({ fate, note });
const NO_KNOB = "upstream takes no such parameter";
const NOT_SPOKEN = "upstream speaks text only";

export const CHAT_FIELDS = {
  model: row("mapped", "as it is"),
  messages: row("mapped", "input items; system and developer as developer, in place; name is left out"),
  stream: row("mapped", "chunks and [DONE], or one object"),
  stream_options: row("mapped", "include_usage; the rest is dropped"),
  tools: row("mapped", "function and custom; web_search goes on as it is"),
  tool_choice: row("mapped", "none, auto, required, one tool, allowed_tools"),
  parallel_tool_calls: row("mapped", "as it is"),
  functions: row("mapped", "the old form of tools; the answer has function_call"),
  function_call: row("mapped", "the old form of tool_choice"),
  response_format: row("mapped", "text, json_object, json_schema"),
  reasoning_effort: row("mapped", "minimal as low; any but none also asks for reasoning_content"),
  verbosity: row("mapped", "as it is"),
  service_tier: row("mapped", "fast as priority; auto and default are left out"),
  prompt_cache_key: row("mapped", "keeps a conversation on its account, too"),
  stop: row("mapped", "cut here, on the text; upstream writes on unseen, so usage counts it"),
  web_search_options: row("mapped", "adds the web_search tool; pages it cites are annotations"),
  n: row("mapped", "1; more is refused"),
  modalities: row("mapped", "text; others are refused"),
  audio: row("refused", NOT_SPOKEN),
  logprobs: row("refused", "true is refused: reasoning models give none"),
  top_logprobs: row("refused", "above 0 is refused, as logprobs"),
  max_completion_tokens: row("dropped", NO_KNOB),
  max_tokens: row("dropped", NO_KNOB),
  temperature: row("dropped", NO_KNOB),
  top_p: row("dropped", NO_KNOB),
  frequency_penalty: row("dropped", NO_KNOB),
  presence_penalty: row("dropped", NO_KNOB),
  logit_bias: row("dropped", NO_KNOB),
  seed: row("dropped", NO_KNOB),
  prediction: row("dropped", "only makes answers faster"),
  metadata: row("dropped", "nothing is stored"),
  store: row("dropped", "nothing is stored"),
  user: row("dropped", "one login serves; the client key says who asks"),
  safety_identifier: row("dropped", "one login serves; the client key says who asks"),
  prompt_cache_retention: row("dropped", NO_KNOB),
} as const satisfies Record<string, ChatFieldRow>;

export type ChatField = keyof typeof CHAT_FIELDS;
