/**
 * One simulated month: conversations against accounts whose windows fill and reset, with somebody who chooses. Counts what expired
 * unused and how often nobody could serve. The chooser sees what the product would see, and nothing of what is to come.
 */
import type { Dice } from "../../../src/base/id.ts";
import type { Account, AccountId } from "../../../src/domain/account.ts";
import { countExchange } from "../../../src/domain/account.ts";
import { takeTurn } from "../../../src/domain/turn.ts";
import { mergeWindows } from "../../../src/domain/window.ts";
import { anAccount } from "../../support/builders.ts";
import { type Conversation, DAY_MS, HOUR_MS, MONTH_DAYS, type User, weekOf } from "./users.ts";

/** What a chooser is told. */
export interface Moment {
  readonly accounts: readonly Account[];
  readonly nowMs: number;
  /** The account that served this conversation last. */
  readonly home: AccountId | null;
  /** Refused this turn already. */
  readonly tried: ReadonlySet<AccountId>;
  readonly openLeases: ReadonlyMap<AccountId, number>;
  readonly dice: Dice;
}

export interface Chooser {
  /** null = nobody may serve: a wall. */
  choose(moment: Moment): AccountId | null;
}

export interface World {
  /** What a turn with a cold prompt cache costs, in warm ones. */
  readonly cold: number;
  /** A five-hour window as a share of its week. */
  readonly short: number;
}

export const USUAL_WORLD: World = { cold: 3, short: 0.25 };

export interface MonthResult {
  /** Share of all weekly allowance that expired unused, in percent: at resets, and while an account waited for its first use. */
  readonly expiredPercent: number;
  /** Conversations that were refused or cut off because nobody could serve, of all. */
  readonly walls: number;
  readonly conversations: number;
  /** Work asked for that was not done, in percent. */
  readonly undonePercent: number;
  /** Share of all weekly allowance that was burnt on prompt caches that a move had lost, in percent. */
  readonly burntPercent: number;
  /** Turns that found another account than the one before, in percent: each cost a prompt cache. */
  readonly movedPercent: number;
}

/** Upstream's cache forgets after this much silence. */
const CACHE_KEPT_MS = 10 * 60_000;

/** One window of one account as upstream keeps it: it starts with the first use after it ended. */
class Allowance {
  used = 0;
  resetsAtMs: number;
  expired = 0;
  constructor(
    readonly capacity: number,
    readonly lengthMs: number,
    startMs: number,
    usedShare: number,
  ) {
    this.resetsAtMs = startMs + lengthMs;
    this.used = capacity * usedShare;
  }

  hasRoom(nowMs: number): boolean {
    return nowMs >= this.resetsAtMs || this.used < this.capacity;
  }

  spend(cost: number, nowMs: number): void {
    if (nowMs >= this.resetsAtMs) {
      this.#expire(nowMs);
      this.resetsAtMs = nowMs + this.lengthMs;
      this.used = 0;
    }
    this.used = Math.min(this.capacity, this.used + cost);
  }

  /** What ended unused until `endMs`. */
  settle(endMs: number): number {
    if (endMs >= this.resetsAtMs) this.#expire(endMs);
    return this.expired;
  }

  /** The rest of the window, and all that the time since its end would have given. */
  #expire(nowMs: number): void {
    this.expired += this.capacity - this.used + (this.capacity * (nowMs - this.resetsAtMs)) / this.lengthMs;
  }
}

interface Upstream {
  readonly short: Allowance;
  readonly week: Allowance;
}

interface Task {
  atMs: number;
  readonly conversation: Conversation;
  turn: number;
  home: AccountId | null;
  endedAtMs: number;
  /** Set while a turn is being served. */
  serving: AccountId | null;
}

