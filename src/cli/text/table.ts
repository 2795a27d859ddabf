/**
 * Text tables: columns as wide as their content, the last one wrapped when the terminal is narrower. No borders, so that output greps and cuts well.
 */

export interface Column {
  readonly header: string;
  readonly align?: "right";
  /** Longest width on a terminal; longer content is cut with an ellipsis. */
  readonly max?: number;
}

const GAP = "  ";
/** A last column narrower than this is not wrapped: a word on each line reads worse than a long line. */
const NARROWEST_WRAP = 16;

export interface TableOptions {
  /** Width of the terminal; null: nothing is cut or wrapped. */
  readonly width: number | null;
  /** Styles a header line. */
  readonly header?: (text: string) => string;
}

/** Lines of the table, the header first, without trailing blanks. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  options: TableOptions,
): string[] {
  const cut = rows.map((row) =>
    row.map((cell, i) => {
      const max = columns[i]?.max;
      return options.width !== null && max !== undefined ? ellipsis(cell, max) : cell;
    }),
  );
  const widths = columns.map((column, i) =>
    Math.max(textWidth(column.header), ...cut.map((row) => textWidth(row[i] ?? ""))),
  );
  const last = columns.length - 1;
  const before = widths.slice(0, last).reduce((sum, width) => sum + width + GAP.length, 0);
  const room = options.width === null ? null : options.width - before;
  const lines: string[] = [];
  const put = (row: readonly string[], style?: (text: string) => string) => {
    const head = columns.slice(0, last).map((column, i) => pad(row[i] ?? "", widths[i]!, column.align));
    const tail = row[last] ?? "";
    const wrapped = room !== null && room >= NARROWEST_WRAP ? wrapText(tail, room) : [tail];
    wrapped.forEach((part, i) => {
      const start = i === 0 ? head.map((cell) => cell + GAP).join("") : " ".repeat(before);
      const cell = columns[last]!.align === "right" ? pad(part, widths[last]!, "right") : part;
      const line = (start + cell).trimEnd();
      lines.push(style ? style(line) : line);
    });
  };
  put(
    columns.map((column) => column.header),
    options.header,
  );
  for (const row of cut) put(row);
  return lines;
}

/** `name  value` lines with the names aligned; values wrapped below their own start. */
export function renderFacts(facts: readonly (readonly [string, string])[], width: number | null): string[] {
  const nameWidth = Math.max(0, ...facts.map(([name]) => textWidth(name)));
  const room = width === null ? null : Math.max(NARROWEST_WRAP, width - nameWidth - GAP.length);
  return facts.flatMap(([name, value]) =>
    (room === null ? [value] : wrapText(value, room)).map((part, i) =>
      `${pad(i === 0 ? name : "", nameWidth)}${GAP}${part}`.trimEnd(),
    ),
  );
}

/** Breaks at blanks; a word longer than the width stays whole. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && textWidth(longer) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  lines.push(line);
  return lines;
}

export function ellipsis(text: string, max: number): string {
  if (textWidth(text) <= max) return text;
  let kept = "";
  for (const char of text) {
    if (textWidth(kept + char) > max - 1) break;
    kept += char;
  }
  return `${kept}…`;
}

/** Columns that the text takes: wide characters count twice, colour sequences not at all. */
export function textWidth(text: string): number {
  return Bun.stringWidth(text);
}

function pad(text: string, width: number, align?: "right"): string {
  const blanks = " ".repeat(Math.max(0, width - textWidth(text)));
  return align === "right" ? blanks + text : text + blanks;
}
