/** What an operator orders, in the contract of a store; a part of store.suite.ts. */
import { expect, test } from "bun:test";
import type { Account } from "../../src/domain/account.ts";
import type { Store } from "../../src/store/store.ts";
import { accountLike, credentialsLike, nextGeneration } from "../support/store-samples.ts";

const ORDERED: Pick<Account, "orders" | "refreshOwner" | "workspaceName"> = {
  orders: {
    tags: ["eu", "team"],
    note: "paid until May",
    weight: 2.5,
    priority: -3,
    pause: { sinceMs: 5, untilMs: 9 },
    draining: true,
    pace: { requestsPerMinute: 10, burst: 2 },
  },
  refreshOwner: { kind: "file", path: "/home/ann/auth.json" },
  workspaceName: "Acme",
};

export function orders(store: () => Store): void {
  const only = async () => (await store().loadPool()).accounts;
  const add = (...accounts: Account[]) =>
    store().addAccounts(accounts.map((account) => ({ account, credentials: credentialsLike(1) })));

  test("orders, workspace name and refresh owner are kept from the first write", async () => {
    const account = accountLike(1, ORDERED);
    await add(account);
    expect(await only()).toEqual([account]);
  });

  test("orders that are saved stay through observations, refreshes and new logins that know nothing of them", async () => {
    const plain = accountLike(1);
    await add(plain);
    const ordered = { ...plain, ...ORDERED };
    await store().saveAccount(ordered);
    await store().saveObservations([{ ...plain, tier: "pro" }]);
    expect(await only()).toEqual([{ ...ordered, tier: "pro" }]);
    const renewed = nextGeneration(plain);
    expect(await store().commitRefresh(renewed, 1, credentialsLike(2))).toBe("committed");
    expect(await only()).toEqual([{ ...ordered, credentials: renewed.credentials }]);
    const relogged = nextGeneration({ ...ordered, credentials: renewed.credentials, workspaceName: "Other" });
    expect(await store().replaceCredentials(relogged, 2, credentialsLike(3))).toBe("committed");
    expect(await only()).toEqual([relogged]);
  });

  test("several accounts are saved together, or none of them", async () => {
    const [one, two] = [accountLike(1), accountLike(2)];
    await add(one, two);
    const both = [one, two].map((account) => ({ ...account, ...ORDERED }));
    await store().saveAccounts(both);
    expect(await only()).toEqual(both);
    const torn = store().saveAccounts([{ ...one, enabled: false }, accountLike(9)]);
    expect(await torn.catch((thrown: { code: string }) => thrown.code)).toBe("account_not_found");
    const clash = store().saveAccounts([
      { ...one, enabled: false },
      { ...two, alias: one.alias },
    ]);
    expect(await clash.catch((thrown: { code: string }) => thrown.code)).toBe("alias_taken");
    expect(await only()).toEqual(both);
    await store().saveAccounts([]);
  });
}
