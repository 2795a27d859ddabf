/**
 * The model catalogue: what the pool's accounts may use, as upstream lists it, and which model a name stands for. Serves what it has and
 * looks for newer behind the answer; only with nothing at all does anybody wait.
 */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { type HeaderList, headerValue } from "../base/header-list.ts";
import { nearest } from "../base/nearest.ts";
import type { AccountId } from "../domain/account.ts";
import type { ModelAlias, ModelFacts, PoolModel } from "../domain/model.ts";
import { aliasProblem, chooseModel, type ModelBook, type ModelMapping, needsBook } from "../domain/model-choice.ts";
import type { Outcome } from "../domain/outcome.ts";
import { refusalOf } from "../domain/refusal.ts";
import type { Settings } from "../domain/setting.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";
import { outcomeError, refusalError } from "./exchange-refusal.ts";
import type { Keeper } from "./keeper.ts";
import type { LeaseDesk } from "./lease-desk.ts";
import { createModelAnswers, type ModelAnswer, type ModelFilter } from "./model-answers.ts";
import type { ModelShelf } from "./model-shelf.ts";

export type CatalogueAnswer = ModelAnswer | { readonly kind: "refused"; readonly error: AppError };

/** What one account was told, and when. */
export interface ModelSource {
  readonly accountId: AccountId;
  readonly modelCount: number;
  /** null = never. */
  readonly fetchedAtMs: number | null;
  /** Why the last try failed; null = it did not, or there was none. */
  readonly problem: string | null;
}

export interface CatalogueView {
  readonly models: readonly PoolModel[];
  readonly aliases: readonly ModelAlias[];
  readonly sources: readonly ModelSource[];
}

export interface CatalogueDesk {
  /** The list for a client of this version; null = it does not say. `isAllowed`: what its key and its profile allow. */
  models(clientVersion: string | null, isAllowed?: ModelFilter | null): Promise<CatalogueAnswer>;
  /** The tag of the list as such clients are given it; null while there is none. Asks nobody, as all below. */
  etag(isAllowed?: ModelFilter | null): string | null;
  /** Does upstream want requests for this model in its "responses-lite" form? */
  isLite(model: string): boolean;
  /** null = upstream does not say. */
  defaultEffort(model: string): string | null;
  /** What is sent for this name; null = itself. */
  choose(asked: string): ModelMapping | null;
  /** Waits, for a moment, for a first list when the name cannot be understood without one; null = there is nothing to wait for. */
  prepare(asked: string | null): Promise<void> | null;
  /** What is known now; newer is looked for behind the answer. */
  known(): readonly PoolModel[];
  /** `fresh`: after a look at what is old, else `all`. */
  view(refresh: "old" | "all"): Promise<CatalogueView>;
  /** The facts of a model of this very name; throws `model_not_found`, with what there is. */
  get(name: string): PoolModel;
  /** In the order of their names. */
  aliases(): readonly ModelAlias[];
  /** Throws `invalid_model_alias`. */
  setAlias(name: string, target: string): Promise<ModelAlias>;
  /** Throws `model_alias_not_found`. */
  removeAlias(name: string): Promise<ModelAlias>;
}

/** What exchanges say to it and ask of it. */
export interface ModelWatch {
  /** An answer to a request on this account: upstream names the account's list in it. */
  answered(id: AccountId, headers: HeaderList): void;
  /** When upstream's last word was that it has no such model, and no list has one: that. */
  refusal(last: Outcome | null, model: string | null): AppError | null;
}

/** A request waits so long for the first list of all, when its model's name cannot be understood without one. */
const PREPARE_MS = 5_000;
/** Once one list is there, others that are slower come with the next question. */
const STRAGGLERS_MS = 2_000;

