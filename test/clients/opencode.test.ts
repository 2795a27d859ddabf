/**
 * The real OpenCode (`opencode run`) through Rotor, configured with exactly what `rotor connect opencode --print` says.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { listExchanges, nextAccount, showExchange, triesOf } from "./exchanges.ts";
import { ACCOUNTS, inWorld, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import type { Run } from "./processes.ts";
import { type SeenRequest, storyOf } from "./upstream.ts";

setDefaultTimeout(120_000);

/** What OpenCode would fetch from elsewhere; none of it changes how it speaks to its model. */
const OFFLINE = {
  OPENCODE_DISABLE_MODELS_FETCH: "1",
  OPENCODE_DISABLE_AUTOUPDATE: "1",
  OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
};

type OpenCode = (...args: string[]) => readonly string[];

async function withOpenCode(body: (world: World, command: OpenCode) => Promise<void>): Promise<void> {
  const { opencode } = installClients();
  await inWorld(async (world) => {
    world.write(".config/opencode/opencode.json", await world.ctl("connect", "opencode", "--print"));
    await body(world, (...args) => [opencode, "run", ...args]);
  });
}

/** Nothing that a person would take for trouble. */
function expectNoTrouble(run: Run): void {
  expect(run.err).not.toMatch(/error|retry|limit|held|overloaded/i);
  expect(run.exit).toBe(0);
}

/** OpenCode asks for a title beside every first prompt, without tools; the turn itself always offers some. */
function isTurn(request: SeenRequest): boolean {
  return Array.isArray(request.body?.tools) && request.body.tools.length > 0;
}

clientSuite("opencode run", () => {
  test("a plain answer from the account that is next", async () => {
    await withOpenCode(async (world, command) => {
      const first = await nextAccount(world);
      const run = await world.run(command("say hello"), { env: OFFLINE });
      expect(run.out).toBe(`SIM ${first} says: "say hello"\n`);
      expectNoTrouble(run);
      const seen = await world.upstream.responses();
      expect(storyOf(seen.filter(isTurn))).toBe(`${first} 200`);
      // What upstream refuses was brought into its form on the way: it takes no developer message without instructions.
      expect(seen.find(isTurn)!.body).toMatchObject({ store: false, stream: true, instructions: expect.any(String) });
      for (const exchange of await listExchanges(world))
        expect(exchange).toMatchObject({ surface: "sdk", status: 200 });
    });
  });

  test("a tool call: the command runs here, its output goes back", async () => {
    await withOpenCode(async (world, command) => {
      const first = await nextAccount(world);
      const run = await world.run(command("run: echo from-$((40+2))-shell"), { env: OFFLINE });
      expect(run.out).toBe(`SIM ${first} says: the tool answered: from-42-shell\n`);
      expectNoTrouble(run);
      expect(storyOf((await world.upstream.responses()).filter(isTurn))).toBe(`${first} 200, ${first} 200`);
    });
  });

  test("the first account is out: the next one serves turn and title, OpenCode notices nothing", async () => {
    await withOpenCode(async (world, command) => {
      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      const run = await world.run(command("run: echo moved-$((40+2))"), { env: OFFLINE });
      expect(run.out).toContain("the tool answered: moved-42\n");
      expectNoTrouble(run);
      const seen = await world.upstream.responses();
      const refused = seen.filter((request) => request.status === 429);
      // Title and turn start side by side: whether the second still meets the full account depends on the moment.
      expect(refused.length).toBeWithin(1, 3);
      expect(new Set(refused.map((request) => request.account))).toEqual(new Set([first]));
      const served = seen.filter((request) => request.status === 200);
      expect(served).toHaveLength(3);
      expect(served.map((request) => request.account)).not.toContain(first);
      const exchanges = await listExchanges(world);
      expect(exchanges).toHaveLength(3);
      const moved = exchanges.find((exchange) => exchange.attempts.length === 2)!;
      expect(triesOf(moved)).toBe(`${first} window_exhausted next, ${moved.accountAlias} served done`);
      const held = (await showExchange(world, moved.id)).plan!.held.find((account) => account.alias === first);
      expect(held!.holds[0]!.kind).toBe("HOLD_KIND_WINDOW_EXHAUSTED");
    });
  });

  test("overloaded inside a 200, which would set OpenCode spinning, never reaches it", async () => {
    await withOpenCode(async (world, command) => {
      const first = await nextAccount(world);
      await world.upstream.fault({ at: "responses", account: first, kind: "failed_overloaded", times: "always" });
      const run = await world.run(command("say hello"), { env: OFFLINE });
      expect(run.out).toMatch(/^SIM \w+ says: "say hello"\n$/);
      expect(run.out).not.toContain(first);
      expectNoTrouble(run);
      expect(await listExchanges(world)).toHaveLength(2);
    });
  });

  test("all accounts out: it is told until when, waits, and asks for the turn once", async () => {
    await withOpenCode(async (world, command) => {
      for (const alias of ACCOUNTS) await world.upstream.exhaust(alias);
      const run = world.start(command("--print-logs", "say hello"), { env: OFFLINE });
      await run.prints(/agent=build .*every account is held; the first is usable at \d{4}-/);
      // The title is not worth waiting for: it gives up after three tries. By then the turn would have come again, had it not been told.
      await run.prints(/agent=title .*Failed after 3 attempts/);
      await run.stop();
      const exchanges = await listExchanges(world);
      expect(exchanges.map((exchange) => exchange.status)).toEqual([429, 429, 429, 429]);
      const statuses = (await world.upstream.responses()).map((request) => request.status);
      expect(statuses).not.toContain(200);
      // Each account is asked until it is known to be out; what comes later costs upstream nothing.
      expect(statuses.length).toBeWithin(3, 7);
    });
  });

  test("nobody may serve and no end is known: it stops at once and says what mends it", async () => {
    await withOpenCode(async (world, command) => {
      for (const alias of ACCOUNTS) await world.ctl("account", "disable", alias, "--force");
      const run = await world.run(command("say hello"), { env: OFFLINE });
      expect(run.exit).not.toBe(0);
      expect(run.err).toContain("rotor account enable");
      expect((await listExchanges(world)).map((exchange) => exchange.status)).toEqual([400, 400]);
      expect(await world.upstream.requests()).toEqual([]);
    });
  });
});

