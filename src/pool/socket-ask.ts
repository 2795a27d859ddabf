/**
 * A request that came over a WebSocket, beside what it would be over HTTP. Types only.
 */

/** What a WebSocket's request says that one over HTTP cannot. */
export interface SocketAsk {
  /** Nothing is to be generated: the client only says what is to come. */
  readonly warmUp: boolean;
  /** The same request for whoever remembers `responseId`: with `previous_response_id`, and only the items since. */
  readonly since: { readonly responseId: string; readonly body: Uint8Array } | null;
}
