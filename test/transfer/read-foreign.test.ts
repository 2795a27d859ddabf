/** Every foreign format comes in with the accounts and facts that its store holds. */
import { describe, expect, test } from "bun:test";
import { AppError } from "../../src/base/errors.ts";
import { isAlias } from "../../src/domain/account.ts";
import type { ForeignStore } from "../../src/transfer/foreign-store.ts";
import type { ForeignFile } from "../../src/transfer/json-node.ts";
import { readForeign } from "../../src/transfer/read-foreign.ts";
import {
  aLogin,
  CANARY,
  clientTokenHash,
  cliProxyApi,
  codexAuth,
  codexLbBundle,
  codexLbExport,
  codexMultiBundle,
  codexMultiV1,
  codexMultiV3,
  DAY_MS,
  fileOf,
  multiplexedOpencodeAuth,
  ocCodexMulti,
  opencodeAuth,
  opencodeMultiArray,
  opencodeMultiEnvelope,
  opencodeMultiMap,
  opencodeMultiMetrics,
  pr97,
} from "../support/foreign-stores.ts";
import { T0 } from "../support/manual-clock.ts";

const read = (...values: unknown[]) =>
  readForeign(
    values.map((value) => fileOf(value)),
    null,
  );
const workspaces = (store: ForeignStore) => store.accounts.map((account) => account.claims.workspaceId);

async function failure(reading: Promise<unknown>): Promise<AppError> {
  const thrown = await reading.then(
    () => new Error("nothing was refused"),
    (error: unknown) => error,
  );
  if (!(thrown instanceof AppError)) throw thrown;
  expect(`${thrown.message} ${JSON.stringify(thrown.facts)}`).not.toContain(CANARY);
  return thrown;
}

describe("who is in it", () => {
  const rows: readonly (readonly [string, string, readonly ForeignFile[], readonly string[]])[] = [
    ["one auth.json", "codex-auth", [fileOf(codexAuth(aLogin(1)))], ["workspace-1"]],
    [
      "auth.json with a byte order mark and CRLF",
      "codex-auth",
      [fileOf(`\uFEFF${JSON.stringify(codexAuth(aLogin(1)), null, 1).replaceAll("\n", "\r\n")}`)],
      ["workspace-1"],
    ],
    [
      "several auth.json in a list",
      "codex-auth",
      [fileOf([codexAuth(aLogin(1)), codexAuth(aLogin(2))])],
      ["workspace-1", "workspace-2"],
    ],
    [
      "auth.json as JSON lines",
      "codex-auth",
      [fileOf([1, 2].map((n) => JSON.stringify(codexAuth(aLogin(n)))).join("\n"))],
      ["workspace-1", "workspace-2"],
    ],
    [
      "two files of auth.json",
      "codex-auth",
      [fileOf(codexAuth(aLogin(1)), "a"), fileOf(codexAuth(aLogin(2)), "b")],
      ["workspace-1", "workspace-2"],
    ],
    ["OpenCode's auth.json", "opencode-auth", [fileOf(opencodeAuth(aLogin(1)))], ["workspace-1"]],
    [
      "several logins in one refresh text",
      "opencode-auth",
      [fileOf(multiplexedOpencodeAuth([aLogin(1), aLogin(2)]))],
      ["workspace-1", "workspace-2"],
    ],
    [
      "the map store, v1",
      "opencode-multi-auth",
      [fileOf(opencodeMultiMap(1))],
      ["workspace-1", "workspace-2", "workspace-3"],
    ],
    [
      "the map store, v2",
      "opencode-multi-auth",
      [fileOf(opencodeMultiMap(2))],
      ["workspace-1", "workspace-2", "workspace-3"],
    ],
    [
      "the map store, v3, with its figures",
      "opencode-multi-auth",
      [fileOf(opencodeMultiMetrics()), fileOf(opencodeMultiMap(3))],
      ["workspace-1", "workspace-2", "workspace-3"],
    ],
    ["the array store", "opencode-multi-auth", [fileOf(opencodeMultiArray())], ["workspace-1", "workspace-2"]],
    ["the file of pull request 97", "pr97", [fileOf(pr97())], ["workspace-1", "workspace-2"]],
    [
      "codex-multi-auth v3",
      "codex-multi-auth",
      [fileOf(codexMultiV3())],
      ["workspace-1", "workspace-2", "workspace-3"],
    ],
    ["codex-multi-auth v1", "codex-multi-auth", [fileOf(codexMultiV1())], [""]],
    [
      "a whole codex-multi-auth",
      "codex-multi-auth",
      codexMultiBundle(),
      ["workspace-1", "workspace-2", "workspace-3", "workspace-4"],
    ],
    ["oc-codex-multi-auth", "oc-codex-multi-auth", [fileOf(ocCodexMulti())], ["workspace-1", "workspace-2"]],
    [
      "CLIProxyAPI",
      "cliproxyapi",
      [fileOf(cliProxyApi(aLogin(1))), fileOf(cliProxyApi(aLogin(2)))],
      ["workspace-1", "workspace-2"],
    ],
    ["an export of codex-lb", "codex-lb", [fileOf(codexLbExport(aLogin(1)))], ["workspace-1"]],
    [
      "an older export of codex-lb",
      "codex-lb",
      [fileOf({ status: "active", email: "x", authJson: JSON.stringify(codexAuth(aLogin(1))) })],
      ["workspace-1"],
    ],
  ];
  for (const [name, format, files, expected] of rows) {
    test(name, async () => {
      const store = await readForeign(files, null);
      expect(store.format as string).toBe(format);
      expect(workspaces(store)).toEqual([...expected]);
      for (const account of store.accounts) {
        expect(account.credentials.refreshToken).toContain(CANARY);
        expect(account.alias === null || isAlias(account.alias)).toBe(true);
        expect(account.alias ?? "").not.toContain(CANARY);
        expect(account.isIdentified).toBe(account.claims.workspaceId !== "");
      }
      expect(store.remarks.join("\n")).not.toContain(CANARY);
    });
  }
});

