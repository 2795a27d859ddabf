/** TransferService (proto/rotor/v1/transfer_service.proto): translates and calls the file and transfer desks. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import * as transferPb from "../gen/rotor/v1/transfer_service_pb.ts";
import type { Engine, FileState, FileView, SwitchReport, SyncedFile } from "../pool/engine.ts";
import { accountConverter } from "./convert/accounts.ts";
import { exportMessage, importMessage, toExportFormat } from "./convert/transfers.ts";
import { instant, toAccountId } from "./convert/values.ts";

export function createTransferService(
  engine: () => Engine,
  clock: Clock,
): ServiceImpl<typeof transferPb.TransferService> {
  const converter = () => accountConverter(engine(), clock.nowMs());
  return {
    async importAccounts(request) {
      const files = request.files.map(({ name, data }) => ({ name, bytes: data }));
      const { dryRun, alias, sourcePath, passphrase } = request;
      const options = { dryRun, alias: alias || null, sourcePath: sourcePath || null, passphrase: passphrase || null };
      return importMessage(await engine().transfers.importFiles(files, options), converter());
    },
    async exportAccounts(request) {
      const { wholePool, dryRun, existing = null, passphrase } = request;
      const accountIds = wholePool ? null : request.accountIds.map(toAccountId);
      const format = toExportFormat(request.format);
      const order = { accountIds, format, existing, passphrase: passphrase || null, dryRun };
      return exportMessage(await engine().transfers.exportAccounts(order));
    },
    async switchAccount(request) {
      const report = await engine().files.switchTo(toAccountId(request.accountId), request.path, request.dryRun);
      return {
        path: report.path,
        account: converter()(report.account),
        previousAlias: report.previous?.alias ?? "",
        previousLogin: PREVIOUS_LOGINS[report.previousKept],
        backupPath: report.backupPath ?? "",
        written: report.written,
      };
    },
    async takeAccount(request) {
      const account = await engine().files.take(toAccountId(request.accountId));
      return { account: converter()(account) };
    },
    listWatchedFiles: () => ({ files: engine().files.list().map(fileMessage) }),
    async watchFile(request) {
      return { file: fileMessage(await engine().files.watch(request.path)) };
    },
    async unwatchFile(request) {
      await engine().files.unwatch(request.path);
      return {};
    },
    async syncWatchedFile(request) {
      const synced = await engine().files.sync(request.path === "" ? null : request.path, request.dryRun);
      return { files: synced.map(syncedMessage) };
    },
  };
}

const PREVIOUS_LOGINS: Readonly<Record<SwitchReport["previousKept"], transferPb.PreviousLogin>> = {
  nothing_there: transferPb.PreviousLogin.NONE,
  in_store: transferPb.PreviousLogin.IN_STORE,
  adopted: transferPb.PreviousLogin.ADOPTED,
  backed_up: transferPb.PreviousLogin.BACKED_UP,
};

const STATES: Readonly<Record<FileState, transferPb.FileState>> = {
  login: transferPb.FileState.LOGIN,
  empty: transferPb.FileState.EMPTY,
  broken: transferPb.FileState.BROKEN,
  absent: transferPb.FileState.ABSENT,
  refused: transferPb.FileState.REFUSED,
};

const NOTICES: Readonly<Record<NonNullable<FileView["notice"]>, transferPb.FileNotice>> = {
  offered: transferPb.FileNotice.OFFERED,
  two_owners: transferPb.FileNotice.TWO_OWNERS,
};

const ACTIONS: Readonly<Record<SyncedFile["action"], transferPb.SyncAction>> = {
  add: transferPb.SyncAction.ADD,
  renew: transferPb.SyncAction.RENEW,
  hand_over: transferPb.SyncAction.HAND_OVER,
  nothing: transferPb.SyncAction.NOTHING,
};

function fileMessage(view: FileView): MessageInitShape<typeof transferPb.WatchedFileSchema> {
  return {
    path: view.path,
    addTime: instant(view.addedAtMs),
    lookTime: instant(view.lookedAtMs),
    state: STATES[view.state],
    reason: view.reason ?? "",
    accountId: view.accountId ?? "",
    notice: view.notice === null ? transferPb.FileNotice.UNSPECIFIED : NOTICES[view.notice],
  };
}

function syncedMessage(synced: SyncedFile): MessageInitShape<typeof transferPb.SyncedFileSchema> {
  return {
    file: fileMessage(synced.view),
    action: ACTIONS[synced.action],
    reason: synced.reason,
    alias: synced.alias,
  };
}
