/**
 * `rotor doctor` and the real Codex CLI: where doctor names a broken link, Codex is not served; where `--fix` has mended it, it is; and what
 * doctor asks of the proxy is what Codex asks.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { inWorld, rotorCommand, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";

setDefaultTimeout(120_000);

/** What a test must switch off so that Codex asks nobody but its model. */
const CONFIG = `model = "gpt-5.5"

[features]
plugins = false
apps = false

[analytics]
enabled = false
`;

interface Finding {
  readonly check: string;
  readonly level: string;
  readonly message: string;
}

/** What is not in order with tools, and whether doctor's exit code says so. */
async function wrong(world: World, ...args: string[]): Promise<Finding[]> {
  const command = [...rotorCommand(), "doctor", "--json", "--only", "tools", ...args];
  const { out, exit } = await world.run(command);
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  const found = findings.filter(({ level }) => level !== "FINDING_LEVEL_OK");
  expect(exit).toBe(found.length === 0 ? 0 : 1);
  return found;
}

clientSuite("rotor doctor", () => {
  test("a revoked key stops Codex and is named; mended, Codex is served again", async () => {
    await inWorld(async (world) => {
      const config = world.write(".codex/config.toml", CONFIG);
      const { codex } = installClients();
      const exec = (prompt: string) =>
        world.run([codex, "exec", "--skip-git-repo-check", "-c", "stream_max_retries=0", prompt]);
      await world.ctl("connect", "codex", "--yes");
      expect(await wrong(world)).toEqual([]);
      expect((await exec("say one")).out).toMatch(/^SIM \w+ says: say one\n$/);

      const { keys } = await world.ctlJson<{ keys: { name: string }[] }>("key", "list");
      const name = keys.map((key) => key.name).find((one) => one.startsWith("codex"))!;
      await world.ctl("key", "revoke", name, "--yes");
      const [revoked] = await wrong(world);
      expect(revoked).toMatchObject({ check: "tool.drift", message: expect.stringContaining(name) });
      expect((await exec("say two")).out).not.toContain("says: say two");

      expect(await wrong(world, "--fix")).toEqual([]);
      expect((await exec("say three")).out).toMatch(/^SIM \w+ says: say three\n$/);

      // One origin for both: Codex would dial chatgpt.com, which closing this world would find out; so it is only asked for once mended.
      const text = readFileSync(config, "utf8");
      writeFileSync(config, text.replace("http://localhost:", "http://127.0.0.1:"));
      expect((await wrong(world)).map(({ check }) => check)).toEqual(["tool.origins", "tool.drift"]);
      expect(await wrong(world, "--fix")).toEqual([]);
      expect(readFileSync(config, "utf8")).toContain("http://localhost:");
      expect((await exec("say four")).out).toMatch(/^SIM \w+ says: say four\n$/);

      const live = await world.run([...rotorCommand(), "doctor", "--only", "tools", "--live", "--model", "gpt-5.5"]);
      expect(live.out).toMatch(/gpt-5\.5 answered from \w+ in .*with the key codex/);
      await world.ctl("disconnect", "codex", "--yes");
      expect(readFileSync(config, "utf8")).toBe(CONFIG);
    });
  });
});
