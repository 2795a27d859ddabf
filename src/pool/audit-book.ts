/**
 * The audit log's one owner: one entry for every order that somebody gives, carried out or refused, and one for everything that Rotor does
 * unasked. The order in progress is carried by the call itself, so no desk can forget who gave it. Never changes an entry, and never holds
 * up what it records: a log that cannot be written is an error in the daemon's log, not of the order.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../base/clock.ts";
import { type ErrorCode, fromUnknown } from "../base/errors.ts";
import { createUlid, type Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { type Actor, type AuditChange, type AuditEntry, boundedChange, ROTOR } from "../domain/audit.ts";
import type { Settings } from "../domain/setting.ts";
import type { AuditQuery, Store } from "../store/store.ts";

export interface AuditDesk {
  /**
   * Carries out somebody's order and leaves exactly one entry, whatever becomes of it. `action` is what it is called when the desks that
   * do the work say nothing more exact.
   */
  order<T>(order: { actor: Actor; action: string }, work: () => Promise<T>): Promise<T>;
  /** What Rotor did unasked. */
  own(change: AuditChange): void;
  /** Newest first. */
  list(query: AuditQuery): Promise<readonly AuditEntry[]>;
}

/** What the rooms of the pool say to it. */
export interface AuditNotes {
  /** What the order in progress does. After its end, or without one: an entry of its own, by whoever gave that order, else by Rotor. */
  say(change: AuditChange): void;
  /** What Rotor does unasked, whatever order is in progress. */
  own(change: AuditChange): void;
  /** Whoever gave the order in progress; for what goes on after it. */
  actor(): Actor;
  /** Does `work` in the name of `actor`: each change that it says is an entry. */
  as<T>(actor: Actor, work: () => Promise<T>): Promise<T>;
}

export interface AuditBook extends AuditDesk, AuditNotes {
  /** Resolves when every entry so far is on disk. */
  flush(): Promise<void>;
}

interface Page {
  readonly actor: Actor;
  /** What desks have said so far. */
  said: readonly AuditChange[];
  open: boolean;
}

const DAY_MS = 86_400_000;

export function createAuditBook(deps: {
  store: Pick<Store, "appendAudit" | "listAudit">;
  clock: Clock;
  dice: Dice;
  settings: () => Settings;
  log: Log;
}): AuditBook {
  const { store, clock, dice, log } = deps;
  const pages = new AsyncLocalStorage<Page>();
  let waiting: AuditEntry[] = [];
  let writing: Promise<void> = Promise.resolve();
  let lastIdMs = 0;

  const flush = (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    if (batch.length === 0) return writing;
    writing = writing
      .then(() => store.appendAudit(batch, clock.nowMs() - deps.settings().audit_days_kept * DAY_MS))
      .catch((error) => log.error("audit.save_failed", { actions: batch.map(({ action }) => action), error }));
    return writing;
  };
  const add = (actor: Actor, change: AuditChange, errorCode: ErrorCode | null): void => {
    const nowMs = clock.nowMs();
    // Two of one millisecond, and those of a clock that was put back, still stand in the order in which they happened.
    lastIdMs = Math.max(nowMs, lastIdMs + 1);
    waiting.push({ id: createUlid(lastIdMs, dice), atMs: nowMs, actor, errorCode, ...boundedChange(change) });
  };
  const addAlone = (actor: Actor, change: AuditChange) => {
    add(actor, change, null);
    void flush();
  };
  const actor = () => pages.getStore()?.actor ?? ROTOR;

  return {
    async order(given, work) {
      const page: Page = { actor: given.actor, said: [], open: true };
      let errorCode: ErrorCode | null = null;
      try {
        return await pages.run(page, work);
      } catch (thrown) {
        errorCode = fromUnknown(thrown).code;
        throw thrown;
      } finally {
        page.open = false;
        add(page.actor, wholeOf(given.action, page.said, errorCode === null), errorCode);
        await flush();
      }
    },
    say(change) {
      const page = pages.getStore();
      if (page?.open) page.said = [...page.said, change];
      else addAlone(actor(), change);
    },
    own: (change) => addAlone(ROTOR, change),
    actor,
    as: (giver, work) => pages.run({ actor: giver, said: [], open: false }, work),
    async list(query: AuditQuery) {
      await flush();
      return store.listAudit(query);
    },
    flush,
  };
}

/**
 * One entry for all that was said: an order to many accounts names them all. The last word names the order; what was said on the way
 * (a file that is watched from now on) belongs to it. One that failed is called what it was to be.
 */
function wholeOf(action: string, said: readonly AuditChange[], isDone: boolean): AuditChange {
  const last = said.at(-1);
  if (last === undefined) return { action, subjects: [], text: "" };
  const subjects = [
    ...new Map(said.flatMap((change) => change.subjects).map((subject) => [subject.id, subject])).values(),
  ];
  const several = said.length > 1;
  const texts = said
    .filter(({ text }) => text !== "")
    .map(({ text, subjects: of }) => {
      const names = of.map(({ name }) => name).join(", ");
      return several && names !== "" ? `${names}: ${text}` : text;
    });
  return { action: isDone ? last.action : action, subjects, text: texts.join("; ") };
}
