/**
 * What becomes of another product's budgets and of its ledger: budgets that nobody has set here, and every turn that it counted, once.
 * Plans only.
 */
import { createUlid, sha256Hex } from "../base/id.ts";
import type { AccountId } from "../domain/account.ts";
import { type Budget, type BudgetScope, isProject } from "../domain/budget.ts";
import type { ExchangeId } from "../domain/exchange.ts";
import type { LedgerRow } from "../domain/ledger.ts";
import { type Limit, limitProblem, limitText, MEASURES, PERIODS } from "../domain/limit.ts";
import type { Profile } from "../domain/profile.ts";
import type { ForeignBudget, ForeignLedgerRow } from "../transfer/foreign-store.ts";
import type { FoundProfile } from "./import-profiles.ts";

/** What became of a budget, or of the ledger as one. */
interface SpendingFact {
  readonly kind: "budget" | "ledger";
  readonly name: string;
  readonly isTaken: boolean;
  readonly text: string;
}

interface Facts {
  push(fact: SpendingFact): unknown;
}

const MICRO = 1_000_000;

export function planBudgets(
  foreign: readonly ForeignBudget[],
  here: readonly Budget[],
  profiles: readonly FoundProfile[],
  nowMs: number,
  facts: Facts,
): { readonly budgets: readonly Budget[]; readonly profiles: readonly Profile[] } {
  const planned: Budget[] = [];
  const named = new Map<string, string[]>(profiles.flatMap(({ budgetKey: key }) => (key === null ? [] : [[key, []]])));
  for (const one of foreign) {
    const ofProfiles = named.get(one.key);
    const scope: BudgetScope | null = ofProfiles === undefined ? scopeOf(one.key) : { kind: "profiles" };
    for (const limit of limitsOf(one)) {
      const label = `imported-${limit.period}-${limit.measure}`;
      const say = (name: string, isTaken: boolean, text: string) => facts.push({ kind: "budget", name, isTaken, text });
      const known =
        ofProfiles === undefined ? [...here, ...planned].find((budget) => isAlike(budget, scope, limit)) : undefined;
      const problem = limitProblem(limit);
      if (scope === null) say(label, false, "it does not say which project it is for");
      else if (problem !== null) say(label, false, problem);
      else if (known !== undefined) say(known.name, false, `${limitText(known.limit)} was decided here and stays`);
      else {
        const name = freeName(label, [...here, ...planned]);
        planned.push({ name, scope, limit, warnPercent: null, createdAtMs: one.updatedAtMs ?? nowMs });
        ofProfiles?.push(name);
        say(name, true, `${limitText(limit)} for ${whose(scope, one.key, profiles)}`);
      }
    }
  }
  const withBudgets = profiles.map(({ profile, budgetKey }) => {
    return { ...profile, budgets: named.get(budgetKey ?? "") ?? [] };
  });
  return { budgets: planned, profiles: withBudgets };
}

function whose(scope: BudgetScope, key: string, profiles: readonly FoundProfile[]): string {
  if (scope.kind === "project") return `the project ${scope.project}`;
  if (scope.kind !== "profiles") return "all";
  const names = profiles.filter(({ budgetKey }) => budgetKey === key).map(({ profile }) => profile.name);
  return `the ${names.length === 1 ? "profile" : "profiles"} ${names.join(", ")}`;
}

function scopeOf(key: string): BudgetScope | null {
  if (key === "global") return { kind: "all" };
  return isProject(key) ? { kind: "project", project: key } : null;
}

function limitsOf({ window, maxRequests, maxTokens, maxCostUsd }: ForeignBudget): readonly Limit[] {
  const period = PERIODS.find((one) => one === window);
  if (period === undefined) return [];
  const amounts = { requests: maxRequests, tokens: maxTokens, cost: maxCostUsd === null ? null : maxCostUsd * MICRO };
  return MEASURES.flatMap((measure) => {
    const amount = amounts[measure];
    return amount === null ? [] : [{ measure, amount: Math.round(amount), period }];
  });
}

function isAlike(budget: Budget, scope: BudgetScope | null, { measure, period }: Limit): boolean {
  const isSameScope = scope?.kind === "project" ? JSON.stringify(budget.scope) === JSON.stringify(scope) : true;
  return (
    budget.scope.kind === scope?.kind &&
    isSameScope &&
    budget.limit.measure === measure &&
    budget.limit.period === period
  );
}

function freeName(wish: string, taken: readonly Budget[]): string {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wish : `${wish}-${n}`;
    if (!taken.some((budget) => budget.name === name)) return name;
  }
}

/** What the ledger here has of the turns, and since when it keeps them: an older one could be counted twice. */
export interface LedgerHere {
  readonly known: ReadonlySet<ExchangeId>;
  readonly keptSinceMs: number;
}

export function turnIds(foreign: readonly ForeignLedgerRow[]): readonly ExchangeId[] {
  return foreign.map(idOf);
}

/** `accountOf`: index in the foreign store → the account that it becomes or belongs to. */
export function planLedger(
  foreign: readonly ForeignLedgerRow[],
  here: LedgerHere,
  accountOf: (index: number) => { readonly id: AccountId } | null,
  facts: Facts,
): readonly LedgerRow[] {
  const say = (isTaken: boolean, count: number, text: string) => {
    const turns = `${count} ${count === 1 ? "turn" : "turns"} ${text}`;
    if (count > 0) facts.push({ kind: "ledger", name: "usage", isTaken, text: turns });
  };
  const recent = foreign.filter(({ atMs }) => atMs >= here.keptSinceMs);
  const fresh = recent.filter((row) => !here.known.has(idOf(row)));
  say(true, fresh.length, "counted by the other product");
  say(false, recent.length - fresh.length, "counted here already");
  say(false, foreign.length - recent.length, "older than what is kept (ledger_days_kept)");
  return fresh.map((row): LedgerRow => {
    const isServed = row.statusCode === null ? row.outcome === "success" : row.statusCode < 400;
    return {
      id: idOf(row),
      atMs: row.atMs,
      accountId: row.account === null ? null : (accountOf(row.account)?.id ?? null),
      model: row.model,
      keyId: null,
      project: row.projectKey !== null && isProject(row.projectKey) ? row.projectKey : null,
      conversation: null,
      surface: "codex",
      effort: null,
      tier: null,
      budgets: [],
      status: row.statusCode,
      errorCode: row.errorCode,
      isServed,
      inputTokens: row.inputTokens ?? 0,
      cachedInputTokens: row.cachedInputTokens ?? 0,
      outputTokens: row.outputTokens ?? 0,
      reasoningTokens: row.reasoningTokens ?? 0,
      costMicroUsd: row.costUsd === null ? null : Math.round(row.costUsd * MICRO),
      latencyMs: row.durationMs ?? 0,
      firstByteMs: null,
    };
  });
}

/** The same for the same turn, however often it is imported. */
function idOf({ id, atMs }: ForeignLedgerRow): ExchangeId {
  const digest = new Uint8Array(Buffer.from(sha256Hex(`ledger ${id}`), "hex"));
  return createUlid(atMs, { bytes: (length) => digest.subarray(0, length), fraction: () => 0 }) as ExchangeId;
}
