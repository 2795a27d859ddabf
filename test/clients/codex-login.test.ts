/**
 * The real Codex CLI with a ChatGPT login of its own: it keeps the built-in provider (WebSocket first, zstd bodies, calls to the account
 * endpoints) and cannot send a client key as a header, so the key stands in its base URLs (contracts §2, §3).
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { listExchanges, nextAccount, triesOf } from "./exchanges.ts";
import { inWorld } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import { headerOf, storyOf } from "./upstream.ts";
import { withLogin } from "./with-login.ts";

setDefaultTimeout(90_000);

clientSuite("codex exec with a ChatGPT login", () => {
  test("falls back from WebSocket at once, meets a 429 on the first account, and is served; its own login never reaches upstream", async () => {
    const { codex } = installClients();
    await inWorld(async (world) => {
      const own = await world.upstream.addAccount({ alias: "own", plan: "plus" });
      await withLogin(world, own as { tokens: Record<string, string> });
      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      const run = await world.run([codex, "exec", "--skip-git-repo-check", "say hello"]);
      const seen = await world.upstream.responses();
      const second = seen[1]!.account!;
      expect(run.out).toBe(`SIM ${second} says: say hello\n`);
      expect(run.exit).toBe(0);
      expect(storyOf(seen)).toBe(`${first} 429, ${second} 200`);
      expect(headerOf(seen[1]!, "content-encoding")).toBe("zstd");
      const all = await world.upstream.requests();
      expect(all.filter((request) => request.account === "own")).toEqual([]);
      const turns = (await listExchanges(world)).filter((exchange) => exchange.path.endsWith("/responses"));
      expect(turns.map(triesOf)).toEqual([`${first} window_exhausted next, ${second} served done`]);
      // Synthesised here, because it is about the client's own login.
      expect(all.filter((request) => request.path.endsWith("/accounts/check"))).toEqual([]);
    });
  });
});