test("a login without an access token keeps what the store says of it", async () => {
  const [account] = (await read(pr97())).accounts;
  expect(account!.credentials).toEqual({ accessToken: "", refreshToken: aLogin(1).refreshToken, idToken: null });
  expect(account!.claims).toEqual({
    userId: null,
    workspaceId: "workspace-1",
    email: aLogin(1).email,
    tier: null,
    expiresAtMs: null,
  });
  expect(account).toMatchObject({ limitedUntilMs: T0 + 5_000, createdAtMs: T0 - DAY_MS, isCurrent: false });
});

test("of several logins in one text, the access token goes to the one that it names", async () => {
  const store = await read(multiplexedOpencodeAuth([aLogin(1), aLogin(2)]));
  expect(store.accounts.map((one) => one.credentials.accessToken !== "")).toEqual([true, false]);
  const broken = { openai: { type: "oauth", refresh: "a|b|c||d|e", access: "", expires: 0 } };
  expect((await failure(read(broken))).message).toBe("store.json: openai.refresh holds a broken login at position 1");
});

describe("opencode-multi-auth", () => {
  test("aliases, tags, notes, windows, limits, lost logins and the forced account", async () => {
    const store = await read(opencodeMultiMap(2));
    const [work, home, lost] = store.accounts;
    expect(work).toMatchObject({
      alias: "work-laptop",
      tags: ["b", "team-a"],
      note: "mine",
      isCurrent: true,
      weight: 1.5,
      enabled: true,
    });
    expect(work!.windows).toMatchObject([
      {
        slot: "primary",
        lengthMinutes: 300,
        usedPercent: 55.5,
        resetsAtMs: T0 + 3_600_000,
        observedAtMs: T0 - 5_000,
        observedFrom: "import",
      },
      { slot: "secondary", lengthMinutes: 10_080, usedPercent: 12, resetsAtMs: null },
    ]);
    expect(home).toMatchObject({ alias: null, enabled: false, limitedUntilMs: T0 + 60_000, weight: 1 });
    expect(lost).toMatchObject({
      alias: "lost",
      needsLogin: "auth_invalid",
      weight: 0.5,
      unsupportedModels: [{ model: "gpt-5.5", untilMs: T0 + DAY_MS }],
    });
    expect(store.pin).toEqual({ account: 2, untilMs: T0 + DAY_MS });
    expect(store.strategy).toBe("least-used");
    expect(store.settings).toEqual([{ key: "affinity_minutes", value: "10", from: "settings.sessionIdleTimeoutMs" }]);
    expect(store.remarks.join("\n")).toContain("settings.criticalThreshold has no setting here");
  });

  test("version 3 takes its figures from the file beside it", async () => {
    const store = await read(opencodeMultiMap(3), opencodeMultiMetrics());
    expect(store.accounts[2]).toMatchObject({
      lastUsedAtMs: T0 - 7,
      windows: [{ slot: "secondary", usedPercent: 75 }],
    });
  });

  test("an address is never an alias, nor is the part before its @", async () => {
    const login = aLogin(1);
    const { accounts } = opencodeMultiMap(1) as { accounts: Record<string, unknown> };
    const [account] = Object.values(accounts);
    const local = login.email.split("@")[0]!;
    for (const key of [login.email, local, `${local}-2`, "0"]) {
      const store = await read({ accounts: { [key]: account }, activeAlias: null, rotationIndex: 0 });
      expect(store.accounts[0]!.alias).toBeNull();
    }
  });

  test("what its own loader drops is left out with a word, and a strategy that is none of ours too", async () => {
    const store = { ...opencodeMultiMap(1), rotationStrategy: "foo" };
    (store as unknown as { accounts: Record<string, unknown> }).accounts.key = {
      authType: "api",
      apiKey: "none",
      usageCount: 0,
    };
    const found = await read(store);
    expect(found.accounts).toHaveLength(3);
    expect(found.strategy).toBeNull();
    expect(found.remarks).toContain("store.json: accounts[3] is an API key, not a ChatGPT login, and is left out");
    expect(found.remarks).toContain(
      "store.json: rotationStrategy is a strategy that Rotor does not have; the one in force stays",
    );
  });

  test("the envelope opens with its passphrase, blanks and all", async () => {
    const file = fileOf(opencodeMultiEnvelope(opencodeMultiMap(2), " correct horse"));
    expect(workspaces(await readForeign([file], " correct horse"))).toEqual([
      "workspace-1",
      "workspace-2",
      "workspace-3",
    ]);
    expect((await failure(readForeign([file], null))).code).toBe("passphrase_required");
    expect((await failure(readForeign([file], "  "))).code).toBe("passphrase_required");
    expect((await failure(readForeign([file], "correct horse"))).code).toBe("passphrase_wrong");
  });

  test("the envelope that the product itself wrote opens", async () => {
    const data =
      "OHlEWPiItrR2+nGNfWUeIE2bg1vqgr0ksi0wPvm3g6NMTxehDvCK8VfQvLqT5bXS/GQLoki5aTyfO3KeQIG4jhcROFJrcr3rMmfUHC5Lep8kzeLLOxvXysXngyjkmWKcAkdJt+HHK+u47AmEhymVSRRH0l/LciGLPBkMPT/Zl+19rFC7wRemqiPT0hNz9uCT/PDEIe81LiK0HviDtqrhcjFZRU43fy55w/ewP4NItwNIYB7kx+E1OcihnvwI960ue8Q/jILOSadgwyQODiGruEw2kNPd67voOeerd4Q2Pgz3WVJ+KNi+EN6nHdyzPvA=";
    const envelope = {
      encrypted: true,
      version: 2,
      salt: "AAECAwQFBgcICQoLDA0ODw==",
      iv: "oKGio6Slpqeoqaqr",
      tag: "BndYgbvtavdzlpkpeCsenw==",
      data,
    };
    const store = await readForeign([fileOf(envelope)], "correct horse");
    expect(store.accounts).toHaveLength(1);
    expect(store.accounts[0]).toMatchObject({
      alias: "work",
      isIdentified: false,
      claims: { expiresAtMs: 1_790_000_000_000 },
    });
  });
});

