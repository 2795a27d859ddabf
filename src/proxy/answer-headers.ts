/**
 * The header of an answer as its client gets it, whatever the door: upstream's, without what is not the client's to see, with the pool's figures
 * for the account's, the names that stand for others, and the exchange. One pass; which field may cross is header-hygiene's to say.
 */
import type { HeaderList } from "../base/header-list.ts";
import type { Surface } from "../domain/exchange.ts";
import { type ModelMapping, mappingText } from "../domain/model-choice.ts";
import { forClient } from "./header-hygiene.ts";
import { isLimitHeader, type PooledWords } from "./pooled-words.ts";

export interface ToldOfModels {
  /** How the request was sent, when not as it was asked. */
  readonly mapping?: ModelMapping | null;
  /** Tag of the model list that clients are given: one account's own would make them fetch it again and again (wire §7). */
  readonly modelsEtag?: string | null;
}

export interface ToldInHeaders extends ToldOfModels {
  readonly surface: Surface;
  /** What its limit headers are to say instead of one account's figures, where the setting says so. */
  readonly words: Pick<PooledWords, "isInForce" | "headers">;
}

export function answerHeaders(headers: HeaderList, told: ToldInHeaders, exchangeId: string): HeaderList {
  const { surface, words, mapping, modelsEtag } = told;
  const isPooled = words.isInForce();
  let isOfLimits = false;
  const list: (readonly [string, string])[] = [];
  for (const header of forClient(headers)) {
    const [name] = header;
    if (isPooled && isLimitHeader(name)) isOfLimits = true;
    else if (name === "x-models-etag" && modelsEtag) list.push([name, modelsEtag]);
    else if (name !== MODEL_NAME || !mapping) list.push(header);
  }
  // Nothing that speaks to an SDK shows them: there the account's are left out, and nothing is reckoned.
  if (isOfLimits && surface !== "sdk") for (const header of words.headers() ?? []) list.push(header);
  if (mapping) list.push(mappedHeader(mapping));
  list.push(exchangeHeader(exchangeId));
  return list;
}

/** Of an answer of Rotor's own. */
export function mappedHeaders({ mapping }: ToldOfModels): HeaderList {
  return mapping ? [mappedHeader(mapping)] : [];
}

/** The exchange by which `rotor exchange show` finds it. */
export function exchangeHeader(exchangeId: string): readonly [string, string] {
  return ["x-rotor-exchange", exchangeId];
}

/** A Codex client takes another name than it asked for as a rerouting and warns of it (wire §0.3): after a mapping that was asked for it is left out. */
const MODEL_NAME = "openai-model";

function mappedHeader(mapping: ModelMapping): readonly [string, string] {
  return ["x-rotor-model", mappingText(mapping)];
}
