/** What the plugin tells OpenCode and its person: models, project, toasts, `/rotor`, and what it tells the daemon of a conversation. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectOf } from "../../src/cli/project.ts";
import { createLink } from "../../src/plugin/link.ts";
import { modelEntries } from "../../src/plugin/models.ts";
import { createNewsDesk } from "../../src/plugin/news.ts";
import plugin from "../../src/plugin/opencode.ts";
import { projectKey } from "../../src/plugin/project.ts";
import { createFetch } from "../../src/plugin/routed-fetch.ts";
import { type FakeDaemon, MODEL, openFakeDaemon } from "../support/fake-daemon.ts";

let daemon: FakeDaemon;
beforeEach(async () => {
  daemon = await openFakeDaemon();
});
afterEach(() => daemon[Symbol.asyncDispose]());

type Config = Record<string, unknown> & { provider?: { openai?: Record<string, unknown> } };
type Toast = { body: { message: string; variant: string } };

async function loaded(config: Config = {}, options: object = {}) {
  const toasts: string[] = [];
  const client = { tui: { showToast: async (toast: unknown) => void toasts.push((toast as Toast).body.message) } };
  const hooks = await plugin.server(
    { client, directory: daemon.home },
    { home: daemon.home, start: false, ...options },
  );
  await hooks.config(config);
  const routed = config.provider!.openai!.options as { fetch: (url: string, init: RequestInit) => Promise<Response> };
  const ask = async () =>
    (await routed.fetch("http://127.0.0.1:1/v1/responses", { method: "POST", body: "{}" })).text();
  return { hooks, config, openai: config.provider!.openai!, toasts, ask };
}

/** Resolves when it is so; what it waits for has been begun, and only has to come through. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

const WINDOWS = [
  { limit: "codex", lengthMinutes: "300", usedPercent: 41.6 },
  { limit: "codex", lengthMinutes: "10080" },
  { limit: "gpt-spark", lengthMinutes: "60", usedPercent: 3 },
  { limit: "codex", usedPercent: 1 },
];

const reported = () =>
  daemon.calls.filter(({ method }) => method.endsWith("ReportClientEvent")).map(({ body }) => body);

describe("models", () => {
  test("each has limits, an effort a variant, and a fast twin where upstream has a fast lane", () => {
    const entries = modelEntries({
      models: [MODEL, { name: "gpt-plain" }],
      aliases: [{ name: "best", target: "gpt-5.5" }],
    });
    expect(Object.keys(entries)).toEqual(["gpt-5.5", "gpt-5.5-fast", "gpt-plain", "best"]);
    expect(entries["gpt-5.5"]).toMatchObject({
      name: "GPT-5.5",
      limit: { context: 272_000, output: 128_000 },
      reasoning: true,
      tool_call: true,
      temperature: false,
      options: { reasoningEffort: "low" },
    });
    expect(Object.keys(entries["gpt-5.5"]!.variants!)).toEqual(["low", "high"]);
    expect(entries["gpt-5.5-fast"]).toMatchObject({ id: "gpt-5.5", options: { serviceTier: "priority" } });
    expect(entries["gpt-plain"]).toMatchObject({ reasoning: false, variants: {} });
    expect(entries.best).toMatchObject({ id: "best", name: "best (gpt-5.5)" });
  });

  test("they come into OpenCode's list with what the person has there, whose own words stand", async () => {
    answerModels(true);
    const own = { "gpt-5.5": { name: "mine" }, "gpt-own": { name: "own" } };
    const agent = { build: { model: "openai/gpt-agent" }, other: { model: "elsewhere/x" } };
    const { openai, config } = await loaded({ provider: { openai: { models: own } }, agent });
    expect(openai.models).toMatchObject(own);
    expect(Object.keys(openai.models as object)).toContain("gpt-5.5-fast");
    expect(openai.whitelist).toEqual(["gpt-5.5", "gpt-5.5-fast", "gpt-own", "gpt-agent"]);
    expect(config.agent).toEqual(agent);
  });

  test("a list that the person has made is left, and so is all of it when told so", async () => {
    answerModels(true);
    expect((await loaded({ provider: { openai: { whitelist: ["a"] } } })).openai.whitelist).toEqual(["a"]);
    expect((await loaded({}, { models: false })).openai.models).toBeUndefined();
    answerModels(false);
    expect((await loaded()).openai.models).toBeUndefined();
  });

  test("the cheapest is offered for titles of this provider alone", async () => {
    answerModels(true);
    const { hooks } = await loaded();
    const small = async (id: string) => {
      const output: { model?: unknown } = {};
      await hooks["experimental.provider.small_model"]({ provider: { id, models: { mini: "the mini" } } }, output);
      return output.model;
    };
    expect([await small("openai"), await small("anthropic")]).toEqual(["the mini", undefined]);
  });

  function answerModels(backfill: boolean) {
    daemon.answers.set("ClientService/GetClientHandshake", () => ({
      key: daemon.key,
      proxyUrl: daemon.proxyUrl,
      models: [MODEL],
      smallModel: "mini",
      backfill,
    }));
  }
});

describe("the project of a folder", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "rotor project-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("is the one that rotor profile bind names: repository, worktree, submodule, and a folder of its own", () => {
    const at = (...parts: string[]) => {
      const path = join(folder, ...parts);
      mkdirSync(path, { recursive: true });
      return path;
    };
    const write = (path: string, text: string) => writeFileSync(path, text);
    at("repo", ".git", "worktrees", "side");
    write(join(folder, "repo", ".git", "worktrees", "side", "commondir"), "../..\n");
    write(join(at("side"), ".git"), `gitdir: ${folder}/repo/.git/worktrees/side\n`);
    write(join(at("repo", "module"), ".git"), "gitdir: ../.git/modules/module\n");
    write(join(at("broken"), ".git"), "nonsense");
    const folders = [
      at("repo", "deep", "er"),
      at("side", "src"),
      at("repo", "module"),
      at("broken"),
      at("pläin & odd"),
    ];
    for (const path of folders) expect([path, projectKey(path)]).toEqual([path, projectOf(path).key]);
    expect(projectKey(folders[1]!)).toBe(projectKey(folders[0]!));
    expect(projectKey(join(folder, "none"))).toBe("");
  });
});

describe("news", () => {
  const event = (type: string, properties: object) => ({ event: { type, properties } });

  test("a conversation that begins, waits, fails and has answered is told to the daemon; a sub-agent's is not", async () => {
    const { hooks } = await loaded();
    const tell = async (type: string, properties: object) => {
      const before = reported().length;
      await hooks.event(event(type, properties));
      return before;
    };
    await tell("session.created", { info: { id: "ses_1", title: "first" } });
    await until(() => reported().length === 1);
    await tell("session.status", { sessionID: "ses_1", status: { type: "retry", message: "again in 2 s" } });
    await until(() => reported().length === 2);
    await tell("session.updated", { info: { id: "ses_1", title: "better" } });
    await tell("session.error", { sessionID: "ses_1", error: { name: "APIError", data: { message: "broken" } } });
    await until(() => reported().length === 3);
    await tell("session.created", { info: { id: "ses_2", parentID: "ses_1", title: "child" } });
    await tell("session.idle", { sessionID: "ses_2" });
    await tell("session.status", { sessionID: "ses_1", status: { type: "busy" } });
    await tell("nonsense", { a: 1 });
    await tell("session.error", { sessionID: 7 });
    await until(() => reported().length === 4);
    await tell("session.idle", { sessionID: "ses_1" });
    await until(() => reported().length === 5);
    expect(
      reported().map(({ kind, conversationId, title, message }) => [kind, conversationId, title, message]),
    ).toEqual([
      ["CLIENT_EVENT_KIND_CREATED", "ses_1", "first", ""],
      ["CLIENT_EVENT_KIND_RETRY", "ses_1", "first", "again in 2 s"],
      ["CLIENT_EVENT_KIND_ERROR", "ses_1", "better", "broken"],
      ["CLIENT_EVENT_KIND_ERROR", "", "", ""],
      ["CLIENT_EVENT_KIND_IDLE", "ses_1", "better", ""],
    ]);
    await hooks.dispose();
    expect(reported().at(-1)).toEqual({ kind: "CLIENT_EVENT_KIND_CLOSED", clientId: "K1" });
  });

  test("a daemon that is away is no error of an event", async () => {
    const { hooks } = await loaded();
    await daemon.stop();
    await hooks.event(event("session.idle", { sessionID: "ses_1" }));
    await hooks.event(undefined as never as { event: unknown }).catch(() => {});
    await hooks.dispose();
  });

  test("a lost login is toasted once, and again when it was lost again", async () => {
    let holds: object[] = [{ kind: "HOLD_KIND_NEEDS_LOGIN" }];
    daemon.answers.set("AccountService/ListAccounts", () => ({ accounts: [{ id: "A", alias: "work", holds }] }));
    const { hooks, toasts } = await loaded();
    const looks = () => daemon.calls.filter(({ method }) => method === "AccountService/ListAccounts").length;
    const look = async () => {
      const before = looks();
      await hooks.event(event("session.idle", { sessionID: "ses_1" }));
      await until(() => looks() > before);
    };
    await look();
    await until(() => toasts.length === 1);
    await look();
    holds = [];
    await look();
    expect(toasts).toEqual(["work has to sign in again: rotor account relogin work"]);
  });

  test("a conversation that moves, and a pool that is out, are toasted; without toasts they are not", async () => {
    let alias = "pro";
    daemon.answers.set("ExchangeService/GetExchange", () => ({
      exchange: {
        conversation: "K/ses_1",
        accountAlias: alias,
        attempts: alias === "pro" ? [] : [{ accountAlias: "pro", outcome: "window_exhausted" }],
      },
    }));
    const asked = () => daemon.calls.filter(({ method }) => method === "ExchangeService/GetExchange").length;
    const { ask, toasts } = await loaded();
    await ask();
    await until(() => asked() === 1);
    alias = "plus";
    await ask();
    await until(() => toasts.length === 1);
    expect(toasts).toEqual(["Moved from pro to plus (window exhausted)"]);
    daemon.reply = () => ({ status: 429, body: "{}" });
    daemon.answers.set("PoolService/GetPool", () => ({ pool: { nextUsableTime: "2100-01-01T00:00:00Z" } }));
    await ask();
    await until(() => toasts.length === 2);
    expect(toasts[1]).toStartWith("Every account is held; the first is usable at ");
    const quiet = await loaded({}, { toasts: false });
    await quiet.ask();
    await daemon.stop();
    await quiet.ask();
    expect(quiet.toasts).toEqual([]);
  });

  test("a request that waits because nobody is usable is toasted; one that merely takes long is not", async () => {
    let usableCount = 1;
    const nextUsableTime = "2100-01-01T00:00:00Z";
    daemon.answers.set("PoolService/GetPool", () => ({
      pool: usableCount === 0 ? { nextUsableTime } : { usableCount },
    }));
    const link = createLink(
      { home: daemon.home, start: false },
      { client: "opencode", clientVersion: "", directory: "/" },
    );
    const toasts: string[] = [];
    const news = createNewsDesk(link, (message) => void toasts.push(message));
    const looks = () => daemon.calls.filter(({ method }) => method === "PoolService/GetPool").length;
    let told = 0;
    const onSlow = () => {
      told++;
      news.slow();
    };
    const routed = createFetch(link, { onAnswer: () => {}, onDown: () => {}, onSlow }, fetch, 0);
    const ask = async () => {
      // Answered once the plugin has looked: it is the look that is slow, not the clock.
      const before = looks();
      daemon.reply = async () => {
        await until(() => looks() > before);
        return { status: 200, body: "{}" };
      };
      await routed("http://127.0.0.1:1/v1/responses", { method: "POST", body: "{}" });
    };
    await ask();
    expect([told, toasts]).toEqual([1, []]);
    usableCount = 0;
    await ask();
    await until(() => toasts.length === 1);
    expect(toasts[0]).toStartWith("Waiting. Every account is held; the first is usable at ");
  });
});

describe("/rotor", () => {
  beforeEach(() => {
    daemon.answers.set("AccountService/ListAccounts", () => ({
      accounts: [
        {
          id: "A",
          alias: "work",
          email: "person@example.org",
          tier: "pro",
          windows: WINDOWS,
        },
        { id: "B", alias: "spare", tier: "plus", holds: [{ kind: "HOLD_KIND_PAUSED" }] },
      ],
    }));
    daemon.answers.set("PoolService/GetPool", () => ({
      pool: { usableCount: 1, strategy: "STRATEGY_DRAIN_FIRST", nextAccountId: "A", pin: { accountId: "A" } },
    }));
  });

  const say = async (words: string) => {
    const { hooks } = await loaded();
    const output = { parts: [{ type: "text", text: "/rotor" }, { type: "file" }] as unknown[] };
    await hooks["command.execute.before"]({ command: "rotor", arguments: words }, output);
    expect(output.parts).toHaveLength(1);
    return (output.parts[0] as { text: string }).text;
  };
  const called = (method: string) => daemon.calls.filter((call) => call.method === method).map(({ body }) => body);

  test("accounts: what each has left, and no e-mail address", async () => {
    const said = await say("accounts");
    expect(said).toContain("1 of 2 accounts usable, strategy drain-first");
    expect(said).toContain("▸ work · pro · 5h 42% used · 7d 0% used · gpt-spark 1h 3% used · codex 1% used · usable");
    expect(said).toContain("spare · plus · paused");
    expect(said).toContain("pinned to work");
    expect(said).not.toContain("person@");
  });

  test("pin by the beginning of a name and for a time, unpin, strategy", async () => {
    expect(await say("pin wo 2h")).toContain("Pinned to work until");
    const [pin] = called("PoolService/PinAccount");
    expect(pin).toMatchObject({ accountId: "A" });
    expect(Date.parse(pin!.endTime as string) - Date.now()).toBeWithin(7_100_000, 7_200_001);
    expect(await say("pin 2")).toContain("Pinned to spare:");
    expect(called("PoolService/PinAccount")[1]).toEqual({ accountId: "B" });
    expect(await say("unpin")).toContain("The pin is gone");
    expect(await say("strategy least-used")).toContain("least-used");
    expect(called("PoolService/SetStrategy")).toEqual([{ strategy: "STRATEGY_LEAST_USED" }]);
  });

  test("explain: who would serve, who then, and what holds the others", async () => {
    daemon.answers.set("PoolService/ExplainSelection", () => ({
      plan: {
        reason: "PLAN_REASON_STRATEGY",
        accountIds: ["A"],
        held: [{ alias: "spare", holds: [{ kind: "HOLD_KIND_PAUSED" }] }],
      },
    }));
    const said = await say("explain openai/gpt-5.5");
    expect(said).toContain("would go to work (strategy)");
    expect(said).toContain("spare: paused");
    expect(called("PoolService/ExplainSelection")).toEqual([{ model: "gpt-5.5", keyId: "L1", projectKey: "" }]);
  });

  test.each([
    ["pin nobody", "there is no account nobody; there are work, spare"],
    ["pin", "which account? There are work, spare"],
    ["strategy best", "There are the strategies balanced"],
    ["dance", "/rotor takes: accounts"],
  ])("%j is answered in words", async (words, said) => {
    expect(await say(words)).toContain(said);
    expect(called("PoolService/PinAccount")).toEqual([]);
  });

  test("other commands are left alone", async () => {
    const { hooks } = await loaded();
    const output = { parts: [{ type: "text", text: "hello" }] as unknown[] };
    await hooks["command.execute.before"]({ command: "init", arguments: "" }, output);
    expect(output.parts).toEqual([{ type: "text", text: "hello" }]);
  });

  test("the model's tool says the same; a daemon that is away is said, not thrown", async () => {
    const { hooks } = await loaded();
    expect(await hooks.tool.rotor_status.execute()).toContain("1 of 2 accounts usable");
    await daemon.stop();
    expect(await hooks.tool.rotor_status.execute()).toContain("Rotor does not answer");
  });
});
