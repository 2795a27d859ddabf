/**
 * One attempt on one account over HTTP, whichever client carries it. Sends, waits, judges the answer, opens the stream; no retries, no choice of account.
 */
import type { Clock } from "../base/clock.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../base/header-list.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { withTimerLines } from "../base/timer-lines.ts";
import { NOTHING_OBSERVED, type Observation, type Outcome } from "../domain/outcome.ts";
import { AttemptGuard } from "./attempt-guard.ts";
import { readBounded, readerAfter, textOf } from "./bounded-body.ts";
import type { ByteReader } from "./byte-reader.ts";
import { readLimitHeaders } from "./codex-headers.ts";
import { judgeAnswer } from "./codex-outcome.ts";
import { createFetchClient } from "./fetch-client.ts";
import type { HttpAnswer, HttpCall, HttpClient, HttpClientName } from "./http-client.ts";
import { refusalAnswer } from "./refusal-answer.ts";
import { answerHeaders, DEFAULT_SELF, headersFor, type SelfDescription } from "./request-headers.ts";
import { createSocketClient } from "./socket-client.ts";
import { SocketPool } from "./socket-pool.ts";
import { SocketTransport } from "./socket-transport.ts";
import { laidOver, type StreamFacts } from "./stream-facts.ts";
import { type Opening, openStream } from "./stream-opening.ts";
import { tapBody } from "./stream-tap.ts";
import { outcomeOfThrown } from "./transport-failure.ts";
import { unpackAnswer } from "./unpack-answer.ts";
import type {
  AttemptRequest,
  AttemptSocket,
  FailedAttempt,
  OpenedAttempt,
  Upstream,
  UpstreamAnswer,
} from "./upstream.ts";
import { warmUpAnswer } from "./warm-up.ts";

export interface UpstreamOptions {
  /** E.g. `https://chatgpt.com/backend-api`. */
  readonly baseUrl: string;
  /** Our own HTTP over sockets unless something in between asks for `fetch` (`outgoing-proxy.ts`). */
  readonly client?: HttpClientName;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  /** What clients without a name of their own are announced as. */
  readonly self?: SelfDescription;
  /** Told the headers of every answer over HTTP, as they came. */
  readonly onAnswer?: (headers: HeaderList) => void;
}

type Attempted = FailedAttempt | OpenedAttempt;

export function createUpstream(options: UpstreamOptions): Upstream & Pick<HttpClient, "close"> {
  const { baseUrl, clock } = options;
  const http = options.client === "fetch" ? createFetchClient(baseUrl) : createSocketClient({ baseUrl, clock });
  // What stands in between and wants `fetch` seldom lets a WebSocket through.
  const pool = options.client === "fetch" ? null : new SocketPool(options);
  const sockets = pool === null ? null : new SocketTransport({ pool, clock, log: options.log });
  const client = new CodexClient({ ...options, clock: withTimerLines(clock) }, http, sockets);
  const close = () => {
    http.close();
    sockets?.close();
  };
  return { attempt: (request) => client.attempt(request), close };
}

class CodexClient {
  readonly #http: HttpClient;
  readonly #sockets: SocketTransport | null;
  readonly #clock: Clock;
  readonly #dice: Dice;
  readonly #log: Log;
  readonly #self: SelfDescription;
  readonly #onAnswer: UpstreamOptions["onAnswer"];

  constructor(options: UpstreamOptions, http: HttpClient, sockets: SocketTransport | null) {
    this.#http = http;
    this.#sockets = sockets;
    this.#dice = options.dice;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#self = options.self ?? DEFAULT_SELF;
    this.#onAnswer = options.onAnswer;
  }

