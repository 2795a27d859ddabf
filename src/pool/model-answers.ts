/**
 * The model list as clients are given it: upstream's own bytes where all accounts were told the same, else one list of them all, entry by
 * entry as upstream has them. Made once for each state of the shelf.
 */
import { sha256Hex } from "../base/id.ts";
import { isOlderVersion, type ModelFacts, type PoolModel } from "../domain/model.ts";
import { type ListedModel, readModelList } from "../upstream/model-list.ts";
import type { ModelShelf } from "./model-shelf.ts";

export interface ModelAnswer {
  readonly kind: "models";
  /** In the form that Codex reads. */
  readonly body: Uint8Array;
  readonly etag: string | null;
  /** What we know of the same models. */
  readonly models: readonly ModelFacts[];
}

/** Which models a client key and a profile allow; the same function for as long as they are the same. */
export type ModelFilter = (model: string | null) => boolean;

export interface ModelAnswers {
  /**
   * For a client of this version (null = it does not say), which is not shown what is too new for it, nor what `isAllowed` leaves out
   * (null = nothing). null = there is no list.
   */
  of(clientVersion: string | null, isAllowed?: ModelFilter | null): ModelAnswer | null;
}

export function createModelAnswers(shelf: Pick<ModelShelf, "lists" | "models" | "bodyOf">): ModelAnswers {
  let made: { of: readonly PoolModel[]; answer: ModelAnswer | null } | null = null;
  const whole = (): ModelAnswer | null => {
    const of = shelf.models();
    if (made?.of === of) return made.answer;
    made = { of, answer: answerOf(shelf, of) };
    return made.answer;
  };
  const narrowed = new WeakMap<ModelFilter, { of: ModelAnswer; answer: ModelAnswer }>();
  const allowedOf = (of: ModelAnswer, isAllowed: ModelFilter): ModelAnswer => {
    const known = narrowed.get(isAllowed);
    if (known?.of === of) return known.answer;
    const isWhole = of.models.every(({ slug }) => isAllowed(slug));
    const answer = isWhole ? of : answerFrom(entriesOf(of.body).filter(({ facts }) => isAllowed(facts.slug)));
    narrowed.set(isAllowed, { of, answer });
    return answer;
  };
  return {
    of(clientVersion, isAllowed = null) {
      const all = whole();
      const answer = all === null || isAllowed === null ? all : allowedOf(all, isAllowed);
      if (answer === null || clientVersion === null) return answer;
      const fits = ({ minimalClientVersion: least }: ModelFacts) =>
        least === null || !isOlderVersion(clientVersion, least);
      if (answer.models.every(fits)) return answer;
      return answerFrom(entriesOf(answer.body).filter(({ facts }) => fits(facts)));
    },
  };
}

function answerOf(shelf: Pick<ModelShelf, "lists" | "bodyOf">, models: readonly PoolModel[]): ModelAnswer | null {
  const kept = shelf.lists().flatMap((list) => {
    const body = shelf.bodyOf(list.accountId);
    return body === null ? [] : [{ list, body }];
  });
  const [first] = kept;
  if (first === undefined) return null;
  if (kept.every(({ body }) => Buffer.compare(body, first.body) === 0)) {
    return { kind: "models", body: first.body, etag: first.list.etag, models: first.list.models };
  }
  const entries = kept.map(({ list, body }) => ({
    list,
    bySlug: new Map(entriesOf(body).map((listed) => [listed.facts.slug, listed])),
  }));
  return answerFrom(
    models.flatMap(({ facts }) => {
      // Of several accounts' entries the one that the merged facts are from.
      const source =
        entries.find(({ list }) => list.models.includes(facts)) ?? entries.find(({ bySlug }) => bySlug.has(facts.slug));
      return source?.bySlug.get(facts.slug) ?? [];
    }),
  );
}

function entriesOf(body: Uint8Array): readonly ListedModel[] {
  return readModelList(body) ?? [];
}

/** The tag is ours, since the list is: nobody else has one with these models. */
function answerFrom(entries: readonly ListedModel[]): ModelAnswer {
  const text = JSON.stringify({ models: entries.map(({ entry }) => entry) });
  const etag = `W/"rotor-${sha256Hex(text).slice(0, 32)}"`;
  return { kind: "models", body: Buffer.from(text), etag, models: entries.map(({ facts }) => facts) };
}
