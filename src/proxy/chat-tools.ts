/**
 * Tools of a Chat Completions request, new form and old, and the choice among them, as Responses has them: flat. Schemas keep their bytes,
 * since upstream compares them.
 */

import { invalidChat } from "./chat-refusal.ts";
import { isArray, isText, type JsonMember, type JsonSpan, readSpan, scanElements } from "./json-members.ts";
import { type JsonView, listOf, objectOf, type Piece, viewObject } from "./json-view.ts";

/** `tools`, `functions` and `web_search_options` as one list; null when none is said. */
export function toolsOf(body: JsonView): Piece[] | null {
  const tools = [
    ...elementsOf(body, "tools").map((element, index) => tool(body, element, `tools[${index}]`)),
    ...elementsOf(body, "functions").map((element, index) => oldFunction(body, element, `functions[${index}]`)),
  ];
  const search = body.object("web_search_options");
  if (search !== null) tools.push(searchTool(search));
  return tools.length > 0 || body.at("tools") !== null ? listOf(tools) : null;
}

function elementsOf(body: JsonView, key: string): readonly JsonSpan[] {
  const member = body.at(key);
  if (member === null) return [];
  const scan = isArray(body.bytes, member) ? scanElements(body.bytes, member.valueStart, member.valueEnd) : null;
  if (!scan?.ok) throw invalidChat(key, `${key} must be a list`);
  return scan.elements;
}

function tool(body: JsonView, element: JsonSpan, place: string): Piece[] {
  const view = viewObject(body.bytes, element);
  const type = view?.text("type") ?? null;
  if (view === null || type === null) throw invalidChat(place, `${place} must be an object with a type`);
  // Flat, as Responses has them, is how some programs write them here too.
  if (type === "function")
    return functionTool(view.object("function") ?? view, view.object("function") ? `${place}.function` : place);
  if (type === "custom") return customTool(view.object("custom") ?? view, place);
  return [body.raw(element)];
}

function oldFunction(body: JsonView, element: JsonSpan, place: string): Piece[] {
  const view = viewObject(body.bytes, element);
  if (view === null) throw invalidChat(place, `${place} must be an object`);
  return functionTool(view, place);
}

const NO_PARAMETERS = '{"type":"object","properties":{}}';

/** Strict is said always: Chat Completions means false when it says nothing, Responses means true. */
function functionTool(view: JsonView, place: string): Piece[] {
  return objectOf({
    type: '"function"',
    name: nameIn(view, place),
    description: rawOrNull(view, "description"),
    parameters: rawOrNull(view, "parameters") ?? NO_PARAMETERS,
    strict: view.flag("strict") === true ? "true" : "false",
  });
}

/** A grammar lies one level deeper in Chat Completions than in Responses. */
function customTool(view: JsonView, place: string): Piece[] {
  const format = view.object("format");
  const grammar = format?.object("grammar") ?? null;
  const flat =
    grammar === null
      ? rawOrNull(view, "format")
      : objectOf({
          type: '"grammar"',
          syntax: rawOrNull(grammar, "syntax"),
          definition: rawOrNull(grammar, "definition"),
        });
  return objectOf({
    type: '"custom"',
    name: nameIn(view, `${place}.custom`),
    description: rawOrNull(view, "description"),
    format: flat,
  });
}

function searchTool(options: JsonView): Piece[] {
  const place = options.object("user_location");
  const about = place?.object("approximate") ?? null;
  return objectOf({
    type: '"web_search"',
    search_context_size: rawOrNull(options, "search_context_size"),
    user_location:
      about === null
        ? null
        : objectOf({
            type: '"approximate"',
            ...Object.fromEntries(about.members.map((member) => [member.key, about.raw(member)])),
          }),
  });
}

const CHOICES: ReadonlySet<string> = new Set(["none", "auto", "required"]);

/** `tool_choice`, or the old `function_call`; null when neither is said. */
export function toolChoiceOf(body: JsonView): Piece[] | null {
  const choice = body.at("tool_choice");
  if (choice !== null) return flatChoice(body, choice, "tool_choice");
  const old = body.at("function_call");
  if (old === null) return null;
  const named = viewObject(body.bytes, old);
  if (named !== null) return objectOf({ type: '"function"', name: nameIn(named, "function_call") });
  return wordChoice(body, old, "function_call");
}

function wordChoice(body: JsonView, choice: JsonMember, place: string): Piece[] {
  const word = isText(body.bytes, choice) ? readSpan(body.bytes, choice) : null;
  if (typeof word !== "string" || !CHOICES.has(word)) {
    throw invalidChat(place, `${place} must be none, auto, required or one tool`);
  }
  return [body.raw(choice)];
}

function flatChoice(body: JsonView, choice: JsonSpan & { readonly key?: string }, place: string): Piece[] {
  const view = viewObject(body.bytes, choice);
  if (view === null) return wordChoice(body, choice as JsonMember, place);
  const type = view.text("type");
  if (type === "function" || type === "custom") {
    const inner = view.object(type);
    const name = nameIn(inner ?? view, inner === null ? place : `${place}.${type}`);
    return objectOf({ type: JSON.stringify(type), name });
  }
  if (type !== "allowed_tools") return [body.raw(choice)];
  const allowed = view.object("allowed_tools") ?? view;
  const tools = elementsOf(allowed, "tools").map((element, index) =>
    flatChoice(body, element, `${place}.allowed_tools.tools[${index}]`),
  );
  return objectOf({ type: '"allowed_tools"', mode: rawOrNull(allowed, "mode"), tools: listOf(tools) });
}

/** The bytes of the name, which must be a text. */
function nameIn(view: JsonView, place: string): Uint8Array {
  const name = view.at("name");
  if (name === null || !isText(view.bytes, name)) throw invalidChat(`${place}.name`, `${place}.name must be a text`);
  return view.raw(name);
}

function rawOrNull(view: JsonView, key: string): Uint8Array | null {
  const member = view.at(key);
  return member === null ? null : view.raw(member);
}
