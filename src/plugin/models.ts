/**
 * Rotor's models as OpenCode's config spells them: limits, inputs, an effort a variant, and a second entry where upstream has a fast lane.
 * What the person's own config says of a model goes before what stands here.
 */
import { isRecord } from "./places.ts";
import type { Handshake, ModelJson } from "./wire.ts";

interface ModelEntry {
  readonly id?: string;
  readonly name: string;
  readonly limit: { readonly context: number; readonly output: number };
  readonly reasoning: boolean;
  readonly tool_call: boolean;
  readonly attachment: boolean;
  readonly temperature: boolean;
  readonly modalities: { readonly input: readonly string[]; readonly output: readonly string[] };
  readonly options?: Readonly<Record<string, unknown>>;
  readonly variants?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Of OpenCode's own list for these models, where upstream does not say. */
const CONTEXT_TOKENS = 272_000;
const OUTPUT_TOKENS = 128_000;
/** What OpenCode knows as an input; upstream may know more. */
const INPUTS: ReadonlySet<string> = new Set(["text", "image", "audio", "video", "pdf"]);

export function modelEntries(handshake: Handshake): Record<string, ModelEntry> {
  const entries: Record<string, ModelEntry> = {};
  for (const model of handshake.models ?? []) {
    const name = model.name ?? "";
    if (name === "") continue;
    entries[name] = entryOf(model);
    if ((model.serviceTiers ?? []).includes("priority"))
      entries[`${name}-fast`] = {
        ...entryOf(model),
        id: name,
        name: `${model.displayName || name} Fast`,
        options: { ...entryOf(model).options, serviceTier: "priority" },
      };
  }
  for (const { name = "", target = "" } of handshake.aliases ?? []) {
    const known = entries[target];
    // Rotor knows what the alias stands for; OpenCode is only told what it can do.
    if (name !== "" && known !== undefined) entries[name] = { ...known, id: name, name: `${name} (${target})` };
  }
  return entries;
}

function entryOf(model: ModelJson): ModelEntry {
  const efforts = model.efforts ?? [];
  const inputs = (model.inputModalities ?? []).filter((input) => INPUTS.has(input));
  const summary = { reasoningSummary: "auto", include: ["reasoning.encrypted_content"] };
  const usual = model.defaultEffort ? { reasoningEffort: model.defaultEffort, ...summary } : {};
  const verbosity = model.verbosity && model.defaultVerbosity ? { textVerbosity: model.defaultVerbosity } : {};
  return {
    name: model.displayName || model.name || "",
    limit: {
      context: Number(model.contextTokens ?? 0) || CONTEXT_TOKENS,
      output: Number(model.maxOutputTokens ?? 0) || OUTPUT_TOKENS,
    },
    reasoning: efforts.length > 0,
    tool_call: true,
    attachment: inputs.length === 0 || inputs.includes("image"),
    // Upstream refuses one for every model that it has.
    temperature: false,
    modalities: { input: inputs.length === 0 ? ["text", "image"] : inputs, output: ["text"] },
    options: { ...usual, ...verbosity },
    variants: Object.fromEntries(efforts.map((effort) => [effort, { reasoningEffort: effort, ...summary }])),
  };
}

/** Names that the list must keep whatever Rotor says: those that the person's config speaks of. */
export function namedModels(config: Readonly<Record<string, unknown>>, upstream: string): string[] {
  const named = [config.model, config.small_model];
  for (const part of [config.agent, config.command, config.mode])
    if (isRecord(part)) for (const one of Object.values(part)) if (isRecord(one)) named.push(one.model);
  const prefix = `${upstream}/`;
  return named.flatMap((name) =>
    typeof name === "string" && name.startsWith(prefix) ? [name.slice(prefix.length)] : [],
  );
}
