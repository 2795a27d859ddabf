/** The model catalogue over the real pool: whose lists are asked for and when, what clients are given, and what names stand for. */
import { describe, expect, test } from "bun:test";
import { modelsRefusedTo } from "../../src/domain/model.ts";
import type { AttemptRequest } from "../../src/upstream/upstream.ts";
import { anAccount, modelOf } from "../support/builders.ts";
import { settle } from "../support/manual-clock.ts";
import { createMemoryStore } from "../support/memory-store.ts";
import { createPoolRoom, type PoolRoom, type RoomOptions, rotate } from "../support/pool-room.ts";

const FIVE_MINUTES_MS = 300_000;
const ACCOUNTS = [anAccount({ n: 1, tier: "pro" }), anAccount({ n: 2, tier: "free" })];
const [FIRST, SECOND] = ACCOUNTS as [(typeof ACCOUNTS)[0], (typeof ACCOUNTS)[0]];

const listOf = (...models: object[]) => JSON.stringify({ models });
const told = (request: AttemptRequest, name: string) => request.headers.find(([one]) => one === name)?.[1] ?? null;
const paths = (room: PoolRoom) => room.seen.map(({ request }) => request.path);
const bodyOf = async (room: PoolRoom, version: string | null = null) => {
  const answer = await room.engine.catalogue.models(version);
  if (answer.kind === "refused") throw answer.error;
  return JSON.parse(new TextDecoder().decode(answer.body));
};

/** A room whose accounts' lists are told by workspace; the tag of a list is its text. */
function roomOf(lists: Record<string, string>, options: RoomOptions = {}) {
  return createPoolRoom({
    accounts: ACCOUNTS,
    models: (request) => {
      const body = lists[request.workspaceId] ?? listOf({ slug: "gpt-5.5" });
      return told(request, "if-none-match") === body ? null : { body, etag: body };
    },
    ...options,
  });
}

