/**
 * How a law fails: with its reason and every place that breaks it, so that nobody has to look the law up.
 */
import { expect } from "bun:test";

/** A place and what is wrong there: `src/domain/hold.ts:12 reads the clock`. */
export type Breach = string;

export function expectKept(reason: string, breaches: readonly Breach[]): void {
  expect(breaches).toBeArray();
  if (breaches.length === 0) return;
  const list = breaches.map((breach) => `  ${breach}`).join("\n");
  const times = breaches.length === 1 ? "once" : `${breaches.length} times`;
  throw new Error(`House law broken ${times}. ${reason}\n${list}`);
}

/** Which of `paths` the breaches name: how a law is shown to bite on a tree that breaks it. */
export function namedFiles(breaches: readonly Breach[]): string[] {
  return [...new Set(breaches.map((breach) => breach.split(/[: ]/)[0]!))].sort();
}