  async attempt(request: AttemptRequest): Promise<Attempted> {
    if (request.signal.aborted) return failed({ kind: "client_gone" });
    const guard = new AttemptGuard(this.#clock, request);
    let received: HttpAnswer;
    try {
      const headers = headersFor(request.headers, request.accessToken, request.workspaceId, this.#self);
      const other = request.socket === null ? null : await this.#withoutHttp(request, request.socket, headers, guard);
      received = other ?? (await this.#byHttp(request, headers, guard).answer);
      if (other === null) this.#onAnswer?.(received.headers);
    } catch (thrown) {
      guard.close();
      return failed(guard.outcome() ?? outcomeOfThrown(thrown));
    }
    const { status, reader } = received;
    const told = { status, headers: answerHeaders(received.headers), reader };
    const answer = request.unpack ? unpackAnswer(told) : told;
    const { headers } = answer;
    if (!isSuccess(answer.status)) return await this.#refused(request, guard, answer);
    if (request.stream && !isPacked(headers)) {
      const opening = isEventStream(headers)
        ? this.#stream(request, guard, answer)
        : this.#strange(request, guard, answer);
      // Awaited: a promise that an async function returns as it is takes three turns of the queue instead of one.
      return opening instanceof Promise ? await opening : opening;
    }
    guard.answered();
    const { body, end } = tapBody({ reader: answer.reader, guard });
    const observation = readLimitHeaders(headers, this.#clock.nowMs());
    return { kind: "opened", status: answer.status, headers, body, observation, end };
  }

  /** null when HTTP is to carry it. */
  async #withoutHttp(
    request: AttemptRequest,
    socket: AttemptSocket,
    headers: HeaderList,
    guard: AttemptGuard,
  ): Promise<HttpAnswer | null> {
    if (socket.body !== null && this.#sockets !== null) {
      const answer = await this.#sockets.answer(request, { ...socket, body: socket.body }, headers, guard);
      if (answer !== null) return answer;
    }
    return socket.warmUp ? warmUpAnswer(this.#dice, this.#clock.nowMs()) : null;
  }

  #byHttp(request: AttemptRequest, headers: HeaderList, guard: AttemptGuard): HttpCall {
    const { method, path, body, timeouts } = request;
    const call = this.#http.send({ method, path, headers, body, connectMs: timeouts.connectMs });
    guard.watch(call);
    return call;
  }

  /** At once when what has come decides it already. */
  #stream(request: AttemptRequest, guard: AttemptGuard, answer: HttpAnswer): Attempted | Promise<Attempted> {
    const seen = readLimitHeaders(answer.headers, this.#clock.nowMs());
    if (answer.reader === null) {
      guard.close();
      return failed(EMPTY, seen);
    }
    const opening = openStream(answer.reader, guard, this.#clock, request);
    if (!(opening instanceof Promise)) return attempted(opening, guard, answer, seen);
    return opening.then((decided) => attempted(decided, guard, answer, seen));
  }

  async #refused(
    request: AttemptRequest,
    guard: AttemptGuard,
    { status, headers, reader }: HttpAnswer,
  ): Promise<FailedAttempt> {
    guard.answered();
    const { bytes, whole } = await readBounded(reader, guard);
    guard.close();
    if (guard.stopped === "client") return failed({ kind: "client_gone" });
    const text = textOf(bytes, headerValue(headers, "content-encoding"));
    const verdict = judgeAnswer({ status, headers, text, stream: request.stream }, this.#clock.nowMs());
    return failed(verdict.outcome, verdict.observation, whole ? { status, headers, body: bytes } : null);
  }

  /**
   * A stream was asked for and a 2xx names something else: events under a wrong name, a page of whatever stands in between, or an error.
   */
  async #strange(request: AttemptRequest, guard: AttemptGuard, answer: HttpAnswer): Promise<Attempted> {
    const contentType = headerValue(answer.headers, "content-type");
    this.#log.warn("upstream.answered_strangely", { status: answer.status, content_type: contentType });
    const reader = answer.reader === null ? null : await this.#peeked(answer.reader, guard);
    if (reader?.isEvents) return this.#stream(request, guard, { ...answer, reader: reader.again });
    const { outcome, observation } = await this.#refused(request, guard, { ...answer, reader: reader?.again ?? null });
    // It is no answer to pass on: a client that reads it as an empty stream would ask again at once.
    return failed(outcome, observation);
  }

  /** Do the first bytes look like events? They are read again by whoever reads on. */
  async #peeked(reader: ByteReader, guard: AttemptGuard): Promise<{ isEvents: boolean; again: ByteReader }> {
    try {
      const first = await reader.read();
      const start = new TextDecoder().decode(first.value?.subarray(0, 16));
      return { isEvents: /^(?:data|event|id|retry)?:/.test(start), again: readerAfter(first, reader) };
    } catch {
      // The next read says it again, to those who know what to do about it.
      return { isEvents: guard.stopped !== null, again: reader };
    }
  }
}

const EMPTY: Outcome = { kind: "upstream_failed", status: 200, message: "the stream has no body", retryAtMs: null };

function failed(
  outcome: Outcome,
  observation: Observation = NOTHING_OBSERVED,
  answer: UpstreamAnswer | null = null,
): FailedAttempt {
  return { kind: "failed", outcome, observation, answer };
}

function attempted(
  opening: Opening,
  guard: AttemptGuard,
  { status, headers }: HttpAnswer,
  seen: Observation,
): Attempted {
  const observation = withFacts(seen, opening.facts);
  if (opening.kind === "opened") {
    const { body, end } = opening.tap;
    return { kind: "opened", status, headers: namedAsEvents(headers), body, observation, end };
  }
  guard.close();
  const { outcome, facts } = opening;
  const isRefused = outcome.kind === "request_rejected" && facts.refusal !== null;
  const refusal = isRefused ? refusalAnswer(outcome.status, headers, facts.refusal!) : null;
  return failed(outcome, observation, refusal);
}

function withFacts(seen: Observation, facts: StreamFacts): Observation {
  if (facts.windows.length === 0 && facts.tier === null) return seen;
  const { windows, tier, credits } = facts;
  return {
    windows: laidOver(seen.windows, windows),
    from: "event",
    tier: tier ?? seen.tier,
    credits: credits ?? seen.credits,
    resetCredits: seen.resetCredits,
  };
}

/** 304 answers a conditional question as well as 200 does. */
function isSuccess(status: number): boolean {
  return (status >= 200 && status < 300) || status === 304;
}

function isEventStream(headers: HeaderList): boolean {
  const type = headerValue(headers, "content-type");
  // Without a type the bytes decide, and only an event stream was asked for.
  return type === null || type.trim().toLowerCase().startsWith("text/event-stream");
}

const CONTENT_TYPE: ReadonlySet<string> = new Set(["content-type"]);

/** Whoever reads the head alone (the fold, the filter, an SDK) must not be misled by a name that upstream got wrong or left out. */
function namedAsEvents(headers: HeaderList): HeaderList {
  if (headerValue(headers, "content-type") !== null && isEventStream(headers)) return headers;
  return [...withoutHeaders(headers, CONTENT_TYPE), ["content-type", "text/event-stream"]];
}

function isPacked(headers: HeaderList): boolean {
  const encoding = headerValue(headers, "content-encoding")?.trim().toLowerCase();
  return encoding !== undefined && encoding !== "" && encoding !== "identity";
}
