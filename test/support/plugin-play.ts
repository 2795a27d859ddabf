/** Plays the built plugin in another runtime, against a fake daemon of this process: a program on its stdin steps and answers line by line. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { openFakeDaemon } from "./fake-daemon.ts";

/** Loads the plugin, then does for each line on stdin what it says, and answers with a line. */
const PROGRAM = `
import { createInterface } from "node:readline";
const { default: plugin } = await import(process.argv[2] + "/rotor.js");
const { default: tui } = await import(process.argv[2] + "/rotor-tui.js");
const config = {};
const hooks = await plugin.server({ directory: process.argv[2] }, { home: process.argv[3], start: false });
await hooks.config(config);
const routed = config.provider.openai.options.fetch;
const ask = async () => {
  const answer = await routed("http://127.0.0.1:1/v1/responses", { method: "POST", body: "{}", headers: { authorization: "Bearer own" } });
  await answer.text();
  return answer.status;
};
const steps = { shape: () => Object.keys(plugin), tui: () => Object.keys(tui), ask, tool: () => hooks.tool.rotor_status.execute() };
for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(JSON.stringify(await steps[line]()) + "\\n");
process.exit(0);
`;

export interface Played {
  readonly shape: unknown;
  readonly tui: unknown;
  readonly served: unknown;
  readonly afterRestart: unknown;
  readonly down: unknown;
  readonly tool: unknown;
}

/** `folder` holds rotor.js and rotor-tui.js. */
export async function playPlugin(
  command: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Played> {
  await using daemon = await openFakeDaemon();
  const file = join(folder, "play.mjs");
  await Bun.write(file, PROGRAM);
  const [program, ...first] = command;
  const child = spawn(program!, [...first, file, folder, daemon.home], {
    env: { ...process.env, ...env },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const step = async (name: string): Promise<unknown> => {
    child.stdin.write(`${name}\n`);
    const { value, done } = await lines.next();
    if (done) throw new Error(`the player ended at ${name}`);
    return JSON.parse(value);
  };
  try {
    const shape = await step("shape");
    const tui = await step("tui");
    const served = await step("ask");
    await daemon.stop();
    await daemon.start();
    const afterRestart = await step("ask");
    await daemon.stop();
    return { shape, tui, served, afterRestart, down: await step("ask"), tool: await step("tool") };
  } finally {
    child.stdin.end();
    await new Promise((resolve) => {
      if (child.exitCode !== null) resolve(null);
      else child.once("exit", resolve);
    });
  }
}