describe("codex-multi-auth", () => {
  test("accounts with their limits, pins, lost logins and workspaces", async () => {
    const store = await read(codexMultiV3());
    expect(store.accounts[0]).toMatchObject({
      alias: "desk-user-1",
      limitedUntilMs: T0 + 900,
      isCurrent: true,
      needsLogin: null,
    });
    expect(store.accounts[1]).toMatchObject({
      enabled: false,
      workspaceName: "Team",
      workspaces: [{ id: "workspace-9", enabled: false }],
    });
    expect(store.accounts[2]!.needsLogin).toBe("token_invalidated");
    expect(store.pin).toEqual({ account: 1, untilMs: null });
    expect(store.remarks.join("\n")).toContain("reaches 1 more workspace with the same login");
  });

  test("all files of an installation are joined", async () => {
    const store = await readForeign(codexMultiBundle(), null);
    const [first, , third, fourth] = store.accounts;
    const fresher = aLogin(1, "b");
    expect(first).toMatchObject({
      tags: ["work"],
      note: "first",
      weight: 2,
      draining: true,
      pause: null,
      isCurrent: true,
    });
    expect(first!.credentials.refreshToken).toBe(fresher.refreshToken);
    expect(first!.windows.map((one) => [one.lengthMinutes, one.usedPercent])).toEqual([
      [300, 12],
      [10_080, 40],
    ]);
    expect(third).toMatchObject({ weight: 1, pause: { sinceMs: T0, untilMs: null } });
    expect(fourth!.needsLogin).toBe("invalid_grant");
    expect(store.keys).toEqual([
      {
        name: "my-client",
        prefix: "cma_local_Ab",
        hashAlgorithm: "sha256",
        hashHex: clientTokenHash,
        createdAtMs: T0,
        lastUsedAtMs: null,
        revokedAtMs: null,
        expiresAtMs: null,
      },
    ]);
    expect(store.profiles).toMatchObject([
      { key: "demo-1a2b3c4d5e6f", root: "/home/a/demo", accountWeights: [{ account: 0, weight: 3 }] },
    ]);
    expect(store.budgets).toMatchObject([
      { key: "global", window: "day", maxRequests: 100, maxTokens: 500_000, maxCostUsd: 10 },
    ]);
    expect(store.ledger).toHaveLength(2);
    expect(store.ledger[0]).toMatchObject({ id: "row-1", atMs: T0 + 1, account: 0, inputTokens: 10, totalTokens: 30 });
    expect(store.strategy).toBe("balanced");
    expect(store.settings).toEqual([
      { key: "affinity_minutes", value: "20", from: "pluginConfig.sessionAffinityTtlMs" },
    ]);
  });

  test("the order of the files changes nothing but who is first", async () => {
    const [pool, ...rest] = codexMultiBundle();
    const there = await readForeign([pool!, ...rest], null);
    const back = await readForeign([pool!, ...rest.toReversed()], null);
    expect(back.accounts.map((one) => one.credentials)).toEqual(there.accounts.map((one) => one.credentials));
  });

  test("a fresher auth.json of the official client wins, a staler one does not", async () => {
    const fresh = aLogin(1, "c", T0 + 9 * DAY_MS);
    const stale = aLogin(2, "c", T0 - DAY_MS);
    const store = await read(codexMultiV3(), codexAuth(fresh), codexAuth(stale));
    expect(store.accounts.map((one) => one.credentials.refreshToken)).toEqual([
      fresh.refreshToken,
      aLogin(2).refreshToken,
      aLogin(3).refreshToken,
    ]);
  });

  test("OpenCode's copy of a login counts too; copies without a login to ChatGPT are nobody's fault", async () => {
    const fresh = aLogin(3, "c", T0 + 9 * DAY_MS);
    const keys = [{ auth_mode: "apikey", OPENAI_API_KEY: "none" }, { openai: { type: "api", key: "none" } }];
    const store = await read(codexMultiV3(), opencodeAuth(fresh), ...keys);
    expect(store.format).toBe("codex-multi-auth");
    expect(store.accounts.map((one) => one.isCurrent)).toEqual([true, false, false]);
    expect(store.accounts[2]!.credentials.refreshToken).toBe(fresh.refreshToken);
    expect(store.accounts[2]!.needsLogin).toBeNull();
    expect(store.remarks.filter((remark) => remark.includes("holds no login to ChatGPT"))).toHaveLength(2);
  });

  test("two workspaces on one refresh token are told: it works once", async () => {
    const { refreshToken } = aLogin(1);
    const accounts = ["a", "b"].map((accountId) => ({ refreshToken, accountId, accountIdSource: "manual" }));
    const store = await read({ version: 3, accounts, activeIndex: 0 });
    expect(store.accounts).toHaveLength(2);
    expect(store.remarks.join("\n")).toContain(
      "accounts[1] has the refresh token of store.json: accounts[0], which works once",
    );
  });

  test("the write-ahead file counts when the pool is gone, with its checksum, and not after a clearing", async () => {
    const content = JSON.stringify(codexMultiV3());
    const wal = {
      version: 1,
      createdAt: T0,
      path: "/x",
      checksum: new Bun.CryptoHasher("sha256").update(content).digest("hex"),
      content,
    };
    expect((await read(wal)).accounts).toHaveLength(3);
    expect((await read(wal, codexMultiV1())).accounts).toHaveLength(1);
    expect((await failure(read({ ...wal, content: content.slice(0, -1) }))).message).toContain("checksum");
    expect((await failure(read(wal, { version: 1, createdAt: T0 }))).message).toContain("cleared on purpose");
  });

  test("two members of one workspace stay two", async () => {
    const accounts = [aLogin(1), { ...aLogin(2), workspaceId: "workspace-1" }].map((login) => ({
      refreshToken: login.refreshToken,
      accountId: login.workspaceId,
      email: login.email,
    }));
    expect((await read({ version: 3, accounts, activeIndex: 0 })).accounts).toHaveLength(2);
  });

  test("accounts set apart by an old release, without a reason, need a login", async () => {
    const { email, refreshToken, workspaceId } = aLogin(4);
    const store = await read({ version: 1, accounts: [{ email, refreshToken, accountId: workspaceId }] });
    expect(store.accounts).toMatchObject([{ needsLogin: "flagged", claims: { workspaceId: "workspace-4" } }]);
  });

  test("nobody reads a thousand remarks: what is beyond is counted", async () => {
    const ledger = codexMultiBundle().find((file) => file.name.includes("ledger"))!;
    const [row] = new TextDecoder().decode(ledger.bytes).split("\n");
    const odd = Array.from({ length: 600 }, () => row!.replace('"durationMs":5123', '"durationMs":"long"'));
    const { remarks, ...store } = await read(odd.join("\n"), codexMultiV3());
    expect(store.ledger).toHaveLength(600);
    expect(remarks).toHaveLength(501);
    expect(remarks.at(-1)).toMatch(/^\d+ more remarks/);
  });

  test("version 2 is refused with a way out", async () => {
    expect((await failure(read({ ...codexMultiV3(), version: 2 }))).message).toContain(
      "start the newest oc-codex-multi-auth once",
    );
  });

  test("a ledger that was cut in its last line loses that line, with a word; elsewhere it is refused", async () => {
    const ledger = codexMultiBundle().find((file) => file.name.includes("ledger"))!;
    const text = new TextDecoder().decode(ledger.bytes);
    const store = await read(text.slice(0, -9), codexMultiV3());
    expect(store.ledger).toHaveLength(1);
    expect(store.remarks.join("\n")).toContain("line 2 was not written to its end");
    const [first, second] = text.split("\n");
    expect((await failure(read([first, second!.slice(0, 50), second].join("\n")))).message).toContain("line 2");
  });
});

