/**
 * The model list: as Codex reads it, in upstream's own bytes where accounts do not differ, and for SDKs the same with OpenAI's list beside
 * it, since one client reads `models` and the other `data` (wire §3.6).
 */
import { headerValue } from "../base/header-list.ts";
import type { ModelAlias, ModelFacts } from "../domain/model.ts";
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
  const { aliases } = visit.engine.catalogue;
  const isAllowed = modelsAllowed(visit);
  const meant = (name: string) => visit.engine.catalogue.choose(name)?.sent ?? name;
  const named = aliases().filter(({ name }) => isAllowed === null || isAllowed(meant(name)));
  const data = [...models.filter(({ listed }) => listed).map(describe), ...named.map(describeAlias)];
  const listed = JSON.parse(new TextDecoder().decode(body)) as { readonly models: unknown };
  return jsonAnswer(Buffer.from(JSON.stringify({ object: "list", data, models: listed.models })), null);
}

/** `GET /v1/models/:id`; hidden ones too, if one knows their name, and aliases. */
export async function answerModel(visit: Visit): Promise<Response> {
  const id = decodeName(visit.path.slice("/v1/models/".length));
  const { models } = await fetchModels(visit);
  const { catalogue } = visit.engine;
  const alias = catalogue.aliases().find(({ name }) => name === id);
  const facts = models.find(({ slug }) => slug === id);
  const found = alias !== undefined ? describeAlias(alias) : describe(facts ?? catalogue.get(id).facts);
  return jsonAnswer(Buffer.from(JSON.stringify(found)), null);
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
