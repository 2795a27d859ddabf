/**
 * `rotor status --full --json`: everything that this installation can say of itself, in one object, fit to be shown to strangers. Asks and
 * changes nothing; a part that cannot be had says why in its place.
 */
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { formatInstant } from "../base/clock.ts";
import { COMMIT } from "../base/version.ts";
import { ListAuditEntriesResponseSchema } from "../gen/rotor/v1/audit_service_pb.ts";
import { ListBackupsResponseSchema } from "../gen/rotor/v1/backup_service_pb.ts";
import { ListClientsResponseSchema } from "../gen/rotor/v1/client_service_pb.ts";
import {
  type GetStatusResponse,
  GetStatusResponseSchema,
  RunDiagnosticsResponseSchema,
} from "../gen/rotor/v1/daemon_service_pb.ts";
import { ListExchangesResponseSchema } from "../gen/rotor/v1/exchange_service_pb.ts";
import { ListKeysResponseSchema } from "../gen/rotor/v1/key_service_pb.ts";
import { ListModelsResponseSchema } from "../gen/rotor/v1/model_service_pb.ts";
import { ExplainSelectionResponseSchema, ForecastPoolResponseSchema } from "../gen/rotor/v1/pool_service_pb.ts";
import { ListProfilesResponseSchema } from "../gen/rotor/v1/profile_service_pb.ts";
import { ListRulesResponseSchema } from "../gen/rotor/v1/rule_service_pb.ts";
import { GetSealResponseSchema } from "../gen/rotor/v1/seal_service_pb.ts";
import { ListSettingsResponseSchema } from "../gen/rotor/v1/setting_service_pb.ts";
import { ListWatchedFilesResponseSchema } from "../gen/rotor/v1/transfer_service_pb.ts";
import type { Context } from "./command.ts";
import { connectedTools } from "./connect/tool-state.ts";
import type { DaemonLink } from "./daemon-link.ts";
import { failureOf } from "./failure.ts";
import { createRedactor, type Redactor } from "./redact.ts";

/** Enough to see a pattern, little enough to attach to a letter. */
const LATEST = 50;

export type StatusReport = Readonly<Record<string, unknown>>;

export async function statusReport(context: Context, status: GetStatusResponse): Promise<StatusReport> {
  const { io } = context;
  const link = await context.daemon();
  const redactor = createRedactor(io.host.homeDir);
  const parts = await Promise.all(
    partsOf(context, link, redactor).map(async ([name, ask]) => [name, await ask().catch(problem(redactor))] as const),
  );
  return {
    report_time: formatInstant(io.clock.nowMs()),
    ctl: { version: io.version, commit: COMMIT, platform: io.host.platform, arch: process.arch },
    status: redactor.message(GetStatusResponseSchema, status),
    ...Object.fromEntries(parts),
  };
}

function partsOf(context: Context, link: DaemonLink, redactor: Redactor): [string, () => Promise<unknown>][] {
  const part =
    <Desc extends DescMessage>(schema: Desc, ask: () => Promise<MessageShape<Desc>>) =>
    async () =>
      redactor.message(schema, await ask());
  return [
    ["diagnostics", part(RunDiagnosticsResponseSchema, () => link.daemons.runDiagnostics({ offline: true }))],
    ["plan", part(ExplainSelectionResponseSchema, () => link.pool.explainSelection({}))],
    ["forecast", part(ForecastPoolResponseSchema, () => link.pool.forecastPool({}))],
    ["rules", part(ListRulesResponseSchema, () => link.rules.listRules({}))],
    ["profiles", part(ListProfilesResponseSchema, () => link.profiles.listProfiles({}))],
    ["settings", part(ListSettingsResponseSchema, () => link.settings.listSettings({}))],
    ["keys", part(ListKeysResponseSchema, () => link.keys.listKeys({}))],
    ["clients", part(ListClientsResponseSchema, () => link.clients.listClients({}))],
    ["tools", async () => redactor.plain(await connectedTools(context, link))],
    ["models", part(ListModelsResponseSchema, () => link.models.listModels({}))],
    ["files", part(ListWatchedFilesResponseSchema, () => link.transfers.listWatchedFiles({}))],
    ["seal", part(GetSealResponseSchema, () => link.seal.getSeal({}))],
    ["backups", part(ListBackupsResponseSchema, () => link.backups.listBackups({}))],
    ["exchanges", part(ListExchangesResponseSchema, () => link.exchanges.listExchanges({ pageSize: LATEST }))],
    ["audit", part(ListAuditEntriesResponseSchema, () => link.audit.listAuditEntries({ pageSize: LATEST }))],
  ];
}

const problem = (redactor: Redactor) => (thrown: unknown) => {
  const { code, message, hint } = failureOf(thrown);
  return { error: { code, message: redactor.text(message), hint } };
};
