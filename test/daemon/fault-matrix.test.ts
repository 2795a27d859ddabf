/**
 * The fault matrix (fault-matrix.ts), played with doubles of the clients: all of it in the deep run, a seeded sample every time.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { FAULT_MATRIX } from "./fault-matrix.ts";
import { createLanePool, type LanePool } from "./support/lane-pool.ts";
import { playCell } from "./support/matrix-cell.ts";
import { COLUMNS, type Column, type MatrixRow, SPREADS, type Spread } from "./support/matrix-rows.ts";
import { createChance, IS_DEEP, SEED } from "./support/seed.ts";

interface Cell {
  readonly row: MatrixRow;
  readonly spread: Spread;
  readonly column: Column;
  readonly expected: string;
}

const SAMPLE = 72;
/** As many cells at once; most of the time a cell waits. */
const LANES = IS_DEEP ? 6 : 3;
const NO_WAIT = { ROTOR_SETTING_WAIT_SECONDS: "0" };
/** The shortest that the settings allow. */
const IMPATIENT = {
  ...NO_WAIT,
  ROTOR_SETTING_FIRST_BYTE_TIMEOUT_SECONDS: "5",
  ROTOR_SETTING_SILENCE_TIMEOUT_SECONDS: "10",
};
const DEEP_LIMIT_MS = 3_600_000;
const SAMPLE_LIMIT_MS = 400_000;

const ALL: readonly Cell[] = FAULT_MATRIX.flatMap((row) =>
  SPREADS.flatMap((spread) =>
    COLUMNS.flatMap((column) => {
      const expected = row[spread][column];
      return expected === undefined ? [] : [{ row, spread, column, expected }];
    }),
  ),
);

/**
 * For the deep run: time-outs, clients that ask so often that Rotor makes them wait, and what another speed of the machine would change: how long
 * a pool pauses, and whether bytes are read before a reset takes them away.
 */
function isQuick({ row, expected }: Cell): boolean {
  if (row.isSlow || /^503\/upstream_overloaded 3|attempts_exhausted/.test(expected)) return false;
  if (row.faults.some(({ kind }) => kind === "cut_reset")) return false;
  return Number(/ (\d+) /.exec(expected)?.[1]) <= 3;
}

function sampled(): readonly Cell[] {
  const chance = createChance(SEED ^ Bun.hash.crc32("fault matrix"));
  return ALL.filter(isQuick)
    .map((cell) => ({ cell, place: chance.fraction() }))
    .sort((a, b) => a.place - b.place)
    .slice(0, SAMPLE)
    .map(({ cell }) => cell);
}

const cells = IS_DEEP ? ALL : sampled();
const played = new Map<Cell, Promise<string>>();
const pools: LanePool[] = [];

beforeAll(() => {
  const quick = createLanePool(LANES, NO_WAIT);
  const slow = createLanePool(LANES, IMPATIENT);
  pools.push(quick, slow);
  for (const cell of cells) {
    const { row, spread, column } = cell;
    // A daemon that could not open WebSockets leaves them alone for a while.
    const spoils = row.faults.some(({ at }) => at === "upgrade");
    const playing = (row.isSlow ? slow : quick).play((lane) => playCell(lane, row, spread, column), spoils);
    // Its own test says what went wrong.
    playing.catch(() => {});
    played.set(cell, playing);
  }
});

afterAll(async () => {
  for (const pool of pools) await pool[Symbol.asyncDispose]();
}, SAMPLE_LIMIT_MS);

describe(`the fault matrix, ${cells.length} of ${ALL.length} cells (ROTOR_TEST_SEED=${SEED})`, () => {
  for (const cell of cells) {
    const { row, spread, column, expected } = cell;
    test(`${row.name}, ${spread}: ${column}`, async () => expect(await played.get(cell)!).toBe(expected), {
      timeout: IS_DEEP ? DEEP_LIMIT_MS : SAMPLE_LIMIT_MS,
    });
  }
});
