/**
 * The stages of `npm test`, in the order in which a fault is cheapest to find. Each says how many of its tests passed and failed.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { compileHere } from "./compile.ts";
import { BUN, DIST, ROOT, toolPath } from "./workspace.ts";

export const STAGE_NAMES = ["types", "house", "build", "unit", "daemon", "scripts", "clients"] as const;
export type StageName = (typeof STAGE_NAMES)[number];

export interface StageResult {
  name: string;
  passed: number;
  failed: number;
  skipped: number;
  /** Files that passed only when they were run again, alone. Never part of `failed`; never silent either. */
  again: readonly string[];
  seconds: number;
}

/** Folders of test/ that are stages of their own, or no tests at all. Every other one belongs to `unit`. */
const NOT_UNIT = ["house", "daemon", "scripts", "clients", "bench", "support", "vectors"];

/**
 * A single test may take this long. Unit tests own their clock, so 30 s only says "hangs"; scripts and daemon tests start daemons; a
 * client cell starts a real Codex or OpenCode, which takes seconds to load on a small machine.
 */
const TEST_TIMEOUT_MS: Partial<Record<StageName, number>> = {
  house: 60_000,
  unit: 120_000,
  daemon: 240_000,
  scripts: 240_000,
  clients: 300_000,
};

/**
 * A whole stage may take this long before it counts as hanging: several times what it takes on a quiet machine with two cores, where all
 * of them together stay well within the 15 minutes of contracts §26. Deep runs take their time.
 */
const STAGE_LIMIT_MS: Partial<Record<StageName, number>> = {
  house: 120_000,
  unit: 900_000,
  daemon: 1_500_000,
  scripts: 900_000,
  clients: 1_200_000,
};

/**
 * Stages of whole processes, where a machine that is busy with something else can make a test fail that is right. With CI=true a file that
 * failed there is run once more, alone; when it passes, the run says so by name, because that may be a race of the product. Without CI
 * a failure is a failure.
 */
const RUN_AGAIN: readonly StageName[] = ["daemon", "scripts", "clients"];
/** More than this is no accident. */
const AGAIN_AT_MOST = 3;

/** What a stage needs to know of the command line. */
export interface StageOptions {
  /** Larger samples: tests read ROTOR_TEST_DEPTH. */
  deep?: boolean;
  /** Only tests whose name matches (bun test --test-name-pattern). */
  pattern?: string | null;
  /** Run files of process stages once more when they fail. */
  again?: boolean;
}

/** Runs the stages one after another. A failing stage does not hide the next, except that nothing runs without a binary. */
export async function runStages(names: readonly StageName[], options: StageOptions = {}): Promise<StageResult[]> {
  const results: StageResult[] = [];
  let binary: string | null = null;
  for (const name of names) {
    console.log(`\n── ${name} ${"─".repeat(Math.max(3, 60 - name.length))}`);
    const startedMs = performance.now();
    const done = (counts: Counts) => results.push({ name, ...counts, seconds: (performance.now() - startedMs) / 1000 });
    if (name === "types") done(await checkTypes());
    else if (name === "build") {
      binary = await buildBinary();
      done(binary ? ONE_PASSED : ONE_FAILED);
      if (binary === null) break;
    } else done(await runTests(name, binary, options));
    const last = results.at(-1)!;
    console.log(`${name}: ${last.passed} passed, ${last.failed} failed, ${last.seconds.toFixed(1)} s`);
  }
  return results;
}

type Counts = Omit<StageResult, "name" | "seconds">;
const NONE: Counts = { passed: 0, failed: 0, skipped: 0, again: [] };
const ONE_PASSED: Counts = { ...NONE, passed: 1 };
const ONE_FAILED: Counts = { ...NONE, failed: 1 };

async function checkTypes(): Promise<Counts> {
  const code = await stream(toolPath("tsc"), ["-p", join(ROOT, "tsconfig.json"), "--pretty", "false"], {
    env: {},
    limitMs: null,
  });
  return code === 0 ? ONE_PASSED : ONE_FAILED;
}

async function buildBinary(): Promise<string | null> {
  try {
    const binary = await compileHere();
    console.log(binary);
    return binary;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return null;
  }
}

/** The test folders of a stage, as `bun test` wants them; only those that hold tests. */
function foldersOf(name: StageName): string[] {
  const test = join(ROOT, "test");
  const folders = readdirSync(test, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const wanted = folders.filter((entry) => (name === "unit" ? !NOT_UNIT.includes(entry.name) : entry.name === name));
  return wanted.filter((entry) => holdsTests(join(test, entry.name))).map((entry) => `./test/${entry.name}`);
}

function holdsTests(folder: string): boolean {
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.name !== "node_modules");
  return entries.some((entry) =>
    entry.isDirectory() ? holdsTests(join(folder, entry.name)) : entry.name.endsWith(".test.ts"),
  );
}

