/**
 * The model list: upstream's own bytes for Codex, and for SDKs the same with OpenAI's list beside it, since one client reads `models`
 * and the other `data` (wire §3.6).
 */
import { AppError } from "../base/errors.ts";
import { forUpstream } from "./header-hygiene.ts";
import type { Visit } from "./visit.ts";

/** Codex's routes: as upstream has it. */
export async function answerCodexModels(visit: Visit): Promise<Response> {
  const { body, etag } = await fetchModels(visit);
  return jsonAnswer(body, etag);
}

/** `GET /v1/models`. */
export async function answerModels(visit: Visit): Promise<Response> {
  const { body, etag } = await fetchModels(visit);
  const models = readModels(body);
  const data = models.filter(isListed).map(describe);
  return jsonAnswer(Buffer.from(JSON.stringify({ object: "list", data, models })), etag);
}

/** `GET /v1/models/:id`; hidden ones too, if one knows their name. */
export async function answerModel(visit: Visit): Promise<Response> {
  const id = decodeName(visit.path.slice("/v1/models/".length));
  const { body } = await fetchModels(visit);
  const model = readModels(body).find((entry) => entry.slug === id);
  if (model === undefined) {
    throw new AppError("route_not_found", `there is no model ${JSON.stringify(id)}`, { facts: { param: "model" } });
  }
  return jsonAnswer(Buffer.from(JSON.stringify(describe(model))), null);
}

interface UpstreamModel {
  readonly slug: string;
  readonly visibility?: unknown;
}

async function fetchModels({ engine, headers, keyId, path, request, surface }: Visit) {
  const answer = await engine.catalogue.models({
    headers: forUpstream(headers),
    keyId,
    signal: request.signal,
    path,
    surface,
  });
  if (answer.kind === "refused") throw answer.error;
  return answer;
}

function readModels(body: Uint8Array): UpstreamModel[] {
  let list: unknown;
  try {
    list = (JSON.parse(new TextDecoder().decode(body)) as { models?: unknown } | null)?.models;
  } catch (thrown) {
    throw new AppError("upstream_malformed", "upstream's model list is not JSON", { cause: thrown });
  }
  if (!Array.isArray(list)) throw new AppError("upstream_malformed", "upstream's answer has no list of models");
  return list.filter((entry) => typeof entry?.slug === "string");
}

/** Upstream marks what its own pickers leave out. */
function isListed(model: UpstreamModel): boolean {
  return model.visibility === undefined || model.visibility === "list";
}

/** OpenAI's form. `created` is required there and unknown here. */
function describe(model: UpstreamModel) {
  return { id: model.slug, object: "model", created: 0, owned_by: "openai" };
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
