/**
 * Three people's months, seeded: who asks when, how much a turn costs, and which plans they have. Facts only; chooses nothing.
 *
 * Units: 1,000 = one week of a Plus plan. A five-hour window holds a quarter of its week. A turn with a cold prompt cache costs three
 * times a warm one. Both are what users report; the order of the results does not hang on them (run it with --cold 1 or --short 0.4).
 */
import type { Dice } from "../../../src/base/id.ts";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const MONTH_DAYS = 30;

export interface Turn {
  /** Of a warm prompt cache. */
  readonly cost: number;
  readonly lengthMs: number;
  /** Silence before the next turn. */
  readonly pauseMs: number;
}

export interface Conversation {
  readonly id: number;
  readonly startMs: number;
  readonly turns: readonly Turn[];
}

export interface User {
  readonly name: string;
  readonly about: string;
  readonly tiers: readonly string[];
  /** Demand with warm caches as a share of what all weeks of all plans allow. */
  readonly load: number;
  /** How likely work starts at this hour: `day` counts from 0 = Monday. */
  readonly appetite: (day: number, hour: number) => number;
  /** Conversations that start together. */
  readonly fleet: (day: number, hour: number, dice: Dice) => number;
  readonly turns: (hour: number, dice: Dice) => number;
  /** People read an answer before they go on, machines do not. */
  readonly pauseMs: (hour: number, dice: Dice) => number;
}

const isWeekend = (day: number) => day % 7 >= 5;
const exponential = (mean: number, dice: Dice) => -mean * Math.log(1 - dice.fraction());

export const USERS: readonly User[] = [
  {
    name: "developer",
    about: "one person, three Plus: weekdays 9–19 with a lunch break, some evenings, a hard third week",
    tiers: ["plus", "plus", "plus"],
    load: 0.8,
    appetite(day, hour) {
      const crunch = day >= 14 && day < 21 ? 1.6 : 1;
      if (isWeekend(day)) return hour >= 10 && hour < 18 ? 0.15 * crunch : 0;
      if (hour === 12) return 0.3 * crunch;
      if (hour >= 9 && hour < 19) return crunch;
      return hour >= 20 && hour < 23 ? 0.3 * crunch : 0;
    },
    fleet: (_day, _hour, dice) => (dice.fraction() < 0.2 ? 2 : 1),
    turns: (_hour, dice) => 3 + Math.floor(exponential(22, dice)),
    pauseMs: (_hour, dice) => exponential(60_000, dice),
  },
  {
    name: "agents",
    about:
      "one person with agents, a Pro, four Plus and a free one: days alone, on most nights a fleet of six to ten agents at once",
    tiers: ["pro", "plus", "plus", "plus", "plus", "free"],
    load: 0.85,
    appetite(day, hour) {
      if (hour === 22) return day % 7 === 5 ? 0 : 2.5;
      return hour >= 10 && hour < 20 ? (isWeekend(day) ? 0.2 : 0.5) : 0;
    },
    fleet: (_day, hour, dice) => (hour === 22 ? 6 + Math.floor(dice.fraction() * 5) : 1),
    turns: (hour, dice) => (hour === 22 ? 40 : 5) + Math.floor(exponential(hour === 22 ? 60 : 20, dice)),
    pauseMs: (hour, dice) => (hour === 22 ? 2_000 : exponential(70_000, dice)),
  },
  {
    name: "team",
    about:
      "four people in two time zones, a Pro, four Team, two Plus: working days of both zones overlap, Fridays are short, agents now and then",
    tiers: ["pro", "team", "team", "team", "team", "plus", "plus"],
    load: 0.9,
    appetite(day, hour) {
      if (isWeekend(day)) return 0.05;
      const east = hour >= 7 && hour < 16 ? 1 : 0;
      const west = hour >= 14 && hour < 23 ? 0.8 : 0;
      return (east + west) * (day % 7 === 4 ? 0.6 : 1);
    },
    fleet: (_day, _hour, dice) => (dice.fraction() < 0.1 ? 5 : 1 + Math.floor(dice.fraction() * 2)),
    turns: (_hour, dice) => 3 + Math.floor(exponential(25, dice)),
    pauseMs: (_hour, dice) => exponential(45_000, dice),
  },
];

/** What a week of each plan allows, and a five-hour window of it (the ratios of peers §6.1). */
export function weekOf(tier: string): number {
  return tier === "pro" ? 6_670 : tier === "free" ? 150 : 1_000;
}

/** Every conversation of the month, in the order in which they start. */
export function monthOf(user: User, dice: Dice): Conversation[] {
  const allowed = user.tiers.reduce((sum, tier) => sum + weekOf(tier), 0) * (MONTH_DAYS / 7);
  const wanted = allowed * user.load;
  const peak = peakOf(user);
  const conversations: { startMs: number; turns: Turn[] }[] = [];
  let asked = 0;
  while (asked < wanted) {
    const startMs = dice.fraction() * MONTH_DAYS * DAY_MS;
    const day = Math.floor(startMs / DAY_MS);
    const hour = Math.floor((startMs % DAY_MS) / HOUR_MS);
    if (dice.fraction() * peak > user.appetite(day, hour)) continue;
    for (let n = user.fleet(day, hour, dice); n > 0; n--) {
      const turns = Array.from({ length: user.turns(hour, dice) }, () => ({
        cost: 0.3 + exponential(1.2, dice),
        lengthMs: 8_000 + exponential(40_000, dice),
        pauseMs: user.pauseMs(hour, dice),
      }));
      for (const turn of turns) asked += turn.cost;
      conversations.push({ startMs: startMs + n * 5_000, turns });
    }
  }
  return conversations.sort((a, b) => a.startMs - b.startMs).map((conversation, id) => ({ id, ...conversation }));
}

function peakOf(user: User): number {
  let peak = 0;
  for (let hour = 0; hour < MONTH_DAYS * 24; hour++)
    peak = Math.max(peak, user.appetite(Math.floor(hour / 24), hour % 24));
  return peak;
}
