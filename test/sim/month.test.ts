/**
 * A small sample of the month (test/bench/month): the default strategy wastes least and hits the fewest walls of all that are compared.
 * ROTOR_TEST_DEPTH=deep takes everybody and more months; `npm run bench:month` prints the figures.
 */
import { expect, test } from "bun:test";
import { compareMonths } from "../bench/month/compare.ts";
import { USUAL_WORLD } from "../bench/month/month.ts";
import { OURS, ours } from "../bench/month/ours.ts";
import { RIVALS } from "../bench/month/rivals.ts";

const DEEP = process.env.ROTOR_TEST_DEPTH === "deep";
/** The strongest of their kind; the whole list is for the deep run. */
const STRONGEST =
  /relative-availability|capacity-weighted|hybrid|smart|quota-reset|opencode-multi-auth round-robin|ccflare least/;
const SEEDS = Array.from({ length: DEEP ? 12 : 2 }, (_, n) => n + 1);

test("balanced wastes least, and hits the fewest walls", () => {
  const others = DEEP ? [...OURS.slice(1), ...RIVALS] : RIVALS.filter(({ name }) => STRONGEST.test(name));
  const [balanced, ...rows] = compareMonths([ours("balanced"), ...others], SEEDS, USUAL_WORLD);
  expect(rows.length).toBeGreaterThanOrEqual(7);
  const better = rows.filter(
    ({ name, all }) =>
      name !== "rotor balanced, no deferral" &&
      (all.walls < balanced!.all.walls || all.expired + all.burnt < balanced!.all.expired + balanced!.all.burnt),
  );
  expect({ balanced: balanced!.all, better }).toEqual({ balanced: balanced!.all, better: [] });
}, 300_000);
