/**
 * `npm run bench:month`: what expires unused in a month and how often a wall is hit, by strategy, ours and others'.
 *
 *     npm run bench:month -- [--seeds 24] [--only REGEX] [--cold 3] [--short 0.25]
 *
 * Prints a table, best first. Takes some seconds a seed; needs no network and no upstream.
 */
import { compareMonths, type Row } from "./compare.ts";
import { USUAL_WORLD } from "./month.ts";
import { OURS } from "./ours.ts";
import { RIVALS } from "./rivals.ts";
import { USERS } from "./users.ts";

const args = process.argv.slice(2);
const option = (name: string, instead: string) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? instead : (args[at + 1] ?? instead);
};
const seeds = Array.from({ length: Number(option("seeds", "24")) }, (_, n) => n + 1);
const world = {
  cold: Number(option("cold", String(USUAL_WORLD.cold))),
  short: Number(option("short", String(USUAL_WORLD.short))),
};
const only = new RegExp(option("only", ""));

const rows = compareMonths(
  [...OURS, ...RIVALS].filter(({ name }) => only.test(name)),
  seeds,
  world,
);
const figure = (value: number) => value.toFixed(1);
const columns = (row: Row) => [
  row.name,
  figure(row.all.expired),
  figure(row.all.burnt),
  figure(row.all.walls),
  figure(row.all.undone),
  ...row.users.map((user) => `${figure(user.expired)} / ${figure(user.walls)}`),
];
console.log(
  `${seeds.length} seeds; a cold cache costs ${world.cold} ×, a five-hour window is ${world.short} of a week\n`,
);
for (const user of USERS) console.log(`- ${user.name}: ${user.about}`);
console.log(
  "\n| chooser | expired % | burnt % | walls % | undone % |",
  USERS.map((user) => `${user.name}: expired / walls`).join(" | "),
  "|",
);
console.log(`|${" --- |".repeat(5 + USERS.length)}`);
const cost = (row: Row) => row.all.walls;
for (const row of rows.sort((a, b) => cost(a) - cost(b))) console.log(`| ${columns(row).join(" | ")} |`);
