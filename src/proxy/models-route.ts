/**
 * The model list: as Codex reads it, in upstream's own bytes where accounts do not differ, and for SDKs the same with OpenAI's list beside
 * it, since one client reads `models` and the other `data` (wire §3.6).
 */
import { headerValue } from "../base/header-list.ts";
import type { ModelAlias, ModelFacts } from "../domain/model.ts";
import { modelNotFound } from "../pool/catalogue.ts";
import { modelsAllowed } from "./turn.ts";
import type { Visit } from "./visit.ts";

/** Codex's routes: as upstream has it. A client that names the list it has is told whether that is still the one. */
export async function answerCodexModels(visit: Visit): Promise<Response> {
  const { body, etag } = await fetchModels(visit);
  if (etag !== null && headerValue(visit.headers, "if-none-match") === etag) {
    return new Response(null, { status: 304, headers: { etag } });
  }
  return jsonAnswer(body, etag);
}

/** `GET /v1/models`. No tag: the aliases in it are not upstream's. */
export async function answerModels(visit: Visit): Promise<Response> {
  const { body, models } = await fetchModels(visit);
  const data = [...models.filter(({ listed }) => listed).map(describe), ...aliasesFor(visit).map(describeAlias)];
  const listed = JSON.parse(new TextDecoder().decode(body)) as { readonly models: unknown };
  return jsonAnswer(Buffer.from(JSON.stringify({ object: "list", data, models: listed.models })), null);
}

/** `GET /v1/models/:id`: what this client's list has, in either of its shapes; so hidden ones too, if one knows their name, and aliases. */
export async function answerModel(visit: Visit): Promise<Response> {
  const id = decodeName(visit.path.slice("/v1/models/".length));
  const { models } = await fetchModels(visit);
  const aliases = aliasesFor(visit);
  const alias = aliases.find(({ name }) => name === id);
  if (alias !== undefined) return jsonAnswer(Buffer.from(JSON.stringify(describeAlias(alias))), null);
  const facts = models.find(({ slug }) => slug === id);
  if (facts === undefined)
    throw modelNotFound(
      id,
      models,
      aliases.map(({ name }) => name),
    );
  return jsonAnswer(Buffer.from(JSON.stringify(describe(facts))), null);
}

/** Those that stand for what this client may ask for. */
function aliasesFor(visit: Visit): readonly ModelAlias[] {
  const { catalogue } = visit.engine;
  const isAllowed = modelsAllowed(visit);
  return catalogue
    .aliases()
    .filter(({ name }) => isAllowed === null || isAllowed(catalogue.choose(name)?.sent ?? name));
}

async function fetchModels(visit: Visit) {
  const { engine, query } = visit;
  const answer = await engine.catalogue.models(new URLSearchParams(query).get("client_version"), modelsAllowed(visit));
  if (answer.kind === "refused") throw answer.error;
  return answer;
}

/** OpenAI's form. `created` is required there and unknown here. The limits are what other providers' lists say, under the same names. */
function describe(model: ModelFacts) {
  const { contextTokens, maxOutputTokens } = model;
  return {
    id: model.slug,
    object: "model",
    created: 0,
    owned_by: "openai",
    name: model.name,
    ...(contextTokens === null ? {} : { context_window: contextTokens }),
    ...(maxOutputTokens === null ? {} : { max_output_tokens: maxOutputTokens }),
    reasoning_efforts: model.efforts,
    service_tiers: model.serviceTiers,
    input_modalities: model.inputModalities,
  };
}

function describeAlias({ name, createdAtMs, target }: ModelAlias) {
  return { id: name, object: "model", created: Math.floor(createdAtMs / 1_000), owned_by: "rotor", alias_of: target };
}

function jsonAnswer(body: Uint8Array, etag: string | null): Response {
  const headers: [string, string][] = [["content-type", "application/json"]];
  if (etag !== null) headers.push(["etag", etag]);
  return new Response(body as Uint8Array<ArrayBuffer>, { headers });
}

function decodeName(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
