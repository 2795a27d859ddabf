/**
 * Orders about the logins of many accounts: a few at a time, each step told as it happens, stopped between two accounts and never inside one.
 * Sends nothing for an account whose login cannot gain by it, and nothing at all in a rehearsal.
 */
import { AppError, fromUnknown } from "../base/errors.ts";
import type { Account, AccountId } from "../domain/account.ts";
import { usedText } from "../domain/explain.ts";
import { type LoginVerdict, probeVerdict, refreshVerdict } from "../domain/login-check.ts";
import type { IntakeDeps } from "./account-intake.ts";
import type { RefreshEnd } from "./credential-keeper.ts";
import type { LoginStep, ProbeOptions, QueueOptions } from "./login-step.ts";
import { checkModelWish, type ModelProbeDeps, probeModel } from "./model-probe.ts";
import type { UsageReader } from "./usage-reader.ts";

type QueueDeps = Pick<IntakeDeps, "keeper" | "credentials" | "clock" | "audit">;

export interface ProbeDeps extends QueueDeps, ModelProbeDeps {
  readonly reader: UsageReader;
  readonly counters: { probes: number };
}

/** Enough to hide one slow answer; the issuer sees no burst. */
const AT_ONCE = 2;

interface Task {
  readonly judge: (account: Account) => LoginVerdict;
  readonly work: (account: Account) => Promise<Pick<LoginStep, "state" | "text">>;
  readonly action: string;
}

export function refreshQueue(deps: QueueDeps, ids: readonly AccountId[], options: QueueOptions) {
  const work: Task["work"] = async (account) => {
    const end = await deps.credentials.refresh(account.id, "forced", null);
    return end.kind === "renewed" ? { state: "done", text: "renewed" } : failureOf(end);
  };
  const judge = (account: Account) => refreshVerdict(account, deps.clock.nowMs());
  return runQueue(deps, { judge, work, action: "account.refresh" }, ids, options);
}

/** The login first, then what the account has left, which costs nothing, and a model when that is asked for. */
export function probeQueue(deps: ProbeDeps, ids: readonly AccountId[], options: ProbeOptions) {
  const { keeper, clock, reader } = deps;
  const { ask } = options;
  if (ask !== null) checkModelWish(ask);
  const work: Task["work"] = async (account) => {
    deps.counters.probes++;
    const login = await probeLogin(deps, account);
    if (login.state === "failed") return login;
    const usage = await reader.read(account.id, new AbortController().signal);
    const left = usage.kind === "read" ? usedText(usage.account.windows, clock.nowMs()) : usage.message;
    const said = `${login.text}; ${left}`;
    if (ask === null) return { state: "done", text: said };
    const { ok, text } = await probeModel(deps, keeper.require(account.id), ask);
    return { state: ok ? "done" : "failed", text: ok ? `${said}; ${text}` : text };
  };
  const judge = (account: Account): LoginVerdict => {
    const verdict = probeVerdict(account);
    if (!verdict.worth || ask === null) return verdict;
    return { worth: true, text: `${verdict.text}; one tiny request to ${ask.model}, which counts` };
  };
  return runQueue(deps, { judge, work, action: "account.probe" }, ids, options);
}

async function probeLogin({ credentials, keeper }: QueueDeps, account: Account): ReturnType<Task["work"]> {
  const { id, login } = account;
  const wasLost = login.kind === "needs_login";
  const end = wasLost ? await credentials.refresh(id, "forced", null) : await credentials.access(id);
  if (end.kind !== "renewed") return failureOf(end);
  if (wasLost) return { state: "done", text: "works again" };
  const { generation } = account.credentials;
  const isNew = (keeper.get(id)?.credentials.generation ?? generation) > generation;
  return { state: "done", text: isNew ? "works; its access token had expired and was renewed" : "works" };
}

function failureOf(end: Exclude<RefreshEnd, { kind: "renewed" }>): Pick<LoginStep, "state" | "text"> {
  if (end.kind === "rejected") return { state: "failed", text: `the issuer refuses this login (${end.reason})` };
  return { state: "failed", text: `could not be renewed now: ${end.message}` };
}

async function* runQueue(
  { keeper, audit }: QueueDeps,
  { judge, work, action }: Task,
  ids: readonly AccountId[],
  { dryRun, signal }: QueueOptions,
): AsyncGenerator<LoginStep> {
  const accounts = [...new Set(ids)].map((id) => keeper.require(id));
  if (accounts.length === 0) throw new AppError("invalid_request", "no account is named");
  const judged = accounts.map((account) => ({ account, verdict: judge(account) }));
  const stepOf = (account: Account, state: LoginStep["state"], text: string): LoginStep => ({
    accountId: account.id,
    alias: account.alias,
    state,
    text,
  });
  const queued = judged.filter(({ verdict }) => verdict.worth).map(({ account }) => account);
  if (!dryRun) audit.say({ action, subjects: queued.map(({ id, alias }) => ({ id, name: alias })), text: "" });
  for (const { account, verdict } of judged) yield stepOf(account, verdict.worth ? "queued" : "skipped", verdict.text);
  if (dryRun) return;

  const told: LoginStep[] = [];
  let running = 0;
  let wake: () => void = () => {};
  const launch = () => {
    while (running < AT_ONCE && !signal.aborted) {
      const account = queued.shift();
      if (account === undefined) break;
      running++;
      told.push(stepOf(account, "running", ""));
      void work(account)
        .catch((thrown) => ({ state: "failed" as const, text: fromUnknown(thrown).message }))
        .then(({ state, text }) => {
          running--;
          told.push(stepOf(account, state, text));
          launch();
          wake();
        });
    }
  };
  launch();
  while (running > 0 || told.length > 0) {
    const step = told.shift();
    if (step !== undefined) yield step;
    else await new Promise<void>((resolve) => (wake = resolve));
  }
}
