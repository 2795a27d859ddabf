/**
 * The contract of a store (src/store/store.ts), as tests that any implementation must pass. Knows no implementation.
 */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { AppError, type ErrorCode } from "../../src/base/errors.ts";
import type { AccountId } from "../../src/domain/account.ts";
import type { SettingKey, SettingValue } from "../../src/domain/setting.ts";
import type { Store } from "../../src/store/store.ts";
import {
  accountLike,
  credentialsLike,
  exchangeLike,
  keyLike,
  nextGeneration,
  windowLike,
} from "../support/store-samples.ts";
import { audit } from "./audit.suite.ts";
import { batches } from "./batch.suite.ts";
import { choice } from "./choice.suite.ts";
import { exchanges } from "./exchanges.suite.ts";
import { ledger } from "./ledger.suite.ts";
import { models } from "./models.suite.ts";
import { orders } from "./orders.suite.ts";
import { redeems } from "./redeem.suite.ts";
import { watchedFiles } from "./watched-file.suite.ts";
import { windowHistory } from "./window-history.suite.ts";

/** `makeStore` gives an empty store; `remove` takes away what it left. */
export function storeContract(name: string, makeStore: () => Promise<{ store: Store; remove(): Promise<void> }>): void {
  describe(`store contract: ${name}`, () => {
    let store: Store;
    let remove: () => Promise<void>;
    beforeEach(async () => {
      ({ store, remove } = await makeStore());
    });
    afterEach(async () => {
      await store.close();
      await remove();
    });
    const current = () => store;
    adding(current);
    changing(current);
    batches(current);
    credentials(current);
    intents(current);
    pool(current);
    keys(current);
    settings(current);
    watchedFiles(current);
    exchanges(current);
    audit(current);
    ledger(current);
    windowHistory(current);
    models(current);
    orders(current);
    redeems(current);
    choice(current);
    closing(current);
  });
}

type Current = () => Store;

export async function expectCode(promise: Promise<unknown>, code: ErrorCode): Promise<AppError> {
  const thrown = await promise.then(
    () => "nothing was rejected",
    (reason: unknown) => reason,
  );
  expect(thrown).toBeInstanceOf(AppError);
  expect((thrown as AppError).code).toBe(code);
  return thrown as AppError;
}

async function add(store: Store, ...numbers: number[]) {
  const batch = numbers.map((n) => ({ account: accountLike(n), credentials: credentialsLike(n) }));
  await store.addAccounts(batch);
  return batch.map((entry) => entry.account);
}