test("the sibling's tags, notes and person", async () => {
  const store = await read(ocCodexMulti());
  expect(store.accounts[1]).toMatchObject({
    tags: ["blue"],
    note: "noted",
    refreshedAtMs: T0,
    isCurrent: true,
    claims: { userId: "user-2" },
  });
});

test("CLIProxyAPI: the switch, the priority, and logins to other services left out with a word", async () => {
  const other = { type: "claude", access_token: "x", email: `${CANARY}@example.test` };
  const store = await readForeign(
    [fileOf(cliProxyApi(aLogin(1)), `codex-${CANARY}@example.test.json`), fileOf(other)],
    null,
  );
  expect(store.accounts).toHaveLength(1);
  expect(store.accounts[0]).toMatchObject({ enabled: false, priority: 5, refreshedAtMs: T0 });
  expect(store.remarks).toEqual(["store.json is a login to another service and is left out"]);
});

test("a codex-lb bundle opens with its passphrase", async () => {
  const file = fileOf(codexLbBundle([aLogin(1), aLogin(2)], "correct horse"));
  const store = await readForeign([file], "correct horse");
  expect(store.accounts[0]).toMatchObject({ alias: "desk-0", priority: 1, workspaceName: "Team" });
  expect(workspaces(store)).toEqual(["workspace-1", "workspace-2"]);
  expect((await failure(readForeign([file], null))).code).toBe("passphrase_required");
  expect((await failure(readForeign([file], "wrong"))).code).toBe("passphrase_wrong");
  const greedy = { ...codexLbBundle([aLogin(1)], "p"), kdf: { name: "scrypt", n: 2 ** 30, r: 8, p: 1, salt: "" } };
  expect((await failure(readForeign([fileOf(greedy)], "p"))).message).toContain("a way that Rotor does not know");
});

