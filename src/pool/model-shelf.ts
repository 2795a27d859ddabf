/**
 * The model lists of the accounts: one each, as upstream last told it, a few minutes old at most when somebody asked lately. The last good
 * one stays until there is a better one, over restarts too. Which list is whose is decided here; what is made of them is the catalogue's.
 */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import { isOlderVersion, type ModelList, mergeModels, modelsRefusedTo, type PoolModel } from "../domain/model.ts";
import type { Outcome } from "../domain/outcome.ts";
import type { Store } from "../store/store.ts";
import { readModelList } from "../upstream/model-list.ts";
import type { Keeper } from "./keeper.ts";
import type { ModelFetch } from "./model-fetch.ts";

/** Models change within days; five minutes keep a client's start off the network and a new model from being missed for long. */
const FRESH_MS = 300_000;
/** After a failure, and between two looks that upstream's own hints ask for: its servers do not all change at once. */
const AGAIN_MS = 60_000;
/** What the official client says; upstream leaves out models that a client is too old for. A newer client's word is taken up. */
const CLIENT_VERSION = "0.169.0";
const VERSION = /^\d{1,4}(?:\.\d{1,4}){0,3}$/;

interface Shelved {
  readonly list: ModelList;
  /** As upstream sent it; null after a restart, until it is asked again. */
  readonly body: Uint8Array | null;
}

export interface ModelShelf {
  /** Accounts that are here, in their order, with the list that each has. */
  lists(): readonly ModelList[];
  /** All of them as one; the same object until something changes. */
  models(): readonly PoolModel[];
  /** The bytes of a list; null when only its facts were kept. */
  bodyOf(id: AccountId): Uint8Array | null;
  /** Why the last try for this account failed; null = it did not, or there was none. */
  failureOf(id: AccountId): Outcome | null;
  /** Newest client version seen; upstream is asked in its name. Raises what a client names. */
  heard(clientVersion: string | null): void;
  /** Asks for the lists that are old or absent; `whole` also for those of which only the facts were kept, `all` for every one. Never rejects. */
  refresh(want?: "old" | "whole" | "all"): Promise<void>;
  /** Upstream named this account's list by its tag in passing. */
  seen(id: AccountId, etag: string): void;
  /** Breaks off what is under way; what was learnt is on its way to the store when it resolves. */
  close(): Promise<void>;
}

export function createModelShelf(deps: {
  stored: readonly ModelList[];
  keeper: Keeper;
  fetch: ModelFetch;
  store: Pick<Store, "saveModelList">;
  clock: Clock;
  log: Log;
}): ModelShelf {
  const { keeper, fetch, store, clock, log } = deps;
  const shelf = new Map<AccountId, Shelved>(deps.stored.map((list) => [list.accountId, { list, body: null }]));
  const checkedAtMs = new Map<AccountId, number>();
  const failures = new Map<AccountId, { outcome: Outcome; atMs: number }>();
  const running = new Map<AccountId, Promise<void>>();
  /** Asked for in the name of an older client than there is now. */
  const outdated = new Set<AccountId>();
  const ending = new AbortController();
  let saving: Promise<void> = Promise.resolve();
  let version = CLIENT_VERSION;
  /** Lists that were ever put here. */
  let edition = 0;
  let merged: { of: readonly Account[] | null; edition: number; models: readonly PoolModel[] } = {
    of: null,
    edition,
    models: [],
  };

  const lists = () => keeper.accounts().flatMap(({ id }) => shelf.get(id)?.list ?? []);
  /** Asked by every request: the accounts are the same array until one is added or removed. */
  const models = () => {
    const of = keeper.accounts();
    if (of !== merged.of || edition !== merged.edition) merged = { of, edition, models: mergeModels(lists()) };
    return merged.models;
  };

  const save = (list: ModelList) => {
    saving = saving.then(() => store.saveModelList(list)).catch((error) => log.error("models.save_failed", { error }));
  };

  const put = (id: AccountId, body: Uint8Array, etag: string | null): Outcome | null => {
    const read = readModelList(body);
    // An empty list is as good as none: every client would lose its models by it.
    if (read === null || read.length === 0) {
      return { kind: "upstream_failed", status: 200, message: "its model list cannot be read", retryAtMs: null };
    }
    const list = { accountId: id, models: read.map(({ facts }) => facts), etag, fetchedAtMs: clock.nowMs() };
    shelf.set(id, { list, body });
    edition++;
    save(list);
    return null;
  };

  const fetchOne = async (account: Account): Promise<void> => {
    const { id } = account;
    const kept = shelf.get(id);
    const askedAs = version;
    const etag = kept?.body && !outdated.has(id) ? kept.list.etag : null;
    const answer = await fetch.fetch(account, askedAs, etag, ending.signal);
    if (keeper.get(id) === null || ending.signal.aborted) return;
    if (askedAs === version) outdated.delete(id);
    checkedAtMs.set(id, clock.nowMs());
    const outcome =
      answer.kind === "models" ? put(id, answer.body, answer.etag) : answer.kind === "failed" ? answer.outcome : null;
    if (outcome === null) failures.delete(id);
    else {
      failures.set(id, { outcome, atMs: clock.nowMs() });
      log.warn("models.fetch_failed", { account: account.alias, outcome: outcome.kind });
    }
  };

  const fetchShared = (account: Account): Promise<void> => {
    const under = running.get(account.id);
    if (under !== undefined) return under;
    const work = fetchOne(account).finally(() => running.delete(account.id));
    running.set(account.id, work);
    return work;
  };

  const isDue = ({ id }: Account, want: "old" | "whole" | "all"): boolean => {
    const nowMs = clock.nowMs();
    const failed = failures.get(id);
    if (want === "all") return true;
    if (failed !== undefined && nowMs - failed.atMs < AGAIN_MS) return false;
    const kept = shelf.get(id);
    if (kept === undefined || outdated.has(id) || (want === "whole" && kept.body === null)) return true;
    return nowMs - (checkedAtMs.get(id) ?? kept.list.fetchedAtMs) >= FRESH_MS;
  };

  /** What upstream says of who may use what, once all that could be asked have been. */
  const teach = () => {
    for (const account of keeper.accounts()) {
      const own = shelf.get(account.id)?.list;
      if (own === undefined || !checkedAtMs.has(account.id)) continue;
      const refused = modelsRefusedTo(account.tier, own, models());
      const offered = own.models.map(({ slug }) => slug);
      keeper.apply(account.id, { kind: "models_listed", atMs: clock.nowMs(), refused, offered });
    }
  };

  return {
    lists,
    models,
    bodyOf: (id) => shelf.get(id)?.body ?? null,
    failureOf: (id) => failures.get(id)?.outcome ?? null,
    heard(clientVersion) {
      if (clientVersion === null || !VERSION.test(clientVersion) || !isOlderVersion(version, clientVersion)) return;
      version = clientVersion;
      for (const id of shelf.keys()) outdated.add(id);
    },
    async refresh(want = "old") {
      const due = keeper.accounts().filter((account) => isDue(account, want) && fetch.mayAsk(account));
      if (due.length === 0) return;
      await Promise.all(due.map(fetchShared));
      teach();
    },
    seen(id, etag) {
      const kept = shelf.get(id)?.list;
      const account = keeper.get(id);
      if (kept === undefined || account === null || kept.etag === etag || running.has(id)) return;
      if (clock.nowMs() - (checkedAtMs.get(id) ?? 0) < AGAIN_MS || !fetch.mayAsk(account)) return;
      void fetchShared(account).then(teach);
    },
    async close() {
      ending.abort();
      await Promise.all(running.values());
      await saving;
    },
  };
}
