/**
 * Findings of `rotor doctor` on the ctl's side, and the groups that all of them are shown in.
 */
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { FindingLevel } from "../../gen/rotor/v1/daemon_service_pb.ts";

/** What {@link Finding} of the API says, which is one. */
export interface OwnFinding {
  readonly check: string;
  readonly level: FindingLevel;
  readonly message: string;
  readonly hint: string;
  readonly endTime?: Timestamp | undefined;
}

export const ok = (check: string, message: string): OwnFinding => ({
  check,
  level: FindingLevel.OK,
  message,
  hint: "",
});

export const warning = (check: string, message: string, hint: string): OwnFinding => ({
  check,
  level: FindingLevel.WARNING,
  message,
  hint,
});

export const error = (check: string, message: string, hint: string): OwnFinding => ({
  check,
  level: FindingLevel.ERROR,
  message,
  hint,
});

/** A step of `--fix`. */
export interface Mended {
  /** Stable name of the check that it mends. */
  readonly check: string;
  readonly message: string;
  readonly done: boolean;
}

export interface Group {
  readonly name: string;
  /** First words of the checks that belong to it. */
  readonly checks: readonly string[];
}

/** In the order in which one thing needs the other. What fits nowhere is the daemon's. */
export const GROUPS: readonly Group[] = [
  { name: "machine", checks: ["config", "files", "host"] },
  { name: "daemon", checks: ["daemon", "proxy", "settings"] },
  { name: "store", checks: ["store", "seal", "backup"] },
  { name: "upstream", checks: ["upstream"] },
  { name: "accounts", checks: ["accounts"] },
  { name: "tools", checks: ["tool"] },
  { name: "live", checks: ["live"] },
];

export function groupOf(check: string): string {
  const first = check.split(".")[0]!;
  return GROUPS.find(({ checks }) => checks.includes(first))?.name ?? "daemon";
}
