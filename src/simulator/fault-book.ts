/**
 * The faults that were ordered, each given out as often as it was asked for. Says nothing about what a fault does.
 */
import {
  FAULT_KINDS,
  FAULT_PLACES,
  type FaultKind,
  type FaultKindRow,
  type FaultParams,
  type FaultPlace,
  type FaultStage,
  isFaultKind,
  STREAM_POINTS,
} from "./faults.ts";
import { asObject, asText, type JsonObject } from "./json.ts";

/** A fault as it is ordered. `times` counts strikes; `skip` lets so many pass first. */
export interface FaultSpec extends FaultParams {
  at: FaultPlace;
  kind: FaultKind;
  /** Alias; absent for every account. */
  account?: string;
  /** Strikes only requests for this model. Named apart from `model`, which some kinds write. */
  onModel?: string;
  times?: number | "always";
  skip?: number;
}

export interface Fault {
  id: string;
  spec: FaultSpec;
  kind: FaultKind;
  stage: FaultStage;
  params: FaultParams;
  /** Strikes left; null for always. */
  left: number | null;
  skip: number;
  struck: number;
}

export interface FaultQuery {
  at: FaultPlace;
  account: string | null;
  model?: string | null;
  stages: readonly FaultStage[];
}

export interface FaultBook {
  add(spec: FaultSpec): Fault;
  list(): Fault[];
  remove(id: string): boolean;
  clear(): void;
  /** The oldest fault that fits; it has struck once more. Null when none fits. */
  take(query: FaultQuery): Fault | null;
}

export function createFaultBook(): FaultBook {
  let faults: Fault[] = [];
  let lastId = 0;
  return {
    add(spec) {
      const { at: _at, kind: name, account: _account, onModel: _onModel, times, skip, ...params } = spec;
      const fault: Fault = {
        id: `fault-${++lastId}`,
        spec,
        kind: name,
        stage: FAULT_KINDS[name].stage,
        params,
        left: times === "always" ? null : (times ?? 1),
        skip: skip ?? 0,
        struck: 0,
      };
      faults.push(fault);
      return fault;
    },
    list: () => faults,
    remove(id) {
      const before = faults.length;
      faults = faults.filter((fault) => fault.id !== id);
      return faults.length < before;
    },
    clear() {
      faults = [];
    },
    take(query) {
      for (const fault of faults) {
        if (!fits(fault, query)) continue;
        if (fault.skip > 0) {
          fault.skip--;
          continue;
        }
        fault.struck++;
        if (fault.left !== null) fault.left--;
        return fault;
      }
      return null;
    },
  };
}

function fits(fault: Fault, query: FaultQuery): boolean {
  const { spec } = fault;
  if (fault.left === 0 || spec.at !== query.at || !query.stages.includes(fault.stage)) return false;
  if (spec.account !== undefined && spec.account !== query.account) return false;
  return spec.onModel === undefined || spec.onModel === query.model;
}

/** What the control API shows of a fault. */
export function faultView(fault: Fault): JsonObject {
  return { id: fault.id, ...fault.spec, stage: fault.stage, left: fault.left ?? "always", struck: fault.struck };
}

/** A fault from outside: the spec, or what is wrong with it. */
export function parseFault(value: unknown): { ok: true; spec: FaultSpec } | { ok: false; problem: string } {
  const given = asObject(value);
  if (!given) return { ok: false, problem: "a fault is an object" };
  const problem = problemOf(given);
  return problem ? { ok: false, problem } : { ok: true, spec: given as unknown as FaultSpec };
}

const NUMBERS: readonly string[] = ["resetsInSeconds", "retryAfterSeconds", "delayMs", "status", "bytes", "count"];

function problemOf(given: JsonObject): string | null {
  const at = asText(given.at);
  const name = asText(given.kind);
  if (!at || !(FAULT_PLACES as readonly string[]).includes(at))
    return `\`at\` must be one of ${FAULT_PLACES.join(", ")}`;
  if (!name || !isFaultKind(name))
    return `\`kind\` ${JSON.stringify(given.kind)} is not known; GET /__sim/v1/faults/kinds lists them`;
  const row: FaultKindRow = FAULT_KINDS[name];
  if (row.stage === "stream" && at !== "responses") return `kind ${name} strikes at responses only`;
  if (row.stage === "tokens" && at !== "refresh" && at !== "token")
    return `kind ${name} strikes at refresh or token only`;
  if (given.account !== undefined && asText(given.account) === null) return "`account` must be an alias";
  if (given.times !== undefined && given.times !== "always" && !(isCount(given.times) && given.times > 0))
    return '`times` must be a whole number from 1, or "always"';
  if (given.skip !== undefined && !isCount(given.skip)) return "`skip` must be a whole number from 0";
  if (given.point !== undefined && !(STREAM_POINTS as readonly unknown[]).includes(given.point))
    return `\`point\` must be one of ${STREAM_POINTS.join(", ")}`;
  for (const key of Object.keys(given)) {
    if (["at", "kind", "account", "onModel", "times", "skip"].includes(key)) continue;
    if (!(row.params as readonly string[]).includes(key))
      return `kind ${name} takes no \`${key}\`; it takes ${row.params.join(", ") || "no parameters"}`;
    if (NUMBERS.includes(key) && !(typeof given[key] === "number" && given[key] >= 0))
      return `\`${key}\` must be a number from 0`;
  }
  return null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}
