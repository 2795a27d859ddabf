/**
 * The line of exchanges that wait for an account: whoever came first looks first, at every change and at every known end. Who finds an account
 * has it leased before the next one looks, so that nobody is overtaken by the like of itself and nobody is woken twice. Decides nothing
 * about accounts: each one in line looks for itself, with the ranking that chooses.
 */
import type { Clock, Timer } from "../base/clock.ts";
import type { ExchangeId } from "../domain/exchange.ts";
import type { Waiting } from "../domain/waiting.ts";
import type { Lease } from "./lease.ts";

export type Look =
  | { readonly kind: "go"; readonly lease: Lease }
  /** Nobody now; at `untilMs` that may be otherwise, or at any change before. */
  | { readonly kind: "wait"; readonly untilMs: number }
  /** Waiting is of no use, or no longer. */
  | { readonly kind: "leave" };

export interface Waiter {
  readonly id: ExchangeId;
  readonly signal: AbortSignal;
  /** When it first waited; its place in line goes by it. Both are asked for only once a look has said "wait". */
  sinceMs(): number;
  givesUpAtMs(): number;
  /** Two of one likeness would find the same accounts: when the first has to wait, so has the second. null = like nobody else. */
  likeness(): string | null;
  /** Leases at once what it finds. */
  look(): Look;
  /** When it can expect an account with so many of its kind before it. */
  expectedAtMs(ahead: number): number | null;
  /** It stands in line, or has moved up. */
  moved(): void;
}

export interface WaitLine {
  /** The lease that it gets, null when waiting is of no use; a promise of it for who has to wait, and rejected when that is aborted. */
  enter(waiter: Waiter): Lease | null | Promise<Lease | null>;
  /** Something may have changed for those in line. */
  wake(): void;
  waitingOf(id: ExchangeId): Waiting | null;
  count(): number;
  /** What the first in line waits for; null when nobody waits. */
  first(): Waiting | null;
}

interface Standing {
  readonly waiter: Waiter;
  dueAtMs: number;
  readonly leave: (end: (settle: Settle) => void) => void;
}

interface Settle {
  readonly resolve: (lease: Lease | null) => void;
  readonly reject: (reason: unknown) => void;
}

export function createWaitLine(clock: Clock): WaitLine {
  const line: Standing[] = [];
  let timer: Timer | null = null;
  let isWoken = false;

  const arm = () => {
    timer?.cancel();
    timer = null;
    if (line.length === 0) return;
    let dueAtMs = Number.POSITIVE_INFINITY;
    for (const one of line) dueAtMs = Math.min(dueAtMs, one.dueAtMs);
    timer = clock.after(Math.max(0, dueAtMs - clock.nowMs()), settle);
  };
  /** Everybody's turn, in order. */
  const settle = () => {
    const alike = new Set<string>();
    const nowMs = clock.nowMs();
    let hasMoved = false;
    for (const one of [...line]) {
      const { waiter } = one;
      const likeness = waiter.likeness();
      one.dueAtMs = waiter.givesUpAtMs();
      if (likeness !== null && alike.has(likeness) && nowMs < one.dueAtMs) continue;
      const end = endOf(one, waiter);
      if (end === null) {
        if (likeness !== null) alike.add(likeness);
        continue;
      }
      one.leave(end);
      hasMoved = true;
    }
    arm();
    if (hasMoved) for (const { waiter } of line) waiter.moved();
  };
  const stand = (waiter: Waiter, dueAtMs: number) =>
    new Promise<Lease | null>((resolve, reject) => {
      const leave: Standing["leave"] = (end) => {
        line.splice(line.indexOf(one), 1);
        waiter.signal.removeEventListener("abort", onAbort);
        end({ resolve, reject });
      };
      const one: Standing = { waiter, dueAtMs, leave };
      const onAbort = () => {
        leave(({ reject }) => reject(waiter.signal.reason));
        arm();
        for (const behind of line) behind.waiter.moved();
      };
      if (waiter.signal.aborted) return reject(waiter.signal.reason);
      waiter.signal.addEventListener("abort", onAbort);
      // One that comes back into line stands where it stood.
      const place = line.findLastIndex((other) => other.waiter.sinceMs() <= waiter.sinceMs()) + 1;
      line.splice(place, 0, one);
      arm();
      waiter.moved();
    });
  const waitingAt = (place: number): Waiting => {
    const { waiter } = line[place]!;
    const likeness = waiter.likeness();
    const isLike = (other: Standing) => likeness === null || other.waiter.likeness() === likeness;
    const ahead = line.slice(0, place).filter(isLike).length;
    const givesUpAtMs = waiter.givesUpAtMs();
    return { position: place + 1, sinceMs: waiter.sinceMs(), expectedAtMs: waiter.expectedAtMs(ahead), givesUpAtMs };
  };

  return {
    enter(waiter) {
      // Those who wait already look before one who comes now.
      if (line.length > 0) settle();
      const look = waiter.look();
      if (look.kind === "wait") return stand(waiter, look.untilMs);
      return look.kind === "go" ? look.lease : null;
    },
    wake() {
      if (line.length === 0 || isWoken) return;
      isWoken = true;
      // Many changes at once are one look, and a change is complete before anybody looks at it.
      queueMicrotask(() => {
        isWoken = false;
        settle();
      });
    },
    waitingOf(id) {
      const place = line.findIndex(({ waiter }) => waiter.id === id);
      return place < 0 ? null : waitingAt(place);
    },
    count: () => line.length,
    first: () => (line.length === 0 ? null : waitingAt(0)),
  };
}

/** What becomes of one that looks; null = it goes on waiting. */
function endOf(one: Standing, waiter: Waiter): ((settle: Settle) => void) | null {
  try {
    const look = waiter.look();
    if (look.kind === "wait") {
      one.dueAtMs = Math.min(look.untilMs, one.dueAtMs);
      return null;
    }
    return ({ resolve }) => resolve(look.kind === "go" ? look.lease : null);
  } catch (thrown) {
    return ({ reject }) => reject(thrown);
  }
}
