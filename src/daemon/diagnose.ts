/**
 * What `rotor doctor` asks the daemon: store, files, listeners, settings, accounts. Changes nothing and sends nothing upstream.
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
import { sealFindings } from "./diagnose-seal.ts";
import type { EngineRoom } from "./engine-room.ts";
import { error, ok, warning } from "./finding.ts";
import { isBackupOverdue } from "./mend.ts";

export interface DiagnoseInput {
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
    proxyFinding(input),
    clockFinding(input.clock),
    ...backupFindings(input),
  ];
  if (input.seal !== null) findings.push(...(await sealFindings(input.seal, input.paths)));
  if (input.engine !== null)
    findings.push(
      ...(await storeFindings(input.engine)),
      ...settingFindings(input.engine),
      ...accountFindings(input.engine),
      ...loginFileFindings(input.engine),
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

/** Logins are judged by their expiry; before this product existed no clock can be right. */
const EARLIEST_SANE_MS = Date.UTC(2026, 0, 1);

function clockFinding(clock: Clock): Finding {
  if (clock.nowMs() >= EARLIEST_SANE_MS) return ok("host.clock", "the clock is plausible");
  return error("host.clock", "the clock is years behind: logins would look fresh that are not", "set the clock");
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

/** Files in which other programs keep their logins. */
function loginFileFindings(engine: Engine): Finding[] {
  const findings = engine.files.list().map(({ path, state, reason, accountId, notice }): Finding => {
    const alias = (accountId === null ? null : engine.accounts.get(accountId))?.alias ?? "an account";
    const sync = `rotor account sync '${path}'`;
    if (notice === "two_owners")
      return warning("files.login", `${alias}: Rotor and the program that uses ${path} both renew its login`, sync);
    if (notice === "offered") return warning("files.login", `${path} holds a login that is not here`, sync);
    if (state === "broken" || state === "refused")
      return warning("files.login", `${path}: ${reason}`, "rotor file list");
    return ok("files.login", state === "login" ? `${path} holds the login of ${alias}` : `${path}: ${reason}`);
  });
  const late = engine.accounts.list().filter((account) => account.cooldown?.reason === "owner_must_refresh");
  for (const { alias } of late) {
    const message = `${alias}: its access token has ended, and the program that renews this login has not done so yet`;
    findings.push(warning("accounts.owner", message, `rotor account take ${alias}`));
  }
  return findings;
}

function accountFindings(engine: Engine): Finding[] {
  const accounts = engine.accounts.list();
  if (accounts.length === 0) return [warning("accounts", "there are no accounts yet", "rotor login")];
  const findings = accounts
    .filter((account) => account.login.kind === "needs_login")
    .map((account) =>
      warning("accounts.login", `${account.alias} needs a login`, `rotor account relogin ${account.alias}`),
    );
  const { usableCount } = engine.selection.view();
  const summary = `${usableCount} of ${accounts.length} accounts usable now`;
  return [...findings, usableCount > 0 ? ok("accounts", summary) : warning("accounts", summary, "rotor pool explain")];
}