describe("lists", () => {
  test("are asked for once for all who want them, each account its own, and are kept for five minutes", async () => {
    const room = await roomOf({});
    await Promise.all([room.engine.catalogue.models(null), room.engine.catalogue.models("0.169.0")]);
    expect(paths(room)).toEqual(Array(2).fill("/codex/models?client_version=0.169.0"));
    expect(new Set(room.seen.map(({ workspaceId }) => workspaceId)).size).toBe(2);
    await room.clock.advance(FIVE_MINUTES_MS - 1);
    await room.engine.catalogue.models(null);
    expect(room.seen).toHaveLength(2);
    await room.clock.advance(1);
    await room.engine.catalogue.models(null);
    await settle();
    expect(room.seen.slice(2).map(({ request }) => told(request, "if-none-match"))).toEqual(
      Array(2).fill(listOf({ slug: "gpt-5.5" })),
    );
    expect(await bodyOf(room)).toEqual({ models: [{ slug: "gpt-5.5" }] });
    expect(await room.engine.exchanges.list({ limit: 9 })).toEqual([]);
  });

  test("an old list is the answer while a new one is looked for", async () => {
    const lists: Record<string, string> = { [FIRST.workspaceId]: listOf({ slug: "old" }) };
    const room = await roomOf(lists, { accounts: [FIRST] });
    await bodyOf(room);
    lists[FIRST.workspaceId] = listOf({ slug: "new" });
    await room.clock.advance(FIVE_MINUTES_MS);
    expect(await bodyOf(room)).toEqual({ models: [{ slug: "old" }] });
    await settle();
    expect(await bodyOf(room)).toEqual({ models: [{ slug: "new" }] });
  });

  test.each([
    ["refuses", { kind: "request_rejected", status: 404 }],
    ["fails", { kind: "upstream_failed", status: 500, message: "broken", retryAtMs: null }],
    ["cannot be reached", { kind: "unreachable", message: "no route" }],
  ] as const)("the last good one stays when upstream %s, and that holds nobody", async (_, outcome) => {
    let up = true;
    const room = await roomOf({}, { upstream: () => (up ? "serve" : outcome) });
    await bodyOf(room);
    up = false;
    await room.clock.advance(FIVE_MINUTES_MS);
    await bodyOf(room);
    await settle();
    expect(room.seen).toHaveLength(4);
    expect(await bodyOf(room)).toEqual({ models: [{ slug: "gpt-5.5" }] });
    // Not asked again at once.
    expect(room.seen).toHaveLength(4);
    expect(room.engine.selection.view()).toMatchObject({ usableCount: 2, pauseUntilMs: null });
    const { sources } = await room.engine.catalogue.view("old");
    expect(sources.map(({ problem }) => problem)).toEqual(Array(2).fill(outcome.kind.replaceAll("_", " ")));
  });

  test.each(["<html>", "{}", '{"models":[]}', '{"models":[{"name":"x"}]}'])("%s is no list", async (body) => {
    const lists: Record<string, string> = {};
    const room = await roomOf(lists, { accounts: [FIRST] });
    const before = await bodyOf(room);
    lists[FIRST.workspaceId] = body;
    await room.clock.advance(FIVE_MINUTES_MS);
    await bodyOf(room);
    await settle();
    expect(await bodyOf(room)).toEqual(before);
  });

  test("a login that is refused is renewed once, and lost when that does not help", async () => {
    const unauthorized = { kind: "unauthorized", message: "" } as const;
    const issuer = rotate(ACCOUNTS, 4_000_000_000_000);
    let times = 1;
    const upstream: RoomOptions["upstream"] = () => (times-- > 0 ? unauthorized : "serve");
    const room = await roomOf({}, { accounts: [FIRST], issuer, upstream });
    await bodyOf(room);
    expect(room.refreshed).toHaveLength(1);
    times = 2;
    await room.clock.advance(FIVE_MINUTES_MS);
    await bodyOf(room);
    await settle();
    expect(room.engine.accounts.get(FIRST.id)!.login.kind).toBe("needs_login");
  });

  test("who is held for other reasons than a used-up window is left alone, and the answer says why", async () => {
    const room = await roomOf({}, { accounts: [FIRST] });
    await room.engine.accounts.update(FIRST.id, { enabled: false, force: true });
    const answer = await room.engine.catalogue.models(null);
    expect(answer).toMatchObject({ kind: "refused", error: { code: "no_usable_account" } });
    expect(room.seen).toEqual([]);
    const none = await createPoolRoom({ accounts: [] });
    expect(await none.engine.catalogue.models(null)).toMatchObject({ error: { code: "no_accounts" } });
  });

  test("without any list the answer is upstream's trouble", async () => {
    const room = await roomOf({}, { upstream: () => ({ kind: "unreachable", message: "no route" }) });
    const answer = await room.engine.catalogue.models(null);
    expect(answer).toMatchObject({ kind: "refused", error: { code: "upstream_unreachable" } });
  });

  test("an account whose list does not come holds up nobody for long", async () => {
    const slow = Promise.withResolvers<"serve">();
    const room = await roomOf(
      {},
      { upstream: ({ workspaceId }) => (workspaceId === SECOND.workspaceId ? slow.promise : "serve") },
    );
    const answered = room.engine.catalogue.models(null);
    await room.clock.advance(2_000);
    expect((await answered).kind).toBe("models");
    slow.resolve("serve");
    await settle();
    expect((await room.engine.catalogue.view("old")).sources.map(({ modelCount }) => modelCount)).toEqual([1, 1]);
  });

  test("upstream's hint in an answer brings the new list", async () => {
    const lists: Record<string, string> = {};
    const room = await roomOf(lists, { accounts: [FIRST] });
    await bodyOf(room);
    const before = room.engine.catalogue.etag();
    lists[FIRST.workspaceId] = listOf({ slug: "new" });
    await room.clock.advance(60_000);
    const hint = (etag: string) =>
      (room.engine.catalogue as unknown as { answered(id: string, headers: [string, string][]): void }).answered(
        FIRST.id,
        [["x-models-etag", etag]],
      );
    hint(before!);
    expect(room.seen).toHaveLength(1);
    hint("another");
    await settle();
    expect(room.seen).toHaveLength(2);
    expect(room.engine.catalogue.etag()).toBe(listOf({ slug: "new" }));
    hint("a third");
    expect(room.seen).toHaveLength(2);
  });

  test("survive a restart as far as names and limits go, and are fetched whole then", async () => {
    const store = createMemoryStore();
    const first = await roomOf(
      { [FIRST.workspaceId]: listOf({ slug: "gpt-9", use_responses_lite: true }) },
      { accounts: [FIRST] },
    );
    await bodyOf(first);
    const { modelLists } = await first.store.loadPool();
    expect(modelLists).toHaveLength(1);
    await store.addAccounts([
      { account: FIRST, credentials: (await first.store.loadCredentials(FIRST.id)).credentials },
    ]);
    await store.saveModelList(modelLists[0]!);
    const second = await roomOf({}, { store, accounts: [FIRST] });
    expect(second.engine.catalogue.isLite("gpt-9")).toBe(true);
    expect(second.engine.catalogue.choose("gpt-9-high")).toBeNull();
    expect(second.seen).toEqual([]);
    expect(await bodyOf(second)).toEqual({ models: [{ slug: "gpt-5.5" }] });
    expect(told(second.seen[0]!.request, "if-none-match")).toBeNull();
  });
});

