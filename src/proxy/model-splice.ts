/**
 * Puts what a model's name stands for into a request: the model, and the effort or service tier that belong to it. Splices: every other
 * byte stays as the client sent it, and a name that stands for itself changes nothing at all.
 */
import type { ModelMapping } from "../domain/model-choice.ts";
import type { CatalogueDesk } from "../pool/catalogue.ts";
import { findMember, isNull, isObject, scanMembers } from "./json-members.ts";
import { type Edit, jsonBytes, spliceMembers } from "./json-splice.ts";
import { type ScannedBody, scanBody, textOf } from "./request-facts.ts";

export interface MappedBody {
  readonly body: ScannedBody;
  readonly mapping: ModelMapping | null;
}

export function mapModel(body: ScannedBody, catalogue: Pick<CatalogueDesk, "choose">): MappedBody {
  const asked = textOf(body, "model");
  const mapping = asked === null || asked === "" ? null : catalogue.choose(asked);
  if (mapping === null) return { body, mapping };
  const edits = new Map<string, Edit>();
  if (mapping.sent !== mapping.asked) edits.set("model", jsonBytes(mapping.sent));
  if (mapping.effort !== null) editReasoning(body, edits, { effort: mapping.effort });
  const tier = mapping.serviceTier === null || isSaid(body, "service_tier") ? null : mapping.serviceTier;
  if (tier !== null) edits.set("service_tier", jsonBytes(tier));
  return { body: edited(body, edits), mapping: { ...mapping, serviceTier: tier } };
}

/** Models of this family get no `reasoning` at all from OpenCode, and say nothing of their thoughts then (opencode-plugin §4). */
const WITHOUT_DEFAULT = /^gpt-6(?:[.-]|$)/;

/** An SDK's request that says nothing of reasoning, to a model whose clients do not know what to say. */
export function withDefaultEffort(body: ScannedBody, catalogue: Pick<CatalogueDesk, "defaultEffort">): ScannedBody {
  const model = textOf(body, "model");
  if (model === null || !WITHOUT_DEFAULT.test(model) || isSaid(body, "reasoning")) return body;
  const effort = catalogue.defaultEffort(model);
  if (effort === null) return body;
  const edits = new Map<string, Edit>();
  editReasoning(body, edits, { effort, summary: "auto" });
  return edited(body, edits);
}

function isSaid({ bytes, members }: ScannedBody, key: string): boolean {
  const member = findMember(members, key);
  return member !== null && !isNull(bytes, member);
}

/** The last that stands is the one that counts, and all that stand are edited. */
function editReasoning(
  { bytes, members }: ScannedBody,
  edits: Map<string, Edit>,
  said: Readonly<Record<string, string>>,
): void {
  const member = findMember(members, "reasoning");
  const value = member !== null && isObject(bytes, member) ? bytes.subarray(member.valueStart, member.valueEnd) : null;
  const scan = value === null ? null : scanMembers(value);
  const inner = new Map(Object.entries(said).map(([key, text]) => [key, jsonBytes(text)]));
  edits.set("reasoning", scan?.ok ? spliceMembers(value!, scan.members, inner) : jsonBytes(said));
}

function edited(body: ScannedBody, edits: ReadonlyMap<string, Edit>): ScannedBody {
  return edits.size === 0 ? body : scanBody(spliceMembers(body.bytes, body.members, edits));
}
