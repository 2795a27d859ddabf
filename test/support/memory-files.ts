/**
 * A file system of a few files, for the pool's file port. Tells of every change at once and does not write in parts: what a real one does
 * with half-written files, links, modes and folders is tested at the real port (test/daemon/login-file-port.test.ts).
 */
import { AppError } from "../../src/base/errors.ts";
import type { FilePort, FileReading } from "../../src/pool/file-port.ts";

export interface MemoryFiles extends FilePort {
  /** As another program would. null takes it away. */
  put(path: string, content: unknown): void;
  text(path: string): string | null;
  json(path: string): Record<string, unknown>;
  /** Reads of the file so far. */
  reads(path: string): number;
  /** From now on nobody may read it; null = as before. */
  refuse(path: string, reason: string | null): void;
  /** Runs once, just before the next write looks at the file. */
  beforeWrite: (() => void) | null;
  paths(): string[];
}

export function createMemoryFiles(): MemoryFiles {
  const files = new Map<string, Uint8Array>();
  const refusals = new Map<string, string>();
  const watchers = new Map<string, Set<() => void>>();
  const reads = new Map<string, number>();
  const tell = (path: string) => {
    for (const onChange of watchers.get(path) ?? []) onChange();
  };
  const port: MemoryFiles = {
    beforeWrite: null,
    put(path, content) {
      if (content === null) files.delete(path);
      else files.set(path, new TextEncoder().encode(typeof content === "string" ? content : JSON.stringify(content)));
      tell(path);
    },
    text: (path) => (files.has(path) ? new TextDecoder().decode(files.get(path)) : null),
    json: (path) => JSON.parse(port.text(path)!),
    reads: (path) => reads.get(path) ?? 0,
    refuse(path, reason) {
      if (reason === null) refusals.delete(path);
      else refusals.set(path, reason);
      tell(path);
    },
    paths: () => [...files.keys()],
    accept(path) {
      if (!path.startsWith("/")) throw new AppError("invalid_login_file", `${path}: the path must be absolute`);
      return path;
    },
    async read(path): Promise<FileReading> {
      reads.set(path, port.reads(path) + 1);
      const reason = refusals.get(path);
      if (reason !== undefined) return { kind: "refused", reason };
      const bytes = files.get(path);
      return bytes === undefined ? { kind: "absent" } : { kind: "present", bytes };
    },
    async write(path, bytes, expected) {
      const before = port.beforeWrite;
      port.beforeWrite = null;
      before?.();
      if (refusals.has(path)) throw new AppError("invalid_login_file", `${path}: ${refusals.get(path)}`);
      const now = files.get(path) ?? null;
      const same = now === null || expected === null ? now === expected : Buffer.from(now).equals(expected);
      if (!same) return "changed";
      files.set(path, bytes);
      tell(path);
      return "written";
    },
    async backUp(path, bytes) {
      const copy = `${path}.bak`;
      files.set(copy, bytes);
      return copy;
    },
    watch(path, onChange) {
      const all = watchers.get(path) ?? new Set();
      watchers.set(path, all.add(onChange));
      return () => void all.delete(onChange);
    },
  };
  return port;
}
