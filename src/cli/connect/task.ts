/**
 * What is to be done to one file of another program, as data; and how it is done and undone in memory. Pure: the disk is disk-file.ts's.
 */
import { type Claim, type Format, putAll, type Setting, stands, takeBack, Unfit } from "./document.ts";
import { JSONC } from "./jsonc-edit.ts";
import { TOML } from "./toml-edit.ts";

export type FormatName = "toml" | "jsonc";

interface TaskBase {
  /** Absolute. */
  readonly path: string;
  /** What the file is, for people: "the configuration of Codex". */
  readonly what: string;
  /** What others make of it later breaks nothing: it is left alone and is no drift. */
  readonly isLoose?: boolean;
}

/** Single values of a configuration file; a file that is not there is made. */
export interface EditTask extends TaskBase {
  readonly kind: "edit";
  readonly format: FormatName;
  readonly settings: readonly Setting[];
}

/** Lines between two marks, at the end of a file that people write by hand. */
export interface BlockTask extends TaskBase {
  readonly kind: "block";
  readonly lines: readonly string[];
}

/** A file that is ours alone. */
export interface OwnTask extends TaskBase {
  readonly kind: "own";
  readonly text: string;
  /** It is run by its name. */
  readonly isProgram?: boolean;
}

/** A file that is to go; undone from its copy. */
export interface RemoveTask extends TaskBase {
  readonly kind: "remove";
}

/** Bytes in their place, as many as before. */
export interface Spot {
  readonly offset: number;
  readonly from: string;
  readonly to: string;
}

/** For files that another program may be appending to and that may be large. Their content is, for us, what stands at the spots. */
export interface PatchTask extends TaskBase {
  readonly kind: "patch";
  readonly spots: readonly Spot[];
}

/** Which of Codex's conversations its database counts to which provider. The content is, for us, what it says of `ids`. */
export interface RowsTask extends TaskBase {
  readonly kind: "rows";
  readonly rows: Rows;
}

export interface Rows {
  readonly ids: readonly string[];
  readonly from: string;
  readonly to: string;
}

export type Task = EditTask | BlockTask | OwnTask | RemoveTask | PatchTask | RowsTask;

/** What a task leaves behind in a receipt so that it can be undone when the file is not as we left it. */
export interface Trace {
  readonly kind: Task["kind"];
  readonly format: FormatName | null;
  readonly claims: readonly Claim[];
  /** Empty unless it is a patch. */
  readonly spots: readonly Spot[];
  /** null unless it is of a database. */
  readonly rows: Rows | null;
  readonly isLoose: boolean;
}

/** null = no file. */
export type Content = Uint8Array | null;

export const FORMATS: Readonly<Record<FormatName, Format>> = { toml: TOML, jsonc: JSONC };

const MARK = { first: "# >>> rotor >>>", last: "# <<< rotor <<<" } as const;
const BOM = "\ufeff";

/** The file after a task. Throws {@link Unfit} when it cannot be done without harm. */
export function perform(task: Task, before: Content): { readonly after: Content; readonly trace: Trace } {
  const { kind, isLoose = false } = task;
  const trace = { kind, format: null, claims: [], spots: [], rows: null, isLoose } as const;
  switch (task.kind) {
    case "edit": {
      const { mark, text } = decode(before);
      const done = putAll(FORMATS[task.format], text, task.settings);
      const after = done.text === text ? before : encode(mark + done.text);
      return { after, trace: { ...trace, format: task.format, claims: done.claims } };
    }
    case "block": {
      const { mark, text } = decode(before);
      return { after: encode(mark + withBlock(withoutBlock(text), task.lines)), trace };
    }
    case "own":
      return { after: encode(task.text), trace };
    case "remove":
      return { after: null, trace };
    case "patch": {
      const { spots } = task;
      if (textOf(before) !== spots.map(({ from }) => from).join(""))
        throw new Unfit("it has changed since it was looked at");
      return { after: encode(spots.map(({ to }) => to).join("")), trace: { ...trace, spots } };
    }
    case "rows":
      return { after: renamed(before, task.rows.from, task.rows.to), trace: { ...trace, rows: task.rows } };
  }
}

/**
 * The file without what is ours, after others may have changed it. `kept` says what is left as it is, because somebody changed it. The bytes
 * of a file that is as we left it are the caller's to restore: they are in its copy.
 */
export function undo(trace: Trace, now: Content): { readonly after: Content; readonly kept: readonly string[] } {
  if (now === null) return { after: null, kept: [] };
  switch (trace.kind) {
    case "edit": {
      const { mark, text } = decode(now);
      const done = takeBack(FORMATS[trace.format!], text, trace.claims);
      return { after: encode(mark + done.text), kept: done.kept.map((path) => path.join(".")) };
    }
    case "block": {
      const { mark, text } = decode(now);
      return { after: encode(mark + withoutBlock(text)), kept: [] };
    }
    case "patch": {
      const isOurs = textOf(now) === trace.spots.map(({ to }) => to).join("");
      const after = isOurs ? encode(trace.spots.map(({ from }) => from).join("")) : now;
      return { after, kept: isOurs ? [] : ["its content"] };
    }
    case "rows":
      return { after: renamed(now, trace.rows!.to, trace.rows!.from), kept: [] };
    // Somebody has made it their own, or has put another in its place.
    case "own":
    case "remove":
      return { after: now, kept: ["its content"] };
  }
}

/** Places of ours that are not as we left them; empty when only other parts of the file have changed. */
export function drift(trace: Trace, now: Content): readonly string[] {
  if (trace.isLoose) return [];
  if (now === null) return trace.kind === "remove" ? [] : ["the file is gone"];
  switch (trace.kind) {
    case "edit": {
      const { text } = decode(now);
      const format = FORMATS[trace.format!];
      return trace.claims.flatMap((claim) => (stands(format, text, claim) ? [] : [claim.path.join(".")]));
    }
    case "block":
      return decode(now).text.includes(MARK.first) ? [] : ["its lines are gone"];
    case "own":
    case "patch":
    case "rows":
      return ["its content"];
    case "remove":
      return ["it is there again"];
  }
}

function decode(content: Content): { mark: string; text: string } {
  if (content === null) return { mark: "", text: "" };
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
    return text.startsWith(BOM) ? { mark: BOM, text: text.slice(1) } : { mark: "", text };
  } catch {
    throw new Unfit("it is not UTF-8");
  }
}

const encode = (text: string) => new TextEncoder().encode(text);

const textOf = (content: Content) => (content === null ? "" : new TextDecoder().decode(content));

/** Rows as {@link rowsText} writes them: what says `from` says `to`. */
function renamed(content: Content, from: string, to: string): Uint8Array {
  const lines = textOf(content).split("\n");
  return encode(lines.map((line) => (line.endsWith(`\t${from}`) ? line.slice(0, -from.length) + to : line)).join("\n"));
}

function withBlock(text: string, lines: readonly string[]): string {
  const end = text.includes("\r\n") ? "\r\n" : "\n";
  const closed = text === "" || text.endsWith("\n") ? text : text + end;
  return `${closed}${[MARK.first, ...lines, MARK.last].join(end)}${end}`;
}

function withoutBlock(text: string): string {
  const from = text.indexOf(MARK.first);
  const last = text.indexOf(MARK.last, from);
  if (from === -1 || last === -1) return text;
  const end = text.indexOf("\n", last);
  return text.slice(0, from) + (end === -1 ? "" : text.slice(end + 1));
}
