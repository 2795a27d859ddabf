/**
 * A reply as the events of a response stream (wire reference §3.8), in order, with the three points at which a fault can
 * strike. Pure but for the ids, which come from the caller.
 */
import type { Conversation } from "./conversation.ts";
import type { StreamPoint } from "./faults.ts";
import type { JsonObject } from "./json.ts";
import { type Pacing, splitText } from "./pacing.ts";
import type { Reply, ReplyItem } from "./reply.ts";

export type StreamStep = { type: "event"; event: JsonObject } | { type: "point"; point: StreamPoint };

export interface Usage {
  inputTokens: number;
  cachedTokens: number;
  outputTokens: number;
  reasoningTokens: number;
}

export interface StreamPlan {
  steps: StreamStep[];
  /** The response object as it stands in `response.created`. */
  opening: JsonObject;
  usage: JsonObject;
}

export interface StreamScene {
  responseId: string;
  createdAtSeconds: number;
  usage: Usage;
  pacing: Pacing;
  /** Put between two deltas of the text: huge or awkward pieces. */
  extraPiece: string | null;
  withCreated: boolean;
  newId(prefix: string): string;
  seal(text: string): string;
}

const event = (value: JsonObject): StreamStep => ({ type: "event", event: value });
const at = (point: StreamPoint): StreamStep => ({ type: "point", point });

export function planStream(talk: Conversation, reply: Reply, scene: StreamScene): StreamPlan {
  const opening = openingResponse(talk, scene);
  const output: JsonObject[] = [];
  const steps: StreamStep[] = [];
  if (scene.withCreated) {
    steps.push(event({ type: "response.created", response: opening }));
    steps.push(event({ type: "response.in_progress", response: opening }));
  }
  steps.push(at("opening"));
  if (reply.reasoning) steps.push(...reasoningSteps(reply.reasoning, output, scene));
  reply.items.forEach((item, index) => {
    const isFirst = index === 0;
    steps.push(...itemSteps(item, output, scene, isFirst));
  });
  steps.push(at("end"));
  const usage = usageJson(scene.usage);
  const completed = {
    ...opening,
    status: "completed",
    output: scene.pacing.emptyOutput ? [] : output,
    usage,
    service_tier: "default",
  };
  steps.push(event({ type: "response.completed", response: completed }));
  return { steps, opening, usage };
}

function openingResponse(talk: Conversation, scene: StreamScene): JsonObject {
  const { body } = talk;
  const reasoning = (body.reasoning ?? {}) as JsonObject;
  const text = (body.text ?? {}) as JsonObject;
  return {
    id: scene.responseId,
    object: "response",
    created_at: scene.createdAtSeconds,
    status: "in_progress",
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: null,
    model: talk.model,
    output: [],
    parallel_tool_calls: body.parallel_tool_calls ?? true,
    previous_response_id: null,
    prompt_cache_key: talk.cacheKey,
    reasoning: { effort: talk.effort, summary: reasoning.summary ?? null },
    service_tier: body.service_tier ?? "auto",
    store: false,
    temperature: 1,
    text: { format: text.format ?? { type: "text" }, verbosity: text.verbosity ?? "medium" },
    tool_choice: body.tool_choice ?? "auto",
    tools: body.tools ?? [],
    top_p: 1,
    truncation: "disabled",
    usage: null,
    user: null,
    metadata: {},
  };
}

function usageJson(usage: Usage): JsonObject {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}

function reasoningSteps(
  reasoning: NonNullable<Reply["reasoning"]>,
  output: JsonObject[],
  scene: StreamScene,
): StreamStep[] {
  const id = scene.newId("rs");
  const output_index = output.length;
  const { summary } = reasoning;
  const place = { item_id: id, output_index, summary_index: 0 };
  const steps = [
    event({ type: "response.output_item.added", output_index, item: { id, type: "reasoning", summary: [] } }),
  ];
  if (summary !== null) {
    const part = { type: "summary_text", text: summary };
    steps.push(
      event({ type: "response.reasoning_summary_part.added", ...place, part: { type: "summary_text", text: "" } }),
      event({ type: "response.reasoning_summary_text.delta", ...place, delta: summary }),
      event({ type: "response.reasoning_summary_text.done", ...place, text: summary }),
      event({ type: "response.reasoning_summary_part.done", ...place, part }),
    );
  }
  const item: JsonObject = {
    id,
    type: "reasoning",
    summary: summary === null ? [] : [{ type: "summary_text", text: summary }],
    content: [],
  };
  if (reasoning.sealText !== null) item.encrypted_content = scene.seal(reasoning.sealText);
  output.push(item);
  steps.push(event({ type: "response.output_item.done", output_index, item }));
  return steps;
}

