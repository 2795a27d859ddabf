/**
 * The real Codex when its account runs out at the moments that are hard: in the middle of an answer, between two turns, and when it compacts its
 * history; over HTTP and over a WebSocket. It goes on without a word where the protocol allows it.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { nextAccount } from "./exchanges.ts";
import { inWorld, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import type { Run } from "./processes.ts";
import { headerOf, type SeenRequest } from "./upstream.ts";

setDefaultTimeout(120_000);

/** One turn fills more than this: the next one begins with a compaction. */
const SMALL_CONTEXT = "model_auto_compact_token_limit = 5000\n";
const OFFLINE = `
[features]
plugins = false
apps = false

[analytics]
enabled = false
`;
const CLASSIC = ["-c", 'model="gpt-5.5"', "-c", 'model_reasoning_effort="medium"'];

type Turn = (...prompt: string[]) => Promise<Run>;

async function withCodex(
  socketed: boolean,
  first: string,
  body: (world: World, turn: Turn) => Promise<void>,
): Promise<void> {
  const { codex } = installClients();
  await inWorld(async (world) => {
    const stanza = await world.ctl("connect", "codex", "--print");
    const said = `wire_api = "responses"\nsupports_websockets = ${socketed}`;
    world.write(".codex/config.toml", first + stanza.replace('wire_api = "responses"', said) + OFFLINE);
    await body(world, (...prompt) => world.run([codex, "exec", "--skip-git-repo-check", ...prompt]));
  });
}

const isTurn = ({ method, body }: SeenRequest) => method !== "GET" && body?.generate !== false;

async function turnsOf(world: World): Promise<readonly SeenRequest[]> {
  return (await world.upstream.settled(isTurn)).filter(isTurn);
}

/** `turn`, `compaction`, … as Codex itself calls it; over a WebSocket it stands inside the request. */
function kindOf(request: SeenRequest): string | undefined {
  const metadata = request.body?.client_metadata as Record<string, string> | undefined;
  const said = metadata?.["x-codex-turn-metadata"] ?? headerOf(request, "x-codex-turn-metadata") ?? "";
  return /"request_kind":"(\w+)"/.exec(said)?.[1];
}

function expectNoTrouble(run: Run): void {
  expect(run.err).not.toMatch(/error|reconnecting|falling back|usage limit|exceeded|status \d/i);
  expect(run.exit).toBe(0);
}

for (const [name, socketed] of [
  ["HTTP", false],
  ["a WebSocket", true],
] as const) {
  clientSuite(`codex exec over ${name}`, () => {
    test("its account runs out in the middle of an answer: it asks again by itself, and the next one serves", async () => {
      await withCodex(socketed, "", async (world, turn) => {
        const first = await nextAccount(world);
        await world.upstream.pace({ deltas: 20, delayMs: 10 });
        await world.upstream.fault({ at: "responses", account: first, kind: "failed_usage_limit", point: "middle" });
        const run = await turn(...CLASSIC, "say hello");
        expect(run.exit).toBe(0);
        expect(run.err).not.toMatch(/falling back|usage limit/i);
        const seen = await turnsOf(world);
        expect(seen.map(({ account }) => account === first)).toEqual([true, false]);
        expect(run.out).toStartWith(`SIM ${seen[1]!.account} says`);
      });
    });

    test("it runs out between two turns: the next one reads the history, less what only the first can read", async () => {
      await withCodex(socketed, "", async (world, turn) => {
        const first = await nextAccount(world);
        expectNoTrouble(await turn(...CLASSIC, "remember apples"));
        await world.upstream.exhaust(first);
        const run = await turn("resume", "--last", ...CLASSIC, "and pears");
        expectNoTrouble(run);
        const served = (await turnsOf(world)).at(-1)!;
        expect(served.account).not.toBe(first);
        expect(run.out).toBe(`SIM ${served.account} says: and pears\n`);
        // Nothing was refused for what is sealed.
        expect((await turnsOf(world)).map(({ status }) => status)).not.toContain(400);
      });
    });

    test("it runs out before the history is compacted: the next one compacts it, and answers", async () => {
      await withCodex(socketed, SMALL_CONTEXT, async (world, turn) => {
        const first = await nextAccount(world);
        expectNoTrouble(await turn(...CLASSIC, "remember apples"));
        await world.upstream.fault({ at: "responses", account: first, kind: "usage_limit", times: "always" });
        const run = await turn("resume", "--last", ...CLASSIC, "and pears");
        expect(run.err).toContain("context compacted");
        expectNoTrouble(run);
        const served = (await turnsOf(world)).filter(({ status }) => status === 200);
        expect(served.map(kindOf)).toEqual(["turn", "compaction", "turn"]);
        const [, compacting, last] = served.map(({ account }) => account);
        expect([compacting === first, last]).toEqual([false, compacting]);
        expect(run.out).toBe(`SIM ${last} says: and pears\n`);
      });
    });
  });
}
