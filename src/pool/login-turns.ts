/**
 * Whose turn it is with a login: one renewal at a time, which everybody who asks meanwhile joins; and nobody renews while it is moved
 * between the store and a file.
 */
import type { AccountId } from "../domain/account.ts";

export interface LoginTurns<T> {
  /** The renewal under way, or `renew` once nobody moves the login. */
  join(id: AccountId, renew: () => Promise<T>): Promise<T>;
  isRenewed(id: AccountId): boolean;
  /** Runs `work` while nobody renews this login. `work` must not ask for a renewal of it. */
  alone<R>(id: AccountId, work: () => Promise<R>): Promise<R>;
  /** Resolves when no renewal is under way any more. */
  idle(): Promise<void>;
}

export function createLoginTurns<T>(): LoginTurns<T> {
  const renewing = new Map<AccountId, Promise<T>>();
  const reserved = new Map<AccountId, Promise<void>>();
  return {
    join(id, renew) {
      const already = renewing.get(id);
      if (already) return already;
      const inTurn = async () => {
        while (reserved.has(id)) await reserved.get(id);
        return renew();
      };
      const run = inTurn().finally(() => renewing.delete(id));
      renewing.set(id, run);
      return run;
    },
    isRenewed: (id) => renewing.has(id),
    async alone(id, work) {
      while (renewing.has(id) || reserved.has(id)) {
        await Promise.allSettled([renewing.get(id), reserved.get(id)]);
      }
      const run = work();
      const done = run.then(
        () => void reserved.delete(id),
        () => void reserved.delete(id),
      );
      reserved.set(id, done);
      return run;
    },
    async idle() {
      await Promise.allSettled([...renewing.values()]);
    },
  };
}
