/** Reset credits on their way, in the contract of a store; a part of store.suite.ts. */
import { expect, test } from "bun:test";
import type { AccountId } from "../../src/domain/account.ts";
import type { Store } from "../../src/store/store.ts";
import { accountLike, credentialsLike } from "../support/store-samples.ts";

export function redeems(store: () => Store): void {
  const account = accountLike(1);
  const intent = (requestId: string, startedAtMs = 7) => ({ accountId: account.id, requestId, startedAtMs });

  test("a reset credit is asked for under one id until its end is known", async () => {
    await store().addAccounts([{ account, credentials: credentialsLike(1) }]);
    expect(await store().beginRedeem(intent("one"))).toEqual(intent("one"));
    expect(await store().beginRedeem(intent("two", 9))).toEqual(intent("one"));
    await store().endRedeem(intent("two"));
    expect(await store().beginRedeem(intent("three", 9))).toEqual(intent("one"));
    await store().endRedeem(intent("one"));
    await store().endRedeem(intent("one"));
    expect(await store().beginRedeem(intent("four", 11))).toEqual(intent("four", 11));
  });

  test("it goes with its account, and there is none without", async () => {
    await store().addAccounts([{ account, credentials: credentialsLike(1) }]);
    await store().beginRedeem(intent("one"));
    await store().removeAccount(account.id);
    const none = store().beginRedeem({ ...intent("x"), accountId: "nobody" as AccountId });
    expect(await none.catch((thrown: { code: string }) => thrown.code)).toBe("account_not_found");
    await store().addAccounts([{ account, credentials: credentialsLike(1) }]);
    expect(await store().beginRedeem(intent("two"))).toEqual(intent("two"));
  });
}
