/**
 * An attempt over a WebSocket: puts the request into the form that a WebSocket has, and says when there is none to be had, so that HTTP carries
 * it. After upstream said that it speaks none, or failed to open one several times, it is left alone for a while.
 */
import { type BodyBytes, piecesOf } from "../base/body-bytes.ts";
import type { Clock } from "../base/clock.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../base/header-list.ts";
import type { Log } from "../base/log.ts";
import type { AttemptGuard } from "./attempt-guard.ts";
import type { HttpAnswer } from "./http-client.ts";
import { NoSocket } from "./socket-handshake.ts";
import type { SocketPool } from "./socket-pool.ts";
import type { AttemptRequest, AttemptSocket } from "./upstream.ts";

/** 426 is upstream's word that it will not; nothing changes that within minutes. */
const REFUSED_MS = 10 * 60_000;
/** Handshakes that fail one after the other: something in between does not let them through. */
const FAILURES_MAX = 3;
const FAILED_MS = 60_000;
const UPGRADE_REQUIRED = "426";

export class SocketTransport {
  readonly #pool: SocketPool;
  readonly #clock: Clock;
  readonly #log: Log;
  #failures = 0;
  #restsUntilMs = 0;

  constructor(options: { pool: SocketPool; clock: Clock; log: Log }) {
    this.#pool = options.pool;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** null when HTTP is to carry it; rejects as an HTTP client does. `headers` are those that it would have over HTTP. */
  async answer(
    request: AttemptRequest,
    socket: AttemptSocket & { readonly body: BodyBytes },
    headers: HeaderList,
    guard: AttemptGuard,
  ): Promise<HttpAnswer | null> {
    if (this.#clock.monotonicMs() < this.#restsUntilMs) return null;
    const { since, warmUp } = socket;
    const call = this.#pool.send({
      path: request.path,
      headers: handshakeHeaders(headers),
      key: socket.key,
      message: messageOf(socket.body, warmUp),
      since: since === null ? null : { responseId: since.responseId, message: messageOf(since.body, warmUp) },
      connectMs: request.timeouts.connectMs,
    });
    guard.watch(call);
    try {
      const answer = await call.answer;
      this.#failures = 0;
      return answer;
    } catch (thrown) {
      if (!(thrown instanceof NoSocket) || guard.stopped !== null) throw thrown;
      this.#note(thrown.code);
      return null;
    }
  }

  close(): void {
    this.#pool.close();
  }

  #note(code: string): void {
    this.#failures++;
    const isRefused = code === UPGRADE_REQUIRED;
    if (!isRefused && this.#failures < FAILURES_MAX) return;
    this.#failures = 0;
    const restMs = isRefused ? REFUSED_MS : FAILED_MS;
    this.#restsUntilMs = this.#clock.monotonicMs() + restMs;
    this.#log.info("upstream.websocket_rests", { code, for_seconds: restMs / 1_000 });
  }
}

/** Of a body and its transfer; a frame has neither. */
const BODY_ONLY: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "content-encoding",
  "content-type",
  "openai-beta",
]);
/** Announces this form of the protocol (wire §3.5). */
const BETA = "responses_websockets=2026-02-06";

function handshakeHeaders(headers: HeaderList): HeaderList {
  const said = headerValue(headers, "openai-beta");
  const beta = said === null ? BETA : `${said}, ${BETA}`;
  return [...withoutHeaders(headers, BODY_ONLY), ["openai-beta", beta]];
}

const CREATE = Buffer.from('{"type":"response.create",');
const WARM_UP = Buffer.from('"generate":false,');

/** `body` is a JSON object that has members. */
function messageOf(body: BodyBytes, warmUp: boolean): readonly Uint8Array[] {
  const [first = CREATE, ...rest] = piecesOf(body);
  const opening = first.indexOf(0x7b);
  return [CREATE, ...(warmUp ? [WARM_UP] : []), first.subarray(opening + 1), ...rest];
}
