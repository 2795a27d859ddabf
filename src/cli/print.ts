/**
 * The one place of the ctl that writes: asked-for output to stdout, all else to stderr, colour only where it is wanted.
 * Nothing else under `src/cli` may touch `console` or the process streams.
 */
import { type DescMessage, type MessageShape, toJsonString } from "@bufbuild/protobuf";
import type { CliIo, Writer } from "./io.ts";
import { ellipsis } from "./text/table.ts";

export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
}

export interface Printer {
  /** True when machine-readable output was asked for. */
  readonly json: boolean;
  /** Width to lay text out in; null means as wide as it gets (pipes, files). */
  readonly columns: number | null;
  /** Styles for stdout. */
  readonly style: Style;
  /** Whether stdout takes colour, for what is more than a styled word. */
  readonly colour: boolean;
  /** A line of asked-for output. */
  line(text?: string): void;
  /** Asked-for output as it is, lines and their ends included. */
  text(text: string): void;
  /** A protobuf message as JSON with implicit fields, one line. */
  message<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): void;
  /** Under `--json` prints the message and says so; the rest of the command is then for people. */
  asJson<Desc extends DescMessage>(schema: Desc, message: MessageShape<Desc>): boolean;
  /** Whether {@link screen} can be drawn: a terminal that understands cursors. */
  readonly draws: boolean;
  /** A page in the place of the one before, for what goes on changing. */
  screen(lines: readonly string[]): void;
  /** Bytes that were asked for on stdout, as text. */
  raw(bytes: Uint8Array): void;
  /** Any JSON value, one line. */
  value(value: unknown): void;
  /** A remark for people, on stderr; nothing under `--json`. */
  note(text: string): void;
  /** Something to look at that is no failure, on stderr. */
  warning(text: string): void;
  /** A finished failure text, on stderr. */
  failure(text: string): void;
  /** What is going on, on one line of a terminal that the next call or any output replaces; null takes it away. */
  progress(text: string | null): void;
}

const plainStyle: Style = {
  bold: (text) => text,
  dim: (text) => text,
  good: (text) => text,
  warn: (text) => text,
  bad: (text) => text,
};

const ansi = (open: number, close: number) => (text: string) => `\x1b[${open}m${text}\x1b[${close}m`;

/** Back to the start of the line, and nothing on it. */
const ERASE_LINE = "\r\x1b[K";

/** An empty screen, and its first place. */
const CLEAR = "\x1b[2J\x1b[H";

/** The 16-colour set: readable on light and dark terminals, no theme of our own. */
const colourStyle: Style = {
  bold: ansi(1, 22),
  dim: ansi(2, 22),
  good: ansi(32, 39),
  warn: ansi(33, 39),
  bad: ansi(31, 39),
};

/** no-color.org: any value that is not empty switches colour off; so does a dumb terminal. */
function styleFor(writer: Writer, env: CliIo["host"]["env"]): Style {
  return writer.isTty && !env.NO_COLOR && env.TERM !== "dumb" ? colourStyle : plainStyle;
}

export function createPrinter(io: CliIo, options: { json: boolean }): Printer {
  const style = styleFor(io.stdout, io.host.env);
  const errStyle = styleFor(io.stderr, io.host.env);
  let progressing = false;
  const clear = () => {
    if (progressing) io.stderr.write(ERASE_LINE);
    progressing = false;
  };
  const out = (text: string) => {
    clear();
    io.stdout.write(text);
  };
  const err = (text: string) => {
    clear();
    io.stderr.write(text);
  };
  const message: Printer["message"] = (schema, value) =>
    out(`${toJsonString(schema, value, { alwaysEmitImplicit: true })}\n`);
  return {
    json: options.json,
    columns: io.columns,
    style,
    colour: style === colourStyle,
    draws: io.stdout.isTty && io.host.env.TERM !== "dumb",
    screen: (lines) => out(`${CLEAR}${lines.join("\n")}\n`),
    line: (text = "") => out(`${text}\n`),
    text: out,
    message,
    asJson(schema, value) {
      if (options.json) message(schema, value);
      return options.json;
    },
    raw: (bytes) => out(new TextDecoder().decode(bytes)),
    value: (value) => out(`${JSON.stringify(value)}\n`),
    note: (text) => {
      if (!options.json) err(`${text}\n`);
    },
    warning: (text) => {
      if (options.json) err(`${JSON.stringify({ warning: { message: text } })}\n`);
      else err(`${errStyle.warn("warning")}: ${text}\n`);
    },
    failure: (text) => err(`${text}\n`),
    progress(text) {
      if (text === null || options.json || !io.stderr.isTty || io.host.env.TERM === "dumb") return clear();
      progressing = true;
      // A line that wraps could not be taken back.
      io.stderr.write(`${ERASE_LINE}${ellipsis(text, (io.columns ?? 80) - 1)}`);
    },
  };
}

/** Text from outside (names, e-mail addresses, upstream's words) without anything that a terminal would obey. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is being removed
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
}
