/** Probes over the real pool: the login, what is left, and a model only when one is named. */
import { describe, expect, test } from "bun:test";
import type { LoginStep } from "../../src/pool/login-step.ts";
import type { AttemptRequest } from "../../src/upstream/upstream.ts";
import { anAccount, aWindow } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { createPoolRoom, type RoomOptions, textOfBody } from "../support/pool-room.ts";

const USAGE = JSON.stringify({
  plan_type: "plus",
  rate_limit: {
    primary_window: { used_percent: 12, limit_window_seconds: 18_000, reset_at: T0 / 1_000 + 3_600 },
    secondary_window: { used_percent: 34, limit_window_seconds: 604_800, reset_at: T0 / 1_000 + 86_400 },
  },
});
const accounts = [anAccount({ n: 1 }), anAccount({ n: 2 })];
const isUsage = ({ path }: AttemptRequest) => path.endsWith("/usage");
const pathsOf = (seen: readonly { request: AttemptRequest }[]) => seen.map(({ request }) => request.path);

async function probed(options: RoomOptions, ask: { model: string; effort: string } | null = null) {
  const room = await createPoolRoom({ accounts, body: (request) => (isUsage(request) ? USAGE : ""), ...options });
  const steps: LoginStep[] = [];
  const order = { dryRun: false, signal: new AbortController().signal, ask };
  for await (const step of room.engine.accounts.probeAll(
    accounts.map(({ id }) => id),
    order,
  ))
    steps.push(step);
  await room.engine.close();
  return { room, ends: steps.filter(({ state }) => state === "done" || state === "failed") };
}

describe("a probe", () => {
  test("says that the login works and what is left, and spends nothing", async () => {
    const { room, ends } = await probed({});
    expect(ends.map(({ text }) => text)).toEqual(Array(2).fill("works; used: 12 % of 5 hours, 34 % of 7 days"));
    expect(pathsOf(room.seen)).toEqual(["/wham/usage", "/wham/usage"]);
    expect(room.engine.accounts.get(accounts[0]!.id)!.windows[0]).toMatchObject({
      usedPercent: 12,
      observedFrom: "usage_endpoint",
    });
  });

  test("looks in the other place where upstream has no such path", async () => {
    const { room, ends } = await probed({
      upstream: ({ path }) => (path === "/wham/usage" ? { kind: "request_rejected", status: 404 } : "serve"),
    });
    expect(ends[0]!.text).toContain("12 % of 5 hours");
    expect(pathsOf(room.seen).toSorted()).toEqual(["/codex/usage", "/codex/usage", "/wham/usage", "/wham/usage"]);
  });

  test.each([
    ["a failure", { upstream: () => ({ kind: "upstream_failed", status: 503, message: "out", retryAtMs: null }) }],
    ["nonsense", { body: () => "<html>" }],
  ] as const)("that meets %s keeps what is known, and the login works all the same", async (_what, options) => {
    const known = [aWindow({ usedPercent: 77 })];
    const { room, ends } = await probed({
      ...(options as RoomOptions),
      accounts: accounts.map((account) => ({ ...account, windows: known })),
    });
    expect(ends.map(({ state }) => state)).toEqual(["done", "done"]);
    for (const { id } of accounts) expect(room.engine.accounts.get(id)!.windows).toEqual(known);
  });

  test("sends one tiny request to each account when a model is named, and each is an exchange", async () => {
    const { room, ends } = await probed({}, { model: "gpt-5.5", effort: "low" });
    for (const { text } of ends) expect(text).toEndWith("gpt-5.5 answers");
    const turns = room.seen.filter(({ request }) => request.stream);
    expect(turns.map(({ workspaceId }) => workspaceId).toSorted()).toEqual(["workspace-1", "workspace-2"]);
    for (const { request } of turns) {
      const body = JSON.parse(textOfBody(request.body));
      expect(body).toMatchObject({ model: "gpt-5.5", reasoning: { effort: "low" }, store: false, stream: true });
      expect(textOfBody(request.body).length).toBeLessThan(400);
    }
    const exchanges = await room.store.listExchanges({ limit: 9 });
    expect(exchanges.map(({ servedByAlias, keyId }) => [servedByAlias, keyId]).toSorted()).toEqual([
      ["plus-1", null],
      ["plus-2", null],
    ]);
  });

  test("never falls over to another account, and does not ask one that is held", async () => {
    const held = anAccount({ n: 1, windows: [aWindow({ usedPercent: 100 })] });
    const full = USAGE.replace('"used_percent":12', '"used_percent":100');
    const { room, ends } = await probed(
      {
        accounts: [held, accounts[1]!],
        body: (request) => (!isUsage(request) ? "" : request.workspaceId === "workspace-1" ? full : USAGE),
        upstream: ({ stream }) => (stream ? { kind: "rate_limited", untilMs: T0 + 9e6, message: "too fast" } : "serve"),
      },
      { model: "gpt-5.5", effort: "low" },
    );
    const byAlias = new Map(ends.map((step) => [step.alias, step]));
    expect(byAlias.get("plus-1")!.text).toBe("gpt-5.5 was not asked: codex limit of 5 hours is used up");
    expect(byAlias.get("plus-2")).toMatchObject({ state: "failed" });
    expect(room.seen.filter(({ request }) => request.stream).map(({ workspaceId }) => workspaceId)).toEqual([
      "workspace-2",
    ]);
  });

  test("of what is no name of a model sends nothing", async () => {
    const probe = probed({}, { model: "a b", effort: "low" });
    await expect(probe).rejects.toMatchObject({ code: "invalid_request" });
  });
});
