/**
 * Changed exchanges for any number of watchers: one subscription at the desk, one revision for all, and for each reader the latest state
 * of what changed since it last looked. A reader that does not look is bounded.
 */
import type { ExchangeDesk } from "../pool/engine.ts";

type Exchange = ReturnType<ExchangeDesk["open"]>[number];

export interface ExchangeReader {
  /** Begins to collect; `wake` is called on every change. The returned function ends it. */
  open(wake: () => void): () => void;
  /** First the open exchanges, then what changed since the last call; each exchange once, in its latest state. */
  take(): { readonly revision: bigint; readonly exchanges: readonly Exchange[] };
}

export interface ExchangeFeed {
  createReader(): ExchangeReader;
}

/** A stalled reader forgets the oldest change beyond these; the gap in revisions tells it so. */
export const PENDING_MAX = 1_000;

export function createExchangeFeed(desk: () => ExchangeDesk): ExchangeFeed {
  const listeners = new Set<(exchange: Exchange) => void>();
  let revision = 0n;
  let leaveDesk: (() => void) | null = null;

  const join = (listener: (exchange: Exchange) => void) => {
    listeners.add(listener);
    leaveDesk ??= desk().watch((exchange) => {
      revision++;
      for (const tell of listeners) tell(exchange);
    });
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0) return;
      leaveDesk?.();
      leaveDesk = null;
    };
  };
  return {
    createReader() {
      const pending = new Map<string, Exchange>();
      let isFirst = true;
      return {
        open: (wake) =>
          join((exchange) => {
            pending.delete(exchange.id);
            pending.set(exchange.id, exchange);
            if (pending.size > PENDING_MAX) pending.delete(pending.keys().next().value!);
            wake();
          }),
        take() {
          const exchanges = isFirst ? desk().open() : [...pending.values()];
          isFirst = false;
          pending.clear();
          return { revision, exchanges };
        },
      };
    },
  };
}
