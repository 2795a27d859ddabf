/**
 * What the doors see of transfers: logins on their way in from other programs and out to them. Types only.
 */
import type { Account, AccountId } from "../domain/account.ts";
import type { ForeignFormat } from "../transfer/foreign-store.ts";
import type { ForeignFile } from "../transfer/json-node.ts";
import type { ImportedFact } from "./import-facts.ts";

export interface ImportOptions {
  readonly dryRun: boolean;
  /** For the account, when there is exactly one. */
  readonly alias: string | null;
  /** The live file of a program that goes on using and renewing these logins; null = they are ours to renew. */
  readonly sourcePath: string | null;
  /** For files that are encrypted. */
  readonly passphrase: string | null;
}

export interface ImportReport {
  /** Name of the backup that was made before; null when none was needed, or none could be made. */
  readonly backup: string | null;
  readonly format: ForeignFormat;
  /** One for each login in the data, in its order. */
  readonly accounts: readonly ImportDecisionView[];
  readonly facts: readonly ImportedFact[];
  /** What could not be carried over. */
  readonly remarks: readonly string[];
}

export interface ImportDecisionView {
  readonly action: "add" | "replace" | "skip";
  readonly reason: string;
  readonly alias: string;
  /** null = it is not here, or not yet. */
  readonly account: Account | null;
}

export interface TransferDesk {
  /** Files of one product. All or nothing; a bad file is `invalid_import` with its place. Never touches the network. */
  importFiles(files: readonly ForeignFile[], options: ImportOptions): Promise<ImportReport>;
  /** The bytes of a file of another program, or of a pool file. Rejects with `export_refused` or `passphrase_required`. */
  exportAccounts(order: ExportOrder): Promise<ExportReport>;
}

export type ExportFormat = Extract<
  ForeignFormat,
  "codex-auth" | "opencode-auth" | "oc-codex-multi-auth" | "rotor-pool-file"
>;

export interface ExportOrder {
  /** null = the whole pool. */
  readonly accountIds: readonly AccountId[] | null;
  readonly format: ExportFormat;
  /** The file that it goes into as it is now; null = there is none. */
  readonly existing: Uint8Array | null;
  /** For a pool file. */
  readonly passphrase: string | null;
  readonly dryRun: boolean;
}

export interface ExportReport {
  /** Live tokens, in plain text but for a pool file; null in a dry run. */
  readonly bytes: Uint8Array | null;
  readonly rows: readonly ExportedRow[];
  /** Accounts that only the file has; they stay in it. */
  readonly destinationOnly: number;
  readonly remarks: readonly string[];
}

export interface ExportedRow {
  readonly account: Account;
  readonly action: "add" | "update" | "keep" | "refuse";
  readonly reason: string;
}
