/**
 * A body in one piece or in several that follow each other. An edit of a long body leaves nearly all of its bytes where they are; joining
 * the pieces would cost a copy of megabytes, and their memory, for every request.
 */
export type BodyBytes = Uint8Array | readonly Uint8Array[];

/** Below this, one piece is cheaper than two. */
const JOINED_MAX_BYTES = 64 * 1024;

export function piecesOf(body: BodyBytes): readonly Uint8Array[] {
  return body instanceof Uint8Array ? [body] : body;
}

export function lengthOf(body: BodyBytes): number {
  if (body instanceof Uint8Array) return body.length;
  let length = 0;
  for (const piece of body) length += piece.length;
  return length;
}

/** All of it in one piece; a body that is in one is not copied. */
export function wholeOf(body: BodyBytes): Uint8Array {
  return body instanceof Uint8Array ? body : Buffer.concat(body);
}

/** As few pieces as are worth having. */
export function bodyOf(pieces: readonly Uint8Array[]): BodyBytes {
  const length = lengthOf(pieces);
  return length <= JOINED_MAX_BYTES ? Buffer.concat(pieces, length) : pieces;
}
