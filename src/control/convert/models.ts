/**
 * Models, their aliases and what names stand for, in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ModelAlias, PoolModel } from "../../domain/model.ts";
import type { ModelMapping } from "../../domain/model-choice.ts";
import type {
  ModelAliasSchema,
  ModelMappingSchema,
  ModelSchema,
  ModelSourceSchema,
} from "../../gen/rotor/v1/model_service_pb.ts";
import type { ModelSource } from "../../pool/catalogue.ts";
import { instant, int64 } from "./values.ts";

export function modelMessage({ facts, accountIds }: PoolModel): MessageInitShape<typeof ModelSchema> {
  return {
    name: facts.slug,
    displayName: facts.name,
    listed: facts.listed,
    contextTokens: int64(facts.contextTokens ?? 0),
    maxContextTokens: int64(facts.maxContextTokens ?? 0),
    maxOutputTokens: int64(facts.maxOutputTokens ?? 0),
    efforts: [...facts.efforts],
    defaultEffort: facts.defaultEffort ?? "",
    serviceTiers: [...facts.serviceTiers],
    verbosity: facts.verbosity,
    defaultVerbosity: facts.defaultVerbosity ?? "",
    inputModalities: [...facts.inputModalities],
    upgradeTo: facts.upgradeTo ?? "",
    accountIds: [...accountIds],
  };
}

export function modelAliasMessage(alias: ModelAlias): MessageInitShape<typeof ModelAliasSchema> {
  return { name: alias.name, target: alias.target, createTime: instant(alias.createdAtMs) };
}

export function modelSourceMessage(source: ModelSource): MessageInitShape<typeof ModelSourceSchema> {
  return {
    accountId: source.accountId,
    modelCount: source.modelCount,
    fetchTime: instant(source.fetchedAtMs),
    problem: source.problem ?? "",
  };
}

/** Records of earlier versions know of no mapping. */
export function mappingMessage(
  mapping: ModelMapping | null | undefined,
): MessageInitShape<typeof ModelMappingSchema> | undefined {
  if (!mapping) return undefined;
  const { asked, sent, effort, serviceTier } = mapping;
  return { asked, sent, effort: effort ?? "", serviceTier: serviceTier ?? "" };
}
