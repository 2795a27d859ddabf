/**
 * Lanes for many cases at once: a case takes a free one and gives it back. A lane whose pool still pauses after a case is replaced, so that no
 * case meets the trouble of another.
 */
import { type Lane, openLane } from "./lane.ts";

export interface LanePool extends AsyncDisposable {
  /** Cases wait for a lane in the order in which they came. After one that leaves its mark on a daemon (`spoils`) the lane is replaced. */
  play<T>(one: (lane: Lane) => Promise<T>, spoils?: boolean): Promise<T>;
}

export function createLanePool(size: number, env: Readonly<Record<string, string>>): LanePool {
  const free: Lane[] = [];
  const opened = new Set<Lane>();
  const waiting: (() => void)[] = [];
  let busy = 0;
  const take = async (): Promise<Lane> => {
    if (busy >= size) await new Promise<void>((resolve) => waiting.push(resolve));
    else busy++;
    const lane = free.pop() ?? (await openLane(env));
    opened.add(lane);
    return lane;
  };
  /** Whoever waits gets the place; its lane is in `free`, or is opened anew. */
  const leave = () => {
    const next = waiting.shift();
    if (next === undefined) busy--;
    else next();
  };
  const close = async (lane: Lane) => {
    opened.delete(lane);
    await lane[Symbol.asyncDispose]();
  };
  return {
    async play(one, spoils = false) {
      let lane: Lane | null = null;
      try {
        lane = await take();
        const result = await one(lane);
        const { pool } = await lane.control.call<{ pool: { pauseEndTime?: string } }>("PoolService/GetPool");
        if (pool.pauseEndTime === undefined && !spoils) free.push(lane);
        else await close(lane);
        return result;
      } catch (error) {
        if (lane !== null) await close(lane);
        throw error;
      } finally {
        leave();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const lane of opened) await close(lane);
    },
  };
}
