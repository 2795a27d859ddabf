/** What the soak calls a leak, and what it does not: floors that rise within one life of the daemon, never peaks or first samples. */
import { expect, test } from "bun:test";
import { driftOf, type Sample } from "./watch.ts";

const sample = (life: number, rssMb: number, sockets = 5): Sample => ({
  atMs: 0,
  life,
  rssMb,
  files: 30 + sockets,
  sockets,
  leases: 0,
  openExchanges: 0,
  upstreamStreams: 0,
  upstreamConnections: 3,
  slowestHealthMs: 4,
});
const leaks = (samples: readonly Sample[]) =>
  driftOf(samples)
    .filter(({ isLeak }) => isLeak)
    .map(({ name, life }) => `${name} in life ${life}`);

test("memory that swings is no leak; a floor that rises is one", () => {
  const swinging = Array.from({ length: 30 }, (_, n) => sample(1, 90 + (n % 5) * 12));
  const rising = Array.from({ length: 30 }, (_, n) => sample(2, 90 + n * 3));
  expect(leaks(swinging)).toEqual([]);
  expect(leaks([...swinging, ...rising])).toEqual(["memory (MB) in life 2"]);
});

test("sockets that stay open are found, and files with them", () => {
  expect(leaks(Array.from({ length: 30 }, (_, n) => sample(1, 90, 5 + n)))).toEqual([
    "other files in life 1",
    "other sockets in life 1",
  ]);
});

test("the first samples of a life count for nothing, nor does a life that was too short", () => {
  const heap = [40, 55, 70, ...Array.from({ length: 9 }, () => 90)];
  expect(leaks(heap.map((rssMb) => sample(1, rssMb)))).toEqual([]);
  expect(driftOf([1, 2, 3, 4, 5].map((n) => sample(1, n * 100)))).toEqual([]);
});
