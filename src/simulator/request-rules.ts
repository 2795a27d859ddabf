/**
 * What the backend accepts on /responses and how it refuses the rest (wire reference §3.3). First failure wins.
 */
import { type Answer, detailAnswer, errorAnswer } from "./answer.ts";
import { isMessage, isToolOutput, offeredTools } from "./conversation.ts";
import { asList, asObject, asText, type JsonObject, objectsOf } from "./json.ts";
import type { SimModel } from "./models.ts";
import * as refusal from "./refusals.ts";
import type { SealedContent } from "./sealed-content.ts";

const UNSUPPORTED: readonly string[] = [
  "max_output_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "top_logprobs",
  "truncation",
  "user",
  "metadata",
  "safety_identifier",
  "prompt_cache_retention",
  "prompt_cache_options",
  "prompt_cache_breakpoint",
  "context_management",
  "stream_options",
  "background",
  "generate",
  "previous_response_id",
];

const INCLUDABLE: readonly string[] = [
  "reasoning.encrypted_content",
  "web_search_call.action.sources",
  "code_interpreter_call.outputs",
  "message.input_image.image_url",
  "message.output_text.logprobs",
];

/** Hosted tools that most plans refuse. */
const REFUSED_TOOLS: readonly string[] = [
  "file_search",
  "code_interpreter",
  "computer_use",
  "computer_use_preview",
  "image_generation",
  "web_search_preview",
];

const TOOL_NAME = /^[a-zA-Z0-9_-]{1,64}$/;

/** Everything that can be said without knowing the account. */
export function refuseBody(body: JsonObject): Answer | null {
  if (body.stream !== true) return detailAnswer(400, "Stream must be set to true");
  if (body.store !== false) return detailAnswer(400, "Store must be set to false");
  if (!Array.isArray(body.input)) return detailAnswer(400, "Input must be a list");
  const unsupported = UNSUPPORTED.find((name) => body[name] !== undefined);
  if (unsupported) return detailAnswer(400, `Unsupported parameter: ${unsupported}`);
  const input = objectsOf(body.input);
  if (input.some((item) => isMessage(item) && item.role === "system"))
    return detailAnswer(400, "System messages are not allowed");
  if (asText(body.model) === null)
    return errorAnswer(400, {
      message: "Missing required parameter: 'model'.",
      param: "model",
      code: "missing_required_parameter",
    });
  return refuseInstructions(body, input) ?? refuseInclude(body) ?? refuseTools(body, input);
}

/** Since 0.169 the base prompt is the first developer message, and the key is absent. */
function refuseInstructions(body: JsonObject, input: JsonObject[]): Answer | null {
  const hasDeveloper = input.some((item) => item.role === "developer");
  if (asText(body.instructions) === null && !hasDeveloper) return detailAnswer(400, "Instructions are required");
  return null;
}

function refuseInclude(body: JsonObject): Answer | null {
  const index = (asList(body.include) ?? []).findIndex((entry) => !INCLUDABLE.includes(entry as string));
  if (index < 0) return null;
  const value = asList(body.include)![index];
  return errorAnswer(400, {
    message: `Invalid value: '${value}'. Supported values are: ${INCLUDABLE.map((name) => `'${name}'`).join(", ")}.`,
    param: `include[${index}]`,
    code: "invalid_value",
  });
}

function refuseTools(body: JsonObject, input: JsonObject[]): Answer | null {
  const hosted = objectsOf(body.tools).find((tool) => REFUSED_TOOLS.includes(asText(tool.type) ?? ""));
  if (hosted) return detailAnswer(400, `Unsupported tool type: ${hosted.type}`);
  const misnamed = offeredTools(body, input).find((tool) => !TOOL_NAME.test(tool.name));
  if (!misnamed) return null;
  return errorAnswer(400, {
    message: `Invalid 'tools.name': '${misnamed.name}' does not match the pattern '^[a-zA-Z0-9_-]+$' of at most 64 characters.`,
    param: "tools",
    code: "invalid_value",
  });
}

export function refuseEffort(body: JsonObject, model: SimModel): Answer | null {
  const effort = asText(asObject(body.reasoning)?.effort);
  // `none` is what title requests send; the catalogue does not list it. `ultra` is the client's word for `max`.
  if (effort === null || effort === "none") return null;
  const levels = model.levels.filter((level) => level !== "ultra");
  if (levels.includes(effort)) return null;
  return errorAnswer(400, {
    message: `Unsupported value: '${effort}' is not supported with the '${model.slug}' model. Supported values are: ${levels.map((level) => `'${level}'`).join(", ")}.`,
    param: "reasoning.effort",
    code: "unsupported_value",
  });
}

/** Items that refer to something: a sealed text of this organisation, a call that was made, an item that was saved. */
export function refuseItems(input: JsonObject[], organizationId: string, sealed: SealedContent): Answer | null {
  for (const item of input) {
    const encrypted = asText(item.encrypted_content);
    if (encrypted !== null) {
      const opened = sealed.open(organizationId, encrypted);
      if (!opened.ok) return refusal.invalidEncryptedContent(opened.reason);
    }
    const isUnsaved = item.type === "item_reference" || (item.type === "reasoning" && encrypted === null);
    if (isUnsaved && asText(item.id) !== null) return itemNotFound(asText(item.id)!);
  }
  return refuseCalls(input);
}

function itemNotFound(id: string): Answer {
  const message = `Item with id '${id}' not found. Items are not persisted when \`store\` is set to false. Try again with \`store\` set to true, or remove this item from your input.`;
  return errorAnswer(404, { message, param: "input" });
}

function refuseCalls(input: JsonObject[]): Answer | null {
  const idsOf = (items: JsonObject[]) => new Set(items.map((item) => asText(item.call_id) ?? ""));
  const calls = input.filter((item) => item.type === "function_call" || item.type === "custom_tool_call");
  const outputs = input.filter(isToolOutput);
  // Outputs of the local shell tool come as function outputs.
  const called = idsOf([...calls, ...input.filter((item) => item.type === "local_shell_call")]);
  const answered = idsOf(outputs);
  const orphan = outputs.find((item) => !called.has(asText(item.call_id) ?? ""));
  if (orphan)
    return errorAnswer(400, {
      message: `No tool call found for function call output with call_id ${orphan.call_id}.`,
      param: "input",
    });
  const open = calls.find((item) => !answered.has(asText(item.call_id) ?? ""));
  if (open)
    return errorAnswer(400, { message: `No tool output found for function call ${open.call_id}.`, param: "input" });
  return null;
}
