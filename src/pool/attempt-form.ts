/**
 * What of a client's request goes to which account: everything as it came, less what only another account can read or route by. Remembers what
 * was taken out; decides nothing about attempts.
 */
import { type BodyBytes, wholeOf } from "../base/body-bytes.ts";
import { type HeaderList, headerValue, withoutHeaders } from "../base/header-list.ts";
import type { Account, AccountId } from "../domain/account.ts";
import type { Settings } from "../domain/setting.ts";
import type { AttemptRequest } from "../upstream/upstream.ts";
import type { ExchangeRequest } from "./engine.ts";
import type { SealMemory } from "./seal-memory.ts";
import { canStrip, stripForeign, withoutTurnState } from "./strip-foreign.ts";

const TURN_STATE: ReadonlySet<string> = new Set(["x-codex-turn-state"]);
const CONTENT_ENCODING: ReadonlySet<string> = new Set(["content-encoding"]);
/** The one path that upstream serves over a WebSocket. */
const SOCKET_PATH = /^\/codex\/responses(?:\?|$)/;

export type SentForm = Pick<AttemptRequest, "headers" | "body" | "socket">;

/** Who is asked, or where the conversation lives. */
type Whose = Pick<Account, "id" | "workspaceId">;

export class AttemptForm {
  readonly #request: ExchangeRequest;
  readonly #seals: SealMemory;
  #body: BodyBytes | null;
  /** The same without an encoding. */
  #plain: BodyBytes | null;
  #headers: HeaderList;
  stripped = false;

  constructor(request: ExchangeRequest, seals: SealMemory) {
    this.#request = request;
    this.#seals = seals;
    this.#body = request.body;
    this.#plain = request.plainBody;
    this.#headers = request.headers;
  }

  get canStrip(): boolean {
    return canStrip(this.#plain);
  }

  /** Upstream refused what is sealed: none of it is of use in this workspace, now or with the next turn. */
  strip(workspaceId: string): void {
    this.stripped = true;
    this.#takeOut(workspaceId, null);
  }

  /** `home` is where the conversation lives. `x-codex-turn-state` routes within one account; on another one it misroutes or is refused (wire §7). */
  for(account: Whose, home: Whose | null, transport: Settings["upstream_transport"]): SentForm {
    this.#leaveBehind(account, home);
    const isForeign = home?.id !== account.id && headerValue(this.#headers, "x-codex-turn-state") !== null;
    const headers = isForeign ? withoutHeaders(this.#headers, TURN_STATE) : this.#headers;
    return { headers, body: this.#body, socket: this.#socketFor(account.id, isForeign, transport) };
  }

  /** What is known to be refused is not sent: it would cost a request of its own, every turn anew. */
  #leaveBehind({ id, workspaceId }: Whose, home: Whose | null): void {
    const { conversation } = this.#request;
    if (this.stripped || conversation === null) return;
    const isMoving = home !== null && home.id !== id && home.workspaceId !== workspaceId;
    const known = this.#seals.unreadable(conversation, workspaceId);
    if ((!isMoving && known === null) || !this.canStrip) return;
    if (isMoving) this.strip(workspaceId);
    else this.#takeOut(workspaceId, known);
  }

  /** All that is sealed, or what is known of it. */
  #takeOut(workspaceId: string, only: ReadonlySet<string> | null): void {
    const stripped = stripForeign(this.#plain!, only);
    if (stripped === null) return;
    this.#body = this.#plain = stripped.body;
    this.#headers = withoutHeaders(this.#headers, CONTENT_ENCODING);
    const { conversation } = this.#request;
    if (only === null && conversation !== null) this.#seals.note(conversation, workspaceId, stripped.digests);
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
