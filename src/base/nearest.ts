/**
 * "Did you mean …?": the candidate that a typo most likely meant.
 */

/** At most one wrong letter in three: further away, a suggestion is a guess. */
const WRONG_LETTERS_SHARE = 1 / 3;

/** The closest candidate, or null when none is close. Case does not count. */
export function nearest(text: string, candidates: readonly string[]): string | null {
  const wanted = text.toLowerCase();
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  const allowed = Math.max(1, Math.floor(Math.max(wanted.length, best?.length ?? 0) * WRONG_LETTERS_SHARE));
  return bestDistance <= allowed && bestDistance < wanted.length ? best : null;
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
export function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const current = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      let cost = Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + same);
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        cost = Math.min(cost, beforePrevious[j - 2]! + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length]!;
}
