/**
 * The smallest model request there is, to one account: finds out whether it serves a model. It spends some tokens of that account's windows,
 * so nothing but an order sends it. An exchange like any other: it learns, and `rotor exchange list` shows it.
 */
import { AppError } from "../base/errors.ts";
import type { HeaderList } from "../base/header-list.ts";
import type { Account } from "../domain/account.ts";
import { holdText } from "../domain/explain.ts";
import type { Hold } from "../domain/hold.ts";
import type { CatalogueDesk } from "./catalogue.ts";
import type { ExchangeDesk, ExchangeRequest } from "./engine.ts";
import type { ModelWish } from "./login-step.ts";

export interface ModelProbeDeps {
  readonly exchanges: Pick<ExchangeDesk, "run" | "get">;
  readonly catalogue: Pick<CatalogueDesk, "isLite">;
  readonly holdsOn: (account: Account) => readonly Hold[];
}

export type ModelProbeEnd = { readonly ok: boolean; readonly text: string };

/** Before any is sent. */
export function checkModelWish({ model, effort }: ModelWish): void {
  const isWord = (text: string) => /^[a-zA-Z0-9][\w.:-]{0,79}$/.test(text);
  if (!isWord(model)) throw new AppError("invalid_request", `${JSON.stringify(model)} is no name of a model`);
  if (!isWord(effort)) throw new AppError("invalid_request", `${JSON.stringify(effort)} is no reasoning effort`);
}

export async function probeModel(deps: ModelProbeDeps, account: Account, wish: ModelWish): Promise<ModelProbeEnd> {
  const { exchanges, catalogue, holdsOn } = deps;
  const { model } = wish;
  const [hold] = holdsOn(account);
  if (hold !== undefined) return { ok: false, text: `${model} was not asked: ${holdText(hold)}` };
  const answer = await exchanges.run(requestFor(account, wish, catalogue.isLite(model)));
  const shown = `rotor exchange show ${answer.exchangeId}`;
  if (answer.kind === "refused") return { ok: false, text: `${model}: ${answer.error.message} (${shown})` };
  if (answer.kind === "rejected") return { ok: false, text: `${model}: refused with ${answer.status} (${shown})` };
  // Read to its end, so that upstream's count of tokens is learnt.
  await new Response(answer.body).arrayBuffer().catch(() => null);
  const last = (await exchanges.get(answer.exchangeId)).attempts.at(-1);
  if (last?.outcome === "served") return { ok: true, text: `${model} answers` };
  return { ok: false, text: `${model}: the answer broke off (${shown})` };
}

function requestFor(account: Account, wish: ModelWish, lite: boolean): ExchangeRequest {
  const body = new TextEncoder().encode(JSON.stringify(lite ? liteBody(wish) : plainBody(wish)));
  return {
    surface: "codex",
    method: "POST",
    path: "/codex/responses (probe)",
    upstreamPath: "/codex/responses",
    headers: lite ? [...HEADERS, LITE] : HEADERS,
    body,
    plainBody: body,
    model: wish.model,
    mapping: null,
    filter: null,
    unpack: true,
    socket: null,
    stream: true,
    conversation: null,
    project: null,
    effort: null,
    tier: null,
    keyId: null,
    only: account.id,
    signal: new AbortController().signal,
  };
}

const HEADERS: HeaderList = [
  ["accept", "text/event-stream"],
  ["content-type", "application/json"],
];
/** The form that some models want (wire §3.2, §3.3). */
const LITE: HeaderList[number] = ["x-openai-internal-codex-responses-lite", "true"];

const ORDER = "Answer with the one word OK.";

const textPart = (text: string) => [{ type: "input_text", text }];
const QUESTION = { type: "message", role: "user", content: textPart("OK?") };
const COMMON = { parallel_tool_calls: false, store: false, stream: true };

function plainBody({ model, effort }: ModelWish) {
  return { model, instructions: ORDER, input: [QUESTION], reasoning: { effort }, ...COMMON };
}

function liteBody({ model, effort }: ModelWish) {
  const input = [{ type: "message", role: "developer", content: textPart(ORDER) }, QUESTION];
  return { model, instructions: "", input, reasoning: { effort, context: "all_turns" }, ...COMMON };
}
