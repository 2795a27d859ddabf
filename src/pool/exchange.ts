/**
 * The attempt loop, for every transport and door (contracts §23): plan, lease, attempt, decide, until upstream's answer stands or there
 * is none to be had. `domain/next-step` decides, `domain/rank` orders; here it is carried out. No disk, no file, no other account's
 * refresh between a request and its first attempt.
 */
import { EXCHANGE_MAX_ACCOUNTS, EXCHANGE_MAX_ATTEMPTS } from "../base/bounds.ts";
import { AppError, fromUnknown } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import { nextStep, type Step } from "../domain/next-step.ts";
import { NOTHING_OBSERVED, type Observation, type Outcome } from "../domain/outcome.ts";
import type { AttemptEnd, FailedAttempt, OpenedAttempt, Upstream } from "../upstream/upstream.ts";
import { AccountChoice, type ChoiceDeps } from "./account-choice.ts";
import { AttemptForm } from "./attempt-form.ts";
import type { ModelWatch } from "./catalogue.ts";
import type { Access, CredentialKeeper, RefreshEnd } from "./credential-keeper.ts";
import type { ExchangeAnswer, ExchangeRequest } from "./engine.ts";
import { ExchangeRecord, type RecordDeps } from "./exchange-record.ts";
import { outcomeError, refusalError } from "./exchange-refusal.ts";
import type { Lease } from "./lease.ts";
import type { ResendPacer } from "./resend-pacer.ts";
import type { SealMemory } from "./seal-memory.ts";

export interface ExchangeDeps extends ChoiceDeps, RecordDeps {
  readonly credentials: CredentialKeeper;
  readonly upstream: Upstream;
  readonly pacer: ResendPacer;
  readonly seals: SealMemory;
  readonly models: ModelWatch;
  readonly log: Log;
  readonly counters: { exchanges: number; served: number; failovers: number; clientsGone: number };
}

/** Runs one exchange. Never rejects. */
export function runExchange(deps: ExchangeDeps, request: ExchangeRequest): Promise<ExchangeAnswer> {
  deps.counters.exchanges++;
  return new ExchangeRun(deps, request).toAnswer();
}

const clientGone = () => new AppError("client_gone", "the client hung up");

/** One try on one account; `access` is null when the login itself stood in the way and nothing was sent. */
interface Tried {
  readonly account: Account;
  readonly startedAtMs: number;
  access: Access | null;
}

const NOBODY: readonly AccountId[] = [];

class ExchangeRun {
  readonly #deps: ExchangeDeps;
  readonly #request: ExchangeRequest;
  readonly #record: ExchangeRecord;
  readonly #form: AttemptForm;
  readonly #choice: AccountChoice;
  #refreshed: readonly AccountId[] = NOBODY;
  #sameFailures = 0;

  constructor(deps: ExchangeDeps, request: ExchangeRequest) {
    this.#deps = deps;
    this.#request = request;
    this.#form = new AttemptForm(request, deps.seals);
    this.#record = new ExchangeRecord(deps, request);
    this.#choice = new AccountChoice(deps, request, this.#record);
  }

  /** One turn of the event loop for each thing that is waited for, and none for what is there already. */
  async toAnswer(): Promise<ExchangeAnswer> {
    /** Kept between two tries on one account. */
    let kept: Lease | null = null;
    let last: Outcome | null = null;
    try {
      this.#record.admit(this.#choice.enter());
      const pace = this.#pace();
      if (pace !== null) await pace;
      for (;;) {
        const next: Lease | null | Promise<Lease | null> = kept ?? this.#nextLease(last);
        const lease: Lease | null = next instanceof Promise ? await next : next;
        if (lease === null) return this.#refuse(this.#reason(last));
        let isKept = false;
        try {
          const account = this.#deps.keeper.require(lease.accountId);
          const tried: Tried = { account, startedAtMs: this.#deps.clock.nowMs(), access: null };
          const result = await this.#attempt(tried);
          if (result.kind === "opened") {
            isKept = true;
            return this.#open(lease, tried, result);
          }
          const { step, outcome } = this.#afterFailure(tried, result);
          last = outcome;
          // Why nobody could is asked of the accounts as they are without this exchange.
          if (step.kind === "done" || step.kind === "answer") lease.release();
          if (step.kind === "done") return this.#pass(result);
          if (step.kind === "answer") return this.#refuse(this.#reason(last));
          if (step.kind === "next" || step.kind === "wait") continue;
          const refused = await this.#prepare(step, account.id, tried.access);
          if (refused !== null) last = refused;
          isKept = refused === null && this.#choice.mayAsk(account.id);
        } finally {
          if (!isKept) lease.release();
          kept = isKept ? lease : null;
        }
      }
    } catch (thrown) {
      return this.#refuse(this.#request.signal.aborted ? clientGone() : fromUnknown(thrown));
    }
  }

  /** Another one, or one of those asked when they were enough. */
  #nextLease(last: Outcome | null): Lease | null | Promise<Lease | null> {
    const mayWait = !this.#isUpstreams(last);
    if (this.#record.accounts < EXCHANGE_MAX_ACCOUNTS) return this.#choice.next(mayWait);
    return mayWait ? this.#choice.again() : null;
  }

  /** A conversation whose answers keep being cut waits a moment before it is asked again. */
  #pace(): Promise<void> | null {
    const { pacer, clock } = this.#deps;
    const { conversation, signal } = this.#request;
    const delayMs = conversation === null ? 0 : pacer.delayMs(conversation, clock.nowMs());
    return delayMs === 0 ? null : clock.sleep(delayMs, signal).then(() => this.#record.waited(delayMs));
  }

  #attempt(tried: Tried): Promise<FailedAttempt | OpenedAttempt> {
    tried.access = this.#deps.credentials.peek(tried.account.id);
    return tried.access === null ? this.#attemptRenewed(tried) : this.#send(tried.account, tried.access);
  }