function itemSteps(item: ReplyItem, output: JsonObject[], scene: StreamScene, isFirst: boolean): StreamStep[] {
  switch (item.type) {
    case "message":
      return messageSteps(item.text, item.refusal === true ? REFUSAL : TEXT, output, scene, isFirst);
    case "function_call":
      return callSteps(item, item.arguments, output, scene, isFirst);
    case "custom_tool_call":
      return callSteps(item, item.input, output, scene, isFirst);
    case "compaction": {
      const output_index = output.length;
      const done = { id: scene.newId("cmp"), type: "compaction", encrypted_content: scene.seal(item.text) };
      output.push(done);
      const added = event({
        type: "response.output_item.added",
        output_index,
        item: { id: done.id, type: "compaction" },
      });
      return [added, at("middle"), event({ type: "response.output_item.done", output_index, item: done })];
    }
  }
}

/** The pieces as delta steps, with the middle point halfway. */
function deltaSteps(pieces: string[], isFirst: boolean, delta: (piece: string) => JsonObject): StreamStep[] {
  const half = Math.ceil(pieces.length / 2);
  return pieces.flatMap((piece, index) => {
    const step = event(delta(piece));
    return isFirst && index === half - 1 ? [step, at("middle")] : [step];
  });
}

/** What a part of a message is called, on its own and in its events. */
interface PartWords {
  readonly type: string;
  readonly field: string;
  readonly more: JsonObject;
  readonly event: string;
}

const TEXT: PartWords = {
  type: "output_text",
  field: "text",
  more: { annotations: [], logprobs: [] },
  event: "output_text",
};
const REFUSAL: PartWords = { type: "refusal", field: "refusal", more: {}, event: "refusal" };

function messageSteps(
  text: string,
  words: PartWords,
  output: JsonObject[],
  scene: StreamScene,
  isFirst: boolean,
): StreamStep[] {
  const pieces = splitText(text, scene.pacing);
  if (scene.extraPiece !== null) pieces.splice(Math.ceil(pieces.length / 2), 0, scene.extraPiece);
  const whole = pieces.join("");
  const id = scene.newId("msg");
  const output_index = output.length;
  const place = { item_id: id, output_index, content_index: 0 };
  const message = { id, type: "message", role: "assistant", phase: "final_answer" };
  const isText = words.type === "output_text";
  const partOf = (value: string) => ({ type: words.type, ...words.more, [words.field]: value });
  const done = { ...message, status: "completed", content: [partOf(whole)] };
  output.push(done);
  return [
    event({
      type: "response.output_item.added",
      output_index,
      item: { ...message, status: "in_progress", content: [] },
    }),
    event({ type: "response.content_part.added", ...place, part: partOf("") }),
    ...deltaSteps(pieces, isFirst, (delta) => ({
      type: `response.${words.event}.delta`,
      ...place,
      delta,
      ...(isText ? { logprobs: [] } : {}),
      // Upstream pads deltas so that their lengths do not give the text away.
      obfuscation: "xx",
    })),
    event({
      type: `response.${words.event}.done`,
      ...place,
      [words.field]: whole,
      ...(isText ? { logprobs: [] } : {}),
    }),
    event({ type: "response.content_part.done", ...place, part: partOf(whole) }),
    event({ type: "response.output_item.done", output_index, item: done }),
  ];
}

type CallItem = Extract<ReplyItem, { name: string }>;

function callSteps(
  item: CallItem,
  text: string,
  output: JsonObject[],
  scene: StreamScene,
  isFirst: boolean,
): StreamStep[] {
  const isFunction = item.type === "function_call";
  const field = isFunction ? "arguments" : "input";
  const deltaType = isFunction ? "response.function_call_arguments" : "response.custom_tool_call_input";
  const id = scene.newId(isFunction ? "fc" : "ctc");
  const output_index = output.length;
  const base: JsonObject = { id, type: item.type, call_id: scene.newId("call"), name: item.name };
  if (item.namespace !== null) base.namespace = item.namespace;
  const done = { ...base, [field]: text, status: "completed" };
  output.push(done);
  const pieces = splitText(text, { ...scene.pacing, deltas: null });
  const place = { item_id: id, output_index };
  return [
    event({ type: "response.output_item.added", output_index, item: { ...base, [field]: "", status: "in_progress" } }),
    ...deltaSteps(pieces, isFirst, (delta) => ({ type: `${deltaType}.delta`, ...place, delta })),
    event({ type: `${deltaType}.done`, ...place, [field]: text }),
    event({ type: "response.output_item.done", output_index, item: done }),
  ];
}