describe("clients are given", () => {
  test("upstream's own bytes and tag when all accounts were told the same", async () => {
    const body = `{ "models" : [ {"slug":"gpt-5.5", "x": 1.50} ] }`;
    const room = await roomOf({ [FIRST.workspaceId]: body, [SECOND.workspaceId]: body });
    const answer = await room.engine.catalogue.models(null);
    expect(answer).toMatchObject({ kind: "models", etag: body });
    expect(answer.kind === "models" && new TextDecoder().decode(answer.body)).toBe(body);
  });

  test("otherwise every model of any account, the smaller context where they differ, under a tag of its own", async () => {
    const small = { slug: "gpt-5.5", context_window: 100, of: "second" };
    const room = await roomOf({
      [FIRST.workspaceId]: listOf({ slug: "gpt-5.5", context_window: 200 }, { slug: "gpt-6-astra" }),
      [SECOND.workspaceId]: listOf({ slug: "gpt-6-luna" }, small),
    });
    expect(await bodyOf(room)).toEqual({ models: [small, { slug: "gpt-6-astra" }, { slug: "gpt-6-luna" }] });
    expect(room.engine.catalogue.etag()).toMatch(/^W\/"rotor-[0-9a-f]{32}"$/);
    const { models } = await room.engine.catalogue.view("old");
    expect(models.map(({ facts, accountIds }) => [facts.slug, accountIds.length])).toEqual([
      ["gpt-5.5", 2],
      ["gpt-6-astra", 1],
      ["gpt-6-luna", 1],
    ]);
  });

  test("no model that they are too old for; a newer client's version is what upstream is asked with", async () => {
    const body = listOf({ slug: "old" }, { slug: "new", minimal_client_version: "0.170.0" });
    const room = await roomOf({ [FIRST.workspaceId]: body }, { accounts: [FIRST] });
    expect(await bodyOf(room, "0.169.9")).toEqual({ models: [{ slug: "old" }] });
    expect((await bodyOf(room, "0.170.0")).models).toHaveLength(2);
    await settle();
    expect(paths(room)).toEqual(["0.169.9", "0.170.0"].map((version) => `/codex/models?client_version=${version}`));
    expect(told(room.seen[1]!.request, "if-none-match")).toBeNull();
    await bodyOf(room, "1.0.0&x=y");
    expect(room.seen).toHaveLength(2);
  });
});

describe("what upstream says of plans", () => {
  const own = { accountId: FIRST.id, etag: null, fetchedAtMs: 0, models: [modelOf("gpt-5.5")] };
  const all = (plans: string[] | null) => [{ facts: modelOf("gpt-6-astra", { plans }), accountIds: [SECOND.id] }];

  test("refuses a model only when list and plan both leave it out", () => {
    expect(modelsRefusedTo("free", own, all(["pro"]))).toEqual(["gpt-6-astra"]);
    expect(modelsRefusedTo("free", own, all(["pro", "free"]))).toEqual([]);
    expect(modelsRefusedTo("free", own, all(null))).toEqual([]);
    expect(modelsRefusedTo("free", { ...own, models: [modelOf("gpt-6-astra")] }, all(["pro"]))).toEqual([]);
  });

  test("keeps an exchange from asking an account in vain, until upstream says otherwise", async () => {
    const astra = { slug: "gpt-6-astra", available_in_plans: ["pro"] };
    const lists: Record<string, string> = {
      [FIRST.workspaceId]: listOf({ slug: "gpt-5.5" }, astra),
      [SECOND.workspaceId]: listOf({ slug: "gpt-5.5" }),
    };
    const room = await roomOf(lists);
    await bodyOf(room);
    const ask = (model: string) => ({ model, from: { keyId: null, profile: null, project: null }, atMs: null });
    const able = () => room.engine.selection.explain(ask("gpt-6-astra")).order;
    expect(able()).toEqual([FIRST.id]);
    expect(room.engine.selection.explain(ask("gpt-5.5")).order).toHaveLength(2);
    lists[SECOND.workspaceId] = lists[FIRST.workspaceId]!;
    await room.engine.catalogue.view("all");
    expect(able()).toHaveLength(2);
  });
});

