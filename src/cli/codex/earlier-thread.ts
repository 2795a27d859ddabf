/**
 * Which provider an earlier Codex conversation was held through, read from the first line of its record (`sessions/…/rollout-*.jsonl`).
 * Codex refuses to go on with one through another provider (0.169), so this must be known before it starts. Reads; never writes there.
 */
import { closeSync, openSync, readdirSync, readSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";

export interface EarlierThread {
  readonly id: string;
  readonly provider: string;
}

/** The conversation with this id; null when there is no record of it here. */
export function threadById(codexHome: string, id: string): EarlierThread | null {
  if (!/^[0-9a-f-]{36}$/i.test(id)) return null;
  const file = recordsIn(codexHome).find((name) => name.endsWith(`-${id.toLowerCase()}.jsonl`));
  return file === undefined ? null : (headOf(file) ?? null);
}

/** What `--last` means, whatever provider it was: the conversation that was written to last. */
export function lastThread(
  codexHome: string,
  wanted: { readonly folder: string | null; readonly everySource: boolean },
): EarlierThread | null {
  const folder = wanted.folder === null ? null : real(wanted.folder);
  const dated = recordsIn(codexHome).map((file) => ({
    file,
    atMs: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0,
  }));
  for (const { file } of dated.toSorted((a, b) => b.atMs - a.atMs)) {
    const head = headOf(file);
    if (head === null || (folder !== null && head.folder !== folder)) continue;
    if (wanted.everySource || SCREENS.has(head.source)) return head;
  }
  return null;
}

/** Where people sat in front of it; the others are `exec` and what Codex started by itself. */
const SCREENS: ReadonlySet<string> = new Set(["cli", "vscode"]);

interface Head extends EarlierThread {
  readonly folder: string;
  readonly source: string;
}

function recordsIn(codexHome: string): readonly string[] {
  try {
    const root = join(codexHome, "sessions");
    const names = readdirSync(root, { recursive: true }) as string[];
    return names.filter((name) => /rollout-[^/\\]*\.jsonl$/.test(name)).map((name) => join(root, name));
  } catch {
    return [];
  }
}

/** The first line carries Codex's whole instructions: some twenty kilobytes. */
const HEAD_BYTES = 262_144;

function headOf(file: string): Head | null {
  try {
    const { type, payload } = JSON.parse(firstLine(file)) as { type?: unknown; payload?: Record<string, unknown> };
    const { id, model_provider: provider, cwd, source } = payload ?? {};
    if (type !== "session_meta" || typeof id !== "string" || typeof provider !== "string") return null;
    return { id, provider, folder: real(String(cwd)), source: String(source) };
  } catch {
    return null;
  }
}

function firstLine(file: string): string {
  const bytes = Buffer.alloc(HEAD_BYTES);
  const handle = openSync(file, "r");
  try {
    const length = readSync(handle, bytes, 0, HEAD_BYTES, 0);
    const end = bytes.indexOf(10);
    return bytes.subarray(0, end === -1 ? length : end).toString();
  } finally {
    closeSync(handle);
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
