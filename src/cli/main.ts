/**
 * The ctl: arguments in, exit code out. Never opens the store, never speaks to upstream; the daemon does both.
 */
import { AppError, ERROR_TABLE } from "../base/errors.ts";
import { type Paths, resolvePaths } from "../base/paths.ts";
import type { Command, Context } from "./command.ts";
import { COMMANDS } from "./command-table.ts";
import { type DaemonLink, findDaemon } from "./daemon-link.ts";
import { startDaemon } from "./daemon-start.ts";
import { failureJson, failureOf, failureText } from "./failure.ts";
import type { CliIo } from "./io.ts";
import { createPrinter, type Printer } from "./print.ts";
import { type GlobalOptions, parseArguments, wantsJson } from "./program.ts";

/** Runs one command line (without the program's name) and resolves with the exit code. Never rejects. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  const exit = await run(argv, io);
  await io.drained();
  return exit;
}

async function run(argv: readonly string[], io: CliIo): Promise<number> {
  let title = "rotor";
  const links: DaemonLink[] = [];
  const print = createPrinter(io, { json: wantsJson(argv, COMMANDS) });
  try {
    const parsed = parseArguments(argv, COMMANDS);
    if (parsed.kind === "help") {
      print.line(parsed.text);
      return 0;
    }
    if (parsed.kind === "version") {
      print.line(`rotor ${io.version}`);
      return 0;
    }
    title = `rotor ${parsed.command.path.join(" ")}`;
    const context = createContext({ io, print, title, command: parsed.command, global: parsed.global, links });
    return (await parsed.command.run(context, parsed.input)) ?? 0;
  } catch (thrown) {
    const failure = failureOf(io.interrupted.aborted ? interrupted(thrown) : thrown);
    print.failure(print.json ? failureJson(failure) : failureText(failure, title, io.clock.nowMs()));
    return (failure.code === "canceled" ? io.exitOfSignal() : null) ?? failure.exit;
  } finally {
    for (const link of links) link.close();
  }
}

/** Once we were told to stop, a broken connection is our own doing. */
function interrupted(thrown: unknown): unknown {
  // Whoever stopped tidily has already said what became of it.
  if (thrown instanceof AppError && thrown.code === "canceled") return thrown;
  const { code } = failureOf(thrown);
  if (code !== "daemon_unreachable" && code !== "canceled" && code !== "internal") return thrown;
  return new AppError("canceled", "stopped before it was done", { cause: thrown });
}

function createContext(given: {
  io: CliIo;
  print: Printer;
  title: string;
  command: Command;
  global: GlobalOptions;
  links: DaemonLink[];
}): Context {
  const { io, print, title, command, global, links } = given;
  const paths = resolvePaths(io.host);
  const kept: { link: Promise<DaemonLink> | null } = { link: null };
  const keep = (link: DaemonLink) => {
    links.push(link);
    warnOfVersion(link, io, print);
    return link;
  };
  const find = async (): Promise<DaemonLink> => {
    const running = await findDaemon(paths, io);
    if (running) return running;
    if (!command.starts || !global.start) throw notRunning(paths);
    const onSlow = () => print.note("starting the daemon …");
    const link = await startDaemon(io, paths, { args: [], onSlow });
    print.note(`rotor: started the daemon (pid ${link.daemon.pid}, proxy ${link.daemon.proxyUrl})`);
    return link;
  };
  const open = async (): Promise<DaemonLink> => {
    const link = await find();
    // It was on its way out when we came: its successor is asked instead.
    link.whenGone(async () => {
      const next = await find();
      next.close();
      return next.daemon.socketPath;
    });
    return keep(link);
  };
  return {
    io,
    print,
    paths,
    title,
    commands: COMMANDS,
    nowMs: () => io.clock.nowMs(),
    daemon: () => (kept.link ??= open()),
    async runningDaemon() {
      const link = await findDaemon(paths, io);
      return link && keep(link);
    },
    async daemonForTidying() {
      const link = await findDaemon(paths, { ...io, interrupted: new AbortController().signal });
      if (link) links.push(link);
      return link;
    },
  };
}

function notRunning(paths: Paths): AppError {
  return new AppError("daemon_unreachable", `no daemon runs for ${paths.dataDir}`, {
    hint: ERROR_TABLE.daemon_unreachable.hint,
  });
}

function warnOfVersion(link: DaemonLink, io: CliIo, print: Printer): void {
  const theirs = link.daemon.version;
  if (theirs === io.version) return;
  print.warning(
    `this is rotor ${io.version}, but the running daemon is ${theirs}; change over with: rotor down && rotor up`,
  );
}