describe("refuses, naming file and place", () => {
  for (const [name, values, words] of [
    ["no file", [], "there is no file"],
    ["an empty file", ["  "], "store.json is empty"],
    ["no JSON", ["hello"], "store.json cannot be read: it is not JSON"],
    ["somebody else's JSON", [{ hello: 1 }], "store.json is in none of the formats"],
    ["two products at once", [pr97(), cliProxyApi(aLogin(1))], "several products (pr97, cliproxyapi)"],
    ["an API key", [{ openai: { type: "api", key: "x" } }], "openai is an API key"],
    ["an OpenCode without ChatGPT", [{ anthropic: { type: "api", key: "x" } }], "no login to ChatGPT"],
    [
      "a refresh token that is a number",
      [{ version: 3, activeIndex: 0, accounts: [{ refreshToken: 5 }] }],
      "accounts[0].refreshToken must be a text",
    ],
    [
      "a switch that is a word",
      [{ version: 3, activeIndex: 0, accounts: [{ refreshToken: "x", enabled: "no" }] }],
      "accounts[0].enabled must be true or false",
    ],
    ["nobody in it", [{ version: 3, activeIndex: 0, accounts: [] }], "there is no login"],
    [
      "nothing but a key",
      [{ accounts: { k: { authType: "api", apiKey: "x" } }, rotationIndex: 0 }],
      "no login in the data: store.json: accounts[0] is an API key",
    ],
    ["an envelope with a broken salt", [{ encrypted: true, salt: "!", iv: "", tag: "", data: "" }], "salt"],
  ] as const) {
    test(name, async () => {
      const error = await failure(read(...values));
      expect(error.code).toBe("invalid_import");
      expect(error.message).toContain(words);
    });
  }
});
