/**
 * What we did to the files of one tool, kept so that it can be undone: one JSON file a tool in our data folder, with copies of the files as
 * they were beside it. All of it is for its owner alone: the copies may hold what is secret in
 * those files.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { AppError } from "../../base/errors.ts";
import type { Paths } from "../../base/paths.ts";
import { digest, writeWhole } from "./disk-file.ts";
import type { Content, Trace } from "./task.ts";

export interface FileReceipt extends Trace {
  /** As people know it. */
  readonly path: string;
  readonly what: string;
  /** null = there was no file. */
  readonly before: { readonly digest: string; readonly mode: number; readonly copy: string | null } | null;
  /** Digest of what we left; null = no file. Of a patched file: of its head. */
  readonly after: string | null;
  /** Folders that were made for it, outermost first. */
  readonly folders: readonly string[];
}

export interface Receipt {
  readonly version: 1;
  readonly tool: string;
  /** How it was connected, in the tool's own words; null = its usual way. */
  readonly way: string | null;
  readonly connectTime: string;
  /** Counts up over all tools: two may have changed one file, and what was done last is undone first. */
  readonly serial: number;
  readonly profile: string | null;
  readonly key: { readonly id: string; readonly name: string } | null;
  /** Name under which it asks the daemon for keys by itself; null = it has the one above. */
  readonly peer: string | null;
  readonly proxyUrl: string | null;
  /** The home that paths below it were written for. */
  readonly home: string;
  readonly files: readonly FileReceipt[];
}

export interface ReceiptBook {
  /** null = not connected. Throws `client_config_refused` for one that cannot be read: guessing would lose the way back. */
  read(tool: string): Receipt | null;
  /** Every receipt, the newest first. */
  all(): readonly Receipt[];
  write(receipt: Receipt): Promise<void>;
  /** With the copies that no other receipt needs. */
  drop(tool: string): Promise<void>;
  /** Keeps a copy; the name to find it by. */
  keep(path: string, content: Uint8Array): Promise<string>;
  copy(name: string): Content;
  /** Folder for files of ours that tools read. */
  readonly folder: string;
}

export function openReceipts({ connectionsDir: folder }: Paths): ReceiptBook {
  const fileOf = (tool: string) => join(folder, `${tool}.json`);
  const copies = join(folder, "copies");
  const book: ReceiptBook = {
    folder,
    read(tool) {
      if (!existsSync(fileOf(tool))) return null;
      try {
        const receipt = JSON.parse(readFileSync(fileOf(tool), "utf8")) as Receipt;
        if (receipt.version !== 1 || !Array.isArray(receipt.files)) throw new Error("another version wrote it");
        return receipt;
      } catch (cause) {
        const message = `${fileOf(tool)} says how ${tool} was connected and cannot be read: ${(cause as Error).message}`;
        throw new AppError("client_config_refused", message, {
          hint: `the files as they were lie in ${copies}`,
          cause,
        });
      }
    },
    all() {
      if (!existsSync(folder)) return [];
      const names = readdirSync(folder).flatMap((name) => (name.endsWith(".json") ? [name.slice(0, -5)] : []));
      return names.map((name) => book.read(name)!).sort((a, b) => b.serial - a.serial);
    },
    async write(receipt) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      const text = `${JSON.stringify(receipt, null, 2)}\n`;
      await writeWhole(fileOf(receipt.tool), new TextEncoder().encode(text), 0o600);
    },
    async drop(tool) {
      const needed = new Set(book.all().flatMap((one) => (one.tool === tool ? [] : copiesOf(one))));
      const own = book.read(tool);
      if (existsSync(fileOf(tool))) await unlink(fileOf(tool));
      for (const name of own === null ? [] : copiesOf(own))
        if (!needed.has(name)) await unlink(join(copies, name)).catch(() => undefined);
    },
    async keep(path, content) {
      mkdirSync(copies, { recursive: true, mode: 0o700 });
      const name = `${digest(content)!.slice(0, 16)}-${basename(path)}`;
      if (!existsSync(join(copies, name))) await writeWhole(join(copies, name), content, 0o600);
      return name;
    },
    copy(name) {
      try {
        return new Uint8Array(readFileSync(join(copies, basename(name))));
      } catch {
        return null;
      }
    },
  };
  return book;
}

/** Whether the connection of another tool holds this file. `folder` is that of the receipts. */
export function isHeldBy(folder: string, tool: string, path: string): boolean {
  try {
    const receipt = JSON.parse(readFileSync(join(folder, `${tool}.json`), "utf8")) as Receipt;
    return receipt.files.some((file) => file.path === path);
  } catch {
    return false;
  }
}

const copiesOf = ({ files }: Receipt) => files.flatMap(({ before }) => before?.copy ?? []);
