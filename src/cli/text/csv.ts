/**
 * Comma-separated values (RFC 4180), made so that a spreadsheet takes no cell for a formula: names in it come from clients.
 */

/** Lines with CRLF at their end, the header first. */
export function csvText(rows: readonly (readonly (string | number | bigint)[])[]): string {
  return rows.map((row) => `${row.map(cellText).join(",")}\r\n`).join("");
}

/** What a spreadsheet begins to calculate at. */
const FORMULA = /^[=+\-@\t\r]/;

function cellText(cell: string | number | bigint): string {
  if (typeof cell !== "string") return String(cell);
  const safe = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
