/**
 * `npm run bench`: compiles the C instrument and the product, then measures direct, nginx (if installed) and Rotor side by side.
 * Arguments go to test/bench/run.mjs. Loopback only: where the machine allows it, in a network namespace of its own.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileHere } from "./compile.ts";
import { main, ROOT, run } from "./workspace.ts";

const BENCH = join(ROOT, "test", "bench");
const DEFAULT_ARGS = ["--rounds", "3"];

await main(async () => {
  const args = process.argv.slice(2);
  const tag = optionOf(args, "--tag") ?? "latest";
  compileInstrument();
  const binary = await compileHere();
  const env = { ...process.env, ROTOR_BIN: binary, BENCH_BUN: process.execPath };
  const harness = [
    "node",
    join(BENCH, "run.mjs"),
    ...DEFAULT_ARGS.filter(() => !args.includes("--rounds")),
    ...withTargets(args),
    "--tag",
    tag,
  ];
  const code = await run(...isolated(harness), { env });
  if (code !== 0 || args.includes("--list")) return code;
  const report = spawnSync("node", [join(BENCH, "report.mjs"), join(BENCH, "results", tag)], { env, encoding: "utf8" });
  process.stderr.write(report.stderr);
  console.log(report.stdout);
  const file = join(BENCH, "results", tag, "tables.md");
  writeFileSync(file, report.stdout);
  console.log(`tables: ${file}\nrecords: ${join(BENCH, "results", tag, "results.jsonl")}`);
  return report.status ?? 1;
});

function optionOf(args: readonly string[], name: string): string | null {
  const at = args.indexOf(name);
  return at < 0 ? null : (args[at + 1] ?? null);
}

/** nginx is the yardstick, but not everybody has it. */
function withTargets(args: readonly string[]): string[] {
  if (args.includes("--targets")) return [...args];
  const hasNginx = spawnSync("nginx", ["-v"]).status === 0;
  if (!hasNginx) console.error("nginx is not installed: its columns stay empty");
  return [...args, "--targets", hasNginx ? "direct,nginx,rotor" : "direct,rotor"];
}

function compileInstrument(): void {
  mkdirSync(join(BENCH, "bin"), { recursive: true });
  for (const tool of ["upstream", "loadgen"]) {
    const [source, out] = [join(BENCH, "src", `${tool}.c`), join(BENCH, "bin", tool)];
    if ((statSync(out, { throwIfNoEntry: false })?.mtimeMs ?? 0) > statSync(source).mtimeMs) continue;
    const { status, error } = spawnSync("cc", ["-O2", "-w", "-o", out, source], { stdio: "inherit" });
    if (status !== 0)
      throw new Error(`the benchmark needs a C compiler: cc could not build ${tool} (${error?.message ?? status})`);
  }
}

function isolated(command: readonly string[]): [string, string[]] {
  const mayUnshare = process.platform === "linux" && spawnSync("unshare", ["-n", "true"]).status === 0;
  if (!mayUnshare) return [command[0]!, command.slice(1)];
  return ["unshare", ["-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh", ...command]];
}
