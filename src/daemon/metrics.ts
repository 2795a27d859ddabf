/**
 * What Rotor counts for a Prometheus to fetch: exchanges and attempts as they end, and the state of the pool at the moment that somebody asks.
 * Loaded only when metrics are on. It looks at finished records and never at a stream; no label ever holds an e-mail address, a token, a
 * model or anything else that a client chooses.
 */
import type { BatchObservableResult, Meter, Observable } from "@opentelemetry/api";
import { PrometheusExporter, PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import { METRICS_MAX_ACCOUNTS } from "../base/bounds.ts";
import type { Log } from "../base/log.ts";
import { VERSION } from "../base/version.ts";
import type { Exchange } from "../domain/exchange.ts";
import { usedPercentNow } from "../domain/window.ts";
import type { Engine } from "../pool/engine.ts";

export type MeteredEngine = Pick<Engine, "accounts" | "counters" | "exchanges" | "selection">;

export interface Metrics {
  /** Everything in Prometheus' text format. */
  scrape(): Promise<string>;
  /** The same log, with its errors counted. */
  counting(log: Log): Log;
  /** Whose figures count from now on; null while there is none. Counters go on. */
  follow(engine: MeteredEngine | null): void;
}

export function createMetrics(deps: { nowMs: () => number; residentBytes: () => number }): Metrics {
  // It serves nothing: the door is ours (metrics-door.ts).
  const exporter = new PrometheusExporter({ preventServerStart: true });
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  const meter = new MeterProvider({ readers: [exporter] }).getMeter("rotor", VERSION);
  const counted = createCounted(meter);
  const followed = new Followed(counted.ended);
  observe(meter, followed, deps);
  return {
    async scrape() {
      const { resourceMetrics } = await exporter.collect();
      return serializer.serialize(resourceMetrics);
    },
    counting: (log) => ({
      ...log,
      error(event, fields) {
        counted.logErrors.add(1);
        log.error(event, fields);
      },
    }),
    follow: (engine) => followed.follow(engine),
  };
}

/** Seconds: a quick answer opens within one, a long thought within minutes; beyond that a client has given up. */
const FIRST_EVENT_SECONDS = [0.25, 0.5, 1, 2, 5, 10, 20, 60, 120, 300];

function createCounted(meter: Meter) {
  const counter = (name: string, description: string) => meter.createCounter(name, { description });
  const exchanges = counter("rotor_exchanges", "Client requests that ended.");
  const attempts = counter("rotor_attempts", "Tries of a request on one account that ended.");
  const failovers = counter("rotor_failovers", "Times that a request moved on to another account.");
  const tokens = counter("rotor_tokens", "Tokens of served requests, as upstream counted them.");
  const logErrors = counter("rotor_log_errors", "Lines of level error in the log.");
  const firstEvent = meter.createHistogram("rotor_first_event_seconds", {
    description: "From a request to the first byte that its client could have got.",
    advice: { explicitBucketBoundaries: FIRST_EVENT_SECONDS },
  });
  for (const one of [failovers, logErrors]) one.add(0);
  return {
    logErrors,
    ended(exchange: Exchange): void {
      const { surface, attempts: tried, usage, firstByteMs } = exchange;
      exchanges.add(1, { surface, status: statusLabel(exchange.status), outcome: outcomeOf(exchange) });
      for (const attempt of tried) {
        attempts.add(1, { outcome: attempt.outcome });
        if (attempt.next === "next") failovers.add(1);
      }
      if (firstByteMs !== null) firstEvent.record(firstByteMs / 1_000, { surface });
      if (usage === null) return;
      tokens.add(usage.inputTokens - usage.cachedInputTokens, { kind: "input" });
      tokens.add(usage.cachedInputTokens, { kind: "cached_input" });
      tokens.add(usage.outputTokens, { kind: "output" });
    },
  };
}

/** From closed lists both: an error code of ours, or how the last attempt ended. */
function outcomeOf(exchange: Exchange): string {
  return exchange.errorCode ?? exchange.attempts.at(-1)?.outcome ?? "none";
}

/** Whatever upstream answers with, there are only so many statuses. */
function statusLabel(status: number | null): string {
  return status === null ? "none" : status >= 100 && status <= 599 ? String(status) : "other";
}

/** The engine of the moment, and what earlier ones had counted: a lock or a restore makes a new one. */
class Followed {
  readonly #ended: (exchange: Exchange) => void;
  #engine: MeteredEngine | null = null;
  #unwatch: (() => void) | null = null;
  #earlier = { refreshes: 0, refreshFailures: 0 };

  constructor(ended: (exchange: Exchange) => void) {
    this.#ended = ended;
  }

  get engine(): MeteredEngine | null {
    return this.#engine;
  }

  follow(engine: MeteredEngine | null): void {
    if (engine === this.#engine) return;
    this.#earlier = this.refreshes();
    this.#unwatch?.();
    this.#engine = engine;
    this.#unwatch =
      engine?.exchanges.watch((exchange) => {
        if (exchange.endedAtMs !== null) this.#ended(exchange);
      }) ?? null;
  }

  refreshes(): { refreshes: number; refreshFailures: number } {
    const now = this.#engine?.counters() ?? { refreshes: 0, refreshFailures: 0 };
    return {
      refreshes: this.#earlier.refreshes + now.refreshes,
      refreshFailures: this.#earlier.refreshFailures + now.refreshFailures,
    };
  }
}

function observe(
  meter: Meter,
  followed: Followed,
  { nowMs, residentBytes }: { nowMs: () => number; residentBytes: () => number },
): void {
  const gauge = (name: string, description: string) => meter.createObservableGauge(name, { description });
  const counter = (name: string, description: string) => meter.createObservableCounter(name, { description });
  const ready = gauge("rotor_ready", "1 while requests can be served, 0 while Rotor is locked, damaged or migrating.");
  const build = gauge("rotor_build_info", "Always 1; the version is in the label.");
  const memory = gauge("rotor_resident_memory_bytes", "Memory that the daemon occupies.");
  const refreshes = counter("rotor_refreshes", "Renewals of logins that were tried.");
  const failures = counter("rotor_refresh_failures", "Renewals of logins that failed.");
  const accounts = createAccountGauges(gauge);
  const all = [ready, build, memory, refreshes, failures, ...accounts.gauges];
  meter.addBatchObservableCallback((result) => {
    const { engine } = followed;
    result.observe(ready, engine === null ? 0 : 1);
    result.observe(build, 1, { version: VERSION });
    result.observe(memory, residentBytes());
    const renewed = followed.refreshes();
    result.observe(refreshes, renewed.refreshes);
    result.observe(failures, renewed.refreshFailures);
    if (engine !== null) accounts.observe(result, engine, nowMs());
  }, all);
}

function createAccountGauges(gauge: (name: string, description: string) => Observable) {
  const total = gauge("rotor_accounts", "Accounts in the pool.");
  const usable = gauge("rotor_accounts_usable", "Accounts that may serve a request without a model now.");
  const held = gauge("rotor_accounts_held", "Accounts that may not serve now, by kind of hold; one can have several.");
  const leases = gauge("rotor_open_leases", "Requests that are on an account now.");
  const used = gauge("rotor_window_used_percent", "Used share of an allowance, 0 to 100, as last observed.");
  return {
    gauges: [total, usable, held, leases, used],
    observe(result: BatchObservableResult, engine: MeteredEngine, nowMs: number): void {
      const accounts = engine.accounts.list();
      const holds = new Map<string, number>();
      let free = 0;
      for (const account of accounts) {
        const kinds = new Set(engine.selection.holdsOn(account).map((hold) => hold.kind));
        if (kinds.size === 0) free++;
        for (const kind of kinds) holds.set(kind, (holds.get(kind) ?? 0) + 1);
      }
      result.observe(total, accounts.length);
      result.observe(usable, free);
      for (const [kind, count] of holds) result.observe(held, count, { kind });
      for (const { id, alias, windows } of accounts.slice(0, METRICS_MAX_ACCOUNTS)) {
        result.observe(leases, engine.accounts.openLeases(id), { account: alias });
        for (const window of windows) {
          const { limit, slot, lengthMinutes } = window;
          const minutes = lengthMinutes === null ? "unknown" : String(lengthMinutes);
          result.observe(used, usedPercentNow(window, nowMs), { account: alias, limit, slot, minutes });
        }
      }
    },
  };
}