export function createCatalogue(deps: {
  stored: readonly ModelAlias[];
  shelf: ModelShelf;
  keeper: Keeper;
  leases: LeaseDesk;
  settings: () => Settings;
  store: Pick<Store, "saveModelAlias" | "removeModelAlias">;
  audit: AuditNotes;
  clock: Clock;
}): CatalogueDesk & ModelWatch {
  const { shelf, keeper, leases, store, audit, clock } = deps;
  const aliases = new Map(deps.stored.map((alias) => [alias.name, alias]));
  const targets = new Map(deps.stored.map(({ name, target }) => [name, target]));
  const answers = createModelAnswers(shelf);
  let bySlug: { of: readonly PoolModel[]; map: ReadonlyMap<string, ModelFacts> } = { of: [], map: new Map() };
  const models = () => {
    const of = shelf.models();
    if (of !== bySlug.of) bySlug = { of, map: new Map(of.map(({ facts }) => [facts.slug, facts])) };
    return bySlug.map;
  };
  const book = (): ModelBook => ({
    models: models(),
    aliases: targets,
    preferLatest: deps.settings().model_prefer_latest,
  });

  const inOrder = () => [...aliases.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));

  /** Why there is no list: the trouble of the last try, else what stands against asking anybody. */
  const refusal = (): AppError => {
    const ask = leases.askFor({ model: null, affinity: null, tried: new Set() });
    const plan = leases.plan(ask);
    if (plan.usableCount === 0) return refusalError(refusalOf(plan, ask), clock.nowMs());
    const outcome = keeper.accounts().flatMap(({ id }) => shelf.failureOf(id) ?? [])[0];
    const words = outcome !== undefined && "message" in outcome ? `: ${outcome.message}` : "";
    return (
      (outcome === undefined ? null : outcomeError(outcome, clock)) ??
      new AppError("upstream_rejected", `upstream gave no account its models${words}`)
    );
  };

  const firstList = async (limitMs: number): Promise<void> => {
    const ended = new AbortController();
    const refreshed = shelf.refresh("whole").finally(() => ended.abort());
    const late = clock.sleep(limitMs, ended.signal).catch(() => {});
    await Promise.race([refreshed, late]);
  };

  return {
    async models(clientVersion, isAllowed) {
      shelf.heard(clientVersion);
      const isWhole = () => shelf.lists().some(({ accountId }) => shelf.bodyOf(accountId) !== null);
      const looking = shelf.refresh("whole");
      if (!isWhole()) await withStragglers(looking, isWhole, clock);
      return answers.of(clientVersion, isAllowed) ?? { kind: "refused", error: refusal() };
    },
    etag: (isAllowed) => answers.of(null, isAllowed)?.etag ?? null,
    isLite: (model) => models().get(model)?.lite ?? LITE_BY_NAME.test(model),
    defaultEffort: (model) => models().get(model)?.defaultEffort ?? null,
    choose: (asked) => chooseModel(asked, book()),
    prepare(asked) {
      return asked === null || models().size > 0 || !needsBook(asked, targets) ? null : firstList(PREPARE_MS);
    },
    answered(id, headers) {
      const etag = headerValue(headers, "x-models-etag");
      if (etag !== null) shelf.seen(id, etag);
    },
    refusal(last, model) {
      if (last?.kind !== "model_unsupported" || model === null || models().size === 0 || models().has(model))
        return null;
      return unknownModel(model, models(), targets);
    },
    get(name) {
      const found = shelf.models().find(({ facts }) => facts.slug === name);
      if (found !== undefined) return found;
      throw modelNotFound(name, models().values(), targets.keys());
    },
    known() {
      void shelf.refresh("old").catch(() => {});
      return shelf.models();
    },
    async view(refresh) {
      await shelf.refresh(refresh);
      return {
        models: shelf.models(),
        aliases: inOrder(),
        sources: keeper.accounts().map(({ id }) => sourceOf(shelf, id)),
      };
    },
    aliases: inOrder,
    async setAlias(name, target) {
      const problem = aliasProblem(name, target, targets);
      if (problem !== null) throw new AppError("invalid_model_alias", problem);
      const before = aliases.get(name);
      const alias = { name, target, createdAtMs: before?.createdAtMs ?? clock.nowMs() };
      await store.saveModelAlias(alias);
      aliases.set(name, alias);
      targets.set(name, target);
      const text = before === undefined ? target : `${before.target} → ${target}`;
      audit.say({ action: "model.set_alias", subjects: [{ id: name, name }], text });
      return alias;
    },
    async removeAlias(name) {
      const alias = aliases.get(name);
      if (alias === undefined) throw new AppError("model_alias_not_found", `there is no alias ${name} of a model`);
      await store.removeModelAlias(name);
      aliases.delete(name);
      targets.delete(name);
      audit.say({ action: "model.remove_alias", subjects: [{ id: name, name }], text: alias.target });
      return alias;
    },
  };
}

/** Until there is a list and the others had their moment, or all tries have ended. */
async function withStragglers(looking: Promise<void>, isWhole: () => boolean, clock: Clock): Promise<void> {
  const ended = new AbortController();
  const all = looking.finally(() => ended.abort());
  for (;;) {
    const pause = clock.sleep(STRAGGLERS_MS, ended.signal).catch(() => {});
    await Promise.race([all, pause]);
    if (ended.signal.aborted || isWhole()) return;
  }
}

function sourceOf(shelf: ModelShelf, accountId: AccountId): ModelSource {
  const list = shelf.lists().find((one) => one.accountId === accountId);
  const failure = shelf.failureOf(accountId);
  return {
    accountId,
    modelCount: list?.models.length ?? 0,
    fetchedAtMs: list?.fetchedAtMs ?? null,
    problem: failure === null ? null : failure.kind.replaceAll("_", " "),
  };
}

/** With what there is instead, for whoever asks. */
export function modelNotFound(name: string, models: Iterable<ModelFacts>, aliases: Iterable<string>): AppError {
  return new AppError("model_not_found", `there is no model ${name}${whatThereIs(name, models, aliases)}`, {
    facts: { param: "model" },
  });
}

function unknownModel(
  model: string,
  models: ReadonlyMap<string, ModelFacts>,
  aliases: ReadonlyMap<string, string>,
): AppError {
  return new AppError(
    "model_unsupported",
    `no account may use the model ${model}${whatThereIs(model, models.values(), aliases.keys())}`,
    {
      facts: { model, param: "model" },
      hint: "rotor model list",
    },
  );
}

/** `; the nearest is gpt-5.5; there are …` */
function whatThereIs(asked: string, models: Iterable<ModelFacts>, aliases: Iterable<string>): string {
  const listed = [...models].filter((facts) => facts.listed).map(({ slug }) => slug);
  const names = [...listed, ...aliases];
  const close = nearest(asked, names);
  const meant = close === null ? "" : `; the nearest is ${close}`;
  return names.length === 0 ? "" : `${meant}; there are ${names.join(", ")}`;
}

/** Until a list was fetched, and for models that no list names: as they were in the official client's list of 2026-11-21 (wire §3.6). */
const LITE_BY_NAME = /^gpt-(?:5\.6|6(?:\.\d+)?|daybreak)-|^codex-auto-review$/;
