/**
 * The model catalogue in the form that Codex reads (wire reference §3.6), and which plan may use what.
 */
import { sha256Hex } from "../base/id.ts";
import type { SimAccount } from "./accounts.ts";
import type { JsonObject } from "./json.ts";
import { PLAN_NAMES } from "./plans.ts";

export interface SimModel {
  slug: string;
  name: string;
  levels: readonly string[];
  defaultLevel: string;
  /** Tools travel inside `input[0]` instead of `tools`. */
  lite: boolean;
  contextTokens: number;
  maxContextTokens: number;
  listed: boolean;
  /** Plans that may not use it. */
  notIn: readonly string[];
}

const UP_TO_XHIGH = ["low", "medium", "high", "xhigh"];
const UP_TO_MAX = [...UP_TO_XHIGH, "max"];
const UP_TO_ULTRA = [...UP_TO_MAX, "ultra"];

const model = (
  slug: string,
  levels: readonly string[],
  defaultLevel: string,
  more: Partial<SimModel> = {},
): SimModel => ({
  slug,
  name: slug.replace(/^gpt/, "GPT").replace(/-([a-z])/g, (_, letter: string) => ` ${letter.toUpperCase()}`),
  levels,
  defaultLevel,
  lite: true,
  contextTokens: 272_000,
  maxContextTokens: 872_000,
  listed: true,
  notIn: [],
  ...more,
});

const MODELS: readonly SimModel[] = [
  // The wire reference names no plan limits; the biggest model is held back from free so that "not supported" can be met.
  model("gpt-6-astra", UP_TO_ULTRA, "low", { notIn: ["free", "go"] }),
  model("gpt-6.1-sol", UP_TO_ULTRA, "low"),
  model("gpt-6.1-terra", UP_TO_ULTRA, "low", { contextTokens: 500_000 }),
  model("gpt-6-sol", UP_TO_ULTRA, "medium"),
  model("gpt-6-luna", UP_TO_MAX, "medium"),
  model("gpt-5.6-luna", UP_TO_MAX, "medium"),
  model("gpt-5.6-sol", UP_TO_ULTRA, "low"),
  model("gpt-5.6-terra", UP_TO_ULTRA, "medium"),
  model("gpt-5.5", UP_TO_XHIGH, "medium", { lite: false, maxContextTokens: 272_000 }),
  model("gpt-daybreak-blue-latest", UP_TO_XHIGH, "medium", { maxContextTokens: 372_000, listed: false }),
  model("gpt-daybreak-red-latest", UP_TO_XHIGH, "medium", { maxContextTokens: 372_000, listed: false }),
  model("codex-auto-review", UP_TO_XHIGH, "low", { maxContextTokens: 272_000, listed: false }),
];

/** The model when the account may use it; null in every other case. */
export function modelFor(account: SimAccount, slug: string): SimModel | null {
  if (account.models) {
    if (!account.models.includes(slug)) return null;
    return MODELS.find((entry) => entry.slug === slug) ?? model(slug, UP_TO_XHIGH, "medium");
  }
  // A model that has an allowance of its own is there, whatever the catalogue says.
  if (account.buckets.some((bucket) => bucket.models?.includes(slug))) {
    return MODELS.find((entry) => entry.slug === slug) ?? model(slug, UP_TO_XHIGH, "medium");
  }
  const entry = MODELS.find((candidate) => candidate.slug === slug);
  return entry && !entry.notIn.includes(account.plan) ? entry : null;
}

function modelsFor(account: SimAccount): SimModel[] {
  const extra = [...(account.models ?? []), ...account.buckets.flatMap((bucket) => bucket.models ?? [])];
  const slugs = new Set([...MODELS.map((entry) => entry.slug), ...extra]);
  return [...slugs].map((slug) => modelFor(account, slug)).filter((entry) => entry !== null);
}

/** Body and entity tag of GET /codex/models. The tag depends on what the account may use. */
export function modelsBody(account: SimAccount): { text: string; etag: string } {
  const text = JSON.stringify({ models: modelsFor(account).map(modelEntry) });
  return { text, etag: `W/"${sha256Hex(text).slice(0, 32)}"` };
}

function modelEntry(entry: SimModel, index: number): JsonObject {
  return {
    slug: entry.slug,
    display_name: entry.name,
    description: `${entry.name}, as the simulator plays it.`,
    default_reasoning_level: entry.defaultLevel,
    supported_reasoning_levels: entry.levels.map((effort) => ({ effort, description: `${effort} effort` })),
    shell_type: "shell_command",
    visibility: entry.listed ? "list" : "hide",
    minimal_client_version: "0.124.0",
    supported_in_api: true,
    priority: index + 1,
    prefer_websockets: true,
    use_responses_lite: entry.lite,
    context_window: entry.contextTokens,
    max_context_window: entry.maxContextTokens,
    input_modalities: ["text", "image"],
    support_verbosity: true,
    default_verbosity: "low",
    apply_patch_tool_type: "freeform",
    web_search_tool_type: "text_and_image",
    truncation_policy: { mode: "tokens", limit: 10_000 },
    supports_parallel_tool_calls: !entry.lite,
    supports_reasoning_summaries: true,
    supports_reasoning_summary_parameter: true,
    default_reasoning_summary: "none",
    service_tiers: [{ id: "priority", name: "Fast", description: "Answers sooner" }],
    additional_speed_tiers: ["fast"],
    available_in_plans: PLAN_NAMES.filter((plan) => !entry.notIn.includes(plan)),
    upgrade: null,
    experimental_supported_tools: [],
    base_instructions: "You are a coding agent that runs against a simulator.",
    auto_compact_token_limit: null,
  };
}
