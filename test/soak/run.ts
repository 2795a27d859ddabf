/**
 * `npm run soak -- --for 48h`: the real daemon under a mix of clients and all kinds of trouble for as long as one likes, and what stays behind of
 * it. Seeded, and resumable: broken off, the same command goes on where it was. Ends with a verdict: 0 sound, 1 not, 130 broken off.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { compileHere } from "../../build/compile.ts";
import { ROOT } from "../../build/workspace.ts";
import { newState, note, readState, type SoakState, writeState } from "./state.ts";
import type { Tally } from "./stretch.ts";
import { driftOf, type Sample } from "./watch.ts";

const HELP = `npm run soak -- [--for 48h] [--seed N] [--clients N] [--dir FOLDER] [--fresh]

  --for      how long in all, earlier starts included: 90s, 20m, 48h (unless told: 20m)
  --seed     of every random choice; only for a new soak (unless told: 1)
  --clients  how many ask at once (unless told: 12)
  --dir      where the state and the daemon's home are kept (unless told: .cache/soak)
  --fresh    forget an earlier soak
`;

const { values } = parseArgs({
  options: {
    for: { type: "string", default: "20m" },
    seed: { type: "string", default: "1" },
    clients: { type: "string", default: "12" },
    dir: { type: "string", default: join(ROOT, ".cache", "soak") },
    fresh: { type: "boolean", default: false },
    help: { type: "boolean", short: "h", default: false },
  },
});

/** A stretch is long enough for everything to happen, and short enough to give samples. */
const STRETCH_MS = 30_000;
const LONG_STRETCH_MS = 120_000;
const LONG_SOAK_MS = 2 * 3_600_000;
/** The daemon lives for so many stretches: long enough to see a leak in one life. */
const STRETCHES_A_LIFE = 12;
/** Of a long soak only so many samples are kept, thinned out evenly. */
const MAX_SAMPLES = 4_000;

function parseDuration(text: string): number {
  const [, number, unit] = /^(\d+)(s|m|h)$/.exec(text) ?? [];
  if (number === undefined) fail(`--for takes 90s, 20m or 48h, not "${text}"`);
  return Number(number) * { s: 1_000, m: 60_000, h: 3_600_000 }[unit as "s" | "m" | "h"];
}

function fail(words: string): never {
  console.error(`soak: ${words}\n\n${HELP}`);
  process.exit(2);
}

if (values.help) {
  console.log(HELP);
  process.exit(0);
}
if (process.platform !== "linux") fail("files and sockets of a process are read from /proc, which only Linux has");
const totalMs = parseDuration(values.for);
const clients = Number(values.clients);
if (!Number.isInteger(clients) || clients < 1) fail("--clients takes a number from 1");
process.env.ROTOR_BIN ||= await compileHere();
// What finds the executable reads the environment when it is loaded.
const { openWorld } = await import("./world.ts");
const { runStretch } = await import("./stretch.ts");

if (values.fresh) rmSync(values.dir, { recursive: true, force: true });
const file = join(values.dir, "state.json");
const state = readState(file) ?? newState(Number(values.seed));
let isBrokenOff = false;
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => {
    if (isBrokenOff) process.exit(130);
    isBrokenOff = true;
    console.error("soak: ends after this stretch; once more ends it at once");
  });
await soak();
process.exit(report());

async function soak(): Promise<void> {
  if (state.ranMs >= totalMs) return;
  state.starts++;
  const stretchMs = totalMs >= LONG_SOAK_MS ? LONG_STRETCH_MS : STRETCH_MS;
  console.log(`soak: seed ${state.seed}, ${clock(state.ranMs)} of ${clock(totalMs)}, state in ${file}`);
  await using world = await openWorld(values.dir);
  const tally: Tally = { certain: 0, uncertain: 0 };
  const before = { ...state.turns };
  for (let number = 1; state.ranMs < totalMs && !isBrokenOff; number++) {
    const isLast = number % STRETCHES_A_LIFE === 0;
    const ends = !isLast ? null : (number / STRETCHES_A_LIFE) % 2 === 0 ? "killed" : "terminated";
    const fromMs = performance.now();
    const sample = await runStretch(world, state, tally, { number, forMs: stretchMs, clients, ends });
    state.ranMs += performance.now() - fromMs;
    state.turns = { certain: before.certain + tally.certain, uncertain: before.uncertain + tally.uncertain };
    keep({ ...sample, atMs: Math.round(state.ranMs) });
    readLog(world.daemon.logText());
    writeState(file, state);
    progress(sample);
  }
}

function keep(sample: Sample): void {
  state.samples.push(sample);
  if (state.samples.length > MAX_SAMPLES) state.samples = state.samples.filter((_, index) => index % 2 === 0);
}

/** What the daemon itself calls an error is one. */
function readLog(text: string): void {
  for (const line of text.split("\n")) {
    if (!line.includes('"level":"error"')) continue;
    const { event } = JSON.parse(line) as { event: string };
    note(state, `logged ${event}`, line.slice(0, 400));
  }
}

function progress({ rssMb, files, sockets, slowestHealthMs, life }: Sample): void {
  const asked = sum(state.answers);
  const parts = [
    `${clock(state.ranMs)} of ${clock(totalMs)}`,
    `${asked} deeds (${(asked / (state.ranMs / 1_000)).toFixed(1)}/s)`,
    `${rssMb.toFixed(0)} MB`,
    `${files} files, ${sockets} sockets`,
    `health ≤ ${slowestHealthMs} ms`,
    `life ${life}`,
    `${Object.keys(state.problems).length} problems`,
  ];
  console.log(parts.join(" · "));
}

/** Prints what came of it; the exit code. */
function report(): number {
  const drifts = driftOf(state.samples);
  const leaks = drifts.filter(({ isLeak }) => isLeak);
  const problems = Object.values(state.problems);
  console.log(`\n── soak, seed ${state.seed}: ${clock(state.ranMs)} in ${state.starts} starts`);
  const { terminated, killed } = state.restarts;
  console.log(
    `deeds     ${sum(state.answers)} (${Object.entries(state.answers).length} kinds of answer), ${sum(state.faults)} troubles`,
  );
  console.log(`turns     ${state.turns.certain} counted one by one, ${state.turns.uncertain} that one side left`);
  console.log(`restarts  ${terminated} in order, ${killed} by kill -9`);
  for (const [got, times] of top(state.answers)) console.log(`  ${String(times).padStart(8)}  ${got}`);
  for (const { name, from, to, life, isLeak } of drifts)
    console.log(`drift     life ${life}: ${name} ${from.toFixed(1)} → ${to.toFixed(1)}${isLeak ? "  LEAK" : ""}`);
  const slowest = Math.max(0, ...state.samples.map(({ slowestHealthMs }) => slowestHealthMs));
  console.log(`lag       the slowest GET /health took ${slowest} ms`);
  for (const { first, count } of problems) console.log(`PROBLEM   ${first}${count > 1 ? ` (${count} times)` : ""}`);
  const isSound = leaks.length === 0 && problems.length === 0;
  const isWhole = state.ranMs >= totalMs;
  if (!isWhole) console.log("broken off: the same command goes on from here");
  console.log(isSound ? "verdict   sound" : `verdict   NOT sound: ${leaks.length} leaks, ${problems.length} problems`);
  return !isSound ? 1 : isWhole ? 0 : 130;
}

function top(answers: SoakState["answers"]): [string, number][] {
  return Object.entries(answers)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 40);
}

function sum(table: Record<string, number>): number {
  return Object.values(table).reduce((total, times) => total + times, 0);
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const two = (number: number) => String(number).padStart(2, "0");
  return `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}
