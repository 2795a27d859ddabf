/**
 * What the control door must know of backups. Implemented where the daemon is put together, because it works in every state; holds no
 * proto types.
 */
import type { StoredBackup } from "../store/backup-folder.ts";
import type { RestorePlan } from "../store/backup-merge.ts";

export interface RestoreOrder {
  readonly name: string;
  readonly passphrase: string | null;
  /** The backup and nothing else, older logins too. */
  readonly exact: boolean;
}

export interface RestoreOutcome {
  readonly backup: StoredBackup;
  readonly plan: RestorePlan;
}

export interface MendStep {
  readonly check: string;
  readonly message: string;
  readonly done: boolean;
}

export interface BackupDesk {
  create(passphrase: string | null): Promise<StoredBackup>;
  list(): readonly StoredBackup[];
  verify(name: string, passphrase: string | null): Promise<StoredBackup>;
  remove(name: string): void;
  preview(order: RestoreOrder): Promise<RestoreOutcome>;
  restore(
    order: RestoreOrder,
  ): Promise<RestoreOutcome & { readonly safetyName: string | null; readonly setAside: string | null }>;
  read(name: string): AsyncIterable<{ readonly data: Uint8Array; readonly totalBytes: number }>;
  receive(chunks: AsyncIterable<Uint8Array>): Promise<StoredBackup>;
  mend(dryRun: boolean): Promise<readonly MendStep[]>;
}
