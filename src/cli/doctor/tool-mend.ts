/**
 * What `rotor doctor --fix` does for connected tools: connects again what has drifted, in the way and with the profile that it had, with a
 * new key when the old one is not good any more. Only what rotor connect changed before is changed, and copies are kept.
 */
import type { Context } from "../command.ts";
import { keyFileOf } from "../connect/client-key.ts";
import { type ConnectWish, carryOutConnect, findKey, planConnect } from "../connect/connect-order.ts";
import { openReceipts, type Receipt } from "../connect/receipt.ts";
import { askKnown, toolStates } from "../connect/tool-state.ts";
import { toolNamed } from "../connect/tool-table.ts";
import { failureOf } from "../failure.ts";
import type { Mended } from "./finding.ts";
import { readSecret } from "./tool-checks.ts";

export async function mendTools(context: Context, dryRun: boolean): Promise<Mended[]> {
  const book = openReceipts(context.paths);
  if (book.all().length === 0) return [];
  const link = await context.daemon();
  const steps: Mended[] = [];
  for (const { name, drift } of await toolStates(context, await askKnown(link))) {
    const receipt = book.read(name);
    if (receipt === null) continue;
    const lost = receipt.key !== null && readSecret(keyFileOf(book.folder, name)) === null;
    const why = lost ? ["the file with its key is gone"] : drift;
    if (why.length === 0) continue;
    const message = `connect ${name} again: ${why.join("; ")}`;
    const step = (words: string, done: boolean) => void steps.push({ check: "tool.drift", message: words, done });
    if (dryRun) {
      step(message, false);
      continue;
    }
    try {
      await connectAgain(context, receipt);
      step(message, true);
    } catch (thrown) {
      step(`${message}: ${failureOf(thrown).message}`, false);
    }
  }
  return steps;
}

async function connectAgain(context: Context, receipt: Receipt): Promise<void> {
  const link = await context.daemon();
  const tool = toolNamed(receipt.tool);
  if (tool === null) throw new Error(`this version does not know ${receipt.tool}; rotor disconnect ${receipt.tool}`);
  const same: ConnectWish = { tool, way: receipt.way, profile: null, keyName: null };
  const key = await findKey(link, context.paths, same);
  // A new key has to be let in where the old one was.
  const wish = { ...same, profile: key === null ? receipt.profile : null };
  await carryOutConnect(context, await planConnect(context, wish, { proxyUrl: link.daemon.proxyUrl, key }));
}
