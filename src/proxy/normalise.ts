/**
 * Brings an SDK's `/v1/responses` request into the form that a ChatGPT account's backend takes (wire §3.3, §5.4): that backend
 * streams always, stores nothing and refuses parameters of the Platform API. Only for the sdk surface; Codex bytes are never touched.
 * Edits are splices: what needs no change (tools above all, which upstream compares) keeps its bytes.
 */
import { type BodyBytes, bodyOf } from "../base/body-bytes.ts";
import { AppError } from "../base/errors.ts";
import {
  findMember,
  isArray,
  isNull,
  isObject,
  isText,
  type JsonMember,
  readFlag,
  readSpan,
  readText,
  scanElements,
  scanMembers,
  spanIncludes,
} from "./json-members.ts";
import { type Edit, jsonBytes, memberPieces, spliceElements, spliceMembers } from "./json-splice.ts";
import { inputFromText, normaliseItems } from "./normalise-input.ts";
import { editForLite } from "./normalise-lite.ts";
import { type ScannedBody, textAt, textOf } from "./request-facts.ts";

export interface NormalisedRequest {
  /** The client's own bytes when nothing had to change. */
  readonly bytes: BodyBytes;
  readonly model: string;
  /** It is in the form of a lite model; a header has to say so, too. */
  readonly lite: boolean;
  /** Did the client ask for a stream? Upstream is asked for one in any case. */
  readonly wantsStream: boolean;
}

const REASONING_INCLUDE = "reasoning.encrypted_content";

const REASONING_ALONE = jsonBytes([REASONING_INCLUDE]);
const EMPTY_TEXT = jsonBytes("");
const TRUE = jsonBytes(true);
const FALSE = jsonBytes(false);

/** What becomes of a member: other bytes, none at all (null), or the client's own. */
type Rule = (bytes: Uint8Array, member: JsonMember) => Edit | "keep";

/** Platform parameters that upstream answers with 400 "Unsupported parameter" (wire §3.3). They tune; none changes what is asked. */
const UNSUPPORTED: readonly string[] = [
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
];

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...UNSUPPORTED.map((name) => [name, () => null] as const),
  ["previous_response_id", refuseStored],
  ["conversation", refuseStored],
  ["input", inputRule],
  ["include", includeRule],
  ["reasoning", effortRule],
  ["service_tier", tierRule],
  ["tools", toolsRule],
  ["tool_choice", toolChoiceRule],
  ["instructions", (bytes, member) => (isNull(bytes, member) ? EMPTY_TEXT : "keep")],
  ["stream", (bytes, member) => (readFlag(bytes, member) === true ? "keep" : TRUE)],
  ["store", (bytes, member) => (readFlag(bytes, member) === false ? "keep" : FALSE)],
]);

/** What upstream wants in every request. */
const ALWAYS: readonly (readonly [name: string, value: Uint8Array])[] = [
  ["include", REASONING_ALONE],
  ["instructions", EMPTY_TEXT],
  ["stream", TRUE],
  ["store", FALSE],
];

/**
 * `isLite` knows which models want the other form (normalise-lite.ts). Throws `invalid_request` or `previous_response_not_found`, with the
 * parameter in its facts.
 */
export function normaliseRequest(body: ScannedBody, isLite: (model: string) => boolean): NormalisedRequest {
  const { bytes, members } = body;
  const model = textOf(body, "model");
  if (model === null || model === "") throw invalid("model", "model must be the name of a model");
  const edits = new Map<string, Edit>();
  for (const member of members) {
    const rule = RULES.get(member.key);
    // Of several of one name the last is meant, and all of them are edited.
    if (rule === undefined || findMember(members, member.key) !== member) continue;
    const edit = rule(bytes, member);
    if (edit !== "keep") edits.set(member.key, edit);
  }
  if (findMember(members, "input") === null) throw badInput();
  for (const [name, value] of ALWAYS) if (findMember(members, name) === null) edits.set(name, value);
  const lite = isLite(model);
  if (lite) editForLite(body, edits);
  const wantsStream = readFlag(bytes, findMember(members, "stream")) === true;
  return { bytes: edits.size === 0 ? bytes : bodyOf(memberPieces(bytes, members, edits)), model, lite, wantsStream };
}

