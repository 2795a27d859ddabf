/**
 * The real Codex CLI (`codex exec`) over its WebSocket through Rotor: the printed stanza and one line more. What Codex prints, what upstream
 * saw, and that nothing of a move from one account to another shows.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { listExchanges, nextAccount, triesOf } from "./exchanges.ts";
import { ACCOUNTS, inWorld, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import type { Run } from "./processes.ts";
import { headerOf, type SeenRequest, storyOf } from "./upstream.ts";

setDefaultTimeout(90_000);

const OFFLINE = `
[features]
plugins = false
apps = false

[analytics]
enabled = false
`;

const CLASSIC = ["-c", 'model="gpt-5.5"'];
const UNBOXED = ["--sandbox", "danger-full-access"];

type Codex = (...args: string[]) => Promise<Run>;

async function withCodex(body: (world: World, codex: Codex) => Promise<void>, plans = ACCOUNTS): Promise<void> {
  const { codex } = installClients();
  await inWorld(async (world) => {
    const stanza = await world.ctl("connect", "codex", "--print");
    const socketed = stanza.replace('wire_api = "responses"', 'wire_api = "responses"\nsupports_websockets = true');
    expect(socketed).not.toBe(stanza);
    world.write(".codex/config.toml", socketed + OFFLINE);
    await body(world, (...args) => world.run([codex, "exec", "--skip-git-repo-check", ...args]));
  }, plans);
}

function expectNoTrouble(run: Run): void {
  expect(run.err).not.toMatch(/error|reconnecting|falling back|usage limit|exceeded|rerouted|status \d/i);
  expect(run.exit).toBe(0);
}

/** What was asked of the model, warm-ups and handshakes aside. */
async function turnsOf(world: World): Promise<readonly SeenRequest[]> {
  const seen = await world.upstream.settled(isTurn);
  return seen.filter(isTurn);
}

const isTurn = ({ method, body }: SeenRequest) => method !== "GET" && body?.generate !== false;

