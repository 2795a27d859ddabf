/**
 * Asks the proxy what needs no key: is it there, and would it take a turn. Spends nothing.
 */
import type { CliIo } from "../io.ts";
import { callLoopback, type LoopbackRequest, readText } from "../loopback-http.ts";
import { error, type OwnFinding, ok } from "./finding.ts";

/** Longer than any healthy loopback answer, short enough to wait for. A model list may have to be fetched first. */
const ANSWER_DEADLINE_MS = 10_000;

interface Asked {
  readonly status: number;
  readonly text: string;
  /** Why there was no answer at all, in words; null when there was one. */
  readonly failure: string | null;
}

/** One small question to our own listener. Never rejects but for an interruption. */
function ask(io: CliIo, url: URL, options: LoopbackRequest = {}): Promise<Asked> {
  return within(io, async (signal) => {
    const answer = await callLoopback(url, { ...options, signal });
    return { status: answer.status, text: await readText(answer), failure: null };
  });
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

/** Where to dial a listener on this machine: the wildcard is no address. */
function dialable(proxyUrl: string): URL {
  const url = new URL(proxyUrl);
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = "127.0.0.1";
  return url;
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
