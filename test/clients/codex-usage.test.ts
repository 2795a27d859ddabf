/**
 * What the real Codex CLI shows of limits, and when it stops by itself: the pool's figures, through its own app-server (what `/status` and
 * the desktop app read), with a ChatGPT login of its own.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { nextAccount } from "./exchanges.ts";
import { inWorld, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import { storyOf } from "./upstream.ts";
import { withLogin } from "./with-login.ts";

setDefaultTimeout(120_000);

interface Limits {
  readonly rateLimits: {
    readonly primary: { readonly usedPercent: number; readonly windowDurationMins: number } | null;
    readonly rateLimitReachedType: string | null;
    readonly planType: string | null;
  };
}
interface Seen {
  readonly before: Limits;
  readonly turns: readonly unknown[];
  readonly after: Limits;
}

const PROGRAM = join(import.meta.dir, "programs", "app-server.mjs");

async function ask(world: World, ...turns: string[]): Promise<Seen> {
  const { codex } = installClients();
  const run = await world.run([process.execPath, PROGRAM, codex, ...turns]);
  const line = run.out.split("\n").find((text) => text.startsWith('{"before"'));
  if (line === undefined) throw new Error(`the app-server said nothing:\n${run.out}\n${run.err}`);
  return JSON.parse(line) as Seen;
}

async function inPool(body: (world: World) => Promise<void>): Promise<void> {
  await inWorld(async (world) => {
    const own = await world.upstream.addAccount({ alias: "own", plan: "plus" });
    await withLogin(world, own as { tokens: Record<string, string> });
    await body(world);
  });
}

clientSuite("Codex and limits", () => {
  test("it shows the pool, and a used-up account does not stop it while another can serve", async () => {
    await inPool(async (world) => {
      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      await world.ctl("account", "probe", "--all");
      const { before, turns, after } = await ask(world, "say hello");
      for (const { rateLimits } of [before, after]) {
        expect(rateLimits.primary!.windowDurationMins).toBe(300);
        expect(rateLimits.primary!.usedPercent).toBeGreaterThan(0);
        expect(rateLimits.primary!.usedPercent).toBeLessThan(100);
        expect(rateLimits.rateLimitReachedType).toBeNull();
      }
      expect(before.rateLimits.planType).toBe("pro");
      expect(turns).toEqual(["completed"]);
      const seen = await world.upstream.responses();
      expect(seen.length).toBeGreaterThan(0);
      expect(storyOf(seen)).not.toContain(first);
      const all = await world.upstream.requests();
      expect(all.filter((request) => request.account === "own")).toEqual([]);
    });
  });

  test("with all used up it shows that the limit is reached", async () => {
    await inPool(async (world) => {
      for (const alias of ["plus", "team", "pro"]) await world.upstream.exhaust(alias);
      await world.ctl("account", "probe", "--all");
      const { before } = await ask(world);
      expect(before.rateLimits.primary?.usedPercent ?? before).toBe(100);
      expect(before.rateLimits.rateLimitReachedType).toBe("rate_limit_reached");
    });
  });
});