/**
 * Unit and daemon files run in parallel processes: whatever they start is their own. Of scripts and clients one may own a fixed port,
 * so they run one by one. Counts are read from the JUnit report, which is also there when the console output changes.
 */
async function runTests(name: StageName, binary: string | null, options: StageOptions): Promise<Counts> {
  const folders = foldersOf(name);
  if (folders.length === 0) return NONE;
  const first = await runFiles(name, folders, binary, options);
  const files = first.failedFiles;
  if (!options.again || !RUN_AGAIN.includes(name) || files.length === 0 || files.length > AGAIN_AT_MOST) return first;
  console.log(`\n${name}: once more, alone: ${files.join(", ")}`);
  for (const file of files) {
    if ((await runFiles(name, [`./${file}`], binary, options)).failed > 0) return first;
  }
  return { ...first, passed: first.passed + first.failed, failed: 0, again: files };
}

async function runFiles(
  name: StageName,
  paths: readonly string[],
  binary: string | null,
  options: StageOptions,
): Promise<Counts & { failedFiles: readonly string[] }> {
  const report = join(DIST, "reports", `${name}.xml`);
  mkdirSync(join(DIST, "reports"), { recursive: true });
  rmSync(report, { force: true });
  // `--no-orphans`: whatever a test started and forgot ends with the run.
  const args = ["test", "--only-failures", "--no-orphans", `--timeout=${TEST_TIMEOUT_MS[name]}`];
  args.push("--reporter=junit", `--reporter-outfile=${report}`);
  if (name === "unit" || name === "daemon") args.push("--parallel", "--no-isolate");
  if (options.pattern) args.push("--test-name-pattern", options.pattern, "--pass-with-no-tests");
  const env = { ...(binary ? { ROTOR_BIN: binary } : {}), ...(options.deep ? { ROTOR_TEST_DEPTH: "deep" } : {}) };
  const code = await stream(BUN, [...args, ...paths], {
    env,
    limitMs: options.deep ? null : (STAGE_LIMIT_MS[name] ?? null),
  });
  const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
  const counts = readReport(xml);
  // A crash, or a fault outside any test, fails the run without failing a test that could be counted; so does a run of nothing.
  const ranNothing = counts.passed + counts.failed + counts.skipped === 0 && !options.pattern;
  const isCrash = counts.failed === 0 && (code !== 0 || ranNothing);
  return { ...counts, failed: isCrash ? 1 : counts.failed, failedFiles: isCrash ? [] : failedFiles(xml) };
}

/** The test files in which something failed, as the report names them. */
export function failedFiles(xml: string): string[] {
  const suites = xml.match(/<testsuite\b[^>]*>/g) ?? [];
  const failed = suites.filter((suite) => !/\bfailures="0"/.test(suite));
  return [...new Set(failed.flatMap((suite) => /\bfile="([^"]+)"/.exec(suite)?.[1] ?? []))];
}

/** The totals that a JUnit report carries on its outermost element. */
export function readReport(xml: string): Counts {
  const head = /<testsuites\b[^>]*>/.exec(xml)?.[0] ?? "";
  const number = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const failed = number("failures") + number("errors");
  const skipped = number("skipped");
  return { passed: number("tests") - failed - skipped, failed, skipped, again: [] };
}

interface StreamOptions {
  env: Record<string, string>;
  limitMs: number | null;
}

/** Runs to the end with our own terminal, or to its limit; the exit code. */
function stream(file: string, args: readonly string[], { env, limitMs }: StreamOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
      env: { ...process.env, ...env },
    });
    const stop = () => {
      console.error(`rotor: stopped after ${limitMs! / 1000} s`);
      child.kill("SIGTERM");
      // What does not end when asked is ended: a stuck stage must not eat the time of the others.
      setTimeout(() => child.kill("SIGKILL"), 5_000).unref();
    };
    const timer = limitMs === null ? null : setTimeout(stop, limitMs);
    child.on("error", reject);
    child.on("exit", (code) => {
      if (timer) clearTimeout(timer);
      resolve(code ?? 1);
    });
  });
}

/** Prints a line per stage and, last, the one that machines read. The exit code. */
export function summarize(results: readonly StageResult[]): number {
  console.log("");
  for (const { name, passed, failed, skipped, again, seconds } of results) {
    const skips = skipped > 0 ? `, ${skipped} skipped` : "";
    console.log(`  ${name.padEnd(8)} ${passed} passed, ${failed} failed${skips}  (${seconds.toFixed(1)} s)`);
    for (const file of again)
      console.log(`           UNSTEADY: ${file} failed, and passed when it was run again alone`);
  }
  const sum = (pick: (result: StageResult) => number) => results.reduce((total, result) => total + pick(result), 0);
  const failed = sum((result) => result.failed);
  console.log(`\n${sum((result) => result.passed)} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}
