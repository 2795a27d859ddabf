/**
 * `<data>/daemon.json`: how ctl and plugin find the running daemon (contracts §10). Written whole or not at all, 0600, removed on the way out.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

export interface DaemonFile {
  readonly pid: number;
  readonly version: string;
  readonly socket: string;
  readonly proxy_url: string | null;
  readonly dashboard_url: string | null;
  /** Where metrics are fetched; null = they are off. */
  readonly metrics_url: string | null;
}

export function writeDaemonFile(path: string, file: DaemonFile): void {
  // Always the same name, one daemon writes it: the next one takes away what a crash left of it.
  const fresh = `${path}.new`;
  writeFileSync(fresh, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 });
  renameSync(fresh, path);
}

/** The pid in it; null when there is no such file or it cannot be read as one. */
export function readDaemonPid(path: string): number | null {
  try {
    const { pid } = JSON.parse(readFileSync(path, "utf8")) as Partial<DaemonFile>;
    return typeof pid === "number" ? pid : null;
  } catch {
    return null;
  }
}

/** Only our own: another daemon may have written its file meanwhile. */
export function removeDaemonFile(path: string, pid: number): void {
  if (readDaemonPid(path) === pid) rmSync(path, { force: true });
}
