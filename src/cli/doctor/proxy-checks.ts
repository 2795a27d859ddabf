/**
 * Asks the proxy what a client would ask of it, short of a turn: is it there, does it take the key, does it list models, would it take a
 * turn over HTTP and over a WebSocket. Spends nothing.
 */
import { type IncomingHttpHeaders, request } from "node:http";
import { acceptKey } from "../../base/ws-handshake.ts";
import type { CliIo } from "../io.ts";
import { callLoopback, dialable, type LoopbackRequest, readText } from "../loopback-http.ts";
import { error, type OwnFinding, ok } from "./finding.ts";

/** Longer than any healthy loopback answer, short enough to wait for. A model list may have to be fetched first. */
const ANSWER_DEADLINE_MS = 10_000;

export interface Asked {
  readonly status: number;
  readonly text: string;
  /** Why there was no answer at all, in words; null when there was one. */
  readonly failure: string | null;
}

/** One small question to our own listener. Never rejects but for an interruption. */
export function ask(io: CliIo, url: URL, options: LoopbackRequest = {}): Promise<Asked> {
  return within(io, async (signal) => {
    const answer = await callLoopback(url, { ...options, signal });
    return { status: answer.status, text: await readText(answer), failure: null };
  });
}

/** Opens a WebSocket as Codex does, and closes it. */
export function askSocket(io: CliIo, url: URL, headers: Readonly<Record<string, string>>): Promise<Asked> {
  // Sixteen bytes, as it must be; it keeps nothing secret (RFC 6455 §4.1).
  const key = Buffer.from("rotor-doctor-ask").toString("base64");
  const upgrade = {
    connection: "Upgrade",
    upgrade: "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": key,
  };
  return within(
    io,
    (signal) =>
      new Promise((resolve, reject) => {
        const call = request(url, { method: "GET", headers: { ...headers, ...upgrade }, signal, agent: false });
        call.once("upgrade", (answer, socket) => {
          // A close frame (1000), masked as clients must.
          socket.end(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]));
          socket.on("error", () => {});
          resolve(upgraded(answer.statusCode ?? 0, answer.headers, key));
        });
        call.once("response", (answer) => {
          const chunks: Buffer[] = [];
          answer.on("data", (chunk: Buffer) => chunks.push(chunk));
          answer.once("error", reject);
          answer.once("end", () =>
            resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString(), failure: null }),
          );
        });
        call.once("error", reject);
        call.end();
      }),
  );
}

function upgraded(status: number, headers: IncomingHttpHeaders, key: string): Asked {
  const isRight = headers["sec-websocket-accept"] === acceptKey(key);
  return { status, text: "", failure: isRight ? null : "what answers there speaks no WebSocket of ours" };
}

async function within(io: CliIo, work: (signal: AbortSignal) => Promise<Asked>): Promise<Asked> {
  const abort = new AbortController();
  const timer = io.clock.after(ANSWER_DEADLINE_MS, () => abort.abort());
  try {
    return await work(AbortSignal.any([abort.signal, io.interrupted]));
  } catch (thrown) {
    io.interrupted.throwIfAborted();
    const why = abort.signal.aborted ? `no answer in ${ANSWER_DEADLINE_MS / 1_000} s` : messageOf(thrown);
    return { status: 0, text: "", failure: why };
  } finally {
    timer.cancel();
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error && thrown.message !== "" ? thrown.message : "the connection failed";
}

/** What needs no key. */
export async function checkProxy(io: CliIo, proxyUrl: string): Promise<OwnFinding[]> {
  if (proxyUrl === "") return [error("proxy.answers", "the proxy does not listen", "rotor log")];
  const base = dialable(proxyUrl);
  const health = await ask(io, new URL("/health", base));
  if (health.failure !== null)
    return [error("proxy.answers", `${base.origin} cannot be reached: ${health.failure}`, "rotor down && rotor up")];
  if (health.status !== 200) return [error("proxy.answers", `${base.origin} answers ${health.status}`, "rotor log")];
  const head = await ask(io, new URL("/v1/responses", base), { method: "HEAD" });
  const turns =
    head.failure === null && head.status < 500
      ? ok("proxy.turns", "the proxy takes turns over HTTP (HEAD …/responses)")
      : error("proxy.turns", `HEAD …/responses: ${head.failure ?? `answers ${head.status}`}`, "rotor log");
  return [ok("proxy.answers", `${base.origin} answers`), turns];
}
