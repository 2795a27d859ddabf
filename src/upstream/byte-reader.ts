/** What is used of a stream's reader: the one way in which bytes of an answer are asked for, wherever they come from. */
export interface ByteReader {
  /** One read at a time. */
  read(): ByteRead;
  cancel(): Promise<void>;
  /** All that there is has been read: the next read would say no more than that. Absent where it cannot be known. */
  readonly finished?: boolean;
}

export type ByteRead = Promise<{ done: boolean; value?: Uint8Array | undefined }>;
