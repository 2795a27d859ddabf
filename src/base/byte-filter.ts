/** Edits a stream of bytes on its way, in the one stage that carries them: a stream of its own for it would cost more than the edit. */
export interface ByteFilter {
  /** What may be handed on now; empty when that is nothing yet. An untouched chunk is handed on as the same array. */
  feed(chunk: Uint8Array): Uint8Array;
  /** What was held back when the stream ended. */
  end(): Uint8Array;
}
