/** The part of the contract of a store that keeps model aliases and lists; a part of store.suite.ts. */
import { expect, test } from "bun:test";
import type { ModelList } from "../../src/domain/model.ts";
import type { Store } from "../../src/store/store.ts";
import { modelOf } from "../support/builders.ts";
import { accountLike, credentialsLike } from "../support/store-samples.ts";

function listLike(n: number, changes: Partial<ModelList> = {}): ModelList {
  return {
    accountId: accountLike(n).id,
    models: [modelOf("gpt-5.5"), modelOf("gpt-9", { plans: ["pro"], upgradeTo: "gpt-10", contextTokens: null })],
    etag: 'W/"1"',
    fetchedAtMs: 1_000,
    ...changes,
  };
}

export function models(store: () => Store): void {
  const add = (...numbers: number[]) =>
    store().addAccounts(numbers.map((n) => ({ account: accountLike(n), credentials: credentialsLike(n) })));
  const loaded = () => store().loadPool();

  test("model aliases come back in the order of their names; the last word on one counts", async () => {
    await store().saveModelAlias({ name: "quick", target: "gpt-5.5-low", createdAtMs: 1 });
    await store().saveModelAlias({ name: "best", target: "gpt-6-sol", createdAtMs: 2 });
    await store().saveModelAlias({ name: "quick", target: "gpt-6-luna", createdAtMs: 1 });
    expect((await loaded()).modelAliases).toEqual([
      { name: "best", target: "gpt-6-sol", createdAtMs: 2 },
      { name: "quick", target: "gpt-6-luna", createdAtMs: 1 },
    ]);
    await store().removeModelAlias("best");
    await store().removeModelAlias("never");
    expect((await loaded()).modelAliases.map(({ name }) => name)).toEqual(["quick"]);
  });

  test("an account has one model list, whole, and none when it is gone", async () => {
    await add(1, 2);
    await store().saveModelList(listLike(1, { models: [] }));
    await store().saveModelList(listLike(1));
    await store().saveModelList(listLike(2, { etag: null }));
    await store().saveModelList(listLike(3));
    expect((await loaded()).modelLists).toEqual([listLike(1), listLike(2, { etag: null })]);
    await store().removeAccount(accountLike(1).id);
    expect((await loaded()).modelLists).toEqual([listLike(2, { etag: null })]);
  });
}
