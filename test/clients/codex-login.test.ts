/**
 * The real Codex CLI with a ChatGPT login of its own: it keeps the built-in provider (WebSocket, calls to the account endpoints) and cannot send a client key as a header, so the key stands in its base URLs (contracts §2, §3).
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { listExchanges, nextAccount, triesOf } from "./exchanges.ts";
import { inWorld } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import { storyOf } from "./upstream.ts";
import { withLogin } from "./with-login.ts";

setDefaultTimeout(90_000);

clientSuite("codex exec with a ChatGPT login", () => {
  test("speaks WebSocket, leaves an account that is used up, and is served; its own login never reaches upstream", async () => {
    const { codex } = installClients();
    await inWorld(async (world) => {
      const own = await world.upstream.addAccount({ alias: "own", plan: "plus" });
      await withLogin(world, own as { tokens: Record<string, string> });
      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      const run = await world.run([codex, "exec", "--skip-git-repo-check", "say hello"]);
      const seen = await world.upstream.responses();
      // The warm-up (generate: false) shows that the first is used up; the turn itself goes to another, on a socket of its own.
      const turn = seen.find(({ method, body }) => method === "WS" && body?.generate !== false)!;
      expect(turn.account).not.toBe(first);
      expect(run.out).toBe(`SIM ${turn.account} says: say hello\n`);
      expect(run.exit).toBe(0);
      expect(storyOf(seen)).toBe(`${first} 101, ${first} 200, ${turn.account} 101, ${turn.account} 200`);
      const all = await world.upstream.requests();
      expect(all.filter((request) => request.account === "own")).toEqual([]);
      const turns = (await listExchanges(world)).filter((exchange) => exchange.path.endsWith("/responses"));
      expect(turns.map(triesOf)).toEqual([`${turn.account} served done`, `${first} served done`]);
      // Synthesised here, because it is about the client's own login.
      expect(all.filter((request) => request.path.endsWith("/accounts/check"))).toEqual([]);
    });
  });
});
