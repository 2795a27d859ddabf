/**
 * What the pool needs of the file system for watched files. Its one real implementation is daemon/login-file-port.ts; whoever calls it
 * has checked that the path is registered.
 */

export type FileReading =
  | { readonly kind: "present"; readonly bytes: Uint8Array }
  | { readonly kind: "absent" }
  /** Somebody else's, open to everybody, no file, too large, or not ours to read; in words. */
  | { readonly kind: "refused"; readonly reason: string };

export interface FilePort {
  /** The path with the links of its folder resolved, when a file there may be watched. Throws `invalid_login_file`. */
  accept(path: string): string;
  /** From the disk, every time. Never rejects. */
  read(path: string): Promise<FileReading>;
  /**
   * Puts `bytes` there whole or not at all, with mode 0600, in the place of the file that a link leads to. `changed` = it no longer held
   * `expected` (null: no file), and nothing was written. Throws `invalid_login_file`.
   */
  write(path: string, bytes: Uint8Array, expected: Uint8Array | null): Promise<"written" | "changed">;
  /** Keeps a copy with mode 0600 beside the file, and returns its path. */
  backUp(path: string, bytes: Uint8Array): Promise<string>;
  /** Calls `onChange` when something may have happened to the file, until the returned function is called. May miss some. */
  watch(path: string, onChange: () => void): () => void;
}
