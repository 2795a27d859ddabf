/**
 * The answer to a WebSocket handshake, from bytes: either the upgrade, or an HTTP answer like any other. Reads one head, and of a refusal as
 * much of its body as is of use; whether an upgrade is the one that was asked for is checked here.
 */
import type { HeaderList } from "../base/header-list.ts";
import { headerValue } from "../base/header-list.ts";
import { acceptKey, offersDeflate } from "../base/ws-handshake.ts";
import { AnswerQueue } from "./answer-queue.ts";
import { type BodyDecoder, createBodyDecoder } from "./body-decoder.ts";
import { type HttpAnswer, HttpFault } from "./http-client.ts";
import { HEAD_MAX_BYTES, parseHead } from "./response-head.ts";

export type UpgradeAnswer =
  | { readonly kind: "opened"; readonly headers: HeaderList; readonly deflate: boolean; readonly rest: Uint8Array }
  | { readonly kind: "refused"; readonly answer: HttpAnswer };

const HEAD_END = Buffer.from("\r\n\r\n");
const UPGRADED = /^HTTP\/1\.1 101(?: |$)/;

interface Refusal {
  readonly queue: AnswerQueue;
  readonly decoder: BodyDecoder;
}

export class UpgradeReader {
  readonly #key: string;
  readonly #giveUp: () => void;
  #received: Buffer = Buffer.alloc(0);
  #refusal: Refusal | null = null;
  #untilClose = false;

  /** `key` is what was sent as `sec-websocket-key`. */
  constructor(key: string, giveUp: () => void) {
    this.#key = key;
    this.#giveUp = giveUp;
  }

  /** The answer once its head is whole; null before and after. Throws an HttpFault. */
  feed(bytes: Buffer): UpgradeAnswer | null {
    if (this.#refusal !== null) {
      this.#readBody(this.#refusal, bytes);
      return null;
    }
    this.#received = Buffer.concat([this.#received, bytes]);
    const end = this.#received.indexOf(HEAD_END);
    if ((end === -1 ? this.#received.length : end) > HEAD_MAX_BYTES) throw malformed("its head is too long");
    if (end === -1) return null;
    const text = this.#received.toString("latin1", 0, end);
    const rest = this.#received.subarray(end + HEAD_END.length);
    this.#received = Buffer.alloc(0);
    return UPGRADED.test(text) ? this.#upgraded(text, rest) : this.#refused(text, rest);
  }

  /** All of a refusal is here: the connection is of no more use. */
  get isDone(): boolean {
    return this.#refusal?.decoder.done === true;
  }

  /** The connection ended: so does a body that goes on until then, and one that does not was cut. */
  ended(isBroken: boolean): void {
    if (this.#refusal === null) return;
    const { queue, decoder } = this.#refusal;
    if (decoder.done || (!isBroken && this.#untilClose)) queue.end();
    else queue.fail(new HttpFault("ECONNRESET"));
  }

  #upgraded(text: string, rest: Uint8Array): UpgradeAnswer {
    // As a head like any other it is read by the same strict rules; the status is what only a handshake may have.
    const { headers } = parseHead(text.replace(UPGRADED, "HTTP/1.1 204 "), "GET");
    if (headerValue(headers, "upgrade")?.toLowerCase() !== "websocket") throw malformed("no WebSocket");
    if (headerValue(headers, "sec-websocket-accept") !== acceptKey(this.#key)) throw malformed("another key");
    const extensions = headerValue(headers, "sec-websocket-extensions");
    const deflate = offersDeflate(extensions);
    if (deflate && !/server_no_context_takeover/i.test(extensions!)) throw malformed("a compression nobody asked for");
    return { kind: "opened", headers, deflate, rest };
  }

  #refused(text: string, rest: Uint8Array): UpgradeAnswer {
    const { status, headers, framing } = parseHead(text, "GET");
    const queue = new AnswerQueue({ rest() {}, resume() {}, giveUp: this.#giveUp });
    this.#refusal = { queue, decoder: createBodyDecoder(framing) };
    this.#untilClose = framing.kind === "close";
    this.#readBody(this.#refusal, rest);
    return { kind: "refused", answer: { status, headers, reader: framing.kind === "none" ? null : queue } };
  }

  #readBody({ queue, decoder }: Refusal, bytes: Uint8Array): void {
    const payload = decoder.feed(bytes);
    if (payload.length > 0) queue.push(payload, decoder.done);
    if (!decoder.done) return;
    queue.end();
  }
}

function malformed(what: string): HttpFault {
  return new HttpFault("Malformed_HTTP_Response", `the handshake's answer is wrong: ${what}`);
}
