/**
 * The picture of src/README.md as data: which rooms there are, on which floor, and who may know whom. A new folder under `src/` starts here.
 */
import type { HouseFile, Import } from "./house-tree.ts";

/** Rooms on one floor never meet; a file imports its own room and lower floors. */
export const FLOORS: Readonly<Record<string, number>> = {
  base: 0,
  domain: 1,
  store: 2,
  upstream: 2,
  transfer: 2,
  pool: 3,
  proxy: 4,
  control: 4,
  dashboard: 4,
  daemon: 5,
  cli: 5,
};

/** Rooms that may import only what is named here, whatever the floors would allow. */
const NARROW: Readonly<Record<string, readonly string[]>> = {
  // The attic composes faces and decides nothing.
  attic: ["base", "daemon", "cli", "simulator"],
  // The ctl speaks to the daemon over the socket and knows nothing that lies between.
  cli: ["base", "gen"],
  // The scripted upstream follows the wire, not our needs; it would prove nothing if it shared our reading of it.
  simulator: ["base"],
  // Loaded by OpenCode from one file.
  plugin: [],
  gen: [],
};

const GEN_READERS = ["control", "cli", "dashboard"];

/** The one dependency that looks out of `src`: the version. */
const OUTWARD: Readonly<Record<string, string>> = { "src/base/version.ts": "package.json" };

/** Which rooms may know a package. A dependency that spreads over the house can never be changed again. */
const PACKAGE_HOMES: Readonly<Record<string, readonly string[]>> = {
  "smol-toml": ["base"],
  // The ctl opens no store of ours; the list of conversations is the Codex CLI's.
  "bun:sqlite": ["store", "cli"],
  elysia: ["proxy"],
  "@connectrpc/connect": ["control", "cli", "dashboard"],
  "@connectrpc/connect-node": ["control", "cli"],
  "@bufbuild/protobuf": ["gen", "control", "cli", "dashboard"],
  "@opentelemetry/api": ["daemon"],
  "@opentelemetry/exporter-prometheus": ["daemon"],
  "@opentelemetry/sdk-metrics": ["daemon"],
  commander: ["cli"],
  uqr: ["cli"],
  diff: ["cli"],
  "jsonc-parser": ["cli"],
  "toml-eslint-parser": ["cli"],
};

const BUILT_IN = /^(node:|bun$|bun:(?!sqlite$))/;

function roomOf(path: string): string | null {
  const parts = path.split("/");
  if (parts[0] !== "src") return null;
  return parts.length === 2 ? "attic" : parts[1]!;
}

/** Why `file` may not have this import, or null when it may. */
export function refuseImport(file: HouseFile, item: Import): string | null {
  const from = file.room!;
  if (item.target === null) return refusePackage(from, item.specifier);
  const to = roomOf(item.target);
  if (to === null)
    return OUTWARD[file.path] === item.target ? null : `imports ${item.target}, which is not product code`;
  if (to === from) return null;
  if (to === "gen") {
    if (GEN_READERS.includes(from) || (from === "plugin" && item.typeOnly)) return null;
    return `imports ${item.target}: only ${GEN_READERS.join(", ")} read generated code`;
  }
  if (to === "attic" || to === "plugin") return `imports ${item.target}: nobody imports the ${to}`;
  if (to === "simulator" && from !== "attic") return `imports ${item.target}: only main.ts loads the simulator`;
  const narrow = NARROW[from];
  if (narrow)
    return narrow.includes(to)
      ? null
      : `imports ${item.target}: ${from} may import ${narrow.join(", ") || "nothing"} only`;
  const floorFrom = FLOORS[from];
  const floorTo = FLOORS[to];
  if (floorFrom === undefined || floorTo === undefined) return `imports ${item.target}: no such room in the picture`;
  if (floorTo < floorFrom) return null;
  return floorTo === floorFrom
    ? `imports ${item.target}: ${from} and ${to} share a floor and never meet`
    : `imports ${item.target}: ${to} lies above ${from}`;
}

function refusePackage(from: string, specifier: string): string | null {
  if (BUILT_IN.test(specifier)) return null;
  const name = specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
  const homes = PACKAGE_HOMES[name];
  if (homes === undefined) return `imports ${specifier}, which has no home in test/house/rooms.ts`;
  return homes.includes(from) ? null : `imports ${specifier}: its home is ${homes.join(", ")}`;
}

/** Rooms that stand in `src/` but not in the picture. */
export function isKnownRoom(room: string): boolean {
  return Object.hasOwn(FLOORS, room) || Object.hasOwn(NARROW, room);
}
