/**
 * Puts the engine room together from a store, an upstream and an issuer, and takes it apart again: nothing that was learnt is lost on the way out.
 */
import type { Clock } from "../base/clock.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { underIssuer } from "../domain/account.ts";
import type { ZoneOffset } from "../domain/schedule.ts";
import type { Store, StoredPool } from "../store/store.ts";
import type { LoginIssuer } from "../upstream/oauth-login.ts";
import type { Issuer, Upstream } from "../upstream/upstream.ts";
import { createAccountDesk } from "./account-desk.ts";
import { createAffinityTable } from "./affinity-table.ts";
import { createAuditBook } from "./audit-book.ts";
import { type BackgroundDesk, createBackgroundDesk } from "./background-desk.ts";
import type { OpenCallbackListener } from "./callback-listener.ts";
import { createCatalogue } from "./catalogue.ts";
import { createClientDesk } from "./client-desk.ts";
import { createChoice } from "./create-choice.ts";
import { createCustody } from "./create-custody.ts";
import { createSpending } from "./create-spending.ts";
import { createTransferDesk } from "./create-transfers.ts";
import type { AccountDesk, Engine, ExchangeDesk, SelectionDesk } from "./engine.ts";
import { runExchange } from "./exchange.ts";
import { createExchangeBook, type ExchangeBook } from "./exchange-book.ts";
import type { FilePort } from "./file-port.ts";
import { createKeeper } from "./keeper.ts";
import { createLeaseDesk } from "./lease-desk.ts";
import { createLoginDesk } from "./login-desk.ts";
import { createModelFetch } from "./model-fetch.ts";
import { createModelShelf } from "./model-shelf.ts";
import { createUsageDesk } from "./pooled-usage.ts";
import { createRedeemDesk } from "./redeem-desk.ts";
import { createResendPacer } from "./resend-pacer.ts";
import { createRulebook } from "./rulebook.ts";
import { createScheduler } from "./scheduler.ts";
import { createSealMemory } from "./seal-memory.ts";
import { createSelectionDesk } from "./selection-desk.ts";
import { createSettingDesk } from "./setting-desk.ts";
import { createUsagePoller, type UsagePoller } from "./usage-poller.ts";
import { createUsageReader } from "./usage-reader.ts";
import { createWindowHistory } from "./window-history.ts";
import { createWorkspaceReader } from "./workspace-reader.ts";

export interface RunningEngine extends Engine {
  /** Requests being served now. */
  openLeases(): number;
  /** Lets refreshes end and writes everything that waits. The store stays open: it is the caller's. */
  close(): Promise<void>;
}

interface Safeguard {
  /** The clock on the wall of this machine; absent: UTC. */
  readonly zone?: ZoneOffset;
  /** Makes a way back before much is changed; absent: there is none. */
  readonly safeguard?: () => Promise<string | null>;
}

interface EngineDeps extends Safeguard {
  store: Store;
  upstream: Upstream;
  issuer: Issuer;
  loginIssuer: LoginIssuer;
  openCallbackListener: OpenCallbackListener;
  filePort: FilePort;
  issuerUrl: string;
  settings: { fromEnv: Readonly<Record<string, string>>; fromFile: Readonly<Record<string, string>> };
  clock: Clock;
  dice: Dice;
  log: Log;
}