/** As a custom provider that speaks Chat Completions, which is how many configurations out there are written. */
async function withChatOpenCode(body: (world: World, command: OpenCode) => Promise<void>): Promise<void> {
  const { opencode } = installClients();
  await inWorld(async (world) => {
    const options = { baseURL: `${world.proxyUrl}/v1`, apiKey: world.key };
    const rotor = {
      npm: "@ai-sdk/openai-compatible",
      name: "Rotor",
      options,
      models: { "gpt-5.5": { name: "GPT-5.5", tool_call: true } },
    };
    const config = { model: "rotor/gpt-5.5", small_model: "rotor/gpt-5.5", autoupdate: false, provider: { rotor } };
    world.write(".config/opencode/opencode.json", JSON.stringify(config));
    await body(world, (...args) => [opencode, "run", ...args]);
  });
}

clientSuite("opencode run over Chat Completions", () => {
  test("a tool call: the command runs here, its output goes back", async () => {
    await withChatOpenCode(async (world, command) => {
      const run = await world.run(command("run: echo from-$((40+2))-shell"), { env: OFFLINE });
      expect(run.out).toMatch(/^SIM \w+ says: the tool answered: from-42-shell\n$/);
      expectNoTrouble(run);
      for (const exchange of await listExchanges(world))
        expect(exchange).toMatchObject({ path: "/v1/chat/completions", surface: "sdk", status: 200 });
    });
  });

  test("an answer that breaks in the middle is asked for again, not taken for whole, and not in a tight loop", async () => {
    await withChatOpenCode(async (world, command) => {
      await world.upstream.fault({ at: "responses", kind: "failed_overloaded", point: "middle", times: 2 });
      const run = await world.run(command("say hello"), { env: OFFLINE });
      // Title and turn start side by side, so each meets one of the two.
      expect(run.out).toMatch(/^SIM \w+ says: "say hello"\n$/);
      expect(run.exit).toBe(0);
      expect((await listExchanges(world)).length).toBeLessThan(8);
    });
  });
});