function adding(store: Current): void {
  test("an empty store has defaults", async () => {
    expect(await store().loadPool()).toEqual({
      accounts: [],
      strategy: "balanced",
      pin: null,
      keys: [],
      settings: {},
      budgets: [],
      prices: [],
      watchedFiles: [],
      rules: [],
      profiles: [],
      modelAliases: [],
      modelLists: [],
    });
  });

  test("accounts come back whole, in the order in which they were added", async () => {
    const full = accountLike(9, {
      email: null,
      userId: null,
      enabled: false,
      login: { kind: "needs_login", reason: "refresh_token_reused", sinceMs: 5_000 },
      windows: [windowLike(), windowLike({ limit: "codex_bengalfox", models: ["m"], lengthMinutes: null })],
      cooldown: { untilMs: 10, sinceMs: 5, reason: "rate_limited", failures: 2 },
      unsupportedModels: [{ model: "m", untilMs: 7 }],
      use: { lastLeaseOrder: 3, lastLeasedAtMs: 1, lastServedAtMs: 2, turn: 0, exchangesByDay: [[20_000, 4]] },
    });
    await store().addAccounts([{ account: full, credentials: credentialsLike(9) }]);
    const [second] = await add(store(), 1);
    expect((await store().loadPool()).accounts).toEqual([full, second!]);
  });

  test("a taken alias or a known identity refuses the whole batch", async () => {
    const [first] = await add(store(), 1);
    const sameAlias = accountLike(3, { alias: first!.alias });
    const batch = [accountLike(2), sameAlias].map((account) => ({ account, credentials: credentialsLike(2) }));
    await expectCode(store().addAccounts(batch), "alias_taken");
    const { userId, workspaceId, issuer } = first!;
    const twin = accountLike(4, { userId, workspaceId, issuer });
    await expectCode(store().addAccounts([{ account: twin, credentials: credentialsLike(4) }]), "account_exists");
    const both = accountLike(5, { userId, workspaceId, issuer, alias: first!.alias });
    await expectCode(store().addAccounts([{ account: both, credentials: credentialsLike(5) }]), "account_exists");
    await expectCode(store().addAccounts([{ account: first!, credentials: credentialsLike(1) }]), "account_exists");
    expect((await store().loadPool()).accounts).toEqual([first!]);
    await expectCode(store().loadCredentials(accountLike(2).id), "account_not_found");
  });

  test("a conflict inside one batch is a conflict", async () => {
    const twins = [accountLike(1), accountLike(2, { alias: accountLike(1).alias })];
    const batch = twins.map((account) => ({ account, credentials: credentialsLike(1) }));
    await expectCode(store().addAccounts(batch), "alias_taken");
    expect((await store().loadPool()).accounts).toEqual([]);
  });

  test("identity is user, workspace and issuer; an unknown user is a value of its own", async () => {
    const { userId, workspaceId, issuer } = accountLike(1);
    const same = { userId, workspaceId, issuer };
    const distinct = [
      accountLike(1),
      accountLike(2, { ...same, userId: "another" }),
      accountLike(3, { ...same, workspaceId: "another" }),
      accountLike(4, { ...same, issuer: "https://another.example" }),
      accountLike(5, { ...same, userId: null }),
    ];
    await store().addAccounts(distinct.map((account) => ({ account, credentials: credentialsLike(1) })));
    const unknownTwin = accountLike(6, { ...same, userId: null });
    await expectCode(
      store().addAccounts([{ account: unknownTwin, credentials: credentialsLike(6) }]),
      "account_exists",
    );
  });
}

function changing(store: Current): void {
  test("saving takes alias, e-mail, switch, login and observations, and nothing else", async () => {
    const [account] = await add(store(), 1);
    const changed = accountLike(1, {
      alias: "renamed",
      email: "new@example.com",
      enabled: false,
      tier: "pro",
      login: { kind: "needs_login", reason: "revoked", sinceMs: 8 },
      windows: [windowLike({ usedPercent: 80 })],
    });
    const elsewhere = { ...changed, workspaceId: "other", userId: "other", createdAtMs: 1 };
    await store().saveAccount({ ...elsewhere, credentials: { ...account!.credentials, refreshedAtMs: 1 } });
    expect((await store().loadPool()).accounts).toEqual([changed]);
  });

  test("a login state of older credentials is not taken", async () => {
    const [account] = await add(store(), 1);
    const fresh = nextGeneration(account!);
    await store().commitRefresh(fresh, 1, credentialsLike(2));
    const late = { ...account!, enabled: false, login: { kind: "needs_login", reason: "old", sinceMs: 1 } as const };
    await store().saveAccount(late);
    expect((await store().loadPool()).accounts).toEqual([{ ...fresh, enabled: false }]);
  });

  test("renaming to a taken alias is refused and changes nothing", async () => {
    const before = await add(store(), 1, 2);
    await expectCode(store().saveAccount({ ...before[1]!, alias: before[0]!.alias, enabled: false }), "alias_taken");
    await expectCode(store().saveAccount(accountLike(3)), "account_not_found");
    expect((await store().loadPool()).accounts).toEqual(before);
  });

  test("observations never touch what the operator set, and pass over removed accounts", async () => {
    const [account] = await add(store(), 1);
    const disabled = { ...account!, enabled: false, alias: "kept" };
    await store().saveAccount(disabled);
    const seen = accountLike(1, {
      tier: "pro",
      windows: [windowLike({ usedPercent: 99 })],
      cooldown: { untilMs: 10, sinceMs: 5, reason: "upstream_failing", failures: 1 },
      login: { kind: "needs_login", reason: "x", sinceMs: 1 },
    });
    await store().saveObservations([accountLike(7), seen]);
    const { tier, windows, cooldown } = seen;
    expect((await store().loadPool()).accounts).toEqual([{ ...disabled, tier, windows, cooldown }]);
  });

  test("a removed account takes its credentials, its intent and the pin on it along; its alias is free again", async () => {
    const [first, second] = await add(store(), 1, 2);
    await store().beginRefresh({ accountId: first!.id, generation: 1, tokenHash: "h", startedAtMs: 1 });
    await store().savePool({ strategy: "random", pin: { accountId: first!.id, sinceMs: 1, untilMs: null } });
    await store().removeAccount(first!.id);
    const pool = await store().loadPool();
    expect([pool.accounts, pool.strategy, pool.pin]).toEqual([[second!], "random", null]);
    expect(await store().refreshIntents()).toEqual([]);
    await expectCode(store().loadCredentials(first!.id), "account_not_found");
    await expectCode(store().removeAccount(first!.id), "account_not_found");
    await add(store(), 1);
  });
}