export async function createEngine(deps: EngineDeps): Promise<RunningEngine> {
  const { store, upstream, issuerUrl, clock, dice, log, safeguard = async () => null, zone = () => 0 } = deps;
  const stored = await store.loadPool();
  const scheduler = createScheduler(clock);
  const audit = createAuditBook({ store, clock, dice, settings: () => settingDesk.now(), log });
  const settingDesk = createSettingDesk({ saved: stored.settings, ...deps.settings, store, audit, log });
  for (const problem of settingDesk.problems()) log.warn("setting.unreadable", { problem });
  const settings = settingDesk.now;
  const accounts = stored.accounts.map((account) => underIssuer(account, issuerUrl, clock.nowMs()));
  for (const account of accounts) {
    if (account.issuer !== issuerUrl)
      log.warn("account.foreign_issuer", { account: account.alias, issuer: account.issuer });
  }
  const keeper = createKeeper({ stored: { ...stored, accounts }, store, clock, scheduler, audit, log });
  const rulebook = createRulebook({ stored, zone, log });
  const leases = createLeaseDesk({ keeper, clock, dice, settings, book: rulebook });
  const custody = createCustody({ ...deps, watchedFiles: stored.watchedFiles, keeper, scheduler, settings, audit });
  const { intake, watch } = custody;
  const { credentials } = intake;
  const affinity = createAffinityTable();
  const book = createExchangeBook({ store, clock, scheduler, settings, waitingOf: leases.line.waitingOf, log });
  const spending = await createSpending({ ...deps, stored, scheduler, settings, audit });
  const workspaces = createWorkspaceReader({ ...intake, upstream, settings, clock });
  const logins = createLoginDesk({ ...deps, ...intake, workspaces, scheduler });
  const counters = { exchanges: 0, served: 0, failovers: 0, clientsGone: 0, probes: 0 };
  const pacer = createResendPacer();
  const seals = createSealMemory();
  const shared = { ...intake, leases, upstream, settings, log };
  const { shelf, catalogue } = createModelRoom(stored, shared);
  const serving = { affinity, rulebook, book, counters, pacer, seals, models: catalogue };
  const exchangeDeps = { ...shared, ...spending, ...serving };
  const run: Engine["exchanges"]["run"] = (request) => {
    poller.noteInterest();
    return runExchange(exchangeDeps, request);
  };
  const selection = createSelectionDesk({ keeper, leases, rulebook, audit, log, settings, nowMs: () => clock.nowMs() });
  const history = createWindowHistory({ keeper, store, selection, settings, clock, scheduler, log });
  const reader = createUsageReader(exchangeDeps);
  const passing = workspaces.inPassing(reader);
  const poller = createUsagePoller({ keeper, reader: passing, settings, clock, scheduler, dice, log });
  const redeems = createRedeemDesk({ ...exchangeDeps, store, audit, reader });
  const exchanges: ExchangeDesk = { run, open: book.open, list: book.list, get: book.get, watch: book.watch };
  const asking = { reader, redeems, exchanges, catalogue, counters, holdsOn: selection.holdsOn };
  const desk = createAccountDesk({ ...intake, issuer: deps.issuer, leases, affinity, rulebook, log, asking });
  const background = createBackgroundDesk({ clock, dice, scheduler, settings, log });
  const choice = createChoice({ ...spending, rulebook, keeper, settings, store, audit, clock, log, exchanges: book });
  await credentials.start();
  watch.start();

  return {
    ...noticed(poller, desk, selection),
    files: custody.fileDesk,
    transfers: createTransferDesk({ ...exchangeDeps, safeguard, settings: settingDesk, files: watch }),
    logins,
    history,
    usage: createUsageDesk({ keeper, leases, settings }),
    exchanges,
    ...spending,
    clients: createClientDesk({ ...spending, ...choice, keeper, rulebook, catalogue, audit, clock, dice, log }),
    settings: settingDesk,
    catalogue,
    audit,
    ...choice,
    background,
    counters() {
      const { refreshes, failures } = credentials.counters();
      return { ...counters, refreshes, refreshFailures: failures };
    },
    checkStore: () => store.check(),
    openLeases: () => leases.openTotal(),
    async close() {
      await poller.close();
      await logins.close();
      await ended(book, background, clock);
      await shelf.close();
      await watch.close();
      await credentials.close();
      scheduler.close();
      const { keys, ledger } = spending;
      await Promise.all([keeper, book, keys, ledger, audit, history].map((part) => part.flush()));
    },
  };
}

/** Whoever looks at accounts or watches the pool wants figures that are true. */
function noticed(
  poller: UsagePoller,
  accounts: AccountDesk,
  selection: SelectionDesk,
): Pick<Engine, "accounts" | "selection"> {
  const list = () => {
    poller.noteInterest();
    return accounts.list();
  };
  const watch: SelectionDesk["watch"] = (onChange) => poller.whileWatched(selection.watch(onChange));
  return { accounts: { ...accounts, list }, selection: { ...selection, watch } };
}

function createModelRoom(
  stored: Pick<StoredPool, "modelAliases" | "modelLists">,
  deps: Omit<Parameters<typeof createCatalogue>[0], "stored" | "shelf"> &
    Parameters<typeof createModelFetch>[0] &
    Pick<Parameters<typeof createModelShelf>[0], "store" | "log">,
) {
  const shelf = createModelShelf({ ...deps, stored: stored.modelLists, fetch: createModelFetch(deps) });
  return { shelf, catalogue: createCatalogue({ ...deps, stored: stored.modelAliases, shelf }) };
}

/** An exchange whose door was closed on it ends a few turns of the event loop later. */
const END_LOOKS = 50;
const END_LOOK_EVERY_MS = 10;

/** What a closing door has cut short is recorded too; one that hangs even then is not waited for. */
async function ended(book: Pick<ExchangeBook, "open">, background: BackgroundDesk, clock: Clock): Promise<void> {
  background.close();
  for (let look = 0; book.open().length > 0 && look < END_LOOKS; look++) await clock.sleep(END_LOOK_EVERY_MS);
}
