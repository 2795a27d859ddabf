/**
 * The real Codex CLI (`codex exec`, HTTP) through Rotor, configured with exactly what `rotor connect codex --print` says.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { listExchanges, nextAccount, showExchange, triesOf } from "./exchanges.ts";
import { ACCOUNTS, inWorld, MANY_ACCOUNTS, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import type { Run } from "./processes.ts";
import { headerOf, storyOf } from "./upstream.ts";

setDefaultTimeout(90_000);

/** What a test must switch off so that Codex asks nobody but its model; none of it changes how it speaks to one. */
const OFFLINE = `
[features]
plugins = false
apps = false

[analytics]
enabled = false
`;

/** A model whose tools stand where they always stood. The default one is "responses-lite": tools inside the first input item. */
const CLASSIC = ["-c", 'model="gpt-5.5"'];
/** A container cannot always build Codex's own sandbox; the commands here are ours and only echo. */
const UNBOXED = ["--sandbox", "danger-full-access"];

type Codex = (...args: string[]) => Promise<Run>;

type Body = (world: World, codex: Codex, command: (...args: string[]) => readonly string[]) => Promise<void>;

async function withCodex(body: Body, plans = ACCOUNTS): Promise<void> {
  const { codex } = installClients();
  await inWorld(async (world) => {
    const stanza = await world.ctl("connect", "codex", "--print");
    world.write(".codex/config.toml", stanza + OFFLINE);
    const command = (...args: string[]) => [codex, "exec", "--skip-git-repo-check", ...args];
    await body(world, (...args) => world.run(command(...args)), command);
  }, plans);
}

/** Nothing that a person would take for trouble. */
function expectNoTrouble(run: Run): void {
  expect(run.err).not.toMatch(/error|reconnecting|usage limit|exceeded|rerouted|status \d/i);
  expect(run.exit).toBe(0);
}