clientSuite("codex exec over a WebSocket", () => {
  test("a plain answer, with no trouble and no fallback", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      const run = await codex("say hello");
      expect(run.out).toBe(`SIM ${first} says: say hello\n`);
      expectNoTrouble(run);
      const turns = await turnsOf(world);
      expect(storyOf(turns)).toBe(`${first} 200`);
      expect(headerOf(turns[0]!, "originator")).toStartWith("codex");
      const [exchange] = await listExchanges(world);
      expect(exchange).toMatchObject({ surface: "codex", status: 200, accountAlias: first, errorCode: "" });
      expect(Number(exchange!.usage!.inputTokens)).toBeGreaterThan(1_000);
      expect(run.err).toContain("tokens used");
    });
  });

  for (const [name, model] of [
    ["a classic model", CLASSIC],
    ["the default model", []],
  ] as const) {
    test(`a tool call, with ${name}: its output goes back on the same socket, to the same account`, async () => {
      await withCodex(async (world, codex) => {
        const first = await nextAccount(world);
        const run = await codex(...model, ...UNBOXED, "run: echo from-$((40+2))-shell");
        expect(run.out).toStartWith(`SIM ${first} says: the tool answered:`);
        expect(run.out).toContain("from-42-shell");
        expectNoTrouble(run);
        const turns = await turnsOf(world);
        expect(storyOf(turns)).toBe(`${first} 200, ${first} 200`);
        // One socket to upstream, on which only what is new is sent.
        for (const { method, body } of turns) {
          expect(method).toBe("WS");
          expect(body!.previous_response_id).toStartWith("resp_");
        }
        const handshakes = (await world.upstream.responses()).filter(({ method }) => method === "GET");
        expect(handshakes.map(({ status }) => status)).toEqual([101]);
      });
    });
  }

  test("the first account is out before the turn: the next one serves, tool call and all", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      const run = await codex(...CLASSIC, ...UNBOXED, "run: echo moved-$((40+2))");
      expect(run.out).toContain("moved-42");
      expectNoTrouble(run);
      const turns = await turnsOf(world);
      const second = turns[0]!.account!;
      expect(second).not.toBe(first);
      // The first one's handshake has told that its window is full: nothing was asked of it.
      expect(storyOf(turns)).toBe(`${second} 200, ${second} 200`);
    });
  });

  test("an account runs out between a tool call and its output: the next one reads the whole history", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      const order = JSON.stringify({ at: "responses", account: first, kind: "usage_limit", skip: 1, times: "always" });
      const control = `${world.upstream.issuer}/__sim/v1/faults`;
      const ordered = await fetch(control, { method: "POST", headers: { "x-rotor-sim": "1" }, body: order });
      expect(ordered.ok).toBe(true);
      const run = await codex(...CLASSIC, ...UNBOXED, "run: echo between-$((40+2))");
      expect(run.out).toContain("between-42");
      expectNoTrouble(run);
      const served = await turnsOf(world);
      expect(served.at(-1)!.account).not.toBe(first);
      expect(served.some((turn) => turn.account === first && turn.status === 429)).toBe(true);
    });
  });

  test("the first account is refused at the handshake: the next one serves", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      await world.upstream.fault({ at: "upgrade", account: first, kind: "usage_limit" });
      const run = await codex(...CLASSIC, "say hello");
      expect(run.out).not.toContain(first);
      expectNoTrouble(run);
      const turns = await turnsOf(world);
      expect(turns.map(({ method }) => method)).toEqual(["WS"]);
      expect(turns[0]!.account).not.toBe(first);
    });
  });

  test("upstream speaks no WebSocket: Codex's stays, HTTP carries it, tool call and all", async () => {
    await withCodex(async (world, codex) => {
      await world.upstream.fault({ at: "upgrade", kind: "upgrade_required", times: "always" });
      const first = await nextAccount(world);
      const run = await codex(...CLASSIC, ...UNBOXED, "run: echo carried-$((40+2))");
      expect(run.out).toContain("carried-42");
      expectNoTrouble(run);
      const turns = await turnsOf(world);
      expect(storyOf(turns)).toBe(`${first} 200, ${first} 200`);
      expect(turns.map(({ method }) => method)).toEqual(["POST", "POST"]);
      // Asked once, then left alone.
      expect((await world.upstream.responses()).filter(({ method }) => method === "GET")).toHaveLength(1);
    });
  });

  for (const kind of ["failed_usage_limit", "failed_overloaded"] as const) {
    test(`${kind} inside a 200 before output: the next account serves, one clean answer`, async () => {
      await withCodex(async (world, codex) => {
        const first = await nextAccount(world);
        await world.upstream.fault({ at: "responses", account: first, kind, times: "always" });
        const run = await codex(...CLASSIC, "say hello");
        expect(run.out).toMatch(/^SIM \w+ says: say hello\n$/);
        expect(run.out).not.toContain(first);
        expectNoTrouble(run);
      });
    });
  }

  test("cut in the middle of the output: Codex asks again by itself, on a new socket", async () => {
    await withCodex(async (world, codex) => {
      await world.upstream.fault({ at: "responses", kind: "cut", point: "middle" });
      const run = await codex(...CLASSIC, "say hello again and again");
      expect(run.out).toMatch(/^SIM \w+ says: say hello again and again\n$/);
      expect(run.exit).toBe(0);
      expect(run.err).not.toContain("Falling back");
    });
  });

  test("every account is out: one clear message, and nothing is sent twice", async () => {
    await withCodex(async (world, codex) => {
      for (const alias of ACCOUNTS) await world.upstream.exhaust(alias);
      const run = await codex(...CLASSIC, "say hello");
      expect(run.exit).not.toBe(0);
      expect(run.err).toMatch(/hit your usage limit/i);
      const [exchange] = await listExchanges(world);
      expect(exchange).toMatchObject({ status: 429, errorCode: "pool_exhausted" });
      // What a handshake has told of an account needs no request to be found out.
      expect(triesOf(exchange!)).not.toContain("served");
    });
  });

  test("a disabled pool: one clear message with the command that mends it", async () => {
    await withCodex(async (world, codex) => {
      for (const alias of ACCOUNTS) await world.ctl("account", "disable", alias, "--force");
      const run = await codex(...CLASSIC, "say hello");
      expect(run.exit).not.toBe(0);
      expect(run.err).toContain("rotor account enable");
      expect(run.err).not.toMatch(/reconnecting|falling back/i);
    });
  });

  test("a conversation goes on in a second run, with its whole history", async () => {
    await withCodex(async (world, codex) => {
      const first = await nextAccount(world);
      expectNoTrouble(await codex(...CLASSIC, "say one"));
      const run = await codex(...CLASSIC, "resume", "--last", "say two");
      expect(run.out).toBe(`SIM ${first} says: say two\n`);
      expectNoTrouble(run);
      const input = JSON.stringify((await turnsOf(world)).at(-1)!.body);
      expect(input).toContain("say two");
    });
  });
});
