/**
 * Connecting one tool: look, show what would change, ask, make its key, keep copies, write, note it down. The receipt is on the disk before
 * the first file changes, so that whatever happens in between can be undone; what fails half-way is taken back at once.
 */
import { formatInstant } from "../../base/clock.ts";
import type { Paths } from "../../base/paths.ts";
import { findCodexHome } from "../codex-home.ts";
import type { Context } from "../command.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { clientBase } from "../stanza.ts";
import { type Change, carryOut, isIdle, isPart, planTask, planUndo, receiptOf, withoutUsAt } from "./change.ts";
import { KEY_TO_COME, keptKey, keyFileOf, makeKey, type OwnKey } from "./client-key.ts";
import { lookAt, overwritePart, replace } from "./disk-file.ts";
import { type FileReceipt, openReceipts, type Receipt, type ReceiptBook } from "./receipt.ts";
import type { Task } from "./task.ts";
import type { Ask, Tool, ToolPlan } from "./tool.ts";

export interface ConnectWish {
  readonly tool: Tool;
  readonly way: string | null;
  /** null = as it is, or none. */
  readonly profile: string | null;
  /** Label for its key; null = one of ours. */
  readonly keyName: string | null;
}

/** Everything that would be done, looked at and not yet begun. */
export interface ConnectPlan {
  readonly wish: ConnectWish;
  readonly former: Receipt | null;
  readonly changes: readonly Change[];
  /** What stays noted down as it is. */
  readonly carried: readonly FileReceipt[];
  readonly tool: ToolPlan;
  readonly key: OwnKey | null;
  readonly proxyUrl: string;
}

/** `key` is null while there is none yet; what would hold it then holds a stand-in. */
export async function planConnect(
  context: Context,
  wish: ConnectWish,
  { proxyUrl, key }: { proxyUrl: string; key: OwnKey | null },
): Promise<ConnectPlan> {
  const { io, paths } = context;
  const book = openReceipts(paths);
  const { tool } = wish;
  const former = book.read(tool.name);
  const secret = key?.secret ?? KEY_TO_COME;
  const formerOf = (path: string) => former?.files.find((file) => file.path === path) ?? null;
  const ask: Ask = {
    host: io.host,
    codex: findCodexHome(context),
    base: clientBase(proxyUrl),
    secret,
    keyFile: keyFileOf(book.folder, tool.name),
    folder: book.folder,
    way: wish.way,
    profile: wish.profile ?? former?.profile ?? null,
    program: io.selfCommand.args.length === 0 ? io.selfCommand.command : null,
    read: (path) => withoutUsAt(path, formerOf(path), book),
  };
  const plan = await tool.plan(ask);
  const changes: Change[] = [];
  for (const task of plan.tasks) changes.push(await planTask(task, formerOf(task.path), book, holds(task, secret)));
  const left = (former?.files ?? []).filter(({ path }) => !plan.tasks.some((task) => task.path === path));
  // A conversation that was put among the others shows no more that it was, and what was removed is not found again.
  const isCarried = (file: FileReceipt) => isPart(file) || file.kind === "remove";
  const carried = left.filter(isCarried);
  for (const file of left) if (!isCarried(file)) changes.push(await planUndo(file, book));
  return { wish, former, changes, carried, tool: plan, key, proxyUrl };
}

function holds(task: Task, secret: string): boolean {
  return JSON.stringify(task).includes(secret);
}

/** Asks for its key by itself, or needs none. */
export const hasOwnWay = ({ peer, isKeyless }: Tool) => peer !== null || isKeyless === true;

/** The key from before when it is still good. */
export async function findKey(link: DaemonLink, paths: Paths, wish: ConnectWish): Promise<OwnKey | null> {
  const book = openReceipts(paths);
  const { keys } = await link.keys.listKeys({});
  const kept = keptKey(book.read(wish.tool.name), book.folder, keys);
  return kept !== null && (wish.keyName === null || wish.keyName === kept.name) ? kept : null;
}

