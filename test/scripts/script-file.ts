/**
 * The format of a script: `$ ` commands with what they print below them, `[exit N]` when that is not 0, `#` comments.
 * A line `...` stands for any lines; `<id>`, `<ago>` and the like for what differs from run to run; runs of blanks count as one.
 */

export interface Step {
  /** Line of the command in the file, from 1. */
  readonly line: number;
  readonly command: string;
  readonly expected: readonly string[];
  readonly exit: number;
}

export function parseScript(text: string): Step[] {
  const steps: { line: number; command: string; expected: string[]; exit: number }[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    if (line.startsWith("$ ")) {
      steps.push({ line: i + 1, command: line.slice(2), expected: [], exit: 0 });
      continue;
    }
    const step = steps.at(-1);
    // A table may begin with the heading `#`, which has two blanks after it.
    if (/^# \S/.test(line) || step === undefined) continue;
    const exit = /^\[exit (\d+)\]$/.exec(line);
    if (exit) step.exit = Number(exit[1]);
    else if (line.startsWith("> ")) step.command += `\n${line.slice(2)}`;
    else step.expected.push(line);
  }
  // Blank lines between steps are layout, not output.
  for (const step of steps) while (step.expected.at(-1) === "") step.expected.pop();
  return steps;
}

/** What each placeholder takes. Narrow on purpose: a placeholder that takes anything proves nothing. */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  id: "[0-9A-Z]{10,26}",
  pid: "\\d+",
  number: "\\d+(?:\\.\\d+)?",
  percent: "\\d{1,3} %",
  duration: "\\d+(?:\\.\\d)?(?:ms|[smhd])(?: \\d+[smh])?",
  ago: "(?:now|\\d+(?:\\.\\d)?(?:ms|[smhd])(?: \\d+[smh])? ago)",
  clock: "(?:[A-Z][a-z]{2} (?:\\d{1,2} (?:\\d{4} )?)?)?\\d\\d:\\d\\d(?::\\d\\d)?",
  instant: "\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z",
  url: "http://127\\.0\\.0\\.1:\\d+",
  secret: "rtr_[A-Za-z0-9]+_[A-Za-z0-9_-]{43}",
  uuid: "[0-9a-f-]{36}",
  words: ".+",
};

export function lineMatcher(expected: string): RegExp {
  const parts = squeeze(expected).split(/(<[a-z]+>)/);
  const source = parts.map((part) => {
    const name = /^<([a-z]+)>$/.exec(part)?.[1];
    if (name === undefined) return part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const pattern = PLACEHOLDERS[name];
    if (pattern === undefined) throw new Error(`there is no placeholder <${name}>`);
    return pattern;
  });
  return new RegExp(`^${source.join("")}$`);
}

/** Widths of columns follow their longest cell, which differs from run to run. */
function squeeze(line: string): string {
  return line.trim().replace(/\s+/g, " ");
}

/** Whether the output is what was expected. */
export function matches(expected: readonly string[], actual: readonly string[]): boolean {
  const [first, ...rest] = expected;
  if (first === undefined) return actual.length === 0;
  if (first === "...") {
    return Array.from({ length: actual.length + 1 }, (_, i) => i).some((skip) => matches(rest, actual.slice(skip)));
  }
  const [line, ...more] = actual;
  return line !== undefined && lineMatcher(first).test(squeeze(line)) && matches(rest, more);
}
