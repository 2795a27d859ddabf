/** What is used of a stream's reader: the one way in which bytes of an answer are asked for, wherever they come from. */
export interface ByteReader {
  /** One read at a time. */
  read(): ByteRead;
  cancel(): Promise<void>;
  /** What has come and was not read yet, at once; null when that is nothing. Not while a read is under way. Absent where nothing waits. */
  take?(): Uint8Array | null;
  /** All that there is has been read: the next read would say no more than that. Absent where it cannot be known. */
  readonly finished?: boolean;
  /**
   * From here on bytes are handed over as they come, and nothing is read any more: a promise for each chunk costs more than the chunk.
   * Absent where bytes come no other way than one by one.
   */
  flow?(to: ByteFlow): void;
}

export interface ByteFlow {
  /** `isLast`: `ended` follows at once. A promise asks for rest until it is settled. */
  bytes(chunk: Uint8Array, isLast: boolean): Promise<unknown> | null;
  ended(): void;
  broken(): void;
}

export type ByteRead = Promise<{ done: boolean; value?: Uint8Array | undefined }>;
