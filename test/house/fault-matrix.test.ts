/**
 * The fault matrix is whole: whoever teaches the simulator a new way of failing says what every client has of it.
 */
import { expect, test } from "bun:test";
import { FAULT_KINDS, type FaultKind, type FaultKindRow, STREAM_POINTS } from "../../src/simulator/faults.ts";
import { FAULT_MATRIX } from "../daemon/fault-matrix.ts";
import { COLUMNS, type Column, type MatrixRow, SPREADS } from "../daemon/support/matrix-rows.ts";
import { type Breach, expectKept } from "./law.ts";

/** Every place at which a kind can be met on the way of a request, as `at` or `at point`, and the columns that meet it there. */
function placesOf(kind: string, row: FaultKindRow): readonly (readonly [string, readonly Column[]])[] {
  if (row.stage === "tokens" || OF_LOGINS.test(kind)) return [["refresh", COLUMNS]];
  if (row.stage === "stream" && row.params.includes("point"))
    return STREAM_POINTS.map((point) => [`responses ${point}`, COLUMNS] as const);
  if (row.stage === "stream") return [["responses", COLUMNS]];
  return [
    ["responses", COLUMNS],
    ["upgrade", COLUMNS.filter((column) => column.endsWith("Socket"))],
  ];
}

/** What only the issuer says. */
const OF_LOGINS = /^(refresh_token_|invalid_grant$|app_session_)/;

export function missingCells(kinds: Readonly<Record<string, FaultKindRow>>, rows: readonly MatrixRow[]): Breach[] {
  const breaches: Breach[] = [];
  for (const [kind, row] of Object.entries(kinds)) {
    for (const [place, columns] of placesOf(kind, row)) {
      const found = rows.find(({ faults }) => {
        const last = faults.at(-1)!;
        const at = last.params.point === undefined ? last.at : `${last.at} ${last.params.point}`;
        return last.kind === (kind as FaultKind) && at === place;
      });
      for (const column of columns) {
        for (const spread of SPREADS)
          if (!found?.[spread][column]) breaches.push(`${kind} at ${place}: nothing for ${column}, ${spread}`);
      }
    }
  }
  return breaches;
}

test("every fault has its row, for every client and transport", () => {
  expectKept(
    "A failure that nobody thought through for one of the clients is met by its user first: add rows to test/daemon/fault-matrix.ts.",
    missingCells(FAULT_KINDS, FAULT_MATRIX),
  );
  const names = FAULT_MATRIX.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test("a new fault without rows is found, and a lost cell", () => {
  const novelty: FaultKindRow = { stage: "stream", says: "something new", params: ["point"] };
  expect(missingCells({ novelty }, FAULT_MATRIX)).toHaveLength(STREAM_POINTS.length * COLUMNS.length * SPREADS.length);
  const [row] = FAULT_MATRIX;
  const kind = row!.faults[0]!.kind;
  const { sdkWhole: _, ...rest } = row!.once;
  const lamed = FAULT_MATRIX.map((one) => (one === row ? { ...row, once: rest } : one)) as readonly MatrixRow[];
  expect(missingCells({ [kind]: FAULT_KINDS[kind] }, lamed)).toEqual([
    `${kind} at responses: nothing for sdkWhole, once`,
  ]);
});
