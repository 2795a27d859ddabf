/**
 * The client key of a connected tool: one a tool and machine, in a file for its owner alone, ended when the tool is disconnected.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Key } from "../../gen/rotor/v1/key_service_pb.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { writeWhole } from "./disk-file.ts";
import type { Receipt } from "./receipt.ts";

/** What stands where a key will be while it is only shown. */
export const KEY_TO_COME = "rtr_new_key";

export interface OwnKey {
  readonly id: string;
  readonly name: string;
  readonly secret: string;
}

export const keyFileOf = (folder: string, tool: string) => join(folder, `${tool}.key`);

/** The key from before, when the daemon still takes it and its file is there. */
export function keptKey(receipt: Receipt | null, folder: string, keys: readonly Key[]): OwnKey | null {
  if (receipt?.key == null) return null;
  const { id, name } = receipt.key;
  const file = keyFileOf(folder, receipt.tool);
  const isValid = keys.some((key) => key.id === id && key.revokeTime === undefined);
  if (!isValid || !existsSync(file)) return null;
  const secret = readFileSync(file, "utf8").trim();
  return secret.startsWith(`rtr_${id}_`) ? { id, name, secret } : null;
}

/** `wanted` is a label that somebody chose; else `codex-laptop`, numbered when another key has that name. */
export async function makeKey(link: DaemonLink, tool: string, folder: string, wanted: string | null): Promise<OwnKey> {
  const { keys } = await link.keys.listKeys({});
  const taken = new Set(keys.filter((key) => key.revokeTime === undefined).map((key) => key.name));
  const name = wanted ?? freeName(labelOf(tool), taken);
  const { key, secret } = await link.keys.createKey({ name });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  await writeWhole(keyFileOf(folder, tool), new TextEncoder().encode(`${secret}\n`), 0o600);
  return { id: key!.id, name: key!.name, secret };
}

/** Labels: 1–40 of a–z 0–9 . _ -. */
function labelOf(tool: string): string {
  const machine = hostname()
    .split(".")[0]!
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, "-")
    .replace(/^-+|-+$/g, "");
  return `${tool}-${machine || "here"}`.slice(0, 36);
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}-${number}`;
  return free;
}

export async function dropKeyFile(folder: string, tool: string): Promise<void> {
  await unlink(keyFileOf(folder, tool)).catch(() => undefined);
}
