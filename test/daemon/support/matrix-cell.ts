/**
 * Plays one cell of the fault matrix: fresh accounts, a client that is connected, the fault, and what came of it in one line.
 */
import { FAULT_KINDS } from "../../../src/simulator/faults.ts";
import { speakerOf } from "./client.ts";
import * as doubles from "./client-doubles.ts";
import type { Lane } from "./lane.ts";
import type { Column, MatrixRow, Spread } from "./matrix-rows.ts";
import type { Trio } from "./trio.ts";
import { within } from "./until.ts";

export const DOUBLES: Readonly<Record<Column, doubles.Double>> = {
  codexHttp: doubles.codexOverHttp,
  codexSocket: doubles.codexOverSocket,
  openCode: doubles.openCodeOverHttp,
  sdkStream: doubles.sdkStreamed,
  sdkWhole: doubles.sdkWhole,
  sdkSocket: doubles.sdkOverSocket,
};

const PLACES = ["A", "B", "C"] as const;

/** Once on the account that comes first, or always on every one. */
export function orderFaults(row: MatrixRow, spread: Spread, order: Trio["order"]): void {
  for (const { kind, at, params } of row.faults) {
    const fault = { ...params, kind, at };
    if (spread === "once") order({ ...fault, on: "A" });
    else for (const on of PLACES) order({ ...fault, on, times: "always" });
  }
}

/** `answer 1 AB`: what the client has, how often it asked, which accounts were asked. */
export function playCell(lane: Lane, row: MatrixRow, spread: Spread, column: Column): Promise<string> {
  return lane.withTrio(async (trio) => {
    const { url, key } = lane.client;
    // Events a little apart: what arrives together with a break may go down with it.
    lane.stage.sim.pacing.delayMs = row.faults.some(({ kind }) => FAULT_KINDS[kind].stage === "stream") ? 3 : 0;
    const isAtTheDoor = row.faults.some(({ at }) => at === "upgrade");
    if (isAtTheDoor) orderFaults(row, spread, trio.order);
    let seenBefore = 0;
    const line = {
      url,
      key,
      session: crypto.randomUUID(),
      ready() {
        seenBefore = trio.tried().length;
        if (!isAtTheDoor) orderFaults(row, spread, trio.order);
      },
    };
    const told = await within(DOUBLES[column](line), `${row.name}, ${spread}, ${column}`, 240_000);
    const tried = trio.tried().slice(isAtTheDoor ? 0 : seenBefore);
    if (told.verdict === "answer" && trio.place(speakerOf(told.text)) !== tried.at(-1))
      throw new Error(`${tried} were asked, but ${speakerOf(told.text)} speaks`);
    return `${told.verdict} ${told.requests} ${tried}`;
  });
}