clientSuite("codex exec", () => {
  test("a plain answer, from the account that is next, with Codex's own request behind it", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      const run = await codex("say hello");
      expect(run.out).toBe(`SIM ${first} says: say hello\n`);
      expectNoTrouble(run);
      const seen = await world.upstream.responses();
      expect(storyOf(seen)).toBe(`${first} 200`);
      expect(headerOf(seen[0]!, "originator")).toStartWith("codex");
      expect(headerOf(seen[0]!, "authorization")).toBe(`account:${first}`);
      const [exchange] = await listExchanges(world);
      expect(exchange).toMatchObject({ surface: "codex", status: 200, accountAlias: first, errorCode: "" });
      expect(Number(exchange!.usage!.inputTokens)).toBeGreaterThan(1_000);
      expect(run.err).toContain("tokens used");
    });
  });

  test("a tool call: the command runs here, its output goes back to the same account", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      const run = await codex(...CLASSIC, ...UNBOXED, "run: echo from-$((40+2))-shell");
      expect(run.out).toStartWith(`SIM ${first} says: the tool answered:`);
      expect(run.out).toContain("from-42-shell");
      expectNoTrouble(run);
      expect(storyOf(await world.upstream.responses())).toBe(`${first} 200, ${first} 200`);
    });
  });

  test("a tool call with the default model, whose tools stand inside the input", async () => {
    await withCodex(async (world, codex) => {
      const run = await codex(...UNBOXED, "run: echo lite-$((40+2))");
      expect(run.out).toContain("lite-42");
      expectNoTrouble(run);
      const [first] = await world.upstream.responses();
      expect(first!.body!.tools).toBeUndefined();
    });
  });

  test("the first account is out: the next one serves, Codex notices nothing, Rotor can say why", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      const run = await codex(...CLASSIC, ...UNBOXED, "run: echo moved-$((40+2))");
      expect(run.out).toContain("moved-42");
      expectNoTrouble(run);
      const seen = await world.upstream.responses();
      const second = seen[1]!.account!;
      expect(second).not.toBe(first);
      // One refusal, then the tool call and its output on the account that took over: nothing more was sent.
      expect(storyOf(seen)).toBe(`${first} 429, ${second} 200, ${second} 200`);

      const [after, moved] = await listExchanges(world);
      expect(triesOf(moved!)).toBe(`${first} window_exhausted next, ${second} served done`);
      expect(triesOf(after!)).toBe(`${second} served done`);
      const shown = await showExchange(world, moved!.id);
      const held = shown.plan!.held.find((account) => account.alias === first);
      expect(held!.holds[0]!.kind).toBe("HOLD_KIND_WINDOW_EXHAUSTED");
      expect(Date.parse(held!.holds[0]!.endTime!)).toBeGreaterThan(Date.now());
      const story = await world.ctl("exchange", "show", moved!.id);
      expect(story).toContain(first);
      expect(story).toContain("5 hours");
      expect(await world.ctl("pool", "explain", "--last")).toContain(first);
    });
  });

  for (const [kind, outcome] of [
    ["failed_usage_limit", "window_exhausted"],
    ["failed_rate_limit", "rate_limited"],
  ] as const) {
    test(`${kind} inside a 200 before any output: the next account serves, one clean stream`, async () => {
      await withCodex(async (world, codex) => {
        const first = await nextAccount(world);
        await world.upstream.fault({ at: "responses", account: first, kind, times: "always" });
        const run = await codex("say hello");
        expectNoTrouble(run);
        const seen = await world.upstream.responses();
        expect(storyOf(seen)).toBe(`${first} 200, ${seen[1]!.account} 200`);
        expect(run.out).toBe(`SIM ${seen[1]!.account} says: say hello\n`);
        expect(triesOf((await listExchanges(world))[0]!)).toStartWith(`${first} ${outcome} next, `);
      });
    });
  }

  test("overloaded inside a 200: once more on the same account, then the next; Codex notices nothing", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      await world.upstream.fault({ at: "responses", account: first, kind: "failed_overloaded", times: "always" });
      const run = await codex("say hello");
      expectNoTrouble(run);
      const seen = await world.upstream.responses();
      expect(storyOf(seen)).toBe(`${first} 200, ${first} 200, ${seen[2]!.account} 200`);
      expect(seen[2]!.account).not.toBe(first);
      expect(run.out).toBe(`SIM ${seen[2]!.account} says: say hello\n`);
    });
  });

  test("cut in the middle of the output: Codex sends it again by itself and gets a whole answer", async () => {
    await withCodex(async (world, codex) => {
      // Slow enough that the beginning is with Codex before the end comes.
      await world.upstream.pace({ deltas: 20, delayMs: 10 });
      await world.upstream.fault({ at: "responses", kind: "cut", point: "middle" });
      const run = await codex("say hello");
      expect(run.exit).toBe(0);
      expect(run.out).toMatch(/^SIM \w+ says.* w19/);
      const seen = await world.upstream.responses();
      expect(seen.map((request) => request.end)).toEqual(["cut", "answered"]);
      expect(await listExchanges(world)).toHaveLength(2);
    });
  });

  test("a person who interrupts Codex ends it upstream, and no account is blamed", async () => {
    await withCodex(async (world, _codex, command) => {
      await world.upstream.pace({ deltas: 5_000, delayMs: 5 });
      const started = world.start(command("say hello"));
      await world.upstream.streaming();
      await started.stop();
      const [left] = await world.upstream.settled();
      expect(left!.end).toBe("client_closed");
      expect(left!.eventsSent).toBeLessThan(4_000);
      expect((await listExchanges(world))[0]!.attempts[0]!.outcome).toBe("client_gone");
      const { accounts } = await world.ctlJson<{ accounts: { holds: unknown[] }[] }>("account", "list");
      expect(accounts.flatMap((account) => account.holds)).toEqual([]);
    });
  });

  test("a second turn after the first account ran out: its sealed reasoning is left behind, the talk goes on", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      expectNoTrouble(await codex(...CLASSIC, "-c", 'model_reasoning_effort="medium"', "remember apples"));
      await world.upstream.exhaust(first);
      const run = await codex("resume", "--last", ...CLASSIC, "-c", 'model_reasoning_effort="medium"', "and pears");
      expectNoTrouble(run);
      const seen = await world.upstream.responses();
      const served = seen.at(-1)!;
      expect(served).toMatchObject({ status: 200, end: "answered" });
      expect(served.account).not.toBe(first);
      expect(run.out).toBe(`SIM ${served.account} says: and pears\n`);
      expect(JSON.stringify(served.body)).toContain("remember apples");
      expect(JSON.stringify(seen[1]!.body)).toContain('encrypted_content":');
    });
  });

  test("all accounts out: one request from Codex, its own usage-limit words with the time", async () => {
    await withCodex(async (world, codex) => {
      for (const alias of ACCOUNTS) await world.upstream.exhaust(alias);
      const run = await codex("say hello");
      expect(run.exit).not.toBe(0);
      // With the date where the reset is not today.
      expect(run.err).toMatch(
        /You’ve hit your usage limit\. Try again at ([A-Z][a-z]+ \d+\w+, \d{4} )?\d+:\d\d [AP]M\./,
      );
      expect(run.err).not.toMatch(/reconnecting/i);
      const seen = await world.upstream.responses();
      expect(seen.map((request) => request.status)).toEqual([429, 429, 429]);
      expect(seen.map((request) => request.account).sort()).toEqual([...ACCOUNTS].sort());
      const exchanges = await listExchanges(world);
      expect(exchanges).toHaveLength(1);
      expect(exchanges[0]).toMatchObject({ status: 429, errorCode: "pool_exhausted", accountAlias: "" });
      // Known to be out: the next one costs upstream nothing.
      await codex("say hello again");
      expect(await world.upstream.responses()).toHaveLength(3);
    });
  });

  test("four of five accounts out: one request tries three, says when to come again, and Codex does so by itself", async () => {
    await withCodex(async (world, codex) => {
      for (const alias of MANY_ACCOUNTS) if (alias !== "plus") await world.upstream.exhaust(alias);
      const run = await codex("say hello");
      expect(run.exit).toBe(0);
      expect(run.out).toBe("SIM plus says: say hello\n");
      const [later, earlier] = await listExchanges(world);
      expect(earlier).toMatchObject({ errorCode: "attempts_exhausted", accountAlias: "" });
      expect(earlier!.attempts).toHaveLength(3);
      expect(triesOf(later!)).toEndWith("plus served done");
      // Nobody was asked twice.
      const asked = (await world.upstream.responses()).map((request) => request.account);
      expect(new Set(asked).size).toBe(asked.length);
    }, MANY_ACCOUNTS);
  });

  test("all accounts out for two seconds: Codex waits with Rotor and notices nothing", async () => {
    await withCodex(async (world, codex) => {
      await world.ctl("account", "disable", "team");
      await world.upstream.fault({ at: "responses", kind: "usage_limit", resetsInSeconds: 2, times: 2 });
      const run = await codex("say hello");
      expectNoTrouble(run);
      expect(run.out).toMatch(/^SIM \w+ says: say hello\n$/);
      const [exchange, ...others] = await listExchanges(world);
      expect(others).toEqual([]);
      expect(exchange!.attempts.map((attempt) => attempt.outcome)).toEqual([
        "window_exhausted",
        "window_exhausted",
        "served",
      ]);
    });
  });

  test("nobody may serve and no end is known: one request, and the words say what mends it", async () => {
    await withCodex(async (world, codex) => {
      for (const alias of ACCOUNTS) await world.ctl("account", "disable", alias, "--force");
      const run = await codex("say hello");
      expect(run.exit).not.toBe(0);
      expect(run.err).toContain("rotor account enable");
      expect(await listExchanges(world)).toHaveLength(1);
      expect(await world.upstream.requests()).toEqual([]);
    });
  });

  test("upstream overloaded everywhere: one request from Codex, said as what it is", async () => {
    await withCodex(async (world, codex) => {
      await world.upstream.fault({ at: "responses", kind: "overloaded", times: "always" });
      const run = await codex("say hello");
      expect(run.exit).not.toBe(0);
      expect(run.err).toContain("Selected model is at capacity");
      expect(run.err).not.toMatch(/reconnecting/i);
      expect(await listExchanges(world)).toHaveLength(1);
    });
  });

  test("upstream gone: one request from Codex", async () => {
    await withCodex(async (world, codex) => {
      await world.upstream.process.stop();
      const run = await codex("say hello");
      expect(run.exit).not.toBe(0);
      expect(run.err).not.toMatch(/reconnecting/i);
      expect(await listExchanges(world)).toHaveLength(1);
    });
  });
});
