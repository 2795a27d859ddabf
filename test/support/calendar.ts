/**
 * For tests of a real daemon in which something counts by the day or the month: its clock is the machine's, and at midnight UTC what was
 * used is forgotten. They begin when midnight is far enough away.
 */

const DAY_MS = 86_400_000;
/** Longer than such a test may take: beyond it, it is out of time anyway. */
const ROOM_MS = 60_000;

/** Waits for midnight to pass when it is near; mostly not at all. Leave the test {@link ROOM_MS} more than it needs. */
export async function awayFromMidnight(): Promise<void> {
  for (let leftMs = DAY_MS - (Date.now() % DAY_MS); leftMs < ROOM_MS; leftMs = DAY_MS - (Date.now() % DAY_MS))
    await Bun.sleep(leftMs + 10);
}
