/**
 * What the arguments of the Codex CLI ask for, as far as a wrapper must know it: whether a model will be asked, whether its screen is opened,
 * and which conversation is gone on with. Never changes what it does not understand: an unknown word is a prompt, as Codex takes it.
 */

/** `screen`: the interactive Codex. `run`: asks a model without one. `plain`: asks no model. */
export type CodexUse = "screen" | "run" | "plain";

export interface CodexArguments {
  readonly use: CodexUse;
  /** `exec`, `resume`, …; null = none, the screen with or without a prompt. `e` is `exec`. */
  readonly command: string | null;
  /** Where it goes on with an earlier conversation (`resume`, `exec resume`); null = it does not. */
  readonly resume: ResumeWords | null;
  /** Folder named by -C; null = the one that it is started in. */
  readonly folder: string | null;
}

export interface ResumeWords {
  /** Index of the word `resume`. */
  readonly at: number;
  /** Conversation by its id or name; null with {@link last}, and where Codex lets people pick. */
  readonly id: string | null;
  /** Index of that word; -1 = there is none. */
  readonly idAt: number;
  /** Index of `--last`; null = not given. */
  readonly last: number | null;
  /** Conversations of every folder. */
  readonly everywhere: boolean;
  /** Those of `exec` too. */
  readonly everySource: boolean;
}

/** Codex 0.169. What is not here is taken for a prompt. */
export const CODEX_COMMANDS: Readonly<Record<string, CodexUse>> = {
  agents: "screen",
  exec: "run",
  review: "run",
  login: "plain",
  logout: "plain",
  mcp: "plain",
  plugin: "plain",
  "app-server": "run",
  "remote-control": "plain",
  app: "plain",
  completion: "plain",
  update: "plain",
  doctor: "run",
  sandbox: "plain",
  debug: "plain",
  apply: "plain",
  resume: "screen",
  queue: "plain",
  archive: "plain",
  delete: "plain",
  "migrate-rollouts": "plain",
  "migrate-nfs-db": "plain",
  unarchive: "plain",
  fork: "screen",
  cloud: "plain",
  "exec-server": "plain",
  features: "plain",
  help: "plain",
};

const ALIASES: Readonly<Record<string, string>> = { e: "exec", a: "apply" };

/** Options with a value in the next word. Codex takes most of them before and after its command. */
const VALUED: ReadonlySet<string> = new Set(
  (
    "-c --config --enable --disable --remote --remote-auth-token-env -i --image -m --model --local-provider -p --profile " +
    "-s --sandbox -C --cd --add-dir -a --ask-for-approval --color --output-schema -o --output-last-message --listen"
  ).split(" "),
);

/** Below `app-server`: its tools. The background server keeps the environment that it is started with, so that no key for a while is for it. */
const SERVER_TOOLS: ReadonlySet<string> = new Set(["daemon", "proxy", "generate-ts", "generate-json-schema", "help"]);

const ASKS_ONLY: ReadonlySet<string> = new Set(["-h", "--help", "-V", "--version", "--print-startup-config"]);

export function readCodexArguments(args: readonly string[]): CodexArguments {
  const words = plainWords(args);
  const [first, second] = words;
  const command = first === undefined ? null : commandOf(first.text);
  return {
    use: useOf(args, command, second?.text ?? null),
    command,
    resume: resumeWords(args, words),
    folder: optionValue(args, "-C", "--cd"),
  };
}

interface Word {
  readonly at: number;
  readonly text: string;
}

/** Words that are neither an option nor the value of one; what stands behind `--` is a prompt. */
function plainWords(args: readonly string[]): readonly Word[] {
  const found: Word[] = [];
  for (let at = 0; at < args.length; at++) {
    const text = args[at]!;
    if (text === "--") break;
    if (VALUED.has(text)) at++;
    else if (!text.startsWith("-") || text === "-") found.push({ at, text });
  }
  return found;
}

function commandOf(word: string): string | null {
  const name = ALIASES[word] ?? word;
  return Object.hasOwn(CODEX_COMMANDS, name) ? name : null;
}

function useOf(args: readonly string[], command: string | null, second: string | null): CodexUse {
  const end = args.indexOf("--");
  if (args.slice(0, end === -1 ? undefined : end).some((word) => ASKS_ONLY.has(word))) return "plain";
  if (command === "app-server" && second !== null && SERVER_TOOLS.has(second)) return "plain";
  if (command === "exec" && second === "help") return "plain";
  return command === null ? "screen" : CODEX_COMMANDS[command]!;
}

function resumeWords(args: readonly string[], words: readonly Word[]): ResumeWords | null {
  const begin = words[0] && commandOf(words[0].text) === "exec" ? 1 : 0;
  const word = words[begin];
  if (word?.text !== "resume") return null;
  const last = args.indexOf("--last");
  // With --last the first word behind it is a prompt already.
  const named = last === -1 ? words[begin + 1] : undefined;
  return {
    at: word.at,
    id: named?.text ?? null,
    idAt: named?.at ?? -1,
    last: last === -1 ? null : last,
    everywhere: args.includes("--all"),
    everySource: begin === 1 || args.includes("--include-non-interactive"),
  };
}

/** The last one counts, as for Codex. */
function optionValue(args: readonly string[], short: string, long: string): string | null {
  let found: string | null = null;
  for (const [at, word] of args.entries()) {
    if (word === "--") break;
    if (word === short || word === long) found = args[at + 1] ?? found;
    else if (word.startsWith(`${long}=`)) found = word.slice(long.length + 1);
  }
  return found;
}

/** The same arguments, with the conversation gone on with as a copy: Codex takes a provider of another name for a copy only. */
export function asFork(args: readonly string[], words: ResumeWords, id: string): readonly string[] {
  const gone: readonly (number | null)[] = [words.at, words.idAt, words.last];
  const rest = args.filter((word, at) => !gone.includes(at) && word !== "--include-non-interactive");
  return [...rest.slice(0, words.at), "fork", id, ...rest.slice(words.at)];
}