export function simulateMonth(
  user: User,
  conversations: readonly Conversation[],
  chooser: Chooser,
  dice: Dice,
  world: World,
): MonthResult {
  const upstream = new Map<AccountId, Upstream>();
  const accounts: Account[] = user.tiers.map((tier, n) => {
    const account = anAccount({ n: n + 1, tier, createdAtMs: 0 });
    const week = weekOf(tier);
    // The month begins in the middle of everybody's week: resets are spread, as logins are.
    const into = dice.fraction();
    upstream.set(account.id, {
      week: new Allowance(week, 7 * DAY_MS, -into * 7 * DAY_MS, into * 0.8),
      short: new Allowance(week * world.short, 5 * HOUR_MS, -5 * HOUR_MS, 0),
    });
    return observe(account, upstream.get(account.id)!, 0);
  });
  const places = new Map(accounts.map((account, place) => [account.id, place]));
  const openLeases = new Map<AccountId, number>();
  const queue = new TaskQueue();
  for (const conversation of conversations)
    queue.push({ atMs: conversation.startMs, conversation, turn: 0, home: null, endedAtMs: 0, serving: null });
  const tally = { walls: 0, undone: 0, asked: 0, moved: 0, burnt: 0, turns: 0, order: 0, present: 0 };
  for (let task = queue.pop(); task !== null; task = queue.pop()) {
    const nowMs = task.atMs;
    if (nowMs >= MONTH_DAYS * DAY_MS) break;
    if (task.serving !== null) {
      finish(task);
      continue;
    }
    const turn = task.conversation.turns[task.turn]!;
    const id = serveTurn(task, nowMs);
    if (id === null) {
      tally.walls++;
      for (const left of task.conversation.turns.slice(task.turn)) {
        tally.undone += left.cost;
        tally.asked += left.cost;
      }
      continue;
    }
    tally.asked += turn.cost;
    task.serving = id;
    task.atMs = nowMs + turn.lengthMs;
    queue.push(task);
  }

  /** The account that took the turn. */
  function serveTurn(task: Task, nowMs: number): AccountId | null {
    const turn = task.conversation.turns[task.turn]!;
    const tried = new Set<AccountId>();
    for (;;) {
      const id = chooser.choose({ accounts, nowMs, home: task.home, tried, openLeases, dice });
      if (id === null) return null;
      const place = places.get(id)!;
      const { short, week } = upstream.get(id)!;
      if (!short.hasRoom(nowMs) || !week.hasRoom(nowMs)) {
        accounts[place] = observe(accounts[place]!, upstream.get(id)!, nowMs);
        tried.add(id);
        continue;
      }
      const wasHome = task.home === id;
      const isMove = task.home !== null && task.home !== id;
      const isWarm = wasHome && nowMs - task.endedAtMs < CACHE_KEPT_MS;
      const cost = turn.cost * (isWarm ? 1 : world.cold);
      short.spend(cost, nowMs);
      week.spend(cost, nowMs);
      tally.turns++;
      if (isMove) {
        tally.moved++;
        // Had it stayed, the cache might have gone cold all the same; that part is not the chooser's.
        if (nowMs - task.endedAtMs < CACHE_KEPT_MS) tally.burnt += cost - turn.cost;
      }
      task.home = id;
      openLeases.set(id, (openLeases.get(id) ?? 0) + 1);
      const before = accounts[place]!;
      const exchangesByDay = countExchange(before.use.exchangesByDay, nowMs);
      const use = {
        ...before.use,
        lastLeaseOrder: ++tally.order,
        lastLeasedAtMs: nowMs,
        turn: wasHome ? before.use.turn : takeTurn(before, tally.present),
        exchangesByDay,
      };
      tally.present = Math.max(tally.present, use.turn);
      accounts[place] = { ...before, use };
      return id;
    }
  }

  function finish(task: Task): void {
    const id = task.serving!;
    const place = places.get(id)!;
    const left = openLeases.get(id)! - 1;
    if (left === 0) openLeases.delete(id);
    else openLeases.set(id, left);
    accounts[place] = observe(accounts[place]!, upstream.get(id)!, task.atMs);
    task.serving = null;
    task.endedAtMs = task.atMs;
    task.atMs += task.conversation.turns[task.turn]!.pauseMs;
    task.turn++;
    if (task.turn < task.conversation.turns.length) queue.push(task);
  }

  const endMs = MONTH_DAYS * DAY_MS;
  const all = user.tiers.reduce((sum, tier) => sum + weekOf(tier), 0) * (MONTH_DAYS / 7);
  const expired = [...upstream.values()].reduce((sum, { week }) => sum + week.settle(endMs), 0);
  return {
    expiredPercent: (100 * expired) / all,
    burntPercent: (100 * tally.burnt) / all,
    walls: tally.walls,
    conversations: conversations.length,
    undonePercent: (100 * tally.undone) / tally.asked,
    movedPercent: (100 * tally.moved) / tally.turns,
  };
}

/** What the headers of an answer say. */
function observe(account: Account, { short, week }: Upstream, nowMs: number): Account {
  const reading = (slot: "primary" | "secondary", allowance: Allowance) => ({
    limit: "codex",
    slot,
    models: null,
    lengthMinutes: allowance.lengthMs / 60_000,
    usedPercent: (100 * allowance.used) / allowance.capacity,
    resetsAtMs: allowance.resetsAtMs,
  });
  const readings = [reading("primary", short), reading("secondary", week)];
  return { ...account, windows: mergeWindows(account.windows, readings, nowMs, "header") };
}

/** A binary heap by time, then by conversation: equal times must not depend on how the heap happens to lie. */
class TaskQueue {
  readonly #heap: Task[] = [];

  push(task: Task): void {
    const heap = this.#heap;
    let place = heap.push(task) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(task, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = task;
  }

  pop(): Task | null {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (top === undefined || last === undefined) return null;
    if (heap.length === 0) return top;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
    return top;
  }
}

function isBefore(a: Task, b: Task): boolean {
  return a.atMs !== b.atMs ? a.atMs < b.atMs : a.conversation.id < b.conversation.id;
}
