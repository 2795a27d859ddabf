/**
 * POST /codex/responses: checks the request as the backend does, charges the account's windows, and answers with a stream.
 */

import { randomToken } from "../base/id.ts";
import { bucketOf, type SimAccount } from "./accounts.ts";
import { chargeBucket, fullUntilMs } from "./allowance.ts";
import { limitHeaders, rateLimitsEvent } from "./allowance-wire.ts";
import { type Answer, detailAnswer, jsonAnswer } from "./answer.ts";
import { identify } from "./backend-identity.ts";
import { decodeBody } from "./body-codec.ts";
import { type Conversation, isMessage, readConversation, tokensOf } from "./conversation.ts";
import { type HeaderList, headerOf } from "./http-request.ts";
import { asObject, asText, type JsonObject, objectsOf, tryParseJson } from "./json.ts";
import { modelFor, modelsBody } from "./models.ts";
import * as refusal from "./refusals.ts";
import { composeReply } from "./reply.ts";
import { refuseBody, refuseEffort, refuseItems } from "./request-rules.ts";
import { type Produced, sendAnswer, serve, type Target, takeFault } from "./serve.ts";
import { endsStream, pointOf } from "./stream-faults.ts";
import { runStream } from "./stream-runner.ts";
import type { Call } from "./world.ts";

/** How much of a conversation's prefix is cached, per organisation, model and key. */
export type PromptCache = Map<string, number>;

export async function handleResponses(call: Call, cache: PromptCache): Promise<void> {
  const identity = identify(call);
  // A stranger meets no fault: an ordered one waits for a request that counts.
  if (identity.refused) return sendAnswer(call, identity.refused);
  await serveTurn(call, identity.account, readBody(call), cache);
}

/** One request for the model, whichever way it came. */
export async function serveTurn(call: Call, account: SimAccount, read: ReadBody, cache: PromptCache): Promise<void> {
  account.counters.responses++;
  const model = read.ok ? asText(read.body.model) : null;
  const target: Target = { at: "responses", account, model, contentType: "text/event-stream; charset=utf-8" };
  await serve(call, target, () => {
    if (!read.ok) return read.refused;
    return respond(call, target, account, read.body, cache);
  });
}

export type ReadBody = { ok: true; body: JsonObject } | { ok: false; refused: Answer };

export function readBody(call: Call): ReadBody {
  const { request } = call.exchange;
  const decoded = decodeBody(request.body, headerOf(request.headers, "content-encoding"));
  if (!decoded.ok) return { ok: false, refused: detailAnswer(decoded.status, decoded.problem) };
  const body = asObject(tryParseJson(new TextDecoder().decode(decoded.bytes)));
  if (!body) return { ok: false, refused: detailAnswer(400, "Request body is not valid JSON") };
  if (call.world.recorder.settings.bodies) call.record.body = body;
  return { ok: true, body };
}

function respond(call: Call, target: Target, account: SimAccount, body: JsonObject, cache: PromptCache): Produced {
  const { world } = call;
  if (account.deactivated) return refusal.deactivatedWorkspace(402);
  const refused = refuseBody(body);
  if (refused) return refused;
  const model = modelFor(account, asText(body.model)!);
  if (!model) return refusal.modelUnsupported(asText(body.model)!);
  const refusedItems =
    refuseEffort(body, model) ?? refuseItems(objectsOf(body.input), account.organizationId, world.sealed);
  if (refusedItems) return refusedItems;
  const talk = readConversation(body, model);
  if (talk.inputTokens > model.maxContextTokens) return contextExceeded();
  return refuseLimit(call, account, talk) ?? streamFor(call, target, account, talk, cache);
}

function contextExceeded(): Answer {
  const message = "Your input exceeds the context window of this model. Please adjust your input and try again.";
  const error = { message, type: "invalid_request_error", param: "input", code: "context_length_exceeded" };
  return jsonAnswer(400, { error });
}

/** 429 when the bucket that serves this model is full and no credits carry on. */
function refuseLimit(call: Call, account: SimAccount, talk: Conversation): Answer | null {
  const nowMs = call.world.clock.nowMs();
  const bucket = bucketOf(account, talk.model);
  const resetsAtMs = fullUntilMs(bucket, nowMs);
  if (resetsAtMs === null) return null;
  const { credits } = account;
  if (credits.hasCredits && (credits.unlimited || credits.balance > 0)) {
    // One credit a request once the included windows are used up.
    if (!credits.unlimited) credits.balance = Math.max(0, credits.balance - 1);
    return null;
  }
  account.counters.limited++;
  const facts = { planType: account.plan, resetsAtMs, nowMs, fields: account.limitAnswer };
  return refusal.usageLimitRefusal(facts, limitHeaders(account, bucket, nowMs));
}

