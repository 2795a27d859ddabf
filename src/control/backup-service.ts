/** BackupService (proto/rotor/v1/backup_service.proto): translates and calls the backup desk. Passphrases pass through and are not kept. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Log } from "../base/log.ts";
import type { BackupService } from "../gen/rotor/v1/backup_service_pb.ts";
import type { BackupDesk } from "./backup-desk.ts";
import { backupMessage, restorePlanMessage } from "./convert/backups.ts";
import { int64 } from "./convert/values.ts";
import { callerOf } from "./peer.ts";

export function createBackupService(desk: BackupDesk, log: Log): ServiceImpl<typeof BackupService> {
  const orNull = (text: string) => (text === "" ? null : text);
  return {
    createBackup: async ({ passphrase }) => ({ backup: backupMessage(await desk.create(orNull(passphrase))) }),
    listBackups: () => ({ backups: desk.list().map(backupMessage) }),
    async verifyBackup({ name, passphrase }) {
      return { backup: backupMessage(await desk.verify(name, orNull(passphrase))) };
    },
    deleteBackup({ name }, context) {
      desk.remove(name);
      log.info("backup.removed", { name, ...callerOf(context) });
      return {};
    },
    async previewRestore({ name, passphrase, exact }) {
      const { backup, plan } = await desk.preview({ name, passphrase: orNull(passphrase), exact });
      return { backup: backupMessage(backup), plan: restorePlanMessage(plan) };
    },
    async restoreBackup({ name, passphrase, exact }, context) {
      log.info("backup.restore_asked", { name, exact, ...callerOf(context) });
      const outcome = await desk.restore({ name, passphrase: orNull(passphrase), exact });
      return {
        backup: backupMessage(outcome.backup),
        plan: restorePlanMessage(outcome.plan),
        safetyName: outcome.safetyName ?? "",
        setAside: outcome.setAside ?? "",
      };
    },
    async *downloadBackup({ name }) {
      for await (const { data, totalBytes } of desk.read(name)) yield { data, totalBytes: int64(totalBytes) };
    },
    uploadBackup: async (requests) => ({ backup: backupMessage(await desk.receive(dataOf(requests))) }),
    mendStore: async ({ dryRun }) => ({ steps: [...(await desk.mend(dryRun))] }),
  };
}

async function* dataOf(requests: AsyncIterable<{ readonly data: Uint8Array }>) {
  for await (const { data } of requests) yield data;
}