/** Refers to what upstream would have stored. Leaving it out would answer without the history that the client means. */
function refuseStored(bytes: Uint8Array, member: JsonMember): null {
  if (isNull(bytes, member)) return null;
  const { key } = member;
  throw new AppError(
    "previous_response_not_found",
    `${key} needs stored responses, which a ChatGPT account does not keep: send the whole conversation as input`,
    { facts: { param: key } },
  );
}

function inputRule(bytes: Uint8Array, input: JsonMember): Edit | "keep" {
  if (isText(bytes, input)) return inputFromText(bytes, input);
  if (!isArray(bytes, input)) throw badInput();
  return normaliseItems(bytes, input) ?? "keep";
}

function badInput(): AppError {
  return invalid("input", "input must be a text or a list of items");
}

/** Sealed reasoning must come back with every answer: without it the next turn, which is not stored, could not go on from this one. */
function includeRule(bytes: Uint8Array, include: JsonMember): Edit | "keep" {
  if (isNull(bytes, include)) return REASONING_ALONE;
  if (!isArray(bytes, include) || spanIncludes(bytes, include, `"${REASONING_INCLUDE}"`)) return "keep";
  return jsonBytes([...(parsed(bytes, include) as unknown[]), REASONING_INCLUDE]);
}

/** Names of the Platform API that upstream knows under another one: its lowest level is `low`, its highest `max`. */
const EFFORTS: ReadonlyMap<string, string> = new Map([
  ["minimal", "low"],
  ["ultra", "max"],
]);

function effortRule(bytes: Uint8Array, reasoning: JsonMember): Edit | "keep" {
  if (!isObject(bytes, reasoning)) return "keep";
  return replaceText(bytes, reasoning, "effort", (effort) => EFFORTS.get(effort) ?? null) ?? "keep";
}

/** `fast` is what people and Codex's own settings call it. `auto` and `default` mean "as if absent", and absent is what upstream always takes. */
function tierRule(bytes: Uint8Array, member: JsonMember): Edit | "keep" {
  const tier = textAt(bytes, member);
  if (tier === "fast") return PRIORITY;
  return tier === "auto" || tier === "default" ? null : "keep";
}

const PRIORITY = jsonBytes("priority");

const PREVIEW_SEARCH = '"web_search_preview';
const searchName = (type: string) => (type.startsWith("web_search_preview") ? "web_search" : null);

/** The preview's name is refused; nothing else of a tool is touched. */
function toolsRule(bytes: Uint8Array, tools: JsonMember): Edit | "keep" {
  if (!isArray(bytes, tools) || !spanIncludes(bytes, tools, PREVIEW_SEARCH)) return "keep";
  const scan = scanElements(bytes, tools.valueStart, tools.valueEnd);
  if (!scan.ok) return "keep";
  const renamed = new Map<number, Edit>();
  for (const [index, tool] of scan.elements.entries()) {
    const edited = isObject(bytes, tool) ? replaceText(bytes, tool, "type", searchName) : null;
    if (edited !== null) renamed.set(index, edited);
  }
  return renamed.size === 0 ? "keep" : spliceElements(bytes, scan.elements, renamed);
}

function toolChoiceRule(bytes: Uint8Array, choice: JsonMember): Edit | "keep" {
  if (!isObject(bytes, choice) || !spanIncludes(bytes, choice, PREVIEW_SEARCH)) return "keep";
  return replaceText(bytes, choice, "type", searchName) ?? "keep";
}

/** The object at `span` with one of its texts renamed; null when `rename` has nothing to say. */
function replaceText(
  bytes: Uint8Array,
  span: Pick<JsonMember, "valueStart" | "valueEnd">,
  key: string,
  rename: (text: string) => string | null,
): Uint8Array | null {
  const scan = scanMembers(bytes, span.valueStart, span.valueEnd);
  if (!scan.ok) return null;
  let text: string | null;
  try {
    text = readText(bytes, findMember(scan.members, key));
  } catch {
    return null;
  }
  const renamed = text === null ? null : rename(text);
  return renamed === null ? null : spliceMembers(bytes, scan.members, new Map([[key, jsonBytes(renamed)]]));
}

function parsed(bytes: Uint8Array, span: JsonMember): unknown {
  try {
    return readSpan(bytes, span);
  } catch {
    throw invalid(span.key, `${span.key} is not valid JSON`);
  }
}

function invalid(param: string, message: string): AppError {
  return new AppError("invalid_request", message, { facts: { param } });
}