function credentials(store: Current): void {
  test("credentials come back as they went in", async () => {
    const [first] = await add(store(), 1, 2);
    expect(await store().loadCredentials(first!.id)).toEqual({ credentials: credentialsLike(1), generation: 1 });
    const without = { ...credentialsLike(3), idToken: null };
    await store().addAccounts([{ account: accountLike(3), credentials: without }]);
    expect((await store().loadCredentials(accountLike(3).id)).credentials).toEqual(without);
    await expectCode(store().loadCredentials("nobody" as AccountId), "account_not_found");
  });

  test("a refresh is committed over the expected generation", async () => {
    const [account] = await add(store(), 1);
    const operator = { ...account!, enabled: false, alias: "kept" };
    await store().saveAccount(operator);
    const fresh = nextGeneration({ ...account!, email: "new@example.com", tier: "pro", windows: [windowLike()] });
    expect(await store().commitRefresh(fresh, 1, credentialsLike(2))).toBe("committed");
    expect(await store().loadCredentials(account!.id)).toEqual({ credentials: credentialsLike(2), generation: 2 });
    expect((await store().loadPool()).accounts).toEqual([{ ...fresh, enabled: false, alias: "kept" }]);
  });

  test("an older refresh never overwrites a newer one", async () => {
    const [account] = await add(store(), 1);
    const winner = nextGeneration(account!);
    await store().commitRefresh(winner, 1, credentialsLike(2));
    const loser = nextGeneration({ ...account!, tier: "pro" });
    expect(await store().commitRefresh(loser, 1, credentialsLike(3))).toBe("stale");
    expect(await store().replaceCredentials(loser, 1, credentialsLike(3))).toBe("stale");
    expect(await store().loadCredentials(account!.id)).toEqual({ credentials: credentialsLike(2), generation: 2 });
    expect((await store().loadPool()).accounts).toEqual([winner]);
  });

  test("of refreshes that race for one generation exactly one is committed", async () => {
    const [account] = await add(store(), 1);
    const results = await Promise.all(
      [11, 12, 13, 14].map((n) => store().commitRefresh(nextGeneration(account!), 1, credentialsLike(n))),
    );
    expect(results.filter((result) => result === "committed")).toHaveLength(1);
    const won = [11, 12, 13, 14][results.indexOf("committed")]!;
    expect((await store().loadCredentials(account!.id)).credentials).toEqual(credentialsLike(won));
  });

  test("a commit must carry the generation after the expected one", async () => {
    const [account] = await add(store(), 1);
    await expectCode(store().commitRefresh(account!, 1, credentialsLike(2)), "internal");
    await expectCode(store().replaceCredentials(account!, 1, credentialsLike(2)), "internal");
    expect((await store().loadCredentials(account!.id)).credentials).toEqual(credentialsLike(1));
  });

  test("a commit for an account that was removed says so", async () => {
    await expectCode(store().commitRefresh(nextGeneration(accountLike(1)), 1, credentialsLike(1)), "account_not_found");
    await expectCode(
      store().replaceCredentials(nextGeneration(accountLike(1)), 1, credentialsLike(1)),
      "account_not_found",
    );
  });

  test("a new login replaces credentials and all facts", async () => {
    const [account, other] = await add(store(), 1, 2);
    await store().saveAccount({ ...account!, enabled: false, login: { kind: "needs_login", reason: "x", sinceMs: 1 } });
    const relogged = nextGeneration({ ...account!, alias: "again", userId: "found out", tier: "team", enabled: true });
    expect(await store().replaceCredentials(relogged, 1, credentialsLike(5))).toBe("committed");
    expect((await store().loadPool()).accounts).toEqual([relogged, other!]);
    const clash = nextGeneration({ ...relogged, alias: other!.alias });
    await expectCode(store().replaceCredentials(clash, 2, credentialsLike(6)), "alias_taken");
    const { userId, workspaceId } = other!;
    const twin = nextGeneration({ ...relogged, userId, workspaceId });
    await expectCode(store().replaceCredentials(twin, 2, credentialsLike(6)), "account_exists");
    expect(await store().loadCredentials(account!.id)).toEqual({ credentials: credentialsLike(5), generation: 2 });
  });
}

