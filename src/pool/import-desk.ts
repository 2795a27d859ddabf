/**
 * Takes over what other programs kept: a plan first, then everything in one step, or nothing. Known accounts never get older
 * credentials. Sends nothing to anybody; what is in memory follows only after the disk.
 */
import { AppError } from "../base/errors.ts";
import { sha256Hex } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { type AccountId, OWNED_HERE, type RefreshOwner } from "../domain/account.ts";
import { DAY_MS } from "../domain/limit.ts";
import type { ForeignStore } from "../transfer/foreign-store.ts";
import { readForeign } from "../transfer/read-foreign.ts";
import { type IntakeDeps, REPLACE_TRIES } from "./account-intake.ts";
import type { SpendDesk } from "./budget-desk.ts";
import { type FactPlan, planFacts } from "./import-facts.ts";
import { decideLogins, type ImportDecision, type TokenHolders } from "./import-plan.ts";
import { turnIds } from "./import-spending.ts";
import { withLogin } from "./incoming-login.ts";
import type { KeyDeskWithFlush } from "./key-desk.ts";
import type { Ledger } from "./ledger.ts";
import type { Rulebook } from "./rulebook.ts";
import type { SettingDeskWithNow } from "./setting-desk.ts";
import type { ImportDecisionView, ImportReport, TransferDesk } from "./transfer-desk.ts";
import type { WatchDesk } from "./watch-desk.ts";

export interface ImportDeskDeps extends IntakeDeps {
  /** Makes a backup before much is changed: its name, or null when it could not be made, which changes nothing here. */
  readonly safeguard: () => Promise<string | null>;
  readonly keys: KeyDeskWithFlush;
  readonly settings: SettingDeskWithNow;
  readonly rulebook: Pick<Rulebook, "lines" | "profiles" | "adoptProfiles" | "adoptLines">;
  readonly budgets: Pick<SpendDesk, "list" | "adopt">;
  readonly ledger: Pick<Ledger, "adopt">;
  readonly files: Pick<WatchDesk, "accept" | "watch" | "look">;
  readonly log: Log;
}

type Options = Parameters<TransferDesk["importFiles"]>[1];

interface Plan {
  readonly decisions: readonly ImportDecision[];
  readonly facts: FactPlan;
}

export function createImportDesk(deps: ImportDeskDeps): Pick<TransferDesk, "importFiles"> {
  let turn: Promise<unknown> = Promise.resolve();
  return {
    async importFiles(files, options) {
      const store = await readForeign(files, options.passphrase);
      // One after the other: the second must see what the first has added.
      const run = turn.then(() => importStore(deps, store, options));
      turn = run.catch(() => undefined);
      return run;
    },
  };
}

async function importStore(deps: ImportDeskDeps, store: ForeignStore, options: Options): Promise<ImportReport> {
  const { sourcePath, dryRun } = options;
  const path = sourcePath === null ? null : deps.files.accept(sourcePath);
  const owner: RefreshOwner = path === null ? OWNED_HERE : { kind: "file", path };
  const rehearsed = await planFor(deps, store, { ...options, owner });
  if (dryRun) return reportOf(deps, store, rehearsed, { dryRun, backup: null });
  const changes = rehearsed.decisions.filter(({ action }) => action !== "skip");
  const isLarge = changes.length > 1 || changes.some(({ action }) => action === "replace");
  const backup = isLarge && deps.keeper.accounts().length > 0 ? await deps.safeguard() : null;
  // Watched from the moment in which an account of ours depends on it, and not before everything else is known to be right.
  if (path !== null) await deps.files.watch(path);
  for (let tries = 1; ; tries++) {
    const plan = await planFor(deps, store, { ...options, owner });
    if (await carryOut(deps, plan, owner)) {
      // Whoever asks next sees whose login the file holds.
      if (path !== null) await deps.files.look(path);
      const report = reportOf(deps, store, plan, { dryRun, backup });
      note(deps, report);
      return report;
    }
    if (tries >= REPLACE_TRIES)
      throw new AppError("internal", "an account was renewed at the same moment again and again; try again");
  }
}

async function planFor(
  deps: ImportDeskDeps,
  store: ForeignStore,
  { alias, owner }: Options & { readonly owner: RefreshOwner },
): Promise<Plan> {
  const { keeper, keys, settings, clock, dice } = deps;
  const holders = store.accounts.some((login) => !login.isIdentified) ? await holdersOf(deps) : new Map();
  const decisions = decideLogins(deps, store.accounts, { alias, owner, holders });
  const here = {
    pin: keeper.pin(),
    strategy: keeper.strategy(),
    settings: settings.list(),
    keys: keys.list(),
    rules: deps.rulebook.lines(),
    profiles: deps.rulebook.profiles(),
    budgets: deps.budgets.list().map(({ budget }) => budget),
    ledger: {
      known: await deps.store.knownTurns(turnIds(store.ledger)),
      keptSinceMs: clock.nowMs() - settings.now().ledger_days_kept * DAY_MS,
    },
  };
  const facts = planFacts(store, here, (index) => decisions[index]?.account ?? null, { nowMs: clock.nowMs(), dice });
  return { decisions, facts };
}

