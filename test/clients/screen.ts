/**
 * A program in a terminal of its own (Bun's pseudo-terminal; needs no tmux), and what its screen shows: enough of a terminal for programs that
 * place what they draw and colour it. What else terminals can is passed over.
 */
import type { World } from "./harness.ts";

const COLUMNS = 140;
const ROWS = 45;

export interface Screen {
  readonly pid: number;
  /** Line by line, without blanks at their ends. */
  text(): string;
  /** Resolves once the screen shows it; fails with the screen as it is when it does not for long. */
  shows(pattern: RegExp): Promise<void>;
  type(text: string): void;
  /** Asks it to end, insists after a while. */
  close(): Promise<void>;
}

/** Several times what a loaded machine needs for a step. */
const PATIENCE_MS = 90_000;
const LOOK_EVERY_MS = 50;
const CLOSE_GRACE_MS = 5_000;

export function openScreen(world: Pick<World, "work" | "env">, command: readonly string[], env: object): Screen {
  const grid = new Grid();
  const decoder = new TextDecoder();
  const child = Bun.spawn([...command], {
    cwd: world.work,
    env: { ...world.env, TERM: "xterm-256color", COLORTERM: "truecolor", ...env },
    terminal: { cols: COLUMNS, rows: ROWS, data: (_, bytes) => grid.draw(decoder.decode(bytes, { stream: true })) },
  });
  return {
    pid: child.pid,
    text: () => grid.text(),
    async shows(pattern) {
      for (const untilMs = Date.now() + PATIENCE_MS; !pattern.test(grid.text()); await Bun.sleep(LOOK_EVERY_MS)) {
        if (Date.now() > untilMs || child.exitCode !== null)
          throw new Error(`the screen does not show ${pattern} but\n${grid.text()}`);
      }
    },
    type: (text) => void child.terminal!.write(text),
    async close() {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), CLOSE_GRACE_MS);
      await child.exited;
      clearTimeout(timer);
      child.terminal?.close();
    },
  };
}

/** `ESC [ … letter`, `ESC ] … BEL`, `ESC P … ESC \`, `ESC letter`: what a terminal is told beside text (ECMA-48). */
const ORDER =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /^\x1b(?:\[([0-9;:?<>=!$ ]*)([@-~])|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[()*+#][0-9A-Za-z]|[^[\]PX^_()*+#])/;

class Grid {
  #cells: string[][] = Array.from({ length: ROWS }, () => new Array<string>(COLUMNS).fill(" "));
  #row = 0;
  #column = 0;
  #rest = "";

  text(): string {
    return this.#cells.map((row) => row.join("").trimEnd()).join("\n");
  }

  draw(text: string): void {
    let left = this.#rest + text;
    this.#rest = "";
    while (left !== "") {
      if (left[0] === "\x1b") {
        const order = ORDER.exec(left);
        if (order === null) {
          // The other half comes with the next bytes.
          this.#rest = left;
          return;
        }
        this.#obey(order[2] ?? "", order[1] ?? "");
        left = left.slice(order[0].length);
      } else {
        const sign = String.fromCodePoint(left.codePointAt(0)!);
        this.#put(sign);
        left = left.slice(sign.length);
      }
    }
  }

  #put(sign: string): void {
    if (sign === "\r") this.#column = 0;
    else if (sign === "\n") this.#row = Math.min(this.#row + 1, ROWS - 1);
    else if (sign === "\b") this.#column = Math.max(this.#column - 1, 0);
    else if (sign >= " ") {
      if (this.#column < COLUMNS) this.#cells[this.#row]![this.#column] = sign;
      this.#column++;
    }
  }

  #obey(letter: string, numbers: string): void {
    const [first = 1, second = 1] = numbers.split(";").map((text) => Number(text) || 1);
    const row = this.#cells[this.#row]!;
    if (letter === "H" || letter === "f") {
      this.#row = Math.min(first, ROWS) - 1;
      this.#column = second - 1;
    } else if (letter === "G") this.#column = first - 1;
    else if (letter === "A") this.#row = Math.max(this.#row - first, 0);
    else if (letter === "B") this.#row = Math.min(this.#row + first, ROWS - 1);
    else if (letter === "C") this.#column += first;
    else if (letter === "D") this.#column = Math.max(this.#column - first, 0);
    else if (letter === "K") row.fill(" ", this.#column);
    else if (letter === "J") for (const line of this.#cells) line.fill(" ");
  }
}
