/** Writers: what they write their readers read, and what a file holds beside it stays. */
import { describe, expect, test } from "bun:test";
import { AppError } from "../../src/base/errors.ts";
import { accountToCarry } from "../../src/transfer/foreign-account.ts";
import type { ForeignAccount } from "../../src/transfer/foreign-store.ts";
import { readForeign } from "../../src/transfer/read-foreign.ts";
import { writeCodexAuth, writeOpencodeAuth } from "../../src/transfer/write-auth-json.ts";
import { writeOcMultiAuth } from "../../src/transfer/write-oc-multi-auth.ts";
import { anAccount } from "../support/builders.ts";
import {
  aLogin,
  codexAuth,
  DAY_MS,
  fileOf,
  multiplexedOpencodeAuth,
  ocCodexMulti,
  opencodeAuth,
} from "../support/foreign-stores.ts";
import { T0 } from "../support/manual-clock.ts";

function carried(n: number, mark = "z", expiresAtMs = T0 + 5 * DAY_MS): ForeignAccount {
  const { accessToken, refreshToken, idToken, email } = aLogin(n, mark, expiresAtMs);
  const account = anAccount({
    n,
    email,
    credentials: { generation: 3, accessExpiresAtMs: expiresAtMs, refreshedAtMs: T0 },
  });
  return accountToCarry(account, { accessToken, refreshToken, idToken });
}

const json = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
const bytesOf = (value: unknown) => fileOf(value).bytes;
const reread = (bytes: Uint8Array) => readForeign([{ name: "written", bytes }], null);

