/**
 * The fault matrix (fault-matrix.ts, fault-carriage.ts), played with doubles of the clients and each way of carrying their requests: all of it in
 * the deep run (ROTOR_TEST_PART=3/8 plays the third of eight parts), a seeded sample every time.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { expectedIn, isCarriedAnew, TRANSPORTS, type Transport } from "./fault-carriage.ts";
import { FAULT_MATRIX } from "./fault-matrix.ts";
import { createLanePool, type LanePool } from "./support/lane-pool.ts";
import { playCell } from "./support/matrix-cell.ts";
import { COLUMNS, type Column, type MatrixRow, SPREADS, type Spread } from "./support/matrix-rows.ts";
import { createChance, IS_DEEP, partOf, SEED } from "./support/seed.ts";

interface Cell {
  readonly transport: Transport;
  readonly row: MatrixRow;
  readonly spread: Spread;
  readonly column: Column;
  readonly expected: string;
}

/** Of the other transports only cells that they carry anew are worth a place. */
const SAMPLE: Readonly<Record<Transport, number>> = { auto: 72, http: 10, websocket: 14 };
/** As many cells at once; most of the time a cell waits. */
const LANES: Readonly<Record<Transport, number>> = IS_DEEP
  ? { auto: 6, http: 4, websocket: 4 }
  : { auto: 3, http: 1, websocket: 1 };
const carriedBy = (transport: Transport) => ({
  ROTOR_SETTING_WAIT_SECONDS: "0",
  ROTOR_SETTING_UPSTREAM_TRANSPORT: transport,
});
/** The shortest that the settings allow. */
const IMPATIENT = { ROTOR_SETTING_FIRST_BYTE_TIMEOUT_SECONDS: "5", ROTOR_SETTING_SILENCE_TIMEOUT_SECONDS: "10" };
const DEEP_LIMIT_MS = 3_600_000;
const SAMPLE_LIMIT_MS = 400_000;

const ALL: readonly Cell[] = TRANSPORTS.flatMap((transport) =>
  FAULT_MATRIX.flatMap((row) =>
    SPREADS.flatMap((spread) =>
      COLUMNS.flatMap((column) => {
        const expected = expectedIn(row, transport, spread, column);
        return expected === undefined ? [] : [{ transport, row, spread, column, expected }];
      }),
    ),
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
  const placed = ALL.filter(isQuick)
    .map((cell) => ({ cell, place: chance.fraction() }))
    .sort((a, b) => a.place - b.place)
    .map(({ cell }) => cell);
  return TRANSPORTS.flatMap((one) =>
    placed
      .filter(({ transport, column }) => transport === one && (one === "auto" || isCarriedAnew(one, column)))
      .slice(0, SAMPLE[one]),
  );
}

function ofThisPart(): readonly Cell[] {
  const { count, numberOf } = partOf(ALL.length);
  return Array.from({ length: count }, (_, nth) => ALL[numberOf(nth)]!);
}

const cells = IS_DEEP ? ofThisPart() : sampled();
const played = new Map<Cell, Promise<string>>();
const pools: LanePool[] = [];

beforeAll(() => {
  const poolFor = (transport: Transport, more: object) => {
    const pool = createLanePool(LANES[transport], { ...carriedBy(transport), ...more });
    pools.push(pool);
    return pool;
  };
  const quick = new Map(TRANSPORTS.map((transport) => [transport, poolFor(transport, {})]));
  const slow = new Map(TRANSPORTS.map((transport) => [transport, poolFor(transport, IMPATIENT)]));
  for (const cell of cells) {
    const { transport, row, spread, column } = cell;
    // A daemon that could not open WebSockets leaves them alone for a while.
    const spoils = row.faults.some(({ at }) => at === "upgrade");
    const pool = (row.isSlow ? slow : quick).get(transport)!;
    const playing = pool.play((lane) => playCell(lane, row, spread, column), spoils);
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
    const { transport, row, spread, column, expected } = cell;
    test(
      `${row.name}, ${spread}: ${column}, ${transport}`,
      async () => expect(await played.get(cell)!).toBe(expected),
      {
        timeout: IS_DEEP ? DEEP_LIMIT_MS : SAMPLE_LIMIT_MS,
      },
    );
  }
});
