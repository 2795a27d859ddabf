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
import { type ScannedBody, textOf } from "./request-facts.ts";

export interface NormalisedRequest {
  /** The client's own bytes when nothing had to change. */
  readonly bytes: BodyBytes;
  readonly model: string;
  /** It is in the form of a lite model; a header has to say so, too. */
  readonly lite: boolean;
  /** Did the client ask for a stream? Upstream is asked for one in any case. */
  readonly wantsStream: boolean;
}

/** Platform parameters that upstream answers with 400 "Unsupported parameter" (wire §3.3). They tune; none changes what is asked. */
const UNSUPPORTED: ReadonlySet<string> = new Set([
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
]);

/** Names that refer to what upstream would have stored. Leaving them out would answer without the history that the client means. */
const STORED: readonly string[] = ["previous_response_id", "conversation"];

const REASONING_INCLUDE = "reasoning.encrypted_content";

const REASONING_ALONE = jsonBytes([REASONING_INCLUDE]);
const EMPTY_TEXT = jsonBytes("");
const TRUE = jsonBytes(true);
const FALSE = jsonBytes(false);

/**
 * `isLite` knows which models want the other form (normalise-lite.ts). Throws `invalid_request` or `previous_response_not_found`, with the
 * parameter in its facts.
 */
export function normaliseRequest(body: ScannedBody, isLite: (model: string) => boolean): NormalisedRequest {
  const { bytes, members } = body;
  const model = textOf(body, "model");
  if (model === null || model === "") throw invalid("model", "model must be the name of a model");
  const edits = new Map<string, Edit>();
  dropUnsupported(body, edits);
  editInput(body, edits);
  editInclude(body, edits);
  editEffort(body, edits);
  editServiceTier(body, edits);
  editTools(body, edits);
  const instructions = findMember(members, "instructions");
  if (instructions === null || isNull(bytes, instructions)) edits.set("instructions", EMPTY_TEXT);
  const lite = isLite(model);
  if (lite) editForLite(body, edits);
  const wantsStream = readFlag(bytes, findMember(members, "stream")) === true;
  if (!wantsStream) edits.set("stream", TRUE);
  if (readFlag(bytes, findMember(members, "store")) !== false) edits.set("store", FALSE);
  return { bytes: edits.size === 0 ? bytes : bodyOf(memberPieces(bytes, members, edits)), model, lite, wantsStream };
}

function dropUnsupported({ bytes, members }: ScannedBody, edits: Map<string, Edit>): void {
  for (const { key } of members) if (UNSUPPORTED.has(key)) edits.set(key, null);
  for (const key of STORED) {
    const member = findMember(members, key);
    if (member === null) continue;
    if (!isNull(bytes, member)) {
      throw new AppError(
        "previous_response_not_found",
        `${key} needs stored responses, which a ChatGPT account does not keep: send the whole conversation as input`,
        { facts: { param: key } },
      );
    }
    edits.set(key, null);
  }
}

function editInput({ bytes, members }: ScannedBody, edits: Map<string, Edit>): void {
  const input = findMember(members, "input");
  if (input !== null && isText(bytes, input)) {
    edits.set("input", inputFromText(bytes, input));
  } else if (input !== null && isArray(bytes, input)) {
    const items = normaliseItems(bytes, input);
    if (items !== null) edits.set("input", items);
  } else throw invalid("input", "input must be a text or a list of items");
}

/** Sealed reasoning must come back with every answer: without it the next turn, which is not stored, could not go on from this one. */
function editInclude({ bytes, members }: ScannedBody, edits: Map<string, Edit>): void {
  const include = findMember(members, "include");
  if (include === null || isNull(bytes, include)) {
    edits.set("include", REASONING_ALONE);
  } else if (isArray(bytes, include) && !spanIncludes(bytes, include, `"${REASONING_INCLUDE}"`)) {
    const asked = parsed(bytes, include) as unknown[];
    edits.set("include", jsonBytes([...asked, REASONING_INCLUDE]));
  }
}

/** Names of the Platform API that upstream knows under another one: its lowest level is `low`, its highest `max`. */
const EFFORTS: ReadonlyMap<string, string> = new Map([
  ["minimal", "low"],
  ["ultra", "max"],
]);

function editEffort({ bytes, members }: ScannedBody, edits: Map<string, Edit>): void {
  const reasoning = findMember(members, "reasoning");
  if (reasoning === null || !isObject(bytes, reasoning)) return;
  const edited = replaceText(bytes, reasoning, "effort", (effort) => EFFORTS.get(effort) ?? null);
  if (edited !== null) edits.set("reasoning", edited);
}

/** `fast` is what people and Codex's own settings call it. `auto` and `default` mean "as if absent", and absent is what upstream always takes. */
function editServiceTier(body: ScannedBody, edits: Map<string, Edit>): void {
  const tier = textOf(body, "service_tier");
  if (tier === "fast") edits.set("service_tier", jsonBytes("priority"));
  if (tier === "auto" || tier === "default") edits.set("service_tier", null);
}

const PREVIEW_SEARCH = '"web_search_preview';
const searchName = (type: string) => (type.startsWith("web_search_preview") ? "web_search" : null);

/** The preview's name is refused; nothing else of a tool is touched. */
function editTools({ bytes, members }: ScannedBody, edits: Map<string, Edit>): void {
  const tools = findMember(members, "tools");
  if (tools !== null && isArray(bytes, tools) && spanIncludes(bytes, tools, PREVIEW_SEARCH)) {
    const scan = scanElements(bytes, tools.valueStart, tools.valueEnd);
    const renamed = new Map<number, Edit>();
    for (const [index, tool] of scan.ok ? scan.elements.entries() : []) {
      const edited = isObject(bytes, tool) ? replaceText(bytes, tool, "type", searchName) : null;
      if (edited !== null) renamed.set(index, edited);
    }
    if (scan.ok && renamed.size > 0) edits.set("tools", spliceElements(bytes, scan.elements, renamed));
  }
  const choice = findMember(members, "tool_choice");
  if (choice === null || !isObject(bytes, choice) || !spanIncludes(bytes, choice, PREVIEW_SEARCH)) return;
  const edited = replaceText(bytes, choice, "type", searchName);
  if (edited !== null) edits.set("tool_choice", edited);
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
