/**
 * `rotor up | down | version | path`: the daemon itself and where its things are.
 */

import { create } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import type { Paths } from "../../base/paths.ts";
import { COMMIT } from "../../base/version.ts";
import {
  type Daemon,
  GetDaemonResponseSchema,
  StopDaemonResponseSchema,
} from "../../gen/rotor/v1/daemon_service_pb.ts";
import type { Command, Context } from "../command.ts";
import { isLost } from "../daemon-connection.ts";
import { findDaemon, pidAt } from "../daemon-link.ts";
import { runForeground, startDaemon } from "../daemon-start.ts";
import type { ExitCode } from "../failure.ts";
import { isAlive } from "../process-table.ts";
import { notFound } from "../resolve.ts";
import { renderFacts } from "../text/table.ts";

/** Open streams get a few seconds to end; after this long the daemon is stuck. */
const STOP_DEADLINE_MS = 30_000;
const POLL_MS = 25;

const up: Command = {
  path: ["up"],
  summary: "start the daemon, or say where it runs",
  details: [
    "Other commands start it by themselves. --foreground keeps it on this terminal with its log on stderr, as service managers want it.",
  ],
  options: [
    { name: "foreground", about: "stay attached until stopped" },
    {
      name: "host",
      value: "HOST",
      about: "where the proxy listens, 127.0.0.1 unless told; anything else lends out your logins",
    },
    { name: "port", value: "PORT", about: "port of the proxy, 4747 unless told; 0 takes a free one" },
  ],
  starts: true,
  async run(context, input) {
    const { io, paths, print } = context;
    const args = listenerArguments(input.value("host"), input.value("port"));
    const running = await context.runningDaemon();
    if (running !== null) {
      if (args.length > 0 || input.has("foreground")) throw alreadyRunning(running.daemon);
      if (!print.asJson(GetDaemonResponseSchema, response(running.daemon)))
        print.line(upLine("runs already", running.daemon));
      return 0;
    }
    if (input.has("foreground")) return foregroundExit(await runForeground(io, args));
    const link = await startDaemon(io, paths, { args, onSlow: () => print.note("starting the daemon …") });
    try {
      warnOfNetwork(context, link.daemon.proxyUrl);
      if (print.asJson(GetDaemonResponseSchema, response(link.daemon))) return 0;
      print.line(upLine("is up", link.daemon));
      return 0;
    } finally {
      link.close();
    }
  },
};

/** Whoever reaches the proxy and holds a key spends these logins, in the clear. */
function warnOfNetwork({ print }: Context, proxyUrl: string): void {
  if (proxyUrl === "" || ["127.0.0.1", "localhost", "[::1]"].includes(new URL(proxyUrl).hostname)) return;
  print.warning(
    `the proxy listens beyond this machine (${proxyUrl}), without TLS: whoever has a client key can use your accounts`,
  );
}

function foregroundExit(code: number): ExitCode {
  return code >= 0 && code <= 5 ? (code as ExitCode) : 1;
}

function response(daemon: Daemon) {
  return create(GetDaemonResponseSchema, { daemon });
}

function upLine(what: string, daemon: Daemon): string {
  return `rotor ${daemon.version} ${what} (pid ${daemon.pid}), proxy on ${daemon.proxyUrl || "no address"}`;
}

function alreadyRunning(daemon: Daemon): AppError {
  return new AppError("already_running", `a daemon runs already (pid ${daemon.pid}, proxy ${daemon.proxyUrl})`, {
    hint: "rotor down",
  });
}

function listenerArguments(host: string | null, port: string | null): string[] {
  if (port !== null && !(/^\d{1,5}$/.test(port) && Number(port) <= 65_535)) {
    throw new AppError("bad_usage", `--port takes a number from 0 to 65535, not ${port}`, { hint: "rotor help up" });
  }
  return [...(host === null ? [] : ["--host", host]), ...(port === null ? [] : ["--port", port])];
}

