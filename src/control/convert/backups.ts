/**
 * Backups and restores in the words of the API. Absent in the domain is null; in proto it is an empty text or zero, as the proto
 * comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type BackupSchema, RestoreAction, type RestorePlanSchema } from "../../gen/rotor/v1/backup_service_pb.ts";
import type { StoredBackup } from "../../store/backup-folder.ts";
import type { RestoreChange, RestorePlan } from "../../store/backup-merge.ts";
import { instant, int64 } from "./values.ts";

export function backupMessage(backup: StoredBackup): MessageInitShape<typeof BackupSchema> {
  const { name, reason, rotorVersion, schemaVersion, accountCount, keyCount, lock, problem } = backup;
  return {
    name,
    createTime: instant(backup.createdAtMs),
    reason,
    rotorVersion,
    schemaVersion,
    accountCount,
    keyCount,
    sizeBytes: int64(backup.sizeBytes),
    openedBy: lock === null ? "" : lock.kind === "passphrase" ? "passphrase_box" : lock.key.guard,
    keyFingerprint: lock?.kind === "data_key" ? lock.key.fingerprint : "",
    problem: problem ?? "",
  };
}

const ACTIONS: Readonly<Record<RestoreChange, RestoreAction>> = {
  added: RestoreAction.ADD,
  removed: RestoreAction.REMOVE,
  kept: RestoreAction.KEEP_LOGIN,
  older: RestoreAction.OLDER_LOGIN,
  newer: RestoreAction.NEWER_LOGIN,
  same: RestoreAction.SAME_LOGIN,
  found: RestoreAction.CARRY_OVER,
};

export function restorePlanMessage(plan: RestorePlan): MessageInitShape<typeof RestorePlanSchema> {
  return {
    accounts: plan.changes.map(({ alias, change }) => ({ alias, action: ACTIONS[change] })),
    accountCount: plan.accountCount,
    keyCount: plan.keyCount,
    keysKeptRevoked: plan.keysKeptRevoked,
  };
}
