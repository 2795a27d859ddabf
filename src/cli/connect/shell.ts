/**
 * The shell: whatever is started from it and reads OPENAI_BASE_URL. The variables stand in a file of ours, for the owner alone; the shell's own
 * file gets the line that reads it.
 */
import { basename, join } from "node:path";
import type { Host } from "../../base/env.ts";
import type { Task } from "./task.ts";
import type { Tool } from "./tool.ts";

type Kind = "fish" | "posix";

/** The file that an interactive shell reads, and how it is written. */
function startFile({ env, homeDir }: Host): { path: string; kind: Kind } {
  const config = env.XDG_CONFIG_HOME || join(homeDir, ".config");
  switch (basename(env.SHELL ?? "")) {
    case "fish":
      return { path: join(config, "fish", "config.fish"), kind: "fish" };
    case "zsh":
      return { path: join(env.ZDOTDIR || homeDir, ".zshrc"), kind: "posix" };
    case "bash":
      return { path: join(homeDir, ".bashrc"), kind: "posix" };
    default:
      return { path: join(homeDir, ".profile"), kind: "posix" };
  }
}

const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

export const shell: Tool = {
  name: "shell",
  title: "the shell",
  aliases: ["env"],
  ways: {},
  peer: null,
  find: ({ host }) => host.env.SHELL ?? null,
  async plan({ host, base, secret, folder }) {
    const { path, kind } = startFile(host);
    const values = { OPENAI_BASE_URL: `${base}/v1`, OPENAI_API_KEY: secret, ROTOR_KEY: secret };
    const line = (name: string, value: string) =>
      kind === "fish" ? `set -gx ${name} ${quoted(value)}` : `export ${name}=${quoted(value)}`;
    const text = Object.entries(values).map(([name, value]) => `${line(name, value)}\n`);
    const file = join(folder, `shell.${kind === "fish" ? "fish" : "env"}`);
    const reads =
      kind === "fish"
        ? `test -r ${quoted(file)}; and source ${quoted(file)}`
        : `[ -r ${quoted(file)} ] && . ${quoted(file)}`;
    const tasks: Task[] = [
      { kind: "own", path: file, what: "the variables", text: text.join("") },
      { kind: "block", path, what: "what the shell reads when it starts", lines: [reads] },
    ];
    const now = `a shell that is open takes it over with: ${kind === "fish" ? "source" : "."} ${quoted(file)}`;
    return { tasks, snippet: null, notes: [now], warnings: [] };
  },
};
