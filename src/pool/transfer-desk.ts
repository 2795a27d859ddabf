/**
 * What the doors see of transfers: logins on their way in from other programs. Types only.
 */
import type { Account } from "../domain/account.ts";
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
}
