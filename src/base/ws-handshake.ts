/**
 * What both sides of a WebSocket handshake compute (RFC 6455 §4). Pure.
 */
import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** `sec-websocket-accept` for a `sec-websocket-key`. */
export function acceptKey(key: string): string {
  return createHash("sha1")
    .update(key + GUID)
    .digest("base64");
}

/**
 * The one form of compression that is spoken here: each message on its own, so that neither side keeps a window for every connection.
 * As an offer it asks for exactly that; as an answer it grants it.
 */
export const DEFLATE_OFFER = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

export function offersDeflate(extensions: string | null): boolean {
  return (extensions ?? "")
    .split(",")
    .some((offer) => offer.split(";")[0]!.trim().toLowerCase() === "permessage-deflate");
}
