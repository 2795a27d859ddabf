/**
 * The plugin's tie to the daemon: finds it, starts it when that is allowed, shakes hands, and notices when it is another one than before.
 * Holds the one secret of the plugin, the key of its handshake, in memory alone; it is shown to the daemon that gave it and to nobody else.
 */
import { spawn } from "node:child_process";
import { exceptHost } from "./loopback.ts";
import { type DaemonNote, dataFolder, findRotor, isOurs, type PluginOptions, readNote } from "./places.ts";
import { projectKey } from "./project.ts";
import { call, RpcError } from "./rpc.ts";
import { VERSION } from "./version.ts";
import type { Handshake, News } from "./wire.ts";

export interface Link {
  /** Shakes hands when there is need: the first time, with a daemon that is another one, or after `forget`. Rejects with words for a person. */
  greet(): Promise<Handshake>;
  /** What the last handshake said is not good any more. */
  forget(): void;
  /** A call of the control API. */
  call<T>(method: string, body?: object, limitMs?: number): Promise<T>;
  /** Tells the daemon what happened here; whether it hears is not worth an error. */
  report(news: News): Promise<void>;
  readonly options: PluginOptions;
}

/** A key is good for half a day; once an hour is early enough, and brings newer models along. */
const GREET_EVERY_MS = 3_600_000;
const START_LIMIT_MS = 20_000;
/** After a start that failed: every request of a conversation would try again, and wait each time. */
const START_PAUSE_MS = 10_000;
const REPORTS_AT_ONCE = 8;

export interface LinkFacts {
  readonly client: string;
  readonly clientVersion: string;
  readonly directory: string;
}

export function createLink(options: PluginOptions, facts: LinkFacts): Link {
  // One process makes several, never two in one moment; and a guess of it gains nobody anything.
  const instance = `${Date.now().toString(36)}-${Math.round(performance.now() * 1_000).toString(36)}`;
  let greeted: { readonly note: string; readonly atMs: number; readonly answer: Handshake } | null = null;
  let greeting: Promise<Handshake> | null = null;
  let key = "";
  let startFailed: { readonly atMs: number; readonly error: Error } | null = null;
  let reports = 0;

  const start = async (): Promise<DaemonNote> => {
    if (startFailed !== null && Date.now() - startFailed.atMs < START_PAUSE_MS) throw startFailed.error;
    try {
      await startDaemon(options);
      const note = readNote(options);
      if (note === null) throw new Error("rotor up ended, and no daemon is there");
      return note;
    } catch (error) {
      startFailed = { atMs: Date.now(), error: error as Error };
      throw error;
    }
  };
  const shake = async (note: DaemonNote): Promise<Handshake> => {
    if (process.platform !== "win32" && !isOurs(note.socket))
      throw new RpcError(`${note.socket} is not there, or belongs to somebody else`, "unavailable");
    const answer = await call<Handshake>(note.socket, "ClientService/GetClientHandshake", {
      client: facts.client,
      clientVersion: facts.clientVersion,
      linkVersion: VERSION,
      pid: process.pid,
      instance,
      directory: facts.directory,
      projectKey: projectKey(facts.directory),
      profile: options.profile ?? "",
      accountId: options.account ?? "",
      key,
    });
    key = answer.key ?? "";
    return { ...answer, proxyUrl: dialled(answer.proxyUrl ?? "") };
  };
  /** A note may outlive a daemon that was killed: one that nobody answers for is as good as none. */
  const reach = async (): Promise<{ note: DaemonNote; answer: Handshake }> => {
    const note = readNote(options);
    if (note !== null) {
      try {
        return { note, answer: await shake(note) };
      } catch (error) {
        if (!(error instanceof RpcError) || error.code !== "unavailable" || options.start === false) throw error;
      }
    } else if (options.start === false) throw new Error(`no daemon runs for ${dataFolder(options)}`);
    const started = await start();
    return { note: started, answer: await shake(started) };
  };
  const link: Link = {
    options,
    greet() {
      if (greeting !== null) return greeting;
      const isFresh = greeted !== null && Date.now() - greeted.atMs < GREET_EVERY_MS;
      if (greeted !== null && isFresh && readNote(options)?.text === greeted.note)
        return Promise.resolve(greeted.answer);
      greeting = reach()
        .then(({ note, answer }) => {
          greeted = { note: note.text, atMs: Date.now(), answer };
          return answer;
        })
        .finally(() => {
          greeting = null;
        });
      return greeting;
    },
    forget() {
      greeted = null;
    },
    async call(method, body, limitMs) {
      const note = readNote(options);
      if (note === null) throw new RpcError("no daemon runs", "unavailable", "rotor up");
      return await call(note.socket, method, body, limitMs);
    },
    async report({ kind, ...news }) {
      if (reports >= REPORTS_AT_ONCE || greeted === null) return;
      reports++;
      try {
        const { client } = greeted.answer;
        await link.call(
          "ClientService/ReportClientEvent",
          { ...news, kind: `CLIENT_EVENT_KIND_${kind}`, clientId: client?.id ?? "" },
          2_000,
        );
      } catch (error) {
        if (error instanceof RpcError && error.code === "client_not_found") link.forget();
      } finally {
        reports--;
      }
    },
  };
  return link;
}

/** A proxy that listens on every interface is dialled on loopback; and never through another proxy. */
function dialled(proxyUrl: string): string {
  const url = new URL(proxyUrl);
  if (["0.0.0.0", "[::]", "localhost"].includes(url.hostname)) url.hostname = "127.0.0.1";
  exceptHost(url.hostname);
  return url.origin;
}

/** `rotor up` waits until the daemon answers, and ends; the daemon goes on without us. */
function startDaemon(options: PluginOptions): Promise<void> {
  const rotor = findRotor(options);
  if (rotor === null) return Promise.reject(new Error("no daemon runs, and the program rotor was not found"));
  const env = { ...process.env, ...(options.home === undefined ? {} : { ROTOR_HOME: options.home }) };
  return new Promise((resolve, reject) => {
    const child = spawn(rotor, ["up"], { env, stdio: ["ignore", "ignore", "pipe"], windowsHide: true });
    let words = "";
    const timer = setTimeout(() => child.kill(), START_LIMIT_MS);
    timer.unref?.();
    child.stderr.on("data", (chunk: Buffer) => {
      words = `${words}${chunk.toString("utf8")}`.slice(-600);
    });
    child.on("error", (error) => {
      clearTimeout(timer);
      reject(new Error(`${rotor} could not be started: ${error.message}`));
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      if (code === 0) resolve();
      else reject(new Error(words.trim().split("\n")[0] || `rotor up ended with ${code ?? "a signal"}`));
    });
  });
}