const down: Command = {
  path: ["down"],
  summary: "stop the daemon; open requests get a few seconds",
  starts: false,
  async run(context) {
    const { print } = context;
    const link = await context.runningDaemon();
    if (link === null) {
      if (!print.asJson(StopDaemonResponseSchema, create(StopDaemonResponseSchema))) print.note("no daemon runs");
      return;
    }
    const { pid, socketPath } = link.daemon;
    await link.daemons.stopDaemon({}).catch((cause) => {
      // Somebody else stopped it in the same moment: that is all that was wanted.
      if (context.io.interrupted.aborted || !isLost(cause)) throw cause;
    });
    link.close();
    await waitUntilGone(context, socketPath, Number(pid));
    if (!print.asJson(StopDaemonResponseSchema, create(StopDaemonResponseSchema)))
      print.note(`stopped the daemon (pid ${pid})`);
  },
};

/** Another one may answer there by now: what counts is that this one does not. From another container its pid says nothing, its socket does. */
async function waitUntilGone({ io }: Context, socket: string, pid: number): Promise<void> {
  const deadlineMs = io.clock.monotonicMs() + STOP_DEADLINE_MS;
  while (isAlive(pid) || (await pidAt(socket, io)) === pid) {
    if (io.clock.monotonicMs() > deadlineMs) {
      throw new AppError("internal", `the daemon (pid ${pid}) has not ended after 30 s`, { hint: `kill ${pid}` });
    }
    await io.clock.sleep(POLL_MS, io.interrupted);
  }
}

const version: Command = {
  path: ["version"],
  summary: "version of this program and of the running daemon",
  starts: false,
  async run({ io, paths, print }) {
    const link = await findDaemon(paths, io).catch(() => null);
    const daemonVersion = link?.daemon.version ?? null;
    link?.close();
    if (print.json) return void print.value({ version: io.version, commit: COMMIT, daemon_version: daemonVersion });
    print.line(`rotor ${io.version}`);
    if (daemonVersion === null) print.note("no daemon runs");
    else if (daemonVersion === io.version) print.note("the daemon is the same version");
    else print.warning(`the running daemon is ${daemonVersion}; change over with: rotor down && rotor up`);
  },
};

/** Places by the names that `rotor path NAME` takes. */
const PLACES: readonly (readonly [name: string, of: (paths: Paths) => string, about: string])[] = [
  ["data", (paths) => paths.dataDir, "folder of the store"],
  ["database", (paths) => paths.database, "the store"],
  ["config", (paths) => paths.configFile, "config file"],
  ["key", (paths) => paths.keyFile, "key file that opens the stored logins"],
  ["socket", (paths) => paths.socket, "control socket"],
  ["log", (paths) => paths.logFile, "log file"],
  ["backups", (paths) => paths.backupDir, "folder of the backups"],
];

const path: Command = {
  path: ["path"],
  summary: "where everything is kept",
  args: [
    {
      name: "NAME",
      about: "one of them, alone: data, database, config, key, socket, log, backups",
      optional: true,
      completes: PLACES.map(([name]) => name),
    },
  ],
  examples: ['buf curl --unix-socket "$(rotor path socket)" …'],
  starts: false,
  async run({ io, paths, print }, input) {
    const wanted = input.arg(0);
    const actual = placesInUse(paths, io.host.env.ROTOR_SOCKET ? null : await socketInUse(paths, io));
    if (wanted !== null) {
      const found = PLACES.find(([name]) => name === wanted);
      if (!found) {
        const message = notFound(
          "place",
          wanted,
          PLACES.map(([name]) => name),
        );
        throw new AppError("bad_usage", message, { hint: "rotor path" });
      }
      if (print.json) return void print.value({ [wanted]: found[1](actual) });
      return void print.line(found[1](actual));
    }
    if (print.json) return void print.value(Object.fromEntries(PLACES.map(([name, of]) => [name, of(actual)])));
    const facts = PLACES.map(([name, of]): [string, string] => [name, of(actual)]);
    for (const line of renderFacts(facts, null)) print.line(line);
  },
};

/** A daemon that was started from another environment may listen elsewhere than we would compute. */
async function socketInUse(paths: Paths, io: Context["io"]): Promise<string | null> {
  const link = await findDaemon(paths, io).catch(() => null);
  link?.close();
  return link?.daemon.socketPath ?? null;
}

function placesInUse(paths: Paths, socket: string | null): Paths {
  return socket === null ? paths : { ...paths, socket };
}

export const daemonCommands: readonly Command[] = [up, down, version, path];