function refusal(write: () => unknown): AppError {
  try {
    write();
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("Codex auth.json", () => {
  test("what is written is read", async () => {
    const account = carried(1);
    const [found] = (await reread(writeCodexAuth(null, account))).accounts;
    expect(found!.credentials).toEqual(account.credentials);
    expect(found).toMatchObject({
      issuer: account.issuer,
      refreshedAtMs: T0,
      claims: { workspaceId: "workspace-1", userId: "user-1" },
    });
  });

  test("what the file holds beside the login stays; what speaks of another login goes", () => {
    const before = codexAuth(aLogin(2)) as { tokens: Record<string, unknown> };
    Object.assign(before.tokens, {
      login_owner_id: "owner",
      future: 1,
      oauth_provenance: { issuer: "x", client_id: "y" },
    });
    const after = json(writeCodexAuth(bytesOf({ ...before, auth_mode: "apikey", OPENAI_API_KEY: "kept" }), carried(1)));
    expect(after).toMatchObject({
      something_new: { kept: true },
      auth_mode: "chatgpt",
      OPENAI_API_KEY: "kept",
      tokens: { future: 1 },
    });
    expect(after.tokens.login_owner_id).toBeUndefined();
    expect(after.tokens.oauth_provenance).toEqual({ issuer: carried(1).issuer });
    const renewed = json(writeCodexAuth(bytesOf(before), carried(2)));
    expect(renewed.tokens).toMatchObject({
      login_owner_id: "owner",
      oauth_provenance: { client_id: "y" },
      account_id: "workspace-2",
    });
  });

  test("without an id token the access token stands in, and is taken for none when it is read", async () => {
    const account = carried(1);
    const bare = { ...account, credentials: { ...account.credentials, idToken: null } };
    const bytes = writeCodexAuth(null, bare);
    expect(json(bytes).tokens.id_token).toBe(account.credentials.accessToken);
    expect((await reread(bytes)).accounts[0]!.credentials.idToken).toBeNull();
  });

  test("a broken file, and a login that is not complete, are refused", () => {
    expect(refusal(() => writeCodexAuth(bytesOf('{"tokens":'), carried(1))).code).toBe("export_refused");
    expect(refusal(() => writeCodexAuth(new Uint8Array([0xff]), carried(1))).code).toBe("export_refused");
    const empty = { ...carried(1), credentials: { accessToken: "", refreshToken: "x", idToken: null } };
    expect(refusal(() => writeCodexAuth(null, empty)).hint).toBe("rotor account refresh plus-1");
  });
});

describe("OpenCode auth.json", () => {
  test("what is written is read, and other services stay", async () => {
    const account = carried(1);
    const bytes = writeOpencodeAuth(bytesOf({ ...opencodeAuth(aLogin(2)) }), account);
    expect(json(bytes).anthropic).toEqual({ type: "api", key: "none" });
    const [found] = (await reread(bytes)).accounts;
    expect(found!.credentials).toEqual({ ...account.credentials, idToken: null });
  });

  test("an API key gives way with its fields; several logins in one do not", () => {
    const after = json(writeOpencodeAuth(bytesOf({ openai: { type: "api", key: "k" } }), carried(1)));
    expect(after.openai.key).toBeUndefined();
    const several = bytesOf(multiplexedOpencodeAuth([aLogin(1), aLogin(2)]));
    expect(refusal(() => writeOpencodeAuth(several, carried(1))).code).toBe("export_refused");
  });
});

describe("oc-codex-multi-auth", () => {
  const merge = (existing: unknown, accounts: readonly ForeignAccount[]) => {
    const merged = writeOcMultiAuth(existing === null ? null : bytesOf(existing), accounts, T0);
    if (!merged.ok) throw new Error(merged.collisions.map((one) => one.reason).join());
    return merged;
  };
  const collisions = (existing: unknown, accounts: readonly ForeignAccount[]) => {
    const merged = writeOcMultiAuth(bytesOf(existing), accounts, T0);
    return merged.ok ? [] : merged.collisions.map((one) => one.reason);
  };

  test("a new store is read back with its accounts", async () => {
    const accounts = [
      { ...carried(1), tags: ["blue"], note: "noted" },
      { ...carried(2), enabled: false },
    ];
    const merged = merge(null, accounts);
    expect(merged.rows.map((row) => row.action)).toEqual(["add", "add"]);
    const store = await reread(merged.bytes);
    expect(store.format).toBe("oc-codex-multi-auth");
    expect(store.accounts).toMatchObject([
      { tags: ["blue"], note: "noted", enabled: true, claims: { userId: "user-1" } },
      { enabled: false, claims: { userId: "user-2" } },
    ]);
    expect(store.accounts.map((one) => one.credentials.refreshToken)).toEqual(
      accounts.map((one) => one.credentials.refreshToken),
    );
  });

  test("merging adds, renews and keeps; whom only the store has, and what it says of anybody, stays", async () => {
    const before = { ...ocCodexMulti(), something_new: 1 };
    const merged = merge(before, [carried(1), carried(3)]);
    expect(merged.rows.map((row) => [row.account, row.action])).toEqual([
      [0, "update"],
      [1, "add"],
    ]);
    expect(merged.destinationOnly).toBe(1);
    const after = json(merged.bytes);
    expect(after.something_new).toBe(1);
    expect(after.activeIndex).toBe(1);
    expect(after.accounts).toHaveLength(3);
    expect(after.accounts[1]).toEqual((before as unknown as { accounts: unknown[] }).accounts[1]);
    expect(after.accounts[0]).toMatchObject({
      accountTags: ["Blue"],
      organizationId: "org-1",
      refreshToken: aLogin(1, "z").refreshToken,
    });
  });

  test("tokens of the store that are fresher are kept", () => {
    const merged = merge(ocCodexMulti(), [carried(1, "old", T0 - DAY_MS)]);
    expect(merged.rows).toEqual([{ account: 0, action: "keep", reason: "the tokens of the store are newer" }]);
    expect(json(merged.bytes).accounts).toEqual((ocCodexMulti() as { accounts: unknown[] }).accounts);
  });

  test("merging twice changes nothing the second time", () => {
    const once = merge(ocCodexMulti(), [carried(1), carried(3)]);
    const twice = merge(json(once.bytes), [carried(1), carried(3)]);
    expect(twice.rows.map((row) => row.action)).toEqual(["keep", "keep"]);
    expect(json(twice.bytes)).toEqual(json(once.bytes));
  });

  test("what cannot be told apart is a collision, and nothing is written", () => {
    const anonymous = { version: 3, activeIndex: 0, accounts: [{ accountId: "workspace-1", refreshToken: "r" }] };
    expect(collisions(anonymous, [carried(1)])).toEqual([
      "the store has an account in the same workspace and does not say whose it is",
    ]);
    const twins = ocCodexMulti() as { accounts: unknown[] };
    expect(collisions({ ...twins, accounts: [twins.accounts[0], twins.accounts[0]] }, [carried(1)])).toEqual([
      "several accounts of the store are this login",
    ]);
    expect(collisions(ocCodexMulti(), [carried(1), carried(1, "y")])).toHaveLength(2);
    const stolen = {
      version: 3,
      activeIndex: 0,
      accounts: [{ accountId: "workspace-7", refreshToken: carried(1).credentials.refreshToken }],
    };
    expect(collisions(stolen, [carried(1)])).toEqual(["the store has its refresh token under another account"]);
    expect(collisions(ocCodexMulti(), [{ ...carried(3), isIdentified: false }])).toEqual([
      "it names no ChatGPT account; refresh it first",
    ]);
  });

  test("a store that cannot be read, an old one, and more than the product reads are refused", () => {
    for (const existing of ["{", "[]", { version: 3 }, { ...ocCodexMulti(), version: 1 }])
      expect(refusal(() => writeOcMultiAuth(bytesOf(existing), [carried(1)], T0)).code).toBe("export_refused");
    const many = Array.from({ length: 21 }, (_, n) => carried(n + 1));
    expect(refusal(() => writeOcMultiAuth(null, many, T0)).message).toContain("21 accounts");
  });
});
