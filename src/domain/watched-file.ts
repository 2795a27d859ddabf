/**
 * A file in which another program keeps a login, and which the daemon was told to look at (contracts §16). What it holds is never kept here.
 */

export interface WatchedFile {
  /** Absolute; the folder's links are resolved, the file itself may be one. */
  readonly path: string;
  readonly addedAtMs: number;
}
