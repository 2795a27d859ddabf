/**
 * `POST /v1/chat/completions`: the same exchange as `/v1/responses`, asked and answered in the older words. Translates both ways and
 * decides nothing.
 */
import { ChatChunks } from "./chat-chunks.ts";
import { completionOf } from "./chat-completion.ts";
import { isObject } from "./chat-facts.ts";
import { translateChat } from "./chat-request.ts";
import { answerExchange } from "./exchange-answer.ts";
import { receiveTurn, sdkTurn } from "./turn.ts";
import type { Visit } from "./visit.ts";

export async function answerChat(visit: Visit): Promise<Response> {
  const { request, surface, nowMs, engine, words } = visit;
  const { body, scanned } = await receiveTurn(visit);
  const { body: asked, wants } = translateChat(scanned);
  const { exchange, wantsStream } = sdkTurn(visit, body, asked, () => new ChatChunks(wants, nowMs));
  const answer = await engine.exchanges.run(exchange);
  const fold = wantsStream
    ? null
    : (response: Readonly<Record<string, unknown>>) => completionOf(response, wants, nowMs());
  const delivery = { fold, refusal: chatRefusal };
  return answerExchange(answer, {
    surface,
    stream: true,
    signal: request.signal,
    nowMs,
    delivery,
    words,
    mapping: exchange.mapping,
  });
}

/** Upstream refuses with `{"detail":…}` at times, which no SDK shows. null for what has OpenAI's form already, or none that is known. */
function chatRefusal(body: Uint8Array): Readonly<Record<string, unknown>> | null {
  let said: unknown;
  try {
    said = JSON.parse(new TextDecoder().decode(body));
  } catch {
    return null;
  }
  if (!isObject(said) || isObject(said.error) || said.detail === undefined) return null;
  const message = typeof said.detail === "string" ? said.detail : JSON.stringify(said.detail);
  return { error: { message, type: "invalid_request_error", code: null, param: null } };
}
