/**
 * Which models an account is known not to be served, and for how long that is believed: a part of transition.ts. What upstream refuses and
 * what its list says are one knowledge; the later word counts.
 */
import type { Account } from "./account.ts";
import { ANNOUNCE, type Effect, LATER, log, NO_EFFECTS } from "./effect.ts";

interface Transition {
  readonly account: Account;
  readonly effects: readonly Effect[];
}

/** Upstream's own word on what this account may use and what not. */
export interface ModelsListed {
  readonly kind: "models_listed";
  readonly atMs: number;
  readonly refused: readonly string[];
  readonly offered: readonly string[];
}

export function refuseModel(account: Account, model: string | null, atMs: number, lengthMs: number): Transition {
  if (model === null) return { account, effects: [] };
  const others = account.unsupportedModels.filter((refused) => refused.model !== model && refused.untilMs > atMs);
  const unsupportedModels = [...others, { model, untilMs: atMs + lengthMs }];
  return {
    account: { ...account, unsupportedModels },
    effects: [LATER, ANNOUNCE, log("account.model_refused", { model })],
  };
}

/** What is offered is refused no longer. What is refused is said once, and anew only when the last word is about to end. */
export function modelsListed(account: Account, { atMs, refused, offered }: ModelsListed, lengthMs: number): Transition {
  const { unsupportedModels: before } = account;
  const kept = before.filter(({ model, untilMs }) => untilMs > atMs && !offered.includes(model));
  const stands = (model: string) => kept.some((one) => one.model === model && one.untilMs - atMs > lengthMs / 2);
  const said = refused.filter((model) => !stands(model)).map((model) => ({ model, untilMs: atMs + lengthMs }));
  if (said.length === 0 && kept.length === before.length) return { account, effects: NO_EFFECTS };
  const others = kept.filter(({ model }) => !said.some((one) => one.model === model));
  const isNews = (model: string) => !before.some((one) => one.model === model);
  return {
    account: { ...account, unsupportedModels: [...others, ...said] },
    effects: [
      LATER,
      ANNOUNCE,
      ...said.filter(({ model }) => isNews(model)).map(({ model }) => log("account.model_refused", { model })),
    ],
  };
}
