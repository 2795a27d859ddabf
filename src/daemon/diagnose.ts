/**
 * What `rotor doctor` asks the daemon: store, files, listeners, settings; accounts and the machine are in files of their own. Changes nothing
 * and asks nobody anything.
 */
import { statSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import type { Config } from "../base/config.ts";
import { type AppError, fromUnknown } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import type { Finding } from "../control/daemon-facts.ts";
import type { Engine } from "../pool/engine.ts";
import { listBackups, looseBackups, orphanedDrafts } from "../store/backup-folder.ts";
import type { SealKeeper } from "../store/seal-keeper.ts";
import { accountFindings } from "./diagnose-accounts.ts";
import { clockFinding, diskFinding, reachFindings } from "./diagnose-host.ts";
import { sealFindings } from "./diagnose-seal.ts";
import type { EngineRoom } from "./engine-room.ts";
import { error, ok, warning } from "./finding.ts";
import { isBackupOverdue } from "./mend.ts";

export interface DiagnoseInput {
  /** Opens no connection and resolves no name. */
  readonly offline: boolean;
  readonly engine: Engine | null;
  /** null while no store can be read. */
  readonly seal: SealKeeper | null;
  readonly state: { readonly name: string; readonly reason: string | null };
  readonly proxyUrl: string | null;
  /** Recoveries that nobody has acknowledged, in words. */
  readonly recovered: readonly string[];
  readonly backupProblem: AppError | null;
  readonly room: EngineRoom;
  readonly paths: Paths;
  readonly config: Config;
  readonly clock: Clock;
}

export async function diagnose(input: DiagnoseInput): Promise<readonly Finding[]> {
  const findings: Finding[] = [
    stateFinding(input),
    ...fileFindings(input.paths),
    ok("files.lock", `${input.paths.lockFile} is held by this daemon alone`),
    proxyFinding(input),
    clockFinding(input.clock, input.room.upstreamClock()),
    ...diskFinding(input.paths),
    ...backupFindings(input),
  ];
  if (!input.offline) findings.push(...(await reachFindings(input.config, input.clock)));
  if (input.seal !== null) findings.push(...(await sealFindings(input.seal, input.paths)));
  if (input.engine !== null)
    findings.push(
      ...(await storeFindings(input.engine)),
      ...settingFindings(input.engine),
      ...accountFindings(input.engine, input.clock.nowMs()),
    );
  return findings;
}

function stateFinding({ state }: DiagnoseInput): Finding {
  if (state.name === "ready") return ok("daemon.state", "the daemon is ready");
  return error(
    "daemon.state",
    `the daemon is ${state.name}: ${state.reason ?? "no reason given"}`,
    stateHint(state.name),
  );
}

function stateHint(name: string): string {
  if (name === "damaged") return "rotor restore latest, or rotor doctor --fix";
  return name === "locked" ? "rotor seal unlock" : "rotor log";
}

function backupFindings({ paths, clock, room, recovered, backupProblem }: DiagnoseInput): Finding[] {
  const findings = recovered.map((words) =>
    error("store.recovered", words, "rotor doctor --fix   (to acknowledge it)"),
  );
  for (const path of orphanedDrafts(paths.backupDir))
    findings.push(warning("backup.drafts", `${path} was left half-made by a dead process`, "rotor doctor --fix"));
  for (const path of looseBackups(paths.backupDir))
    findings.push(warning("backup.files", `${path} is open to others`, "rotor doctor --fix"));
  const backups = listBackups(paths.backupDir);
  for (const { name, problem } of backups.filter(({ good }) => !good))
    findings.push(warning("backup.damaged", problem ?? `${name} cannot be read`, `rotor backup delete ${name}`));
  if (backupProblem !== null)
    return [
      ...findings,
      error("backup.daily", `the daily backup failed: ${backupProblem.message}`, backupProblem.hint),
    ];
  if (isBackupOverdue({ paths, room, clock }))
    return [...findings, warning("backup.daily", "the daily backup is overdue", "rotor doctor --fix")];
  const newest = backups.find(({ good }) => good);
  return [
    ...findings,
    ok("backup.daily", newest === undefined ? "no backup is due yet" : `newest backup: ${newest.name}`),
  ];
}

function fileFindings(paths: Paths): Finding[] {
  try {
    const mode = statSync(paths.dataDir).mode & 0o777;
    if ((mode & 0o077) === 0) return [ok("files.data", `${paths.dataDir} is closed to others`)];
    return [
      warning(
        "files.data",
        `${paths.dataDir} is open to others (mode ${mode.toString(8)})`,
        `chmod 700 '${paths.dataDir}'`,
      ),
    ];
  } catch (thrown) {
    return [error("files.data", `${paths.dataDir} cannot be looked at: ${fromUnknown(thrown).message}`, null)];
  }
}

function proxyFinding({ proxyUrl, config }: DiagnoseInput): Finding {
  if (proxyUrl === null) return error("proxy.listener", "the proxy does not listen", "rotor log");
  const { host } = config.proxy;
  if (["127.0.0.1", "localhost", "::1"].includes(host)) return ok("proxy.listener", `the proxy listens at ${proxyUrl}`);
  return warning(
    "proxy.listener",
    `the proxy listens at ${proxyUrl}, beyond this machine and without TLS`,
    "rotor up --host 127.0.0.1",
  );
}

async function storeFindings(engine: Engine): Promise<Finding[]> {
  try {
    const check = await engine.checkStore();
    const size = `${(check.sizeBytes / 1e6).toFixed(1)} MB, schema ${check.schemaVersion}`;
    const findings =
      check.integrity === "ok"
        ? [ok("store.integrity", `the store is whole (${size})`)]
        : [error("store.integrity", check.integrity, "rotor log")];
    for (const file of check.looseFiles)
      findings.push(warning("store.files", `${file} is open to others`, `chmod 600 '${file}'`));
    return findings;
  } catch (thrown) {
    const failure = fromUnknown(thrown);
    return [error("store.integrity", failure.message, failure.hint)];
  }
}

function settingFindings(engine: Engine): Finding[] {
  const problems = engine.settings.problems();
  if (problems.length === 0) return [ok("settings", "every setting can be read")];
  return problems.map((problem) => warning("settings", problem, "rotor setting list"));
}
