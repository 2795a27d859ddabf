/**
 * What a soak remembers from one start to the next, as a file: a run that was broken off goes on where it was. Written whole or not at all.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Sample } from "./watch.ts";

export interface SoakState {
  readonly version: 1;
  readonly seed: number;
  /** How long it has run, in all its starts. */
  ranMs: number;
  starts: number;
  /** Restarts of the daemon, by how it ended. */
  restarts: { terminated: number; killed: number };
  /** By kind of client and what it got. */
  answers: Record<string, number>;
  faults: Record<string, number>;
  /** Turns that Rotor must have counted; and those of which nobody can know, because one of the two left too early. */
  turns: { certain: number; uncertain: number };
  samples: Sample[];
  /** What is wrong, in words; the first of each kind, with how often. */
  problems: Record<string, { first: string; count: number }>;
}

const MAX_PROBLEMS = 200;

export function newState(seed: number): SoakState {
  return {
    version: 1,
    seed,
    ranMs: 0,
    starts: 0,
    restarts: { terminated: 0, killed: 0 },
    answers: {},
    faults: {},
    turns: { certain: 0, uncertain: 0 },
    samples: [],
    problems: {},
  };
}

export function readState(file: string): SoakState | null {
  if (!existsSync(file)) return null;
  const state = JSON.parse(readFileSync(file, "utf8")) as SoakState;
  if (state.version !== 1) throw new Error(`${file} is of another version of the soak: begin anew with --fresh`);
  return state;
}

export function writeState(file: string, state: SoakState): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(state));
  renameSync(`${file}.new`, file);
}

export function count(table: Record<string, number>, key: string): void {
  table[key] = (table[key] ?? 0) + 1;
}

export function note(state: SoakState, kind: string, words: string): void {
  const known = state.problems[kind];
  if (known !== undefined) known.count++;
  else if (Object.keys(state.problems).length < MAX_PROBLEMS) state.problems[kind] = { first: words, count: 1 };
}