/** Does what was planned. Nothing is left half done: what was written before a failure is put back. */
export async function carryOutConnect(context: Context, planned: ConnectPlan): Promise<Receipt> {
  const book = openReceipts(context.paths);
  const link = await context.daemon();
  const { wish, former, proxyUrl } = planned;
  const { name } = wish.tool;
  const key = hasOwnWay(wish.tool) ? null : (planned.key ?? (await makeKey(link, name, book.folder, wish.keyName)));
  const plan = key === null || planned.key !== null ? planned : await planConnect(context, wish, { proxyUrl, key });
  if (wish.profile !== null && key !== null) await bindKey(context, wish.profile, key);
  const receipt = await write(context, book, plan, key);
  if (former?.key && former.key.id !== key?.id) {
    const { keys } = await link.keys.listKeys({});
    const isValid = keys.some(({ id, revokeTime }) => id === former.key!.id && revokeTime === undefined);
    if (isValid) await link.keys.revokeKey({ keyId: former.key.id });
  }
  return receipt;
}

async function write(context: Context, book: ReceiptBook, plan: ConnectPlan, key: OwnKey | null): Promise<Receipt> {
  const { wish, former, changes, carried, proxyUrl } = plan;
  const files: FileReceipt[] = [];
  for (const change of changes) {
    const file = await receiptOf(change, book);
    if (file !== null) files.push(file);
  }
  const receipt: Receipt = {
    version: 1,
    tool: wish.tool.name,
    way: wish.way,
    connectTime: formatInstant(context.nowMs()),
    serial: 1 + Math.max(0, ...book.all().map(({ serial }) => serial)),
    profile: wish.profile ?? former?.profile ?? null,
    key: key && { id: key.id, name: key.name },
    peer: wish.tool.peer,
    // A peer asks where the daemon is.
    proxyUrl: key === null ? null : proxyUrl,
    home: context.io.host.homeDir,
    files: [...files, ...carried],
  };
  await book.write(receipt);
  const made = await carryOutAll(changes, async () => {
    if (former === null) await book.drop(wish.tool.name);
    else await book.write(former);
  });
  const noted = { ...receipt, files: receipt.files.map((file) => withFolders(file, made.get(file.path) ?? [])) };
  await book.write(noted);
  return noted;
}

const withFolders = (file: FileReceipt, made: readonly string[]): FileReceipt =>
  made.length === 0 ? file : { ...file, folders: made };

/** All of it or nothing. The folders that were made, by file. */
export async function carryOutAll(
  changes: readonly Change[],
  onFailure: () => Promise<void>,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const made = new Map<string, readonly string[]>();
  const done: Change[] = [];
  try {
    for (const change of changes) {
      if (isIdle(change)) continue;
      made.set(change.look.path, await carryOut(change));
      done.push(change);
    }
    return made;
  } catch (error) {
    for (const change of done.reverse()) await putBack(change);
    await onFailure();
    throw error;
  }
}

/** As well as it can be: what failed may fail here too. */
async function putBack({ look, mode, trace, former }: Change): Promise<void> {
  const part = trace ?? former;
  try {
    if (part !== null && isPart(part)) await overwritePart(await lookAt(look.path, part), part, look.content!);
    else await replace(await lookAt(look.path), look.content, look.mode ?? mode);
  } catch {
    // The first failure is what is told; the copies are in our folder.
  }
}

async function bindKey(context: Context, profile: string, key: OwnKey): Promise<void> {
  const { profiles } = await context.daemon();
  const { profile: found } = await profiles.getProfile({ name: profile });
  if (found!.keyIds.includes(key.id)) return;
  await profiles.setProfile({ profile: { ...found!, keyIds: [...found!.keyIds, key.id] } });
}

/** A profile is asked for before anything is made. */
export async function requireProfile(link: DaemonLink, name: string): Promise<void> {
  await link.profiles.getProfile({ name });
}
