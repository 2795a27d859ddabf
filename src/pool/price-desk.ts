/** Prices: the table of the house, and what the operator says instead. An estimate of what the public API would cost; nobody is charged. */
import { type Clock, formatInstant } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Usage } from "../domain/outcome.ts";
import {
  allPrices,
  costMicroUsd,
  type Price,
  type PriceEntry,
  priceOf,
  priceProblem,
  type SavedPrice,
} from "../domain/price.ts";
import type { Store } from "../store/store.ts";
import type { AuditNotes } from "./audit-book.ts";

export interface PriceDesk {
  list(): readonly PriceEntry[];
  /** For requests that end from now on. */
  set(model: string, price: Price): Promise<PriceEntry>;
  /** Back to the table's. The price in force then, null when the table has none. */
  reset(model: string): Promise<PriceEntry | null>;
  /** Millionths of a USD; null when the model has no price. */
  costOf(model: string | null, tier: string | null, usage: Usage): number | null;
}

const MODEL_MAX_CHARS = 80;

export function createPriceDesk(deps: {
  stored: readonly SavedPrice[];
  store: Pick<Store, "savePrice" | "removePrice">;
  clock: Clock;
  audit: AuditNotes;
}): PriceDesk {
  const { store, clock, audit } = deps;
  const saved = new Map(deps.stored.map((price) => [price.model, price]));
  const list = () => allPrices(saved, (atMs) => formatInstant(atMs).slice(0, 10));
  const entry = (model: string) => list().find((price) => price.model === model) ?? null;
  return {
    list,
    async set(model, { input, cachedInput, output }) {
      if (model === "" || model.length > MODEL_MAX_CHARS) throw new AppError("invalid_request", "that is no model");
      const problem = priceProblem({ input, cachedInput, output });
      if (problem !== null) throw new AppError("bad_usage", problem);
      const price: SavedPrice = { model, input, cachedInput, output, setAtMs: clock.nowMs() };
      await store.savePrice(price);
      saved.set(model, price);
      const text = `${input}/${cachedInput}/${output} USD`;
      audit.say({ action: "price.set", subjects: [{ id: model, name: model }], text });
      return entry(model)!;
    },
    async reset(model) {
      await store.removePrice(model);
      saved.delete(model);
      audit.say({ action: "price.reset", subjects: [{ id: model, name: model }], text: "" });
      return entry(model);
    },
    costOf(model, tier, usage) {
      const price = model === null ? null : priceOf(model, saved);
      return price === null ? null : costMicroUsd(usage, price, tier);
    },
  };
}
