/**
 * Backups and restores in words, and the names by which people mean one. Pure.
 */
import { AppError } from "../../base/errors.ts";
import { type Backup, RestoreAction, type RestorePlan } from "../../gen/rotor/v1/backup_service_pb.ts";
import type { Printer } from "../print.ts";
import { printable } from "../print.ts";
import { notFound } from "../resolve.ts";
import { renderTable } from "./table.ts";
import { formatAgo } from "./time-text.ts";
import { toMs } from "./wire-text.ts";

const SAFETY = "before-restore";

/** `latest`, a name, a list number or an unambiguous beginning. `latest` passes over what a restore itself has left. */
export function resolveBackup(backups: readonly Backup[], name: string): Backup {
  const wanted = name.trim();
  if (wanted === "latest") {
    const found = backups.find(({ problem, reason }) => problem === "" && reason !== SAFETY);
    if (found === undefined) throw new AppError("backup_not_found", "there is no backup that can be read");
    return found;
  }
  const exact = backups.find((backup) => backup.name === wanted);
  if (exact) return exact;
  const numbered = /^\d{1,4}$/.test(wanted) ? backups[Number(wanted) - 1] : undefined;
  if (numbered) return numbered;
  const starting = wanted === "" ? [] : backups.filter((backup) => backup.name.startsWith(wanted));
  if (starting.length === 1) return starting[0]!;
  if (starting.length > 1) {
    const names = starting.slice(0, 4).map((backup) => backup.name);
    throw new AppError("bad_usage", `"${printable(wanted)}" could be any of ${starting.length}: ${names.join(", ")}`, {
      hint: "rotor backup list",
    });
  }
  const known = backups.map((backup) => backup.name);
  throw new AppError("backup_not_found", notFound("backup", wanted, known));
}

/** What was there before the last restore. */
export function safetyBackup(backups: readonly Backup[]): Backup {
  const found = backups.find(({ problem, reason }) => problem === "" && reason === SAFETY);
  if (found) return found;
  throw new AppError("backup_not_found", "there is no restore to take back");
}

export function printBackups(print: Printer, backups: readonly Backup[], nowMs: number): void {
  const rows = backups.map((backup, i) => [
    String(i + 1),
    backup.name,
    formatAgo(toMs(backup.createTime) ?? nowMs, nowMs),
    backup.problem === "" ? String(backup.accountCount) : "–",
    `${(Number(backup.sizeBytes) / 1e6).toFixed(1)} MB`,
    backup.problem === "" ? openedBy(backup) : "damaged",
  ]);
  const right = "right" as const;
  const columns = [
    { header: "#", align: right },
    { header: "NAME" },
    { header: "MADE" },
    { header: "ACCOUNTS", align: right },
    { header: "SIZE", align: right },
    { header: "OPENED BY" },
  ];
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
}

export function openedBy({ openedBy: by }: Backup): string {
  return by === "passphrase_box" ? "its passphrase" : by.replaceAll("_", " ");
}

const WORDS: Readonly<Record<RestoreAction, string>> = {
  [RestoreAction.UNSPECIFIED]: "?",
  [RestoreAction.ADD]: "comes back",
  [RestoreAction.REMOVE]: "goes: the backup does not have it",
  [RestoreAction.KEEP_LOGIN]: "goes back, and keeps its newer login",
  [RestoreAction.OLDER_LOGIN]: "gets an older login, which may be refused",
  [RestoreAction.NEWER_LOGIN]: "gets the newer login of the backup",
  [RestoreAction.SAME_LOGIN]: "keeps its login",
  [RestoreAction.CARRY_OVER]: "stays: it could still be read",
};

export function printPlan(print: Printer, plan: RestorePlan | undefined): void {
  const rows = (plan?.accounts ?? []).map(({ alias, action }) => [printable(alias), WORDS[action] ?? "?"]);
  const columns = [{ header: "ACCOUNT" }, { header: "WHAT BECOMES OF IT" }];
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  const revoked = plan?.keysKeptRevoked ?? 0;
  if (revoked > 0) print.note(`${revoked} client keys that were revoked since then stay revoked`);
}