function intents(store: Current): void {
  const intent = (accountId: AccountId, generation: number, tokenHash: string) => ({
    accountId,
    generation,
    tokenHash,
    startedAtMs: 1_000,
  });

  test("an intent stands until its refresh ends", async () => {
    const [first, second] = await add(store(), 1, 2);
    await store().beginRefresh(intent(first!.id, 1, "one"));
    await store().beginRefresh(intent(second!.id, 1, "two"));
    await store().commitRefresh(nextGeneration(first!), 1, credentialsLike(9));
    expect(await store().refreshIntents()).toEqual([intent(second!.id, 1, "two")]);
    await store().abandonRefresh(second!.id);
    await store().abandonRefresh(second!.id);
    expect(await store().refreshIntents()).toEqual([]);
  });

  test("the latest intent of an account counts", async () => {
    const [first] = await add(store(), 1);
    await store().beginRefresh(intent(first!.id, 1, "old"));
    await store().beginRefresh(intent(first!.id, 1, "new"));
    expect(await store().refreshIntents()).toEqual([intent(first!.id, 1, "new")]);
    await expectCode(store().beginRefresh(intent("nobody" as AccountId, 1, "x")), "account_not_found");
  });

  test("a stale commit ends its own intent, not that of a newer generation", async () => {
    const [first] = await add(store(), 1);
    await store().commitRefresh(nextGeneration(first!), 1, credentialsLike(2));
    await store().beginRefresh(intent(first!.id, 2, "newer"));
    expect(await store().commitRefresh(nextGeneration(first!), 1, credentialsLike(3))).toBe("stale");
    expect(await store().refreshIntents()).toEqual([intent(first!.id, 2, "newer")]);
    await store().beginRefresh(intent(first!.id, 1, "older"));
    expect(await store().commitRefresh(nextGeneration(first!), 1, credentialsLike(3))).toBe("stale");
    expect(await store().refreshIntents()).toEqual([]);
  });

  test("a new login ends the refresh of the old one", async () => {
    const [first] = await add(store(), 1);
    await store().beginRefresh(intent(first!.id, 1, "old"));
    await store().replaceCredentials(nextGeneration(first!), 1, credentialsLike(2));
    expect(await store().refreshIntents()).toEqual([]);
  });
}

function pool(store: Current): void {
  test("strategy and pin are kept", async () => {
    const [account] = await add(store(), 1);
    const pin = { accountId: account!.id, sinceMs: 5, untilMs: 9 };
    await store().savePool({ strategy: "round-robin", pin });
    expect(await store().loadPool()).toMatchObject({ strategy: "round-robin", pin });
    await store().savePool({ strategy: "least-used", pin: { ...pin, untilMs: null } });
    expect(await store().loadPool()).toMatchObject({ strategy: "least-used", pin: { ...pin, untilMs: null } });
    await store().savePool({ strategy: "random", pin: null });
    expect(await store().loadPool()).toMatchObject({ strategy: "random", pin: null });
  });

  test("a pin needs its account", async () => {
    const pin = { accountId: "nobody" as AccountId, sinceMs: 5, untilMs: null };
    await expectCode(store().savePool({ strategy: "random", pin }), "account_not_found");
    expect(await store().loadPool()).toMatchObject({ strategy: "balanced", pin: null });
  });
}

