/**
 * Programs of `programs/` on Node and on Bun, in a world whose client is configured by exactly what `rotor connect shell` prints.
 * A program that needs something of the upstream between two of its requests finds the simulator in SIM.
 */
import { expect } from "bun:test";
import { copyFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { inWorld, type World } from "./harness.ts";
import { installClients } from "./install.ts";

export const RUNTIMES = [
  ["Node", "node"],
  ["Bun", process.execPath],
] as const;

/** Runs the program with these arguments; one object a line that it printed. */
export type Steps = (...args: string[]) => Promise<Record<string, unknown>[]>;

export async function withProgram(
  runtime: string,
  program: string,
  body: (world: World, steps: Steps) => Promise<void>,
): Promise<void> {
  const { nodeModules } = installClients();
  await inWorld(async (world) => {
    symlinkSync(nodeModules, join(world.work, "node_modules"));
    copyFileSync(join(import.meta.dir, "programs", program), join(world.work, program));
    const stanza = await world.ctl("connect", "shell", "--print");
    const script = world.write("work/sdk.sh", `${stanza}exec "$@"\n`);
    await body(world, async (...args) => {
      const run = await world.run(["sh", script, runtime, program, ...args], { env: { SIM: world.upstream.issuer } });
      expect(run.err).toBe("");
      expect(run.exit).toBe(0);
      return run.out
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line));
    });
  });
}
