/** Months of every user under every chooser, and their means. The same seed gives the same month to all of them. */
import { seededDice } from "../../support/pool-room.ts";
import { type MonthResult, simulateMonth, type World } from "./month.ts";
import type { Rival } from "./rivals.ts";
import { monthOf, USERS } from "./users.ts";

export interface Row {
  readonly name: string;
  /** By user, in the order of USERS; shares in percent. */
  readonly users: readonly Means[];
  /** Over the users, each counting alike. */
  readonly all: Means;
}

export interface Means {
  readonly expired: number;
  readonly burnt: number;
  /** Conversations that met a wall, in percent. */
  readonly walls: number;
  readonly undone: number;
  readonly moved: number;
}

export function compareMonths(choosers: readonly Rival[], seeds: readonly number[], world: World): Row[] {
  const months = USERS.flatMap((user) => seeds.map((seed) => ({ user, seed, month: monthOf(user, seededDice(seed)) })));
  return choosers.map((chooser) => {
    const users = USERS.map((user) =>
      meansOf(
        months
          .filter((one) => one.user === user)
          .map(({ month, seed }) => simulateMonth(user, month, chooser.create(), seededDice(seed * 7_919), world)),
      ),
    );
    const over = (pick: (means: Means) => number) => mean(users.map(pick));
    const all: Means = {
      expired: over((means) => means.expired),
      burnt: over((means) => means.burnt),
      walls: over((means) => means.walls),
      undone: over((means) => means.undone),
      moved: over((means) => means.moved),
    };
    return { name: chooser.name, users, all };
  });
}

function meansOf(results: readonly MonthResult[]): Means {
  return {
    expired: mean(results.map((result) => result.expiredPercent)),
    burnt: mean(results.map((result) => result.burntPercent)),
    walls: mean(results.map((result) => (100 * result.walls) / result.conversations)),
    undone: mean(results.map((result) => result.undonePercent)),
    moved: mean(results.map((result) => result.movedPercent)),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
