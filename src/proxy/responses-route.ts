/**
 * `POST …/responses`: the request that everything else is for. A Codex client's bytes go on untouched, still compressed if they came so;
 * an SDK's are normalised.
 */
import type { ExchangeRequest } from "../pool/engine.ts";
import { answerInBackground, wantsBackground } from "./background-route.ts";
import { AS_IT_COMES, answerExchange, type Delivery } from "./exchange-answer.ts";
import { sdkEvents } from "./sdk-events.ts";
import { codexTurn, commonOf, modelsEtagFor, pooledEvents, type ReceivedTurn, receiveTurn, sdkTurn } from "./turn.ts";
import type { Visit } from "./visit.ts";

export async function answerResponses(visit: Visit): Promise<Response> {
  const { request, surface, nowMs, engine, words } = visit;
  const turn = await receiveTurn(visit);
  if (surface === "sdk" && wantsBackground(turn.scanned)) return answerInBackground(visit, turn);
  const { exchange, delivery } = surface === "codex" ? ofCodex(visit, turn) : ofSdk(visit, turn);
  const answer = await engine.exchanges.run(exchange);
  const { mapping } = exchange;
  const modelsEtag = modelsEtagFor(visit);
  return answerExchange(answer, {
    surface,
    stream: true,
    signal: request.signal,
    nowMs,
    delivery,
    words,
    mapping,
    modelsEtag,
  });
}

interface Turn {
  readonly exchange: ExchangeRequest;
  readonly delivery: Delivery;
}

const FOLDED: Delivery = { fold: (response) => response, refusal: null };

function ofCodex(visit: Visit, { body, scanned }: ReceivedTurn): Turn {
  const mapped = codexTurn(visit, body, scanned);
  const filter = pooledEvents(visit);
  const exchange: ExchangeRequest = { ...commonOf(visit, scanned), ...mapped, filter, unpack: false };
  return { exchange, delivery: AS_IT_COMES };
}

function ofSdk(visit: Visit, { body, scanned }: ReceivedTurn): Turn {
  const { exchange, wantsStream } = sdkTurn(visit, body, scanned, sdkEvents(visit.nowMs));
  return { exchange, delivery: wantsStream ? AS_IT_COMES : FOLDED };
}
