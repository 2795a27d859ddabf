/**
 * Responses that go on without their client (`background: true`): begun here, fetched later by id, with their events for whoever streams
 * them. In memory alone, bounded in number and bytes, forgotten an hour after their end and when Rotor stops. Knows nothing of what they say:
 * the door writes them.
 */
import {
  BACKGROUND_ALL_MAX_BYTES,
  BACKGROUND_KEEP_MS,
  BACKGROUND_MAX_KEPT,
  BACKGROUND_MAX_RUNNING,
  BACKGROUND_ONE_MAX_BYTES,
} from "../base/bounds.ts";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { createUlid, type Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { ExchangeId } from "../domain/exchange.ts";
import type { Settings } from "../domain/setting.ts";
import type { Scheduler } from "./scheduler.ts";

export interface BackgroundEvent {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** For who fetches it. */
export interface BackgroundResponse {
  readonly id: string;
  /** The exchange that it is; its id is made of this one. */
  readonly exchangeId: ExchangeId;
  /** The response object as it is now, as JSON. */
  readonly json: Uint8Array;
  /** It has ended, or was forgotten. */
  readonly isOver: boolean;
  readonly events: readonly BackgroundEvent[];
  /** Resolves at its next change. */
  changed(): Promise<void>;
}

/** For who writes it. After its end nothing changes any more. */
export interface BackgroundWork {
  readonly id: string;
  readonly exchangeId: ExchangeId;
  readonly createdAtMs: number;
  /** Aborted when it is canceled or forgotten. */
  readonly signal: AbortSignal;
  /** Throws `background_full` when there is no room for it. */
  event(event: BackgroundEvent): void;
  /** It says this now. */
  says(json: Uint8Array): void;
  end(json: Uint8Array): void;
}

export interface BackgroundOrder {
  readonly keyId: string;
  /** Held until the end, because another account may have to be sent it. */
  readonly requestBytes: number;
  readonly first: (id: string, createdAtMs: number) => Uint8Array;
  /** Never rejects, and ends what it was given. */
  readonly work: (work: BackgroundWork) => Promise<void>;
}

export interface BackgroundDesk {
  /** Throws `background_off`, or `background_full` when as many as may be are under way. */
  start(order: BackgroundOrder): BackgroundResponse;
  /** Throws `response_not_found`; so it is for every key but the one that began it. */
  get(id: string, keyId: string): BackgroundResponse;
  /** Ends it with what `words` makes of it; one that has ended stays as it is. */
  cancel(id: string, keyId: string, words: (json: Uint8Array) => Uint8Array): BackgroundResponse;
  remove(id: string, keyId: string): void;
  /** Cuts what is under way. */
  close(): void;
}

export interface BackgroundDeps {
  readonly clock: Clock;
  readonly dice: Dice;
  readonly scheduler: Scheduler;
  readonly settings: () => Pick<Settings, "background_responses">;
  readonly log: Log;
}

export function createBackgroundDesk(deps: BackgroundDeps): BackgroundDesk {
  const { clock, dice, scheduler, log } = deps;
  // Oldest first: ids are ULIDs, and a map keeps the order in which they came.
  const kept = new Map<string, Entry>();
  const find = (id: string, keyId: string): Entry => {
    const entry = kept.get(id);
    if (entry !== undefined && entry.keyId === keyId) return entry;
    throw new AppError(
      "response_not_found",
      "there is no such response: only background responses are kept, for an hour after their end, and not across a restart",
      { facts: { param: "response_id" } },
    );
  };
  const forget = (entry: Entry) => {
    kept.delete(entry.id);
    scheduler.drop(timerOf(entry));
    entry.forgotten();
  };
  /** Makes room at the cost of those that ended first; false when that is not enough. */
  const hasRoom = (bytes: number): boolean => {
    let total = bytes;
    for (const entry of kept.values()) total += entry.bytes;
    if (total <= BACKGROUND_ALL_MAX_BYTES) return true;
    for (const entry of [...kept.values()].filter((one) => one.isOver)) {
      if (total <= BACKGROUND_ALL_MAX_BYTES) break;
      total -= entry.bytes;
      forget(entry);
    }
    return total <= BACKGROUND_ALL_MAX_BYTES;
  };
  const admit = (order: BackgroundOrder) => {
    if (!deps.settings().background_responses) {
      throw new AppError("background_off", "background responses are off (setting background_responses)", {
        facts: { param: "background" },
      });
    }
    const running = [...kept.values()].filter((entry) => !entry.isOver).length;
    if (running >= BACKGROUND_MAX_RUNNING || !hasRoom(order.requestBytes)) {
      throw new AppError("background_full", `as many background responses as may be are under way (${running})`);
    }
    const ended = [...kept.values()].filter((entry) => entry.isOver);
    for (const entry of ended.slice(0, Math.max(0, kept.size + 1 - BACKGROUND_MAX_KEPT))) forget(entry);
  };
  const ended = (entry: Entry) => {
    if (kept.get(entry.id) !== entry) return;
    scheduler.at(timerOf(entry), clock.nowMs() + BACKGROUND_KEEP_MS, () => forget(entry));
  };

  return {
    start(order) {
      admit(order);
      const nowMs = clock.nowMs();
      const exchangeId = createUlid(nowMs, dice) as ExchangeId;
      const entry = new Entry({ exchangeId, createdAtMs: nowMs, order, hasRoom, onEnd: ended });
      kept.set(entry.id, entry);
      void order.work(entry).catch((error) => log.error("background.failed", { error }));
      return entry;
    },
    get: find,
    cancel(id, keyId, words) {
      const entry = find(id, keyId);
      if (!entry.isOver) entry.stop(words(entry.json));
      return entry;
    },
    remove: (id, keyId) => forget(find(id, keyId)),
    close() {
      for (const entry of [...kept.values()]) forget(entry);
    },
  };
}

const timerOf = (entry: Entry) => `background.${entry.id}`;

interface EntryOptions {
  readonly exchangeId: ExchangeId;
  readonly createdAtMs: number;
  readonly order: BackgroundOrder;
  readonly hasRoom: (bytes: number) => boolean;
  readonly onEnd: (entry: Entry) => void;
}

class Entry implements BackgroundResponse, BackgroundWork {
  readonly id: string;
  readonly createdAtMs: number;
  readonly keyId: string;
  readonly events: BackgroundEvent[] = [];
  readonly exchangeId: ExchangeId;
  json: Uint8Array;
  isOver = false;
  readonly #options: EntryOptions;
  readonly #stopping = new AbortController();
  #eventBytes = 0;
  #requestBytes: number;
  #change = Promise.withResolvers<void>();

  constructor(options: EntryOptions) {
    const { exchangeId, createdAtMs, order } = options;
    this.#options = options;
    this.exchangeId = exchangeId;
    this.id = `resp_${exchangeId.toLowerCase()}`;
    this.createdAtMs = createdAtMs;
    this.keyId = order.keyId;
    this.#requestBytes = order.requestBytes;
    this.json = order.first(this.id, createdAtMs);
  }

  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  get bytes(): number {
    return this.#eventBytes + this.#requestBytes + this.json.byteLength;
  }

  changed(): Promise<void> {
    return this.#change.promise;
  }

  event(event: BackgroundEvent): void {
    if (this.isOver) return;
    const size = event.bytes.byteLength;
    if (this.#eventBytes + size > BACKGROUND_ONE_MAX_BYTES || !this.#options.hasRoom(size)) {
      throw new AppError("background_full", "the response is longer than what is kept of background responses");
    }
    this.#eventBytes += size;
    this.events.push(event);
    this.#announce();
  }

  says(json: Uint8Array): void {
    if (this.isOver) return;
    this.json = json;
    this.#announce();
  }

  end(json: Uint8Array): void {
    if (this.isOver) return;
    this.json = json;
    this.#requestBytes = 0;
    this.isOver = true;
    this.#options.onEnd(this);
    this.#announce();
  }

  /** Ends it by order. */
  stop(json: Uint8Array): void {
    this.end(json);
    this.#stopping.abort(new AppError("canceled", "the background response was canceled"));
  }

  /** Nobody will ask for it any more. */
  forgotten(): void {
    if (!this.isOver) this.stop(this.json);
  }

  #announce(): void {
    const { resolve } = this.#change;
    this.#change = Promise.withResolvers();
    resolve();
  }
}
