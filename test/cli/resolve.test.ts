/** Names → the one thing that is meant. */
import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { AppError } from "../../src/base/errors.ts";
import { editDistance, nearest } from "../../src/base/nearest.ts";
import { exchangeNumber, resolveAccount, resolveKey, shortIds } from "../../src/cli/resolve.ts";
import { AccountSchema } from "../../src/gen/rotor/v1/account_pb.ts";
import { ExchangeSchema } from "../../src/gen/rotor/v1/exchange_pb.ts";
import { KeySchema } from "../../src/gen/rotor/v1/key_service_pb.ts";

const account = (id: string, alias: string, email = "") => create(AccountSchema, { id, alias, email, tier: "plus" });
const ACCOUNTS = [
  account("01AAAA", "work", "ann@example.org"),
  account("01AABB", "spare", "bob@example.org"),
  account("01BBBB", "spare-2", "bob@example.org"),
];

function refusal(run: () => unknown): AppError {
  try {
    run();
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(AppError);
    return thrown as AppError;
  }
  throw new Error("it was resolved");
}

test("an account is found by alias, number, id, address and beginnings of them", () => {
  for (const name of ["work", "WORK", "1", "01AAAA", "01aaaa", "ann@example.org", "w", "ann@", " work "]) {
    expect(resolveAccount(ACCOUNTS, name).alias).toBe("work");
  }
  expect(resolveAccount(ACCOUNTS, "3").alias).toBe("spare-2");
  expect(resolveAccount(ACCOUNTS, "01BB").alias).toBe("spare-2");
});

test("an exact alias wins over a longer one that begins with it", () => {
  expect(resolveAccount(ACCOUNTS, "spare").id).toBe("01AABB");
});

test("an ambiguous name lists its candidates", () => {
  for (const name of ["sp", "bob@example.org", "01AA"]) {
    const error = refusal(() => resolveAccount(ACCOUNTS, name));
    expect(error.code).toBe("account_ambiguous");
    expect(error.row.exit).toBe(2);
    expect(error.message).toContain("spare (");
  }
});

test("an unknown name suggests the near one, and only a near one", () => {
  const near = refusal(() => resolveAccount(ACCOUNTS, "wrok"));
  expect(near.code).toBe("account_not_found");
  expect(near.message).toBe('there is no account "wrok" (did you mean work?)');
  expect(refusal(() => resolveAccount(ACCOUNTS, "zzzzzz")).message).toBe('there is no account "zzzzzz"');
  expect(refusal(() => resolveAccount(ACCOUNTS, "9")).code).toBe("account_not_found");
  expect(refusal(() => resolveAccount(ACCOUNTS, "")).code).toBe("account_not_found");
  expect(refusal(() => resolveAccount([], "work")).hint).toBe("rotor login");
});

test("a name cannot smuggle control characters into the terminal", () => {
  expect(refusal(() => resolveAccount(ACCOUNTS, "\x1b[31mx")).message).not.toContain("\x1b");
});

test("a valid key wins over revoked ones of the same name", () => {
  const key = (id: string, name: string, revoked: boolean) =>
    create(KeySchema, { id, name, revokeTime: revoked ? { seconds: 1n } : undefined });
  const keys = [key("k1aa", "laptop", true), key("k1bb", "laptop", false), key("k2cc", "desk", false)];
  expect(resolveKey(keys, "laptop").id).toBe("k1bb");
  expect(resolveKey(keys, "lap").id).toBe("k1bb");
  expect(resolveKey(keys, "k1a").id).toBe("k1aa");
  expect(resolveKey(keys, "3").id).toBe("k2cc");
  expect(refusal(() => resolveKey([keys[0]!, { ...keys[0]!, id: "k9" }], "laptop")).code).toBe("bad_usage");
  expect(refusal(() => resolveKey(keys, "laptob")).message).toContain("did you mean laptop?");
});

test("exchanges: numbers are list numbers, everything else an id", () => {
  expect(exchangeNumber("1")).toBe(1);
  expect(exchangeNumber("120")).toBe(120);
  for (const text of ["0", "01", "01K", "1234", "x"]) expect(exchangeNumber(text)).toBeNull();
});

test("short ids tell exchanges apart and are beginnings", () => {
  const exchanges = ["01AAAAAAAAAAB1", "01AAAAAAAAAAB2", "01BBBBBBBBBBB3"].map((id) => create(ExchangeSchema, { id }));
  const short = shortIds(exchanges);
  expect([...short.values()].sort()).toEqual(["01AAAAAAAAAAB1", "01AAAAAAAAAAB2", "01BBBBBBBBBBB3"]);
  expect(shortIds(exchanges.slice(0, 1)).get("01AAAAAAAAAAB1")).toBe("01AAAAAAAA");
});

test("edit distance is a metric, and a swap is one step", () => {
  const word = fc.stringMatching(/^[a-d]{0,7}$/);
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
  expect(editDistance("wrok", "work")).toBe(1);
});

test("nearest does not guess wildly", () => {
  expect(nearest("lits", ["list", "show"])).toBe("list");
  expect(nearest("x", ["list", "show"])).toBeNull();
  expect(nearest("completely-other", ["list"])).toBeNull();
  expect(nearest("anything", [])).toBeNull();
});
