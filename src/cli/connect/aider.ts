/** Aider: two lines in the .env of the home, which it reads wherever it is started. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Tool } from "./tool.ts";

/** Both are read by the model library that aider uses. */
const NAMES = ["OPENAI_API_BASE", "OPENAI_API_KEY"] as const;

export const aider: Tool = {
  name: "aider",
  title: "Aider",
  aliases: [],
  ways: {},
  peer: null,
  find({ host }) {
    const traces = [".aider.conf.yml", ".aider"].map((name) => join(host.homeDir, name));
    return traces.find((path) => existsSync(path)) ?? null;
  },
  async plan({ host, base, secret, read }) {
    const path = join(host.homeDir, ".env");
    const before = (await read(path)) ?? "";
    const given = NAMES.filter((name) => new RegExp(`^\\s*(export\\s+)?${name}\\s*=`, "m").test(before));
    const lines = [`${NAMES[0]}=${base}/v1`, `${NAMES[1]}=${secret}`];
    return {
      tasks: [{ kind: "block", path, what: "the environment of aider", lines }],
      snippet: null,
      notes: ["say which model: aider --model openai/gpt-5.5"],
      warnings: given.map(
        (name) => `${path} names ${name} already; the last one counts, which is ours while it is connected`,
      ),
    };
  },
};
