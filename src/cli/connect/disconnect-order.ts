/**
 * Disconnecting one tool: its files become what they were, byte for byte where nobody has touched them since, else without what is ours; its
 * key ends. Needs the receipt and nothing of the tool, so that what an earlier version connected can be undone.
 */
import { existsSync } from "node:fs";
import { join, sep } from "node:path";
import { AppError } from "../../base/errors.ts";
import type { Context } from "../command.ts";
import { failureOf } from "../failure.ts";
import { type Change, planUndo } from "./change.ts";
import { dropKeyFile } from "./client-key.ts";
import { carryOutAll } from "./connect-order.ts";
import { type FileReceipt, openReceipts, type Receipt } from "./receipt.ts";

export interface DisconnectPlan {
  readonly receipt: Receipt;
  readonly changes: readonly Change[];
  /** Files that are looked for in the home of today. */
  readonly moved: readonly { readonly from: string; readonly to: string }[];
}

/** Throws `not_connected`. */
export async function planDisconnect(context: Context, tool: string): Promise<DisconnectPlan> {
  const book = openReceipts(context.paths);
  const receipt = book.read(tool);
  if (receipt === null) throw new AppError("not_connected", `${tool} is not connected`);
  const files = receipt.files.map((file) => atHome(file, receipt.home, context.io.host.homeDir));
  const changes: Change[] = [];
  for (const file of [...files].reverse()) changes.push(await planUndo(file, book));
  const moved = files.flatMap((file, i) => {
    const from = receipt.files[i]!.path;
    return from === file.path ? [] : [{ from, to: file.path }];
  });
  return { receipt, changes, moved };
}

/** A file below a home that has moved since is looked for in the one of today. */
export function atHome(file: FileReceipt, then: string, now: string): FileReceipt {
  if (then === now || existsSync(file.path) || !file.path.startsWith(then + sep)) return file;
  const path = join(now, file.path.slice(then.length + 1));
  return existsSync(path) ? { ...file, path } : file;
}

/** What the key had to do with it is said, and does not keep the files from what they were. */
export async function carryOutDisconnect(context: Context, plan: DisconnectPlan): Promise<void> {
  const book = openReceipts(context.paths);
  const { receipt, changes } = plan;
  await carryOutAll(changes, async () => {});
  await book.drop(receipt.tool);
  await dropKeyFile(book.folder, receipt.tool);
  const { key, peer } = receipt;
  if (key === null && peer === null) return;
  const name = key?.name ?? peer;
  try {
    const { keys } = await context.daemon();
    const { keys: all } = await keys.listKeys({});
    const valid = all.filter((one) => one.revokeTime === undefined);
    const own = valid.find((one) => (key === null ? one.name === peer : one.id === key.id));
    if (own !== undefined) await keys.revokeKey({ keyId: own.id });
  } catch (thrown) {
    context.print.warning(
      `the key ${name} is still good: ${failureOf(thrown).message}; end it with: rotor key revoke ${name}`,
    );
  }
}
