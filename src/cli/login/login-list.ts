/**
 * The list of `rotor login --from`: e-mail addresses, aliases, and which of them to leave out. Parses, never judges accounts.
 * It never holds a password; a line that looks as if it did is refused, and its text is not repeated anywhere.
 */

export interface ListEntry {
  /** Line in the file, from 1. */
  readonly line: number;
  readonly email: string;
  readonly alias: string | null;
  /** Marked to be left out. */
  readonly disabled: boolean;
}

/** A line that cannot be taken, in words that repeat nothing of it but addresses and aliases. */
export interface ListFault {
  readonly line: number;
  readonly message: string;
}

/** More than anybody signs in by hand; a larger file is not such a list. */
const MOST_ENTRIES = 1_000;
const DISABLED_MARK = "disabled";
const EMAIL = /^[^\s@:;|,"'<>]+@[^\s@:;|,"'<>]+\.[^\s@:;|,"'<>]+$/;

const PASSWORD =
  "looks as if it held a password; Rotor never takes one. Keep the e-mail address and, after a blank, an alias";

export function parseLoginList(text: string): { entries: ListEntry[]; faults: ListFault[] } {
  const entries: ListEntry[] = [];
  const faults: ListFault[] = [];
  for (const [i, raw] of text
    .replace(/^\ufeff/, "")
    .split(/\r\n|\n|\r/)
    .entries()) {
    const words = withoutComment(raw).split(/\s+/).filter(Boolean);
    if (words.length === 0) continue;
    const line = i + 1;
    if (entries.length === MOST_ENTRIES) {
      faults.push({ line, message: `the list is longer than ${MOST_ENTRIES} addresses` });
      break;
    }
    const parsed = parseLine(line, words);
    const clash = "email" in parsed ? clashWith(entries, parsed) : null;
    if (!("email" in parsed)) faults.push(parsed);
    else if (clash !== null) faults.push({ line, message: clash });
    else entries.push(parsed);
  }
  return { entries, faults };
}

/** A comment begins with `#`, at the start or after a blank: an address may hold one. */
function withoutComment(line: string): string {
  return line.replace(/(^|\s)#.*$/s, "");
}

function parseLine(line: number, words: readonly string[]): ListEntry | ListFault {
  const disabled = words.length > 1 && words.at(-1)!.toLowerCase() === DISABLED_MARK;
  const [email = "", alias = null, ...more] = disabled ? words.slice(0, -1) : words;
  if (!EMAIL.test(email)) {
    const joined = /^[^\s@]+@[^\s@:;|,]+[:;|,]/.test(email);
    return { line, message: joined ? PASSWORD : "does not begin with an e-mail address" };
  }
  if (more.length > 0) return { line, message: PASSWORD };
  if (alias !== null && !isAlias(alias.toLowerCase())) {
    return {
      line,
      message: `its second word is no alias (1–40 of a–z 0–9 . _ -, not only digits); if it is a password: Rotor never takes one`,
    };
  }
  return { line, email: email.toLowerCase(), alias: alias === null ? null : alias.toLowerCase(), disabled };
}

/** Only to tell a slip before anything is opened; the daemon decides. */
function isAlias(text: string): boolean {
  return /^[a-z0-9][a-z0-9._-]{0,39}$/.test(text) && !/^\d+$/.test(text);
}

function clashWith(entries: readonly ListEntry[], entry: ListEntry): string | null {
  const sameAlias = entry.alias === null ? undefined : entries.find((known) => known.alias === entry.alias);
  if (sameAlias) return `the alias ${entry.alias} stands in line ${sameAlias.line} already`;
  const sameEmail = entries.find((known) => known.email === entry.email && !(known.alias && entry.alias));
  if (!sameEmail) return null;
  return `${entry.email} stands in line ${sameEmail.line} already; for several workspaces of one address give each its alias`;
}
