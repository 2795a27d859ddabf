/**
 * `npm test`: every stage in order. `--only unit,scripts` runs some (and builds when they need the binary), `--deep` takes larger
 * samples, `-t PATTERN` picks tests by name. Ends with one plain line: `N passed, N failed`.
 */
import { parseArgs } from "node:util";
import { runStages, STAGE_NAMES, type StageName, summarize } from "./stages.ts";
import { main } from "./workspace.ts";

/** Stages that start the executable. */
const NEEDS_BINARY: readonly StageName[] = ["scripts", "clients"];

function chosenStages(only: string | undefined): readonly StageName[] {
  if (only === undefined) return STAGE_NAMES;
  const wanted = only.split(",");
  const unknown = wanted.find((name) => !(STAGE_NAMES as readonly string[]).includes(name));
  if (unknown !== undefined) {
    console.error(`rotor: no stage is called "${unknown}" (there are ${STAGE_NAMES.join(", ")})`);
    process.exit(2);
  }
  const needsBinary = NEEDS_BINARY.some((name) => wanted.includes(name));
  return STAGE_NAMES.filter((name) => wanted.includes(name) || (name === "build" && needsBinary));
}

const { values } = parseArgs({
  options: { only: { type: "string" }, deep: { type: "boolean" }, "test-name-pattern": { type: "string", short: "t" } },
});
const options = {
  deep: values.deep ?? false,
  pattern: values["test-name-pattern"] ?? null,
  again: process.env.CI === "true",
};
await main(async () => summarize(await runStages(chosenStages(values.only), options)));
