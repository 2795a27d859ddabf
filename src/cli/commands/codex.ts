/**
 * `rotor codex …`: the official Codex CLI through the pool, for one run. Edits no file, keeps no home of its own: `-c` overrides, and a key in
 * the environment that is good while it runs.
 */
import { join, resolve } from "node:path";
import { codexRouting, codexShellExcludes } from "../../base/codex-config.ts";
import { AppError } from "../../base/errors.ts";
import { asFork, CODEX_COMMANDS, type CodexArguments, readCodexArguments } from "../codex/codex-arguments.ts";
import { isOwnProvider, pastRotor, ROTOR_PROVIDER, throughRotor } from "../codex/codex-overrides.ts";
import { type CodexPeer, openPeer } from "../codex/codex-peer.ts";
import { type EarlierThread, lastThread, threadById } from "../codex/earlier-thread.ts";
import { type CodexProgram, findCodex, pathFor } from "../codex/find-codex.ts";
import { findCodexHome } from "../codex-home.ts";
import type { Command, Context, Input } from "../command.ts";
import { projectOf } from "../project.ts";
import { resolveAccount } from "../resolve.ts";
import { KEY_VARIABLE, PROJECT_VARIABLE } from "../stanza.ts";

export const codexCommands: readonly Command[] = [
  {
    path: ["codex"],
    summary: "run the official Codex CLI through the pool, without touching its files",
    details: [
      "Everything from the first word that is none of the options below goes to Codex as it stands: rotor codex exec, resume, fork, review, app-server, mcp, a prompt. rotor codex -- --help is Codex's own help, rotor codex -- --profile NAME Codex's own profile.",
      "The profile that is bound to this directory applies (rotor profile bind). Codex ends with its own exit code, 128 + n when a signal ended it. What asks no model (login, completion, mcp, --version …) is run as it is and needs no daemon.",
      "A conversation that began without Rotor is gone on with as a copy (codex fork), because Codex lets the original change nothing of who serves it.",
      "Codex is looked for on the PATH and where npm, pnpm, Bun, Volta, nvm and Homebrew put programs; ROTOR_CODEX_BIN names another one.",
    ],
    args: [
      {
        name: "COMMAND",
        about: "Codex's command, or a prompt",
        optional: true,
        completes: Object.keys(CODEX_COMMANDS),
      },
      { name: "ARGS", about: "the rest of Codex's arguments", optional: true, variadic: true, completes: "file" },
    ],
    options: [
      { name: "account", value: "ALIAS", about: "only this account serves this run", completes: "account" },
      { name: "profile", value: "NAME", about: "ask through this profile of Rotor", completes: "profile" },
      { name: "direct", about: "past Rotor, with Codex's own login" },
    ],
    examples: [
      "rotor codex",
      'rotor codex exec "fix the failing test"',
      "rotor codex --account work resume --last",
      "rotor codex -- --help",
    ],
    starts: true,
    passesOn: true,
    run: runCodex,
  },
];

async function runCodex(context: Context, input: Input): Promise<number> {
  const { io } = context;
  refuseContradiction(input);
  const program = findCodex(io.host, io.selfCommand.command);
  const args = input.rest(0);
  const asked = readCodexArguments(args);
  if (input.has("direct")) return await runPast(context, program, args);
  if (asked.use === "plain") return await run(context, program, args, {});
  const wishes = await wishesOf(context, input, asked);
  const peer = await openPeer(context, wishes);
  const { provider, words } = goOn(context, args, asked);
  const excludes = codexShellExcludes(configFileOf(context));
  const own = [
    ...throughRotor(peer.proxyUrl, provider, excludes),
    ...(needsNoDaemon(asked, args) ? ["--no-daemon"] : []),
  ];
  const exit = await runKept(context, peer, () =>
    run(context, program, [...own, ...words], {
      [KEY_VARIABLE]: peer.key,
      [PROJECT_VARIABLE]: wishes.projectKey ?? undefined,
    }),
  );
  if (exit !== 0 && asked.resume !== null && words === args) {
    context.print.note("rotor: a conversation that began without Rotor goes on as a copy: rotor codex fork ID");
  }
  return exit;
}

function refuseContradiction(input: Input): void {
  const given = ["account", "profile"].find((name) => input.value(name) !== null);
  if (!input.has("direct") || given === undefined) return;
  const message = `--direct goes past Rotor, so --${given} would mean nothing`;
  throw new AppError("bad_usage", message, { hint: "rotor help codex" });
}

async function runPast(context: Context, program: CodexProgram, args: readonly string[]): Promise<number> {
  return await run(context, program, [...pastRotor(codexRouting(configFileOf(context))), ...args], {});
}

function configFileOf(context: Context): string {
  return join(findCodexHome(context).folder, "config.toml");
}

async function wishesOf(context: Context, input: Input, { folder }: CodexArguments) {
  const account = input.value("account");
  const directory = resolve(folder ?? ".");
  return {
    directory,
    projectKey: context.io.host.env[PROJECT_VARIABLE] || projectKeyOf(directory),
    profile: input.value("profile"),
    accountId:
      account === null
        ? null
        : resolveAccount((await (await context.daemon()).accounts.listAccounts({})).accounts, account).id,
  };
}

/** A folder that cannot be read is Codex's to complain about. */
function projectKeyOf(directory: string): string | null {
  try {
    return projectOf(directory).key;
  } catch {
    return null;
  }
}

/** The screen would leave a server in the background, with this environment and a key that ends (wire §6.5). */
function needsNoDaemon({ use }: CodexArguments, args: readonly string[]): boolean {
  return (
    use === "screen" &&
    !args.some((word) => word === "--no-daemon" || word === "--remote" || word.startsWith("--remote="))
  );
}

/** Codex goes on with a conversation through a provider of the same name only: ours where it may be, else a copy. */
function goOn(context: Context, args: readonly string[], { resume, folder }: CodexArguments) {
  const keep = { provider: ROTOR_PROVIDER, words: args };
  if (resume === null) return keep;
  const { folder: home } = findCodexHome(context);
  const where = { folder: resume.everywhere ? null : resolve(folder ?? "."), everySource: resume.everySource };
  const thread: EarlierThread | null =
    resume.last !== null ? lastThread(home, where) : resume.id === null ? null : threadById(home, resume.id);
  if (thread === null) return keep;
  if (isOwnProvider(thread.provider)) return { provider: thread.provider, words: args };
  context.print.note(
    `rotor: ${thread.id} began with the provider ${thread.provider}; it goes on as a copy (codex fork)`,
  );
  return { provider: ROTOR_PROVIDER, words: asFork(args, resume, thread.id) };
}

async function runKept(context: Context, peer: CodexPeer, start: () => Promise<number>): Promise<number> {
  const ended = new AbortController();
  const kept = peer.keep(ended.signal);
  try {
    return await start();
  } finally {
    ended.abort();
    const { movedTo } = await kept;
    if (movedTo !== null) {
      context.print.warning(
        `the daemon was started anew meanwhile and listens on ${movedTo} now: this Codex could not reach it`,
      );
    }
    await peer.close();
  }
}

async function run(
  { io }: Context,
  program: CodexProgram,
  args: readonly string[],
  added: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const env = { ...io.host.env, PATH: pathFor(program, io.host), ...added };
  try {
    return await io.runAttached({ command: program.file, args, env });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("codex_not_found", `${program.file} cannot be run: ${reason}`, { cause });
  }
}