function streamFor(call: Call, target: Target, account: SimAccount, talk: Conversation, cache: PromptCache): Produced {
  const { world } = call;
  const fault = takeFault(call, target, ["stream"]);
  const bucket = bucketOf(account, talk.model);
  const reply = composeReply(account.alias, talk);
  const cachedTokens = cachedTokensOf(account, talk, cache);
  const isServed = !(fault && endsStream(fault.kind) && pointOf(fault) === "opening");
  // Charged before the head, so that the head says what is left after this request.
  if (isServed) chargeBucket(bucket, { requests: 1, tokens: talk.inputTokens }, world.clock.nowMs());
  const headers = streamHeaders(call, account, talk);
  const usage = {
    inputTokens: talk.inputTokens,
    cachedTokens,
    outputTokens: reply.outputTokens,
    reasoningTokens: reply.reasoning?.tokens ?? 0,
  };
  const prelude = call.exchange.message === null ? [] : preludeOf(account, headers, world.clock.nowMs());
  const onCompleted = () => {
    account.counters.completed++;
    chargeBucket(bucket, { requests: 0, tokens: reply.outputTokens }, world.clock.nowMs());
  };
  return { stream: () => runStream(call, { account, talk, reply, usage, fault, headers, prelude, onCompleted }) };
}

/** Upstream caches prompts in steps of so many tokens. */
const CACHE_STEP_TOKENS = 128;
const CACHE_MAX_ENTRIES = 10_000;

function cachedTokensOf(account: SimAccount, talk: Conversation, cache: PromptCache): number {
  if (talk.cacheKey === null) return 0;
  const key = `${account.organizationId} ${talk.model} ${talk.cacheKey}`;
  const earlier = cache.get(key) ?? 0;
  cache.delete(key);
  cache.set(key, talk.inputTokens);
  if (cache.size > CACHE_MAX_ENTRIES) cache.delete(cache.keys().next().value!);
  return Math.floor(Math.min(earlier, talk.inputTokens) / CACHE_STEP_TOKENS) * CACHE_STEP_TOKENS;
}

function streamHeaders(call: Call, account: SimAccount, talk: Conversation): HeaderList {
  const { world, exchange } = call;
  // Over a WebSocket the request itself carries it (wire reference §3.5).
  const given =
    asText(asObject(talk.body.client_metadata)?.["x-codex-turn-state"]) ??
    headerOf(exchange.request.headers, "x-codex-turn-state");
  // Kept while it is this account's own; a stranger's is replaced.
  const own = given !== null && world.sealed.open(account.accountId, given).ok;
  return [
    ["content-type", "text/event-stream; charset=utf-8"],
    ["cache-control", "no-cache"],
    ["openai-model", talk.model],
    ["x-codex-turn-state", own ? given : world.sealed.seal(account.accountId, randomToken(world.dice, 9))],
    ["x-models-etag", modelsBody(account).etag],
    ["x-reasoning-included", "true"],
    ...limitHeaders(account, bucketOf(account, talk.model), world.clock.nowMs()),
  ];
}

/** What a WebSocket's client is told before an answer, since there is no head that could say it. */
function preludeOf(account: SimAccount, headers: HeaderList, nowMs: number): JsonObject[] {
  const told = headers.filter(([name]) => name === "x-codex-turn-state" || name === "openai-model");
  return [rateLimitsEvent(account, nowMs), { type: "codex.response.metadata", headers: Object.fromEntries(told) }];
}

/** POST /codex/responses/compact: what clients before 0.16 use. JSON in, JSON out. */
export async function handleCompact(call: Call): Promise<void> {
  const identity = identify(call);
  if (identity.refused) return sendAnswer(call, identity.refused);
  identity.account.counters.responses++;
  const read = readBody(call);
  const target: Target = {
    at: "compact",
    account: identity.account,
    model: read.ok ? asText(read.body.model) : null,
    contentType: "application/json",
  };
  await serve(call, target, () => (read.ok ? compact(call, identity.account, read.body) : read.refused));
}

function compact(call: Call, account: SimAccount, body: JsonObject): Answer {
  const { world } = call;
  if (account.deactivated) return refusal.deactivatedWorkspace(402);
  if (!Array.isArray(body.input)) return detailAnswer(400, "Input must be a list");
  const model = modelFor(account, asText(body.model) ?? "");
  if (!model) return refusal.modelUnsupported(asText(body.model) ?? "");
  const input = objectsOf(body.input);
  const refused = refuseItems(input, account.organizationId, world.sealed);
  if (refused) return refused;
  const talk = readConversation(body, model);
  const limited = refuseLimit(call, account, talk);
  if (limited) return limited;
  const bucket = bucketOf(account, talk.model);
  const summary = `summary of ${input.length} items`;
  const outputTokens = tokensOf(summary);
  chargeBucket(bucket, { requests: 1, tokens: talk.inputTokens + outputTokens }, world.clock.nowMs());
  account.counters.completed++;
  const sealed = world.sealed.seal(account.organizationId, summary);
  const kept = input.filter((item) => isMessage(item) && (item.role === "user" || item.role === "developer"));
  const answer = {
    id: `resp_${randomToken(world.dice, 18)}`,
    object: "response.compaction",
    created_at: Math.floor(world.clock.nowMs() / 1_000),
    output: [...kept, { id: `cmp_${randomToken(world.dice, 12)}`, type: "compaction", encrypted_content: sealed }],
    usage: {
      input_tokens: talk.inputTokens,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: talk.inputTokens + outputTokens,
    },
  };
  return jsonAnswer(200, answer, limitHeaders(account, bucket, world.clock.nowMs()));
}
