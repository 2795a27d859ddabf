/**
 * Keeps the figures of accounts that serve nothing just now from growing old: asks the usage endpoint, one account at a time, spread out,
 * less often after failures. Quiet when nobody looks and nothing is served. Never spends a model request and never renews a login that is
 * not ours to renew.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import type { Settings } from "../domain/setting.ts";
import type { Keeper } from "./keeper.ts";
import type { Scheduler } from "./scheduler.ts";
import type { UsageReader } from "./usage-reader.ts";

export interface UsagePoller {
  /** Somebody looked, or a request was served. Cheap: it stands in the way of every request. */
  noteInterest(): void;
  /** Awake for as long as somebody watches. Returns `stop` with that added. */
  whileWatched(stop: () => void): () => void;
  close(): Promise<void>;
}

/** So long after the last look or request: about as long as a person reads an answer. */
const AWAKE_MS = 15 * 60_000;
/** Not at once: what wakes it is most often a request, whose answer brings the figures by itself. */
const FIRST_AFTER_MS = 30_000;
/** Between two accounts: a dozen of them take a minute. */
const GAP_MS = 4_000;
/** New accounts and changed settings are seen within this. */
const LOOK_EVERY_MS = 60_000;
const LONGEST_BACKOFF_MS = 4 * 3_600_000;
/** Each wait is this much shorter or longer: clients that all ask on the minute are told apart from people by it. */
const JITTER = 0.15;

interface Plan {
  readonly failures: number;
  /** Last try, or when it was first seen. */
  readonly atMs: number;
  /** A factor for the next wait. */
  readonly jitter: number;
  readonly isNew: boolean;
}

const KEY = "usage.poll";

export function createUsagePoller(deps: {
  keeper: Keeper;
  reader: UsageReader;
  settings: () => Settings;
  clock: Clock;
  scheduler: Scheduler;
  dice: Dice;
  log: Log;
}): UsagePoller {
  const { keeper, reader, settings, clock, scheduler, dice, log } = deps;
  const plans = new Map<AccountId, Plan>();
  const stopping = new AbortController();
  let interestAtMs = Number.NEGATIVE_INFINITY;
  let watchers = 0;
  let armed = false;
  let running: Promise<void> = Promise.resolve();

  const jitter = () => 1 + JITTER * (2 * dice.fraction() - 1);
  const isAwake = () => watchers > 0 || clock.nowMs() - interestAtMs < AWAKE_MS;
  const arm = (atMs: number) => {
    armed = !stopping.signal.aborted;
    if (armed) scheduler.at(KEY, atMs, () => void (running = tick()));
  };
  const wake = () => {
    if (!armed && settings().usage_poll) arm(clock.nowMs());
  };
  const planOf = (id: AccountId): Plan => {
    const plan = plans.get(id) ?? { failures: 0, atMs: clock.nowMs(), jitter: jitter(), isNew: true };
    plans.set(id, plan);
    return plan;
  };
  const dueAtMs = (account: Account): number => {
    const plan = planOf(account.id);
    const everyMs = settings().usage_poll_minutes * 60_000 * plan.jitter;
    if (plan.failures > 0) return plan.atMs + Math.min(LONGEST_BACKOFF_MS, everyMs * 2 ** plan.failures);
    const seenAtMs = Math.max(0, ...account.windows.map(({ observedAtMs }) => observedAtMs));
    if (plan.isNew) return Math.max(plan.atMs + FIRST_AFTER_MS * plan.jitter, seenAtMs + everyMs);
    return Math.max(plan.atMs, seenAtMs) + everyMs;
  };
  const poll = async ({ id, alias }: Account): Promise<void> => {
    const { failures } = planOf(id);
    const end = await reader.read(id, stopping.signal);
    const isRead = end.kind === "read";
    plans.set(id, { failures: isRead ? 0 : failures + 1, atMs: clock.nowMs(), jitter: jitter(), isNew: false });
    if (isRead) return log.debug("usage.polled", { account: alias });
    if (stopping.signal.aborted) return;
    const facts = { account: alias, failures: failures + 1, reason: end.message };
    if (failures === 0) log.warn("usage.poll_failed", facts);
    else log.debug("usage.poll_failed", facts);
  };
  const tick = async (): Promise<void> => {
    if (!isAwake() || !settings().usage_poll) {
      armed = false;
      return;
    }
    const accounts = keeper.accounts().filter((account) => isWorthAsking(account, clock.nowMs()));
    for (const id of plans.keys()) if (keeper.get(id) === null) plans.delete(id);
    const next = accounts.reduce<Account | null>(
      (first, account) => (first === null || dueAtMs(account) < dueAtMs(first) ? account : first),
      null,
    );
    if (next === null || dueAtMs(next) > clock.nowMs()) {
      const waitMs = next === null ? LOOK_EVERY_MS : Math.min(LOOK_EVERY_MS, dueAtMs(next) - clock.nowMs());
      return arm(clock.nowMs() + waitMs);
    }
    await poll(next);
    arm(clock.nowMs() + GAP_MS);
  };

  return {
    noteInterest() {
      interestAtMs = clock.nowMs();
      wake();
    },
    whileWatched(stop) {
      let watching = true;
      watchers++;
      wake();
      return () => {
        if (watching) watchers--;
        // It was looked at until now.
        if (watching) interestAtMs = clock.nowMs();
        watching = false;
        stop();
      };
    },
    async close() {
      stopping.abort();
      scheduler.drop(KEY);
      await running;
    },
  };
}

/**
 * Not what is switched off or lost, nor a login that another program renews and has not renewed: asking for its access would be a renewal
 * out of turn.
 */
function isWorthAsking({ enabled, login, refreshOwner, credentials }: Account, nowMs: number): boolean {
  if (!enabled || login.kind !== "ok") return false;
  const isOver = credentials.accessExpiresAtMs !== null && credentials.accessExpiresAtMs <= nowMs;
  return refreshOwner.kind === "rotor" || !isOver;
}