  async #attemptRenewed(tried: Tried): Promise<FailedAttempt | OpenedAttempt> {
    const end = await this.#deps.credentials.access(tried.account.id);
    if (end.kind !== "renewed")
      return { kind: "failed", outcome: outcomeOf(end), observation: NOTHING_OBSERVED, answer: null };
    tried.access = end.access;
    return this.#send(tried.account, end.access);
  }

  #send(account: Account, { accessToken }: Access): Promise<FailedAttempt | OpenedAttempt> {
    const { keeper, upstream, settings } = this.#deps;
    const { method, upstreamPath, signal, stream, filter, unpack, statusForRefusals, bridge } = this.#request;
    const now = settings();
    const { headers, body, socket } = this.#form.for(account, this.#home(), now.upstream_transport);
    return upstream.attempt({
      method,
      path: upstreamPath,
      headers,
      body,
      socket,
      accessToken,
      // A login that named nobody learns from its first refresh whose it is.
      workspaceId: keeper.get(account.id)?.workspaceId ?? account.workspaceId,
      signal,
      stream,
      filter,
      unpack,
      statusForRefusals: statusForRefusals ?? false,
      bridge: bridge ?? null,
      timeouts: {
        connectMs: now.connect_timeout_seconds * 1_000,
        firstByteMs: now.first_byte_timeout_seconds * 1_000,
        silenceMs: now.silence_timeout_seconds * 1_000,
      },
    });
  }

  /** Where the conversation lives, and whose it was; null when nobody knows. */
  #home(): Pick<Account, "id" | "workspaceId"> | null {
    const home = this.#choice.home();
    return home === null ? null : this.#deps.keeper.get(home);
  }

  #afterFailure(tried: Tried, failed: FailedAttempt): { step: Step; outcome: Outcome } {
    const { account, access } = tried;
    this.#sameFailures = this.#record.attempts.at(-1)?.accountId === account.id ? this.#sameFailures + 1 : 1;
    this.#choice.exclude(account.id);
    // A 401 on a token that was renewed for this very exchange: the login itself is refused.
    const refusedAgain = failed.outcome.kind === "unauthorized" && this.#refreshed.includes(account.id);
    const outcome: Outcome = refusedAgain ? { kind: "login_rejected", reason: "unauthorized" } : failed.outcome;
    if (access !== null) this.#learn(tried, access, outcome, failed.observation);
    const isNew = !this.#record.attempts.some((attempt) => attempt.accountId === account.id);
    const step = nextStep(outcome, {
      attempts: this.#record.attempts.length + 1,
      accounts: this.#record.accounts + (isNew ? 1 : 0),
      refreshed: this.#refreshed.includes(account.id),
      sameFailures: this.#sameFailures,
      stripped: this.#form.stripped,
      canStrip: outcome.kind === "encrypted_content_rejected" && this.#form.canStrip,
      maxAttempts: EXCHANGE_MAX_ATTEMPTS,
      maxAccounts: EXCHANGE_MAX_ACCOUNTS,
      dice: this.#deps.dice.fraction(),
    });
    if (step.kind === "next") this.#deps.counters.failovers++;
    this.#record.attempted(account, tried.startedAtMs, outcome, failed.answer?.status ?? null, step.kind);
    return { step, outcome };
  }

  /** What a step needs before the next attempt. Returns the outcome that rules this account out after all, or null. */
  async #prepare(step: Step, accountId: AccountId, access: Access | null): Promise<Outcome | null> {
    const { credentials, clock, keeper } = this.#deps;
    if (step.kind === "same") await clock.sleep(step.delayMs, this.#request.signal);
    if (step.kind === "strip") this.#form.strip(keeper.get(accountId)?.workspaceId ?? "");
    if (step.kind !== "refresh") return null;
    const end = await credentials.refresh(accountId, "unauthorized_recovery", access?.generation ?? null);
    if (end.kind !== "renewed") return outcomeOf(end);
    this.#refreshed = [...this.#refreshed, accountId];
    return null;
  }

  #open(lease: Lease, tried: Tried, opened: OpenedAttempt): ExchangeAnswer {
    const { clock, keeper } = this.#deps;
    this.#choice.settle(lease.accountId);
    // Figures in the opening are worth knowing now: the stream may run for minutes.
    keeper.apply(lease.accountId, { kind: "observed", atMs: clock.nowMs(), observation: opened.observation });
    this.#record.opened(tried.account, opened.status);
    this.#deps.models.answered(lease.accountId, opened.headers);
    void opened.end.then((end) => {
      lease.release();
      this.#close(tried, end);
    });
    const { status, headers, body } = opened;
    return { kind: "opened", exchangeId: this.#record.id, status, headers, body };
  }

  #close(tried: Tried, end: AttemptEnd): void {
    const { counters, log } = this.#deps;
    this.#learn(tried, tried.access!, end.outcome, end.observation);
    if (end.outcome.kind === "served") counters.served++;
    if (end.outcome.kind === "client_gone") counters.clientsGone++;
    this.#notePace(end.outcome);
    this.#record.closed(tried.account, tried.startedAtMs, end.outcome, end.usage);
    log.debug("exchange.ended", {
      exchange_id: this.#record.id,
      account: tried.account.alias,
      outcome: end.outcome.kind,
    });
  }

  #notePace(outcome: Outcome): void {
    const { pacer, clock } = this.#deps;
    const { conversation } = this.#request;
    if (conversation === null || outcome.kind === "client_gone") return;
    if (outcome.kind === "served") pacer.served(conversation);
    else pacer.cut(conversation, clock.nowMs());
  }

  /** Upstream's refusal of the request itself goes to the client as it came. */
  #pass(failed: FailedAttempt): ExchangeAnswer {
    if (failed.outcome.kind === "client_gone" || failed.answer === null) return this.#refuse(clientGone());
    const { status, headers, body } = failed.answer;
    this.#record.ended(status, null);
    return { kind: "rejected", exchangeId: this.#record.id, status, headers, body };
  }

  #refuse(error: AppError): ExchangeAnswer {
    const { counters, log } = this.#deps;
    const gone = error.code === "client_gone";
    if (gone) counters.clientsGone++;
    else log.warn("exchange.refused", { exchange_id: this.#record.id, code: error.code, error });
    this.#record.ended(gone ? null : error.row.http, error.code);
    return { kind: "refused", exchangeId: this.#record.id, error };
  }

  /** Why there is no answer: upstream's own trouble first, else what the accounts' holds say. */
  #reason(last: Outcome | null): AppError {
    const { keeper, clock, models } = this.#deps;
    const upstreams = last === null ? null : outcomeError(last, clock);
    if (upstreams !== null) return upstreams;
    const retryAtMs = keeper.pauseUntilMs();
    if (retryAtMs !== null) {
      return new AppError("upstream_overloaded", "upstream keeps failing across accounts; the pool pauses", {
        retryAtMs,
      });
    }
    return models.refusal(last, this.#request.model) ?? refusalError(this.#choice.refusal(), clock.nowMs());
  }

  /** Upstream itself was the trouble: waiting for this pool's accounts would not mend it. */
  #isUpstreams(last: Outcome | null): boolean {
    return last !== null && outcomeError(last, this.#deps.clock) !== null;
  }

  #learn(tried: Tried, access: Access, outcome: Outcome, observation: Observation): void {
    this.#deps.keeper.apply(tried.account.id, {
      kind: "attempt_ended",
      startedAtMs: tried.startedAtMs,
      atMs: this.#deps.clock.nowMs(),
      generation: access.generation,
      model: this.#request.model,
      outcome,
      observation,
    });
  }
}

function outcomeOf(end: Exclude<RefreshEnd, { kind: "renewed" }>): Outcome {
  return end.kind === "rejected"
    ? { kind: "login_rejected", reason: end.reason }
    : { kind: "refresh_failed", message: end.message };
}
