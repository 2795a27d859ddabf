/**
 * Watched files in words: what each holds, whose login that is, and what is to be done about it.
 */
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import {
  FileNotice,
  FileState,
  SyncAction,
  type SyncedFile,
  type WatchedFile,
} from "../../gen/rotor/v1/transfer_service_pb.ts";
import { printable, type Style } from "../print.ts";
import { renderTable } from "./table.ts";
import { formatAgo } from "./time-text.ts";
import { toMs } from "./wire-text.ts";

const STATE_WORDS: Readonly<Record<FileState, string>> = {
  [FileState.UNSPECIFIED]: "unknown",
  [FileState.LOGIN]: "login",
  [FileState.EMPTY]: "no login",
  [FileState.BROKEN]: "broken",
  [FileState.ABSENT]: "absent",
  [FileState.REFUSED]: "refused",
};

export function fileTable(
  files: readonly WatchedFile[],
  view: { accounts: readonly Account[]; nowMs: number; width: number | null; style: Style },
): string[] {
  const { accounts, nowMs, width, style } = view;
  const rows = files.map((file) => {
    const lookMs = toMs(file.lookTime);
    return [
      printable(file.path),
      STATE_WORDS[file.state] ?? "unknown",
      aliasOf(file, accounts) ?? "–",
      lookMs === null ? "never" : formatAgo(lookMs, nowMs),
      file.reason === "" ? noticeWords(file) : printable(file.reason),
    ];
  });
  const columns = ["FILE", "STATE", "ACCOUNT", "LOOKED", "NOTE"].map((header) => ({ header }));
  return renderTable(columns, rows, { width, header: style.bold });
}

function aliasOf(file: WatchedFile, accounts: readonly Account[]): string | null {
  return accounts.find((account) => account.id === file.accountId)?.alias ?? null;
}

function noticeWords({ notice }: WatchedFile): string {
  if (notice === FileNotice.OFFERED) return "a login that is not here";
  return notice === FileNotice.TWO_OWNERS ? "two programs renew it" : "";
}

/** What asks for somebody's decision, with the command for it. */
export function fileNotes(files: readonly WatchedFile[], accounts: readonly Account[]): string[] {
  return files.flatMap((file) => {
    const path = printable(file.path);
    const sync = `rotor account sync ${quoted(file.path)}`;
    if (file.notice === FileNotice.OFFERED) return [`${path} holds a login that is not here; take it in: ${sync}`];
    if (file.notice !== FileNotice.TWO_OWNERS) return [];
    const alias = aliasOf(file, accounts) ?? "an account";
    return [
      `${alias}: Rotor and the program that uses ${path} both renew its login; whoever comes second is cut off. Leave it to that program: ${sync}`,
    ];
  });
}

/** For a shell. */
export function quoted(path: string): string {
  const text = printable(path);
  return /^[\w./~@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

const DONE: Readonly<Record<SyncAction, readonly [done: string, would: string]>> = {
  [SyncAction.UNSPECIFIED]: ["nothing", "nothing"],
  [SyncAction.NOTHING]: ["nothing", "nothing"],
  [SyncAction.ADD]: ["added", "would add"],
  [SyncAction.RENEW]: ["renewed", "would renew"],
  [SyncAction.HAND_OVER]: ["handed over", "would hand over"],
};

export function syncTable(
  files: readonly SyncedFile[],
  view: { dryRun: boolean; width: number | null; style: Style },
): string[] {
  const rows = files.map((synced) => [
    (DONE[synced.action] ?? DONE[SyncAction.NOTHING])[view.dryRun ? 1 : 0],
    synced.alias === "" ? "–" : synced.alias,
    printable(synced.file?.path ?? ""),
    printable(synced.reason),
  ]);
  const columns = ["ACTION", "ALIAS", "FILE", "REASON"].map((header) => ({ header }));
  return renderTable(columns, rows, { width: view.width, header: view.style.bold });
}
