/**
 * A value in a foreign JSON file that knows its place, and readers that take it apart. A wrong type is `invalid_import` with file and
 * path, or, where a reader is `soft`, a remark. Messages name places and kinds, never values: a value may be a token or an e-mail.
 */
import { AppError } from "../base/errors.ts";

/** A file as somebody else's product left it. The name is for messages only; what the file is, its content says. */
export interface ForeignFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export type Reader<T> = (at: JsonNode) => T;

export class JsonNode {
  constructor(
    readonly file: string,
    readonly path: string,
    readonly value: unknown,
    readonly remarks: string[],
  ) {}

  get place(): string {
    if (this.path === "") return this.file || "the file";
    return this.file === "" ? this.path : `${this.file}: ${this.path}`;
  }

  get isNothing(): boolean {
    return this.value === undefined || this.value === null;
  }

  get isObject(): boolean {
    return typeof this.value === "object" && this.value !== null && !Array.isArray(this.value);
  }

  wrong(what: string): AppError {
    return new AppError("invalid_import", `${this.place} ${what}`);
  }

  note(what: string): void {
    this.remarks.push(`${this.place} ${what}`);
  }

  /** The value of `key`, which is one of the product's own names and may be shown. */
  get(key: string): JsonNode {
    const value = this.isObject && Object.hasOwn(this.value as object, key) ? (this.value as Json)[key] : undefined;
    return this.child(this.path === "" ? key : `${this.path}.${key}`, value);
  }

  has(key: string): boolean {
    return !this.get(key).isNothing;
  }

  read<T>(key: string, reader: Reader<T>): T {
    return reader(this.get(key));
  }

  items(): readonly JsonNode[] {
    if (!Array.isArray(this.value)) throw this.wrong("must be a list");
    return this.value.map((value, index) => this.child(`${this.path}[${index}]`, value));
  }

  /** Keys that somebody chose, with their values. Places count them from 0: such a key may be an e-mail address. */
  entries(): readonly (readonly [key: string, at: JsonNode])[] {
    if (!this.isObject) throw this.wrong("must be an object");
    return Object.entries(this.value as Json).map(([key, value], index) => [
      key,
      this.child(`${this.path}[${index}]`, value),
    ]);
  }

  private child(path: string, value: unknown): JsonNode {
    return new JsonNode(this.file, path, value, this.remarks);
  }
}

type Json = Readonly<Record<string, unknown>>;

/** Text with something in it, without the blanks around it. */
export const text: Reader<string> = (at) => {
  if (typeof at.value !== "string") throw at.wrong(at.isNothing ? "is missing" : "must be a text");
  const trimmed = at.value.trim();
  if (trimmed === "") throw at.wrong("is empty");
  return trimmed;
};

export const number: Reader<number> = (at) => {
  if (typeof at.value !== "number" || !Number.isFinite(at.value)) {
    throw at.wrong(at.isNothing ? "is missing" : "must be a number");
  }
  return at.value;
};

export const flag: Reader<boolean> = (at) => {
  if (typeof at.value !== "boolean") throw at.wrong(at.isNothing ? "is missing" : "must be true or false");
  return at.value;
};

/** The last instant that a Date can show (ECMA-262 §21.4.1.1). */
const LAST_INSTANT_MS = 8.64e15;

/** Milliseconds since the epoch. */
export const instantMs: Reader<number> = (at) => {
  const atMs = number(at);
  if (atMs < 0 || atMs > LAST_INSTANT_MS) throw at.wrong("is no instant in milliseconds");
  return Math.floor(atMs);
};

/** Text as it is, also none. */
export const anyText: Reader<string> = (at) => {
  if (typeof at.value !== "string") throw at.wrong(at.isNothing ? "is missing" : "must be a text");
  return at.value;
};

/** null when it is absent or an empty text. */
export function optional<T>(reader: Reader<T>): Reader<T | null> {
  return (at) => (at.isNothing || at.value === "" ? null : reader(at));
}

/** null is null, and nothing else is: for what we wrote ourselves. */
export function nullable<T>(reader: Reader<T>): Reader<T | null> {
  return (at) => (at.value === null ? null : reader(at));
}

/** For what no login depends on: a value of the wrong type is left out with a remark, as its product would ignore it. */
export function soft<T>(reader: Reader<T>): Reader<T | null> {
  const lenient = optional(reader);
  return (at) => {
    try {
      return lenient(at);
    } catch (thrown) {
      if (!(thrown instanceof AppError)) throw thrown;
      at.remarks.push(`${thrown.message}; it is left out`);
      return null;
    }
  };
}

export function list<T>(reader: Reader<T>): Reader<readonly T[]> {
  return (at) => at.items().map(reader);
}

export function oneOf<const T extends string>(...words: readonly T[]): Reader<T> {
  return (at) => {
    const word = text(at);
    if (!(words as readonly string[]).includes(word)) throw at.wrong(`must be one of ${words.join(", ")}`);
    return word as T;
  };
}

/** An object with these fields; what else it has is not looked at. */
export function fields<T extends Readonly<Record<string, unknown>>>(
  shape: { readonly [K in keyof T]: Reader<T[K]> },
): Reader<T> {
  const readers = Object.entries(shape) as readonly (readonly [string, Reader<unknown>])[];
  return (at) => {
    if (!at.isObject) throw at.wrong(at.isNothing ? "is missing" : "must be an object");
    return Object.fromEntries(readers.map(([key, reader]) => [key, at.read(key, reader)])) as T;
  };
}

export function decodeUtf8(bytes: Uint8Array, wrong: (what: string, cause: unknown) => AppError): string {
  try {
    // Windows editors put a byte order mark in front; the decoder takes it off.
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw wrong("is not UTF-8 text", cause);
  }
}

export type Parsed = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

export function parseJson(source: string): Parsed {
  try {
    return { ok: true, value: JSON.parse(source) };
  } catch (cause) {
    return { ok: false, reason: syntaxReason(cause) };
  }
}

/** Engines quote the offending text in their message; that may be a token, so only the kind of mistake is kept. */
function syntaxReason(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : "";
  return /end of|EOF|Unterminated|unexpected end/i.test(message) ? "it ends too early" : "it is not JSON";
}

/** A file name as it may be shown: CLIProxyAPI puts e-mail addresses into the names of its files. */
export function shownName(name: string): string {
  return name.replace(/[^\s/\\]*@[^\s/\\]*/g, "…");
}
