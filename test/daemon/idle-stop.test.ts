/** A daemon that was told to stop when idle does so, and only then. */
import { expect, test } from "bun:test";
import { createIdleStop } from "../../src/daemon/idle-stop.ts";
import { anAccount } from "../support/builders.ts";
import { createPoolRoom } from "../support/pool-room.ts";

const MINUTE_MS = 60_000;

async function watched(minutes: string) {
  const room = await createPoolRoom({
    accounts: [anAccount({ n: 1 })],
    settings: { idle_stop_minutes: minutes },
    upstream: () => "open",
  });
  const stops: number[] = [];
  const startMs = room.clock.nowMs();
  const idle = createIdleStop({
    engine: () => room.engine,
    clock: room.clock,
    onIdle: () => stops.push((room.clock.nowMs() - startMs) / MINUTE_MS),
  });
  return { room, stops, idle };
}

test("never, by default", async () => {
  const { room, stops } = await watched("0");
  await room.clock.advance(10_000 * MINUTE_MS);
  expect(stops).toEqual([]);
});

test("after as many minutes without a request, once", async () => {
  const { room, stops } = await watched("5");
  await room.clock.advance(20 * MINUTE_MS);
  expect(stops).toEqual([5]);
});

test("a request puts it off, and an open stream for as long as it lasts", async () => {
  const { room, stops } = await watched("5");
  await room.clock.advance(4 * MINUTE_MS);
  await room.ask();
  await room.clock.advance(30 * MINUTE_MS);
  expect(stops).toEqual([]);
  room.seen[0]!.finish();
  await room.clock.advance(30 * MINUTE_MS);
  expect(stops).toEqual([39]);
});

test("closed, it never stops anything", async () => {
  const { room, stops, idle } = await watched("1");
  idle.close();
  await room.clock.advance(60 * MINUTE_MS);
  expect(stops).toEqual([]);
});