describe("names", () => {
  test("an exchange for a model that nobody has says what there is", async () => {
    const upstream: RoomOptions["upstream"] = ({ path }) =>
      path.startsWith("/codex/models")
        ? "serve"
        : { kind: "model_unsupported", model: "gpt-5.6", message: "not supported" };
    const accounts = [1, 2, 3, 4, 5].map((n) => anAccount({ n }));
    const room = await roomOf({}, { upstream, accounts });
    await bodyOf(room);
    const answer = await room.ask({ model: "gpt-5.6" });
    expect(answer).toMatchObject({ kind: "refused", error: { code: "model_unsupported", hint: "rotor model list" } });
    const message = answer.kind === "refused" ? answer.error.message : "";
    expect(message).toBe("no account may use the model gpt-5.6; the nearest is gpt-5.5; there are gpt-5.5");
  });

  test("an alias is kept, recorded, followed, and forgotten", async () => {
    const room = await roomOf({});
    await bodyOf(room);
    const { catalogue } = room.engine;
    await catalogue.setAlias("fast", "gpt-5.5");
    expect(catalogue.choose("fast")).toMatchObject({ asked: "fast", sent: "gpt-5.5" });
    expect((await room.store.loadPool()).modelAliases).toMatchObject([{ name: "fast", target: "gpt-5.5" }]);
    await catalogue.setAlias("fast", "gpt-6-sol");
    await expect(catalogue.setAlias("faster", "fast")).rejects.toMatchObject({ code: "invalid_model_alias" });
    await catalogue.removeAlias("fast");
    expect(catalogue.choose("fast")).toBeNull();
    await expect(catalogue.removeAlias("fast")).rejects.toMatchObject({ code: "model_alias_not_found" });
    const said = await room.engine.audit.list({ limit: 9, action: "model" });
    expect(said.map(({ action, text }) => `${action} ${text}`)).toEqual([
      "model.remove_alias gpt-6-sol",
      "model.set_alias gpt-5.5 → gpt-6-sol",
      "model.set_alias gpt-5.5",
    ]);
  });

  test("a name that only a list can explain waits for the first one, and no longer than a moment", async () => {
    const efforts = [{ effort: "low" }, { effort: "high" }];
    const room = await roomOf(
      { [FIRST.workspaceId]: listOf({ slug: "o9", supported_reasoning_levels: efforts }) },
      { accounts: [FIRST] },
    );
    await room.engine.catalogue.prepare("o9");
    expect(room.seen).toEqual([]);
    await room.engine.catalogue.prepare("o9-high");
    expect(room.engine.catalogue.choose("o9-high")).toMatchObject({ sent: "o9", effort: "high" });
    await room.engine.catalogue.prepare("o9-low");
    expect(room.seen).toHaveLength(1);
    const never = await roomOf({}, { upstream: () => new Promise<never>(() => {}) });
    const waited = never.engine.catalogue.prepare("o9-high");
    await never.clock.advance(5_000);
    await waited;
    expect(never.engine.catalogue.choose("o9-high")).toBeNull();
  });

  test("which models are lite is known by name until a list says it", async () => {
    const lists: Record<string, string> = {
      [FIRST.workspaceId]: listOf({ slug: "gpt-6-sol" }, { slug: "gpt-9", use_responses_lite: true }),
    };
    const room = await roomOf(lists, { accounts: [FIRST] });
    const { isLite } = room.engine.catalogue;
    const names = ["gpt-6-astra", "gpt-6.1-sol", "gpt-5.6-luna", "gpt-6-sol", "gpt-5.5", "gpt-9"];
    expect(names.map(isLite)).toEqual([true, true, true, true, false, false]);
    await bodyOf(room);
    expect(names.map(isLite)).toEqual([true, true, true, false, false, true]);
  });
});
