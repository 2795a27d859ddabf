/** Counters of an engine that has seen something of everything. */
import type { Counters } from "../../src/pool/engine.ts";

export const COUNTERS: Counters = {
  exchanges: 7,
  served: 6,
  failovers: 2,
  refreshes: 3,
  refreshFailures: 1,
  clientsGone: 1,
  probes: 4,
};
