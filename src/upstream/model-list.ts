/**
 * Reads upstream's model list (wire §3.6). What a field does not say stays unsaid; an entry without a name is passed over.
 */
import type { ModelFacts } from "../domain/model.ts";

type Json = Readonly<Record<string, unknown>>;

/** An entry of the list: what we know of it, and the whole of it as upstream has it. */
export interface ListedModel {
  readonly facts: ModelFacts;
  readonly entry: Json;
}

/** null for what is no model list. */
export function readModelList(body: Uint8Array): readonly ListedModel[] | null {
  let list: unknown;
  try {
    list = (JSON.parse(new TextDecoder().decode(body)) as { models?: unknown } | null)?.models;
  } catch {
    return null;
  }
  if (!Array.isArray(list)) return null;
  return list.flatMap((entry: unknown) => {
    if (!isObject(entry) || typeof entry.slug !== "string" || entry.slug === "") return [];
    return [{ facts: factsOf(entry, entry.slug), entry }];
  });
}

function factsOf(entry: Json, slug: string): ModelFacts {
  return {
    slug,
    name: text(entry.display_name) ?? slug,
    listed: entry.visibility === undefined || entry.visibility === "list",
    contextTokens: count(entry.context_window),
    maxContextTokens: count(entry.max_context_window),
    maxOutputTokens: count(entry.max_output_tokens),
    efforts: named(entry.supported_reasoning_levels, "effort"),
    defaultEffort: text(entry.default_reasoning_level),
    serviceTiers: named(entry.service_tiers, "id"),
    verbosity: entry.support_verbosity === true,
    defaultVerbosity: text(entry.default_verbosity),
    inputModalities: texts(entry.input_modalities) ?? [],
    lite: entry.use_responses_lite === true,
    upgradeTo: isObject(entry.upgrade) ? text(entry.upgrade.model) : text(entry.upgrade),
    plans: texts(entry.available_in_plans),
    minimalClientVersion: text(entry.minimal_client_version),
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function texts(value: unknown): readonly string[] | null {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : null;
}

function count(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? Math.floor(value) : null;
}

/** A list of names, or of objects that have theirs in `key`. */
function named(value: unknown, key: string): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one: unknown) => text(isObject(one) ? one[key] : one) ?? []);
}
