/**
 * What of a client's request goes to which account: everything as it came, less what only another account can read or route by. Remembers what
 * was taken out; decides nothing about attempts.
 */
import { type BodyBytes, wholeOf } from "../base/body-bytes.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../base/header-list.ts";
import type { AccountId } from "../domain/account.ts";
import type { Settings } from "../domain/setting.ts";
import type { AttemptRequest } from "../upstream/upstream.ts";
import type { ExchangeRequest } from "./engine.ts";
import { canStrip, stripForeign, withoutTurnState } from "./strip-foreign.ts";

const TURN_STATE: ReadonlySet<string> = new Set(["x-codex-turn-state"]);
const CONTENT_ENCODING: ReadonlySet<string> = new Set(["content-encoding"]);
/** The one path that upstream serves over a WebSocket. */
const SOCKET_PATH = /^\/codex\/responses(?:\?|$)/;

export type SentForm = Pick<AttemptRequest, "headers" | "body" | "socket">;

export class AttemptForm {
  readonly #request: ExchangeRequest;
  #body: BodyBytes | null;
  /** The same without an encoding. */
  #plain: BodyBytes | null;
  #headers: HeaderList;
  stripped = false;

  constructor(request: ExchangeRequest) {
    this.#request = request;
    this.#body = request.body;
    this.#plain = request.plainBody;
    this.#headers = request.headers;
  }

  get canStrip(): boolean {
    return canStrip(this.#plain);
  }

  strip(): void {
    this.stripped = true;
    const stripped = stripForeign(this.#plain!);
    if (stripped !== null) this.#body = this.#plain = stripped;
    this.#headers = withoutHeaders(this.#headers, CONTENT_ENCODING);
  }

  /** `home` is where the conversation lives. `x-codex-turn-state` routes within one account; on another one it misroutes or is refused (wire §7). */
  for(accountId: AccountId, home: AccountId | null, transport: Settings["upstream_transport"]): SentForm {
    const isForeign = home !== accountId && headerValue(this.#headers, "x-codex-turn-state") !== null;
    const headers = isForeign ? withoutHeaders(this.#headers, TURN_STATE) : this.#headers;
    return { headers, body: this.#body, socket: this.#socketFor(accountId, isForeign, transport) };
  }

  #socketFor(
    accountId: AccountId,
    isForeign: boolean,
    transport: Settings["upstream_transport"],
  ): AttemptRequest["socket"] {
    const { socket, conversation, stream, upstreamPath } = this.#request;
    const warmUp = socket?.warmUp ?? false;
    const isWanted = transport === "websocket" || (transport === "auto" && socket !== null);
    if (!isWanted || !stream || this.#plain === null || !SOCKET_PATH.test(upstreamPath)) {
      return warmUp ? { key: null, body: null, since: null, warmUp } : null;
    }
    // A client's own WebSocket has the state inside the request, too.
    const body = isForeign && socket !== null ? withoutTurnState(wholeOf(this.#plain)) : this.#plain;
    const key = conversation === null ? null : `${accountId} ${conversation}`;
    return { key, body, since: this.stripped || isForeign ? null : (socket?.since ?? null), warmUp };
  }
}