async function holdersOf({ keeper, store }: ImportDeskDeps): Promise<TokenHolders> {
  const holders = new Map<string, AccountId>();
  for (const { id } of keeper.accounts())
    holders.set(sha256Hex((await store.loadCredentials(id)).credentials.refreshToken), id);
  return holders;
}

/** False when a renewal came in between: then nothing was changed, and the plan is made anew. */
async function carryOut(deps: ImportDeskDeps, { decisions, facts }: Plan, owner: RefreshOwner): Promise<boolean> {
  const { keeper, store, credentials, keys, settings, clock } = deps;
  const nowMs = clock.nowMs();
  const added = decisions.filter(({ action }) => action === "add");
  const replaced = decisions.filter(({ action }) => action === "replace");
  const renewed = ({ account: { id }, login }: ImportDecision, generation: number) => {
    const now = keeper.require(id);
    const workspaceName = now.workspaceName ?? login.workspaceName;
    return withLogin({ ...now, refreshOwner: owner, workspaceName }, login, generation, nowMs);
  };
  const swaps = replaced.map((decision) => {
    const expectedGeneration = decision.account.credentials.generation;
    const account = renewed(decision, expectedGeneration + 1);
    return {
      before: keeper.get(account.id),
      decision,
      expectedGeneration,
      account,
      credentials: decision.login.credentials,
    };
  });
  const pieces = facts.keys.length + facts.settings.size + facts.profiles.length + facts.budgets.length;
  const isNothing = added.length + swaps.length + pieces === 0 && facts.pool === null && facts.rules === null;
  // Turns that are here already count once, and the source has them still: they need not stand or fall with the rest.
  if (isNothing) {
    await deps.ledger.adopt(facts.ledger);
    return true;
  }
  const end = await store.applyBatch({
    added: added.map(({ account, login }) => ({ account, credentials: login.credentials })),
    replaced: swaps,
    removed: [],
    pool: facts.pool,
    keys: facts.keys,
    settings: facts.settings,
    profiles: facts.profiles,
    budgets: facts.budgets,
    rules: facts.rules,
  });
  if (end === "stale") return false;
  await deps.ledger.adopt(facts.ledger);
  // What was learnt or ordered while the disk was busy is not undone.
  const current = swaps.filter(({ account }) => keeper.get(account.id) !== null);
  const after = current.map(({ decision, expectedGeneration }) => renewed(decision, expectedGeneration + 1));
  keeper.adopt([...after, ...added.map(({ account }) => account)]);
  if (facts.pool !== null) keeper.adoptPool(facts.pool);
  keys.adopt(facts.keys);
  deps.budgets.adopt(facts.budgets);
  settings.adopt(facts.settings);
  if (facts.rules !== null) deps.rulebook.adoptLines(facts.rules);
  deps.rulebook.adoptProfiles([...deps.rulebook.profiles(), ...facts.profiles]);
  for (const { account } of [...current, ...added]) credentials.replaced(account.id);
  for (const [index, { before }] of current.entries())
    if (before !== null && keeper.get(after[index]!.id) !== before)
      await store.saveAccount(keeper.require(after[index]!.id));
  return true;
}

function reportOf(
  deps: ImportDeskDeps,
  store: ForeignStore,
  { decisions, facts }: Plan,
  { dryRun, backup }: Pick<ImportReport, "backup"> & { readonly dryRun: boolean },
): ImportReport {
  return {
    format: store.format,
    backup,
    accounts: decisions.map(({ action, reason, account }): ImportDecisionView => {
      const now = deps.keeper.get(account.id);
      return {
        action,
        reason,
        alias: account.alias,
        account: dryRun && action === "add" ? null : (now ?? (dryRun ? null : account)),
      };
    }),
    facts: facts.facts,
    remarks: store.remarks,
  };
}

function note({ audit, log }: ImportDeskDeps, { format, accounts, facts }: ImportReport): void {
  const count = (action: ImportDecisionView["action"]) => accounts.filter((one) => one.action === action).length;
  const [added, joined] = [count("add"), count("replace")];
  const taken = facts.filter(({ isTaken }) => isTaken).map(({ kind, name }) => `${kind} ${name}`);
  const text = [`${format}: ${added} added, ${joined} renewed, ${count("skip")} skipped`, ...taken].join(", ");
  const changed = accounts.filter(({ action, account }) => action !== "skip" && account !== null);
  const subjects = [
    ...new Map(changed.map(({ account, alias }) => [account!.id, { id: account!.id, name: alias }])).values(),
  ];
  audit.say({ action: "account.import", subjects, text });
  log.info("accounts.imported", { format, added, joined, of: accounts.length });
}