function keys(store: Current): void {
  test("keys come back in order, as they were saved", async () => {
    await store().addKey(keyLike(2));
    await store().addKey(keyLike(1, { lastUsedAtMs: 3 }));
    const revoked = keyLike(2, { revokedAtMs: 50 });
    await store().saveKey(revoked);
    expect((await store().loadPool()).keys).toEqual([revoked, keyLike(1, { lastUsedAtMs: 3 })]);
    await expectCode(store().saveKey(keyLike(3)), "key_not_found");
  });

  test("a name is taken by a key that works, free after its revocation", async () => {
    await store().addKey(keyLike(1, { name: "laptop" }));
    await expectCode(store().addKey(keyLike(2, { name: "laptop" })), "key_exists");
    await expectCode(store().addKey(keyLike(1, { name: "other" })), "key_exists");
    await store().saveKey(keyLike(1, { name: "laptop", revokedAtMs: 5 }));
    await store().addKey(keyLike(2, { name: "laptop" }));
    await expectCode(store().saveKey(keyLike(1, { name: "laptop", revokedAtMs: null })), "key_exists");
    expect((await store().loadPool()).keys.map((key) => key.revokedAtMs)).toEqual([5, null]);
  });

  test("the last use never moves back", async () => {
    await store().addKey(keyLike(1));
    const lastUse = async () => (await store().loadPool()).keys[0]!.lastUsedAtMs;
    await store().touchKeys(new Map([[keyLike(1).id, 500]]));
    expect(await lastUse()).toBe(500);
    await store().touchKeys(
      new Map([
        [keyLike(1).id, 400],
        ["unknown", 1],
      ]),
    );
    expect(await lastUse()).toBe(500);
  });
}

function settings(store: Current): void {
  test("saved settings keep their type, and null takes one away", async () => {
    const changes: [SettingKey, SettingValue | null][] = [
      ["affinity", false],
      ["wait_seconds", 45],
      ["idle_stop_minutes", 0],
    ];
    await store().saveSettings(new Map(changes));
    expect((await store().loadPool()).settings).toEqual({ affinity: false, wait_seconds: 45, idle_stop_minutes: 0 });
    await store().saveSettings(
      new Map<SettingKey, SettingValue | null>([
        ["affinity", null],
        ["exchanges_kept", null],
        ["wait_seconds", 46],
      ]),
    );
    expect((await store().loadPool()).settings).toEqual({ wait_seconds: 46, idle_stop_minutes: 0 });
  });
}

function closing(store: Current): void {
  test("what was given is not shared: later changes to it change nothing", async () => {
    const tokens = { ...credentialsLike(1) };
    const windows = [windowLike()];
    const account = accountLike(1, { windows });
    await store().addAccounts([{ account, credentials: tokens }]);
    tokens.refreshToken = "changed";
    windows.push(windowLike({ slot: "secondary" }));
    expect((await store().loadCredentials(account.id)).credentials).toEqual(credentialsLike(1));
    expect((await store().loadPool()).accounts[0]!.windows).toEqual([windowLike()]);
  });

  test("a healthy store says so", async () => {
    const check = await store().check();
    expect(check.integrity).toBe("ok");
    expect(check.schemaVersion).toBeGreaterThan(0);
    expect(check.looseFiles).toEqual([]);
  });

  test("closing twice is fine; using it afterwards is refused", async () => {
    await store().close();
    await store().close();
    await expectCode(store().loadPool(), "internal");
    await expectCode(store().appendExchanges([exchangeLike(1)], 5), "internal");
    await expectCode(store().saveObservations([]), "internal");
  });
}
