/** Each service: what the engine holds in the words of the API, orders as the engine gets them, and bad input refused. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type DescService, toJsonString } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, ConnectError } from "@connectrpc/connect";
import type { AccountId } from "../../src/domain/account.ts";
import type { Exchange } from "../../src/domain/exchange.ts";
import { HoldKind, WindowSource } from "../../src/gen/rotor/v1/account_pb.ts";
import { AccountService } from "../../src/gen/rotor/v1/account_service_pb.ts";
import { DaemonService, DaemonState, FindingLevel } from "../../src/gen/rotor/v1/daemon_service_pb.ts";
import { ErrorDetailSchema } from "../../src/gen/rotor/v1/error_pb.ts";
import { ExchangeService } from "../../src/gen/rotor/v1/exchange_service_pb.ts";
import { KeyService, ListKeysResponseSchema } from "../../src/gen/rotor/v1/key_service_pb.ts";
import { PlanReason, Strategy } from "../../src/gen/rotor/v1/pool_pb.ts";
import { PoolService } from "../../src/gen/rotor/v1/pool_service_pb.ts";
import { SettingService, SettingSource } from "../../src/gen/rotor/v1/setting_service_pb.ts";
import { ImportAction, TransferService } from "../../src/gen/rotor/v1/transfer_service_pb.ts";
import { accountOf, exchangeOf } from "../support/fake-engine.ts";
import { T0 } from "../support/manual-clock.ts";
import { type Door, grpcClient, openDoor } from "./harness.ts";

let door: Door;
beforeEach(async () => {
  door = await openDoor();
});
afterEach(() => door.close());

const client = <S extends DescService>(service: S): Client<S> => grpcClient(service, door.path);

async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
  } catch (thrown) {
    return ConnectError.from(thrown).findDetails(ErrorDetailSchema)[0]?.code;
  }
  throw new Error("the call was answered");
}

const ONE = accountOf("one");
const HOUR_MS = 3_600_000;

test("an account with all that is known of it", async () => {
  door.engine.put(
    accountOf("full", {
      enabled: false,
      login: { kind: "needs_login", reason: "refresh_token_reused", sinceMs: T0 },
      cooldown: { untilMs: T0 + 30_000, sinceMs: T0, reason: "rate_limited", failures: 1 },
      windows: [
        {
          limit: "codex",
          slot: "primary",
          models: null,
          lengthMinutes: 300,
          usedPercent: 100,
          resetsAtMs: T0 + HOUR_MS,
          observedAtMs: T0 - 1,
          observedFrom: "error",
        },
        {
          limit: "codex",
          slot: "secondary",
          models: ["gpt-5.4"],
          lengthMinutes: null,
          usedPercent: 80,
          resetsAtMs: T0 - 1,
          observedAtMs: T0 - 2,
          observedFrom: "usage_endpoint",
        },
      ],
      unsupportedModels: [
        { model: "gone", untilMs: T0 - 1 },
        { model: "pro-only", untilMs: T0 + 1 },
      ],
      use: {
        lastLeaseOrder: 3,
        lastLeasedAtMs: T0 - 5,
        lastServedAtMs: null,
        turn: 0,
        exchangesByDay: [[Math.floor(T0 / 86_400_000), 4]],
      },
    }),
  );
  door.engine.setOpenLeases(accountOf("full").id, 32);
  const { account } = await client(AccountService).getAccount({ accountId: accountOf("full").id });
  expect(account).toMatchObject({
    alias: "full",
    email: "full@example.org",
    tier: "plus",
    enabled: false,
    openLeases: 32,
    exchangesLastWeek: 4n,
    lastLeaseTime: timestampFromMs(T0 - 5),
    createTime: timestampFromMs(T0),
    credentials: { generation: 1n, accessExpireTime: timestampFromMs(T0 + HOUR_MS), refreshTime: timestampFromMs(T0) },
    unsupportedModels: [{ model: "pro-only", endTime: timestampFromMs(T0 + 1) }],
  });
  expect(account?.lastServedTime).toBeUndefined();
  expect(account?.windows).toMatchObject([
    { limit: "codex", slot: "primary", models: [], lengthMinutes: 300n, usedPercent: 100, source: WindowSource.ERROR },
    // Its reset has passed: 0 now, whatever was observed.
    { slot: "secondary", models: ["gpt-5.4"], lengthMinutes: 0n, usedPercent: 0, source: WindowSource.USAGE_ENDPOINT },
  ]);
  expect(account?.holds).toMatchObject([
    { kind: HoldKind.DISABLED, text: "switched off by the operator" },
    { kind: HoldKind.NEEDS_LOGIN, text: "its login no longer works: refresh_token_reused" },
    { kind: HoldKind.COOLING_DOWN, endTime: timestampFromMs(T0 + 30_000) },
    {
      kind: HoldKind.WINDOW_EXHAUSTED,
      endTime: timestampFromMs(T0 + HOUR_MS),
      text: "codex limit of 5 hours is used up",
    },
    { kind: HoldKind.AT_CAPACITY, text: "it serves 32 requests, as many as it may" },
  ]);
});

test("capacity follows the setting in force", async () => {
  door.engine.put(ONE);
  door.engine.setOpenLeases(ONE.id, 2);
  const kinds = async () => {
    const { account } = await client(AccountService).getAccount({ accountId: ONE.id });
    return account!.holds.map((hold) => hold.kind);
  };
  expect(await kinds()).toEqual([]);
  await door.engine.settings.set("account_max_leases", "2");
  expect(await kinds()).toEqual([HoldKind.AT_CAPACITY]);
});

test("accounts: change, refresh, clear, remove", async () => {
  door.engine.put(ONE);
  door.engine.put(
    accountOf("two", { cooldown: { untilMs: T0 + 1, sinceMs: T0, reason: "upstream_failing", failures: 2 } }),
  );
  const accounts = client(AccountService);
  const accountId = accountOf("two").id;
  expect((await accounts.updateAccount({ accountId, alias: "zwei" })).account).toMatchObject({
    alias: "zwei",
    enabled: true,
  });
  expect((await accounts.updateAccount({ accountId, enabled: false })).account).toMatchObject({
    alias: "zwei",
    enabled: false,
  });
  expect(await codeOf(accounts.updateAccount({ accountId, alias: "one" }))).toBe("alias_taken");
  expect(await codeOf(accounts.updateAccount({ accountId, alias: "One!" }))).toBe("invalid_alias");
  expect((await accounts.refreshAccount({ accountId })).account?.credentials?.generation).toBe(2n);
  expect((await accounts.clearAccountCooldown({ accountId })).account?.holds.map((hold) => hold.kind)).toEqual([
    HoldKind.DISABLED,
  ]);
  expect((await accounts.removeAccount({ accountId })).account?.alias).toBe("zwei");
  expect((await accounts.listAccounts({})).accounts.map((account) => account.alias)).toEqual(["one"]);
  expect(await codeOf(accounts.updateAccount({ accountId: ONE.id, enabled: false }))).toBe("last_usable_account");
  expect((await accounts.updateAccount({ accountId: ONE.id, enabled: false, force: true })).account?.enabled).toBe(
    false,
  );
  for (const wrong of ["", "nope"])
    expect(await codeOf(accounts.getAccount({ accountId: wrong }))).toBe(
      wrong === "" ? "invalid_request" : "account_not_found",
    );
});

test("import: what would be done, then done", async () => {
  const [accounts, transfers] = [client(AccountService), client(TransferService)];
  const files = [{ name: "auth.json", data: Buffer.from('{"tokens":{}}') }];
  const dry = await transfers.importAccounts({ files, dryRun: true });
  expect(dry).toMatchObject({ format: "codex-auth", facts: [], remarks: ["something"] });
  expect(dry.accounts).toMatchObject([{ action: ImportAction.ADD, reason: "new", alias: "plus" }]);
  expect(dry.accounts[0]?.account).toBeUndefined();
  expect((await accounts.listAccounts({})).accounts).toEqual([]);
  const done = await transfers.importAccounts({ files, alias: "mine" });
  expect(done.accounts).toMatchObject([{ action: ImportAction.ADD, alias: "mine", account: { alias: "mine" } }]);
  expect(await codeOf(transfers.importAccounts({ files: [{ data: Buffer.from("nonsense") }] }))).toBe("invalid_import");
});

test("the pool: strategy, pin, explain", async () => {
  door.engine.put(ONE);
  door.engine.put(accountOf("two"));
  door.engine.put(accountOf("off", { enabled: false }));
  const pool = client(PoolService);
  const before = (await pool.getPool({})).pool;
  expect(before?.pin).toBeUndefined();
  expect(before).toMatchObject({
    strategy: Strategy.BALANCED,
    accountCount: 3,
    usableCount: 2,
    nextAccountId: ONE.id,
    lastAccountId: "",
  });
  for (const strategy of [Strategy.ROUND_ROBIN, Strategy.LEAST_USED, Strategy.RANDOM, Strategy.BALANCED])
    expect((await pool.setStrategy({ strategy })).pool?.strategy).toBe(strategy);
  expect(await codeOf(pool.setStrategy({}))).toBe("invalid_request");
  expect(await codeOf(pool.setStrategy({ strategy: 99 as Strategy }))).toBe("invalid_request");

  const endTime = timestampFromMs(T0 + HOUR_MS);
  const pinned = await pool.pinAccount({ accountId: accountOf("two").id, endTime });
  expect(pinned.pool?.pin).toMatchObject({ accountId: accountOf("two").id, startTime: timestampFromMs(T0), endTime });
  const { plan } = await pool.explainSelection({ model: "gpt-5.4" });
  expect(plan).toMatchObject({
    planTime: timestampFromMs(T0),
    reason: PlanReason.PIN,
    accountIds: [accountOf("two").id],
    usableCount: 1,
    heldCount: 1,
    held: [{ accountId: accountOf("off").id, alias: "off", holds: [{ kind: HoldKind.DISABLED }] }],
    deferred: [],
    passedOver: [{ accountId: ONE.id, alias: "one", reason: "pinned_elsewhere" }],
  });
  expect((await pool.pinAccount({ accountId: ONE.id })).pool?.pin?.endTime).toBeUndefined();
  expect(await codeOf(pool.pinAccount({ accountId: ONE.id, endTime: timestampFromMs(T0) }))).toBe("invalid_request");
  expect(await codeOf(pool.pinAccount({ accountId: "nope" }))).toBe("account_not_found");
  expect((await pool.unpinAccount({})).pool?.pin).toBeUndefined();
  expect((await pool.unpinAccount({})).pool?.pin).toBeUndefined();
});

const FULL_EXCHANGE: Partial<Exchange> = {
  endedAtMs: T0 + 900,
  keyId: "KEY0000001",
  conversation: "c0ffee",
  attempts: [
    {
      accountId: "gone" as AccountId,
      alias: "gone",
      startedAtMs: T0,
      endedAtMs: T0 + 10,
      outcome: "window_exhausted",
      status: 429,
      message: "used up",
      next: "next",
    },
    {
      accountId: ONE.id,
      alias: "one",
      startedAtMs: T0 + 10,
      endedAtMs: T0 + 900,
      outcome: "served",
      status: null,
      message: null,
      next: "done",
    },
  ],
  plan: {
    atMs: T0,
    strategy: "least-used",
    profile: null,
    rules: [],
    reason: "affinity",
    order: [ONE.id],
    usableCount: 1,
    held: [],
    heldCount: 40,
    passedOver: [{ accountId: "gone" as AccountId, because: "tried" }],
    deferred: [],
    nextUsableAtMs: null,
  },
  servedBy: ONE.id,
  servedByAlias: "one",
  status: 200,
  usage: { inputTokens: 10, cachedInputTokens: 4, outputTokens: 7, reasoningTokens: 5 },
  firstByteMs: 120,
  waitedMs: 1_500,
};

test("an exchange with its attempts, plan and usage", async () => {
  door.engine.put(ONE);
  door.engine.record(exchangeOf(1, FULL_EXCHANGE));
  const { exchange } = await client(ExchangeService).getExchange({ exchangeId: exchangeOf(1).id.slice(0, 26) });
  expect(exchange).toMatchObject({
    surface: "codex",
    method: "POST",
    path: "/backend-api/codex/responses",
    keyId: "KEY0000001",
    accountId: ONE.id,
    accountAlias: "one",
    status: 200,
    errorCode: "",
    usage: { inputTokens: 10n, cachedInputTokens: 4n, outputTokens: 7n, reasoningTokens: 5n },
    firstByteDuration: { seconds: 0n, nanos: 120_000_000 },
    waitDuration: { seconds: 1n, nanos: 500_000_000 },
    attempts: [
      { accountAlias: "gone", outcome: "window_exhausted", status: 429, message: "used up", next: "next" },
      { accountAlias: "one", outcome: "served", status: 0, message: "", next: "done" },
    ],
    // An account that is gone has no alias to look up; the attempt kept its own.
    plan: {
      strategy: Strategy.LEAST_USED,
      reason: PlanReason.AFFINITY,
      heldCount: 40,
      passedOver: [{ accountId: "gone", alias: "", reason: "tried" }],
    },
  });
  expect(await codeOf(client(ExchangeService).getExchange({ exchangeId: "01NOPE" }))).toBe("exchange_not_found");
  expect(await codeOf(client(ExchangeService).getExchange({}))).toBe("invalid_request");
});

test("exchanges page by page, and filtered", async () => {
  for (let i = 1; i <= 120; i++)
    door.engine.record(exchangeOf(i, { endedAtMs: T0, status: i % 2 ? 200 : 429, keyId: i === 7 ? "KEY7" : null }));
  const exchanges = client(ExchangeService);
  const seen: string[] = [];
  let pageToken = "";
  const sizes: number[] = [];
  do {
    const page = await exchanges.listExchanges({ pageToken });
    sizes.push(page.exchanges.length);
    seen.push(...page.exchanges.map((exchange) => exchange.id));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  expect(sizes).toEqual([50, 50, 20]);
  expect(seen).toEqual(Array.from({ length: 120 }, (_, i) => exchangeOf(120 - i).id as string));
  const exact = await exchanges.listExchanges({ pageSize: 120 });
  expect([exact.exchanges.length, exact.nextPageToken]).toEqual([120, ""]);
  expect((await exchanges.listExchanges({ pageSize: 1_000_000, failed: true })).exchanges).toHaveLength(60);
  expect((await exchanges.listExchanges({ keyId: "KEY7" })).exchanges.map((exchange) => exchange.id)).toEqual([
    exchangeOf(7).id,
  ]);
  expect((await exchanges.listExchanges({ accountId: ONE.id })).exchanges).toEqual([]);
  expect(await codeOf(exchanges.listExchanges({ pageToken: "nonsense" }))).toBe("invalid_request");
  expect(await codeOf(exchanges.listExchanges({ pageSize: -1 }))).toBe("invalid_request");
});

test("keys: the secret is shown once", async () => {
  const keys = client(KeyService);
  const { key, secret } = await keys.createKey({ name: "laptop" });
  expect(key).toMatchObject({ name: "laptop", createTime: timestampFromMs(T0) });
  expect([key?.lastUseTime, key?.revokeTime]).toEqual([undefined, undefined]);
  expect(secret).toStartWith(`rtr_${key!.id}_`);
  const listed = toJsonString(ListKeysResponseSchema, await keys.listKeys({}));
  expect(listed).toContain("laptop");
  expect(listed).not.toContain(secret.slice(15));
  expect(await codeOf(keys.createKey({ name: "laptop" }))).toBe("key_exists");
  expect(timestampMs((await keys.revokeKey({ keyId: key!.id })).key!.revokeTime!)).toBe(T0);
  expect(await codeOf(keys.revokeKey({ keyId: "nope" }))).toBe("key_not_found");
  expect(await codeOf(keys.revokeKey({}))).toBe("invalid_request");
  expect(door.log.filter((line) => JSON.stringify(line).includes(secret))).toEqual([]);
});

test("settings: value, source, bounds and reason; change, preview, reset", async () => {
  const settings = client(SettingService);
  const { settings: all, problems } = await settings.listSettings({});
  expect(problems).toEqual([]);
  expect(all.map((setting) => setting.key)).toContain("affinity");
  expect((await settings.getSetting({ key: "affinity" })).setting).toMatchObject({
    value: "on",
    defaultValue: "on",
    accepts: "on or off",
    source: SettingSource.DEFAULT,
  });
  expect((await settings.updateSetting({ key: "affinity", value: "off" })).setting).toMatchObject({
    value: "off",
    source: SettingSource.SAVED,
  });
  expect((await settings.getSetting({ key: "wait_seconds" })).setting).toMatchObject({
    value: "20",
    accepts: "0–600 seconds",
  });
  expect(await codeOf(settings.updateSetting({ key: "wait_seconds", value: "soon" }))).toBe("invalid_setting");
  expect(await codeOf(settings.getSetting({ key: "nope" }))).toBe("setting_not_found");
  expect(await codeOf(settings.updateSetting({ key: "nope", value: "1" }))).toBe("setting_not_found");

  const expected = [{ key: "affinity", oldValue: "off", newValue: "on" }];
  expect((await settings.resetSettings({ key: "affinity", dryRun: true })).changes).toMatchObject(expected);
  expect((await settings.getSetting({ key: "affinity" })).setting?.value).toBe("off");
  expect((await settings.resetSettings({})).changes).toMatchObject(expected);
  expect((await settings.getSetting({ key: "affinity" })).setting?.value).toBe("on");
  expect(await codeOf(settings.resetSettings({ key: "nope" }))).toBe("setting_not_found");

  const preset = await settings.applyPreset({ preset: "conservative" });
  expect(preset.changes).toContainEqual(
    expect.objectContaining({ key: "wait_seconds", oldValue: "20", newValue: "60" }),
  );
  expect((await settings.getSetting({ key: "wait_seconds" })).setting?.value).toBe("60");
  expect(await codeOf(settings.applyPreset({ preset: "nope" }))).toBe("invalid_setting");
});

test("the daemon: facts, status, findings", async () => {
  door.engine.put(ONE);
  for (let i = 1; i <= 30; i++) door.engine.record(exchangeOf(i));
  const daemon = client(DaemonService);
  expect((await daemon.getDaemon({})).daemon).toMatchObject({
    version: "0.1.0",
    pid: BigInt(process.pid),
    state: DaemonState.READY,
    stateReason: "",
    startTime: timestampFromMs(T0),
    proxyUrl: "http://127.0.0.1:4747",
    socketPath: door.path,
    dataDir: "/data",
    configFile: "/config/config.toml",
    logFile: "/state/rotor.log",
    upstreamUrl: "https://upstream.example.org",
    issuer: "https://auth.example.org",
  });
  const status = await daemon.getStatus({});
  expect(status.accounts.map((account) => account.alias)).toEqual(["one"]);
  expect(status.pool?.accountCount).toBe(1);
  expect(status.recentExchanges.map((exchange) => exchange.id)).toEqual(
    Array.from({ length: 10 }, (_, i) => exchangeOf(30 - i).id as string),
  );
  expect(status.counters).toMatchObject({
    exchanges: 7n,
    served: 6n,
    failovers: 2n,
    refreshes: 3n,
    refreshFailures: 1n,
    clientsGone: 1n,
    probes: 4n,
  });
  expect((await daemon.runDiagnostics({})).findings).toMatchObject([
    { check: "store.integrity", level: FindingLevel.OK, message: "the store is sound", hint: "" },
    { check: "files.mode", level: FindingLevel.WARNING, hint: "chmod 600 rotor.log" },
  ]);
});
