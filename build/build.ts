/**
 * `npm run build` → dist/rotor for this machine; `--all` → every release target with SHA-256 sums; `--force` builds even when nothing changed.
 */
import { createHash } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { compile, compileHere, RELEASE_TARGETS } from "./compile.ts";
import { writePluginPackage } from "./plugin.ts";
import { main, ROOT } from "./workspace.ts";

const force = process.argv.includes("--force");

function report(file: string): void {
  const megabytes = (statSync(file).size / 1e6).toFixed(1);
  console.log(`${relative(ROOT, file)}  ${megabytes} MB`);
}

async function buildAll(): Promise<void> {
  const sums: string[] = [];
  for (const target of RELEASE_TARGETS) {
    const file = await compile(target, { force });
    report(file);
    sums.push(`${createHash("sha256").update(readFileSync(file)).digest("hex")}  ${basename(file)}`);
  }
  const sumFile = join(dirname(RELEASE_TARGETS[0]!.file), "SHA256SUMS");
  writeFileSync(sumFile, `${sums.join("\n")}\n`);
  console.log(relative(ROOT, sumFile));
}

await main(async () => {
  if (process.argv.includes("--all")) await buildAll();
  else report(await compileHere({ force }));
  console.log(relative(ROOT, writePluginPackage()));
  return 0;
});
