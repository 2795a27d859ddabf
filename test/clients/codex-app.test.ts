/**
 * The Codex desktop app as far as it can be run here: its `codex app-server` over stdio, with a ChatGPT login of its own and the config that
 * `rotor connect codex-app` writes. The app itself runs on no machine of ours.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { nextAccount } from "./exchanges.ts";
import { inWorld, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";

setDefaultTimeout(120_000);

/** As people have it; odd on purpose, so that what comes back is what was there. */
const CONFIG = `# mine
model = "gpt-5.5"   # keep

[features]
plugins = false
apps = false
[analytics]
enabled = false`;

const PROGRAM = join(import.meta.dir, "programs", "app-server.mjs");
const LAUNCHER = ".local/share/applications/rotor-codex.desktop";

interface Told {
  readonly account: { readonly account: { readonly type: string; readonly email: string } | null };
  readonly before: { readonly rateLimits: { readonly primary: { readonly usedPercent: number } | null } };
  readonly turns: readonly unknown[];
}

async function ask(world: World, ...words: string[]): Promise<Told> {
  const run = await world.run([process.execPath, PROGRAM, installClients().codex, ...words]);
  const line = run.out.split("\n").find((text) => text.startsWith('{"before"'));
  if (line === undefined) throw new Error(`the app-server said nothing:\n${run.out}\n${run.err}`);
  return JSON.parse(line) as Told;
}

clientSuite("the Codex desktop app", () => {
  test("account, limits and a turn through the pool; disconnected, everything is as it was", async () => {
    await inWorld(async (world) => {
      const own = await world.upstream.addAccount({ alias: "own", plan: "plus" });
      world.write(".codex/auth.json", JSON.stringify(own));
      const config = world.write(".codex/config.toml", CONFIG);
      world.write(".local/share/applications/codex.desktop", "[Desktop Entry]\n");
      await world.ctl("connect", "codex-app", "--yes");
      expect(existsSync(join(world.home, LAUNCHER))).toBe(true);

      const first = await nextAccount(world);
      await world.upstream.exhaust(first);
      await world.ctl("account", "probe", "--all");
      const told = await ask(world, "say hello");
      expect(told.account.account).toMatchObject({ type: "chatgpt", email: "own@example.test" });
      const used = told.before.rateLimits.primary!.usedPercent;
      expect(used).toBeGreaterThan(0);
      expect(used).toBeLessThan(100);
      expect(told.turns).toEqual(["completed"]);
      const all = await world.upstream.requests();
      expect(all.filter((request) => request.account === "own")).toEqual([]);
      expect((await world.upstream.responses()).length).toBeGreaterThan(0);

      const { tools } = await world.ctlJson<{ tools: { name: string; state: string }[] }>("connect");
      expect(tools.find(({ name }) => name === "codex-app")!.state).toBe("connected");
      await world.ctl("disconnect", "codex-app", "--yes");
      expect(readFileSync(config, "utf8")).toBe(CONFIG);
      expect(JSON.parse(readFileSync(join(world.home, ".codex", "auth.json"), "utf8"))).toMatchObject(own as object);
      expect(existsSync(join(world.home, LAUNCHER))).toBe(false);
    });
  });
});
