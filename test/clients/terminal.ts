/**
 * A program in front of a terminal, and what a person would see: a pseudo-terminal of Bun's, and xterm's own engine to understand what is
 * written to it (and to answer what programs ask of a terminal). Tests wait for words on the screen, never for a time.
 */
import { Terminal } from "@xterm/headless";

export interface Screen {
  readonly pid: number;
  /** What is on the screen and has scrolled off it, line by line, without blanks at their ends. */
  text(): string;
  /** Resolves with the first match on the screen; fails when the program ends or the limit passes before. */
  shows(pattern: RegExp): Promise<RegExpExecArray>;
  /** Pastes a text and sends it off; resolves once the screen shows what it is to bring about. */
  submit(text: string, outcome: RegExp): Promise<RegExpExecArray>;
  press(keys: string): void;
  /** Exit code, 128 + n for a signal. */
  readonly ended: Promise<number>;
  /** Asks the program to end if it still runs, insists after a while. */
  close(): Promise<void>;
}

export interface ScreenOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Wide enough for OpenCode to show its side bar. */
const COLUMNS = 140;
const ROWS = 50;
/** A turn of a real client takes two seconds here; this is for a machine that does ten other things. */
const SHOW_LIMIT_MS = 90_000;
const CLOSE_GRACE_MS = 5_000;
/** A program that takes Enter for a part of what was pasted gets it once more. */
const ENTER_AGAIN_MS = 2_000;

export function openScreen(command: readonly string[], { env, cwd }: ScreenOptions): Screen {
  const terminal = new Terminal({ cols: COLUMNS, rows: ROWS, scrollback: 10_000, allowProposedApi: true });
  const watchers = new Set<() => void>();
  const look = () => {
    for (const watcher of [...watchers]) watcher();
  };
  const child = Bun.spawn([...command], {
    cwd,
    env: { ...env, TERM: "xterm-256color", COLORTERM: "truecolor" },
    terminal: {
      cols: COLUMNS,
      rows: ROWS,
      data: (_pty, bytes) => terminal.write(new Uint8Array(bytes), look),
    },
  });
  const pty = child.terminal!;
  const say = (text: string) => {
    if (!pty.closed) pty.write(text);
  };
  // Where the cursor is, which colours there are, …: programs ask, and wait for an answer.
  terminal.onData(say);
  const exit = { code: null as number | null };
  const ended = child.exited.then((code) => {
    exit.code = code;
    look();
    return code;
  });
  const text = () => {
    const { active } = terminal.buffer;
    const lines = Array.from({ length: active.length }, (_, row) => active.getLine(row)!.translateToString(true));
    return lines.join("\n").trimEnd();
  };
  const shows = (pattern: RegExp) => untilShown(pattern, text, () => exit.code, watchers);
  return {
    pid: child.pid,
    text,
    shows,
    press: say,
    async submit(typed, outcome) {
      say(`\x1b[200~${typed}\x1b[201~`);
      await shows(new RegExp(escaped(typed)));
      const timer = setInterval(() => say("\r"), ENTER_AGAIN_MS);
      try {
        say("\r");
        return await shows(outcome);
      } finally {
        clearInterval(timer);
      }
    },
    ended,
    async close() {
      if (exit.code === null) child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), CLOSE_GRACE_MS);
      await ended;
      clearTimeout(timer);
      pty.close();
      terminal.dispose();
    },
  };
}

/** `watchers` are called whenever the screen has changed, or the program has ended. */
function untilShown(
  pattern: RegExp,
  text: () => string,
  exit: () => number | null,
  watchers: Set<() => void>,
): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      clearTimeout(timer);
      watchers.delete(look);
      finish();
    };
    const fail = (why: string) => settle(() => reject(new Error(`${why} without showing ${pattern}:\n${text()}`)));
    const look = () => {
      const match = pattern.exec(text());
      if (match) settle(() => resolve(match));
      else if (exit() !== null) fail(`the program ended with ${exit()}`);
    };
    const timer = setTimeout(() => fail(`${SHOW_LIMIT_MS / 1_000} s went by`), SHOW_LIMIT_MS);
    watchers.add(look);
    look();
  });
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
