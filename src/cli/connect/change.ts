/**
 * From what is to be done to one file to what it will be, and onto the disk: nothing is written before everything has been looked at. A tool
 * that is connected again is thought disconnected first, so that what we did before never stays behind.
 */
import {
  digest,
  dropFolders,
  type Look,
  lookAt,
  overwritePart,
  type Part,
  refused,
  refuseReadOnly,
  replace,
} from "./disk-file.ts";
import { Unfit } from "./document.ts";
import type { FileReceipt, ReceiptBook } from "./receipt.ts";
import { type Content, perform, type Task, type Trace, undo } from "./task.ts";

export interface Change {
  readonly what: string;
  readonly look: Look;
  /** What would be there without us. */
  readonly base: Content;
  readonly baseMode: number | null;
  readonly after: Content;
  readonly mode: number;
  /** null = nothing of ours is left in it. */
  readonly trace: Trace | null;
  readonly former: FileReceipt | null;
  /** Places that somebody has changed since and that stay as they are. */
  readonly kept: readonly string[];
}

const OWNER_ONLY = 0o700;
const NEW_FILE_MODE = 0o600;
const NEW_PROGRAM_MODE = 0o700;

/** Files of which only a part counts: their copy would be neither needed nor small. */
export const isPart = ({ kind }: Pick<Trace, "kind">) => kind === "patch" || kind === "rows";

function partOf(task: Task): Part {
  return { spots: task.kind === "patch" ? task.spots : [], rows: task.kind === "rows" ? task.rows : null };
}

export const isIdle = ({ look, after, mode }: Change) =>
  digest(look.content) === digest(after) && (after === null || look.mode === mode);

/** `isSecret` says whether the file will hold a key: then nobody else may read it. */
export async function planTask(
  task: Task,
  former: FileReceipt | null,
  book: ReceiptBook,
  isSecret: boolean,
): Promise<Change> {
  const look = await lookAt(task.path, partOf(task));
  const without = former === null ? null : withoutUs(former, look, book);
  const [base, baseMode] = without === null ? [look.content, look.mode] : [without.after, without.mode];
  const { after, trace } = explained(look, () => perform(task, base));
  const usual = baseMode ?? (task.kind === "own" && task.isProgram ? NEW_PROGRAM_MODE : NEW_FILE_MODE);
  const mode = isSecret ? usual & OWNER_ONLY : usual;
  const change = { what: task.what, look, base, baseMode, after, mode, trace, former, kept: without?.kept ?? [] };
  if (!isIdle(change)) refuseReadOnly(look);
  return change;
}

/** `home` is the home of today; a receipt from before it moved names the old one. */
export async function planUndo(receipt: FileReceipt, book: ReceiptBook): Promise<Change> {
  const look = await lookAt(receipt.path, receipt);
  const { after, mode, kept } = withoutUs(receipt, look, book);
  const usual = mode ?? NEW_FILE_MODE;
  const change: Change = {
    what: receipt.what,
    look,
    base: after,
    baseMode: mode,
    after,
    mode: usual,
    trace: null,
    former: receipt,
    kept,
  };
  if (!isIdle(change)) refuseReadOnly(look);
  return change;
}

/** Text of a file as it would be without us; null = no file. A file that cannot be read as text is said to by whoever edits it. */
export async function withoutUsAt(path: string, former: FileReceipt | null, book: ReceiptBook): Promise<string | null> {
  const look = await lookAt(path);
  const content = former === null ? look.content : withoutUs(former, look, book).after;
  return content === null ? null : new TextDecoder().decode(content);
}

interface Without {
  readonly after: Content;
  readonly mode: number | null;
  readonly kept: readonly string[];
}

function withoutUs(receipt: FileReceipt, look: Look, book: ReceiptBook): Without {
  const { before } = receipt;
  const now = digest(look.content);
  if (now === (before?.digest ?? null)) return { after: look.content, mode: before?.mode ?? look.mode, kept: [] };
  if (now === receipt.after && !isPart(receipt)) {
    if (before === null) return { after: null, mode: null, kept: [] };
    const copy = before.copy === null ? null : book.copy(before.copy);
    // Without its copy what is ours is taken out all the same.
    if (digest(copy) === before.digest) return { after: copy, mode: before.mode, kept: [] };
  }
  const { after, kept } = explained(look, () => undo(receipt, look.content));
  const isOurs = before === null && kept.length === 0 && after !== null && isBlank(after);
  if (isOurs) return { after: null, mode: null, kept };
  // Tightened for a key that is no longer in it; what somebody has set since stays.
  const isTightened = before !== null && look.mode === (before.mode & OWNER_ONLY);
  return { after, mode: isTightened ? before.mode : look.mode, kept };
}

/** A file that we made and that nobody has put anything into. */
function isBlank(content: Uint8Array): boolean {
  const text = new TextDecoder().decode(content).trim();
  return text === "" || /^\{\s*\}$/.test(text);
}

function explained<T>(look: Look, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof Unfit) throw refused(look.path, error.message, error);
    throw error;
  }
}

/** What the receipt will say of a change; its copy is kept first. null = nothing of ours will be in it. */
export async function receiptOf(change: Change, book: ReceiptBook): Promise<FileReceipt | null> {
  const { look, base, baseMode, after, trace, former, what } = change;
  if (trace === null) return null;
  const known = digest(base);
  const needsCopy = base !== null && !isPart(trace);
  const before =
    base === null
      ? null
      : { digest: known!, mode: baseMode ?? NEW_FILE_MODE, copy: needsCopy ? await book.keep(look.path, base) : null };
  return { ...trace, path: look.path, what, before, after: digest(after), folders: former?.folders ?? [] };
}

/** Onto the disk. Answers the folders that had to be made. Throws when somebody was faster. */
export async function carryOut(change: Change): Promise<readonly string[]> {
  const { look, after, mode, trace, former } = change;
  if (isIdle(change)) return [];
  const part = trace ?? former;
  if (part !== null && isPart(part)) {
    await overwritePart(look, part, after!);
    return [];
  }
  const made = await replace(look, after, mode);
  if (after === null) await dropFolders(former?.folders ?? []);
  return made;
}
