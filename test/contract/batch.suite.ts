/** The contract of a store about changes that belong together: all of them, or none. Knows no implementation. */
import { expect, test } from "bun:test";
import { AppError, type ErrorCode } from "../../src/base/errors.ts";
import type { Budget } from "../../src/domain/budget.ts";
import type { PoolBatch, Store } from "../../src/store/store.ts";
import { accountLike, credentialsLike, keyLike, nextGeneration } from "../support/store-samples.ts";
import { profileLike } from "./choice.suite.ts";

const NOTHING: PoolBatch = {
  added: [],
  replaced: [],
  removed: [],
  pool: null,
  keys: [],
  settings: new Map(),
  profiles: [],
  budgets: [],
  rules: null,
};
const BUDGET: Budget = {
  name: "team",
  scope: { kind: "all" },
  limit: { measure: "requests", amount: 5, period: "day" },
  warnPercent: null,
  createdAtMs: 7,
};
const newAccount = (n: number, changes = {}) => ({ account: accountLike(n, changes), credentials: credentialsLike(n) });
const renewed = (n: number, token = n + 100) => ({
  account: nextGeneration(accountLike(n)),
  credentials: credentialsLike(token),
  expectedGeneration: 1,
});

export function batches(store: () => Store): void {
  const everything = async () => {
    const { accounts, ...rest } = await store().loadPool();
    const credentials = await Promise.all(accounts.map(({ id }) => store().loadCredentials(id)));
    return { accounts, ...rest, credentials, intents: await store().refreshIntents() };
  };
  const begin = (n: number) =>
    store().beginRefresh({ accountId: accountLike(n).id, generation: 1, tokenHash: "hash", startedAtMs: 5 });

  test("a batch does everything: adds, replaces, removes, and sets pool, keys and settings", async () => {
    await store().addAccounts([newAccount(1), newAccount(2)]);
    await begin(1);
    const [third] = [newAccount(3)];
    const keys = [keyLike(1, { hash: { algorithm: "sha256-text", hex: "a".repeat(64) } })];
    const pin = { accountId: third!.account.id, sinceMs: 1, untilMs: 2 };
    const end = await store().applyBatch({
      added: [third!],
      replaced: [renewed(1)],
      removed: [accountLike(2).id],
      pool: { strategy: "random", pin },
      keys,
      settings: new Map([["account_max_leases", 3]]),
      profiles: [profileLike("work")],
      budgets: [BUDGET, { ...BUDGET, name: "night", scope: { kind: "profiles" } }],
      rules: ["# mine", "avoid account-1"],
    });
    expect(end).toBe("committed");
    const after = await everything();
    expect(after.accounts).toEqual([renewed(1).account, third!.account]);
    expect(after.credentials.map(({ credentials }) => credentials)).toEqual([credentialsLike(101), credentialsLike(3)]);
    expect(after).toMatchObject({ strategy: "random", pin, keys, settings: { account_max_leases: 3 }, intents: [] });
    expect(await store().loadPool()).toMatchObject({
      profiles: [profileLike("work")],
      budgets: [{ name: "night", scope: { kind: "profiles" } }, BUDGET],
      rules: ["# mine", "avoid account-1"],
    });
    await store().applyBatch({ ...NOTHING, keys: [keyLike(2)] });
    expect((await store().loadPool()).rules).toHaveLength(2);
  });

  test("an account takes the identity and alias of one that goes in the same batch", async () => {
    await store().addAccounts([newAccount(1), newAccount(2)]);
    const { userId, workspaceId, alias } = accountLike(2);
    const replaced = [{ ...renewed(1), account: { ...renewed(1).account, userId, workspaceId, alias } }];
    await store().applyBatch({ ...NOTHING, replaced, removed: [accountLike(2).id] });
    expect((await everything()).accounts).toEqual([replaced[0]!.account]);
  });

  test("another generation makes the whole batch stale, and nothing is written", async () => {
    await store().addAccounts([newAccount(1), newAccount(2)]);
    await store().commitRefresh(nextGeneration(accountLike(2)), 1, credentialsLike(22));
    const before = await everything();
    const batch: PoolBatch = {
      added: [newAccount(3)],
      replaced: [renewed(1), renewed(2)],
      removed: [],
      pool: { strategy: "random", pin: null },
      keys: [keyLike(1)],
      settings: new Map([["account_max_leases", 3]]),
      profiles: [profileLike("work")],
      budgets: [BUDGET],
      rules: ["avoid all"],
    };
    expect(await store().applyBatch(batch)).toBe("stale");
    expect(await everything()).toEqual(before);
  });

  const refusals: readonly [string, ErrorCode, Partial<PoolBatch>][] = [
    ["a taken alias", "alias_taken", { added: [newAccount(3), newAccount(4, { alias: accountLike(1).alias })] }],
    ["a known identity", "account_exists", { added: [newAccount(4, { ...accountLike(1), id: accountLike(4).id })] }],
    ["an unknown account", "account_not_found", { added: [newAccount(3)], replaced: [renewed(9)] }],
    ["an unknown account to remove", "account_not_found", { added: [newAccount(3)], removed: [accountLike(9).id] }],
    [
      "a pin on nobody",
      "account_not_found",
      {
        added: [newAccount(3)],
        pool: { strategy: "random", pin: { accountId: accountLike(9).id, sinceMs: 0, untilMs: null } },
      },
    ],
    [
      "a taken key name",
      "key_exists",
      { added: [newAccount(3)], keys: [keyLike(2), keyLike(3, { name: keyLike(1).name })] },
    ],
  ];
  for (const [what, code, change] of refusals) {
    test(`${what} refuses the whole batch`, async () => {
      await store().addAccounts([newAccount(1)]);
      await store().addKey(keyLike(1));
      await begin(1);
      const before = await everything();
      const settings = new Map([["account_max_leases", 3]] as const);
      const batch = { ...NOTHING, replaced: [renewed(1)], settings, ...change };
      const thrown = await store()
        .applyBatch(batch)
        .catch((error: unknown) => error);
      expect(thrown).toBeInstanceOf(AppError);
      expect((thrown as AppError).code).toBe(code);
      expect(await everything()).toEqual(before);
    });
  }
}
