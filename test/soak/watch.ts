/**
 * What a soak measures of the daemon, and what it makes of it: leaks show as a floor that rises. Floors are compared, not peaks: a sample is
 * taken when nobody asks anything.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Taken while everything rests. */
export interface Sample {
  /** Of the whole soak, over all its starts. */
  readonly atMs: number;
  /** Counts the daemon's lives: memory starts anew with each. */
  readonly life: number;
  readonly rssMb: number;
  readonly files: number;
  readonly sockets: number;
  readonly leases: number;
  readonly openExchanges: number;
  /** Streams that upstream still sends, and its open connections. */
  readonly upstreamStreams: number;
  readonly upstreamConnections: number;
  /** How late the daemon answered `GET /health` while everything ran: the slowest of this stretch. */
  readonly slowestHealthMs: number;
}

export interface ProcessFigures {
  readonly rssMb: number;
  readonly files: number;
  readonly sockets: number;
}

/** Linux alone tells all of it. */
export function figuresOf(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const rssKb = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      // Closed between the two looks.
      return "";
    }
  });
  return { rssMb: rssKb / 1024, files: links.length, sockets: links.filter((to) => to.startsWith("socket:")).length };
}

/** Caches fill and the heap finds its size in the first samples of a life. */
const WARM_UP_SAMPLES = 3;
/** Fewer tell nothing. */
const MIN_SAMPLES = 6;

/** Conversations of the soak times its accounts. */
const KEPT_MAX = 240;

interface Measure {
  readonly name: string;
  readonly of: (sample: Sample) => number;
  /** What a floor may rise within one life without being called a leak: allocators keep what they had. */
  readonly mayRise: (floor: number) => number;
}

const MEASURES: readonly Measure[] = [
  { name: "memory (MB)", of: ({ rssMb }) => rssMb, mayRise: (floor) => Math.max(24, floor * 0.25) },
  // Connections to upstream are kept for a while on purpose, up to one for each conversation and account.
  { name: "other files", of: ({ files, upstreamConnections }) => files - upstreamConnections, mayRise: () => 12 },
  { name: "other sockets", of: ({ sockets, upstreamConnections }) => sockets - upstreamConnections, mayRise: () => 10 },
  { name: "upstream connections", of: ({ upstreamConnections }) => upstreamConnections, mayRise: () => KEPT_MAX },
];

export interface Drift {
  readonly name: string;
  readonly life: number;
  readonly samples: number;
  /** Floors of the first and the last third of a life. */
  readonly from: number;
  readonly to: number;
  readonly isLeak: boolean;
}

/** For each life that was long enough. */
export function driftOf(samples: readonly Sample[]): Drift[] {
  const lives = Map.groupBy(samples, ({ life }) => life);
  return [...lives].flatMap(([life, all]) => {
    const warm = all.slice(WARM_UP_SAMPLES);
    if (warm.length < MIN_SAMPLES) return [];
    const third = Math.floor(warm.length / 3);
    return MEASURES.map(({ name, of, mayRise }) => {
      const from = floor(warm.slice(0, third).map(of));
      const to = floor(warm.slice(-third).map(of));
      return { name, life, samples: warm.length, from, to, isLeak: to - from > mayRise(from) };
    });
  });
}

function floor(values: readonly number[]): number {
  return Math.min(...values);
}
