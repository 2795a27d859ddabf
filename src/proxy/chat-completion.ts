/**
 * A finished response as one `chat.completion` object (wire §5.3). Pure. The stream says the same in pieces: chat-chunks.ts.
 */
import { annotationsOf } from "./chat-annotations.ts";
import {
  type ChatCall,
  callBody,
  chatCall,
  chatId,
  chatUsage,
  finishReason,
  PARAGRAPH,
  spokenText,
  thoughtsOf,
} from "./chat-facts.ts";
import type { ChatWants } from "./chat-request.ts";
import { StopText } from "./stop-text.ts";

type Json = Readonly<Record<string, unknown>>;

interface Spoken {
  texts: string[];
  refusals: string[];
  thoughts: string[];
  calls: ChatCall[];
  annotations: Json[];
  stopped: boolean;
}

export function completionOf(response: Json, wants: ChatWants, nowMs: number): Json {
  const spoken = spokenBy(response, wants);
  const { texts, refusals, thoughts } = spoken;
  const calls = wants.oldCalls ? spoken.calls.slice(0, 1) : spoken.calls;
  const message = {
    role: "assistant",
    content: texts.length === 0 ? null : texts.join(""),
    refusal: refusals.length === 0 ? null : refusals.join(PARAGRAPH),
    annotations: spoken.annotations,
    ...(thoughts.length === 0 ? {} : { reasoning_content: thoughts.join(PARAGRAPH) }),
    ...callsBody(calls, wants.oldCalls),
  };
  const choice = {
    index: 0,
    message,
    logprobs: null,
    finish_reason: spoken.stopped ? "stop" : finishReason(response, calls.length, wants.oldCalls),
  };
  const usage = chatUsage(response.usage);
  return {
    id: chatId(String(response.id ?? "")),
    object: "chat.completion",
    created: typeof response.created_at === "number" ? response.created_at : Math.floor(nowMs / 1_000),
    model: typeof response.model === "string" ? response.model : wants.model,
    choices: [choice],
    ...(usage === null ? {} : { usage }),
    service_tier: typeof response.service_tier === "string" ? response.service_tier : null,
    system_fingerprint: null,
  };
}

/** In the order in which it was said, up to a stop sequence. */
function spokenBy(response: Json, { stop }: ChatWants): Spoken {
  const spoken: Spoken = { texts: [], refusals: [], thoughts: [], calls: [], annotations: [], stopped: false };
  let length = 0;
  const stopText = new StopText(stop);
  let spoke = false;
  for (const item of Array.isArray(response.output) ? response.output : []) {
    spoken.thoughts.push(...thoughtsIn(item));
    const said = spokenText(item, "output_text");
    if (said !== "") {
      const text = (spoke ? PARAGRAPH : "") + said;
      spoken.texts.push(stopText.feed(text));
      length += text.length;
    }
    spoke ||= said !== "";
    if (stopText.stopped) break;
    spoken.annotations.push(...annotationsOf(item, length - said.length));
    const refused = spokenText(item, "refusal");
    if (refused !== "") spoken.refusals.push(refused);
    const call = chatCall(item);
    if (call !== null) spoken.calls.push(call);
  }
  if (spoke) spoken.texts.push(stopText.end());
  return { ...spoken, stopped: stopText.stopped };
}

function thoughtsIn(item: unknown): readonly string[] {
  return (item as Json | null)?.type === "reasoning" ? thoughtsOf(item) : [];
}

function callsBody(calls: readonly ChatCall[], oldCalls: boolean): Json {
  if (calls.length === 0) return {};
  if (!oldCalls) return { tool_calls: calls.map(callBody) };
  const { name, text } = calls[0]!;
  return { function_call: { name, arguments: text } };
}
