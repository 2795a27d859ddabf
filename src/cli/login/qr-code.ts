/**
 * A QR code in characters: two modules above each other in one. Gives nothing rather than something that cannot be scanned.
 */
import { encode } from "uqr";

/** Scanners want four modules of quiet around the code (ISO/IEC 18004); two are enough on a screen, and spare eight columns. */
const QUIET_MODULES = 2;
/** Black on bright white whatever the theme: a code in the theme's colours is inverted on a dark terminal, which some scanners refuse. */
const INK = "\x1b[30;107m";
const INK_OFF = "\x1b[0m";

/** Lines of the code; empty when it does not fit in `columns` (null: no terminal). */
export function qrLines(text: string, options: { columns: number | null; colour: boolean }): string[] {
  if (options.columns === null) return [];
  const { data, size } = encode(text, { ecc: "L", border: QUIET_MODULES });
  if (size > options.columns) return [];
  const lines: string[] = [];
  for (let row = 0; row < size; row += 2) {
    let line = "";
    for (let column = 0; column < size; column++) {
      const upper = data[row]![column]!;
      const lower = data[row + 1]?.[column] ?? false;
      // Without colour the light modules are drawn: most terminals are dark.
      line += options.colour ? half(upper, lower) : half(!upper, !lower && row + 1 < size);
    }
    lines.push(options.colour ? `${INK}${line}${INK_OFF}` : line);
  }
  return lines;
}

function half(upper: boolean, lower: boolean): string {
  if (upper) return lower ? "█" : "▀";
  return lower ? "▄" : " ";
}
