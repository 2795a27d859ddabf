/**
 * What the READMEs say is so: paths exist, commands exist, versions are pinned.
 */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import manifest from "../../package.json";
import { ROOT } from "./house-tree.ts";
import { type Breach, expectKept } from "./law.ts";
import { FLOORS } from "./rooms.ts";

const READMES = [
  "README.md",
  "src/README.md",
  "test/README.md",
  "build/README.md",
  "proto/README.md",
  "src/simulator/README.md",
];

function read(path: string): string | null {
  const file = join(ROOT, path);
  return existsSync(file) ? readFileSync(file, "utf8") : null;
}

/** Words in backticks that look like a path of ours: a known file ending, or a folder with a closing slash. Nouns in capitals stand for many. */
export function pathsIn(markdown: string): string[] {
  const prose = markdown.replace(/```[\s\S]*?```/g, "");
  return [...prose.matchAll(/`([\w./-]+)`/g)]
    .map((match) => match[1]!)
    .filter(
      (word) =>
        (/^[\w.-]*\/?[\w./-]*\.(?:ts|mjs|proto|txt|md|json|yaml|toml)$/.test(word) && word.includes("/")) ||
        /^[\w.-]+(?:\/[\w.-]+)*\/$/.test(word),
    )
    .filter((word) => !/[A-Z]{3,}(?!\.md)/.test(word) && !word.startsWith("/") && !word.startsWith("~"));
}

/** A path may be meant from the root, from `src/` or from the README's own folder. */
function isThere(readme: string, path: string): boolean {
  return [ROOT, join(ROOT, "src"), join(ROOT, dirname(readme))].some((base) => existsSync(join(base, path)));
}

test("paths named in the READMEs exist", () => {
  const lost = READMES.flatMap((readme): Breach[] =>
    pathsIn(read(readme) ?? "")
      .filter((path) => !isThere(readme, path) && !/^(?:dist|node_modules|\.cache)\//.test(path))
      .map((path) => `${readme} names ${path}, which is not there`),
  );
  expectKept("A map with a road that is gone costs more than no map.", lost);
});

test("src/README.md has the picture and the table, and knows every room", () => {
  const text = read("src/README.md") ?? "";
  expect(text).toContain("I want to");
  expect(pathsIn(text).length).toBeGreaterThan(10);
  const rooms = readdirSync(join(ROOT, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  expectKept(
    "A room that is not in the picture is found by accident only.",
    rooms
      .filter((room) => !text.includes(`${room.name}/`))
      .map((room) => `src/${room.name} is missing in src/README.md`),
  );
  for (const room of Object.keys(FLOORS)) expect(text).toContain(`${room}/`);
});

test("npm commands named in the READMEs exist", () => {
  const scripts = new Set([...Object.keys(manifest.scripts), "install", "ci"]);
  const wrong = READMES.flatMap((readme): Breach[] => {
    const text = read(readme) ?? "";
    const named = [...text.matchAll(/\b(?:npm|bun) run ([\w:]+)|\bnpm (test)\b/g)].map(
      (match) => match[1] ?? match[2]!,
    );
    return named
      .filter((name) => !scripts.has(name))
      .map((name) => `${readme} tells to run ${name}, which package.json does not know`);
  });
  expectKept("The first command that fails is where a newcomer leaves.", wrong);
});

test("every script starts with Node alone", () => {
  expectKept(
    "A fresh machine has Node and npm, not Bun: scripts go through build/with-bun.mjs.",
    Object.entries(manifest.scripts)
      .filter(([, command]) => !command.startsWith("node build/with-bun.mjs "))
      .map(([name, command]) => `package.json script ${name} starts "${command}"`),
  );
});

test("dependencies are pinned exactly, product dependencies are few", () => {
  const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  expectKept(
    "What was tested is what is installed; an update is a commit.",
    all
      .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
      .map(([name, version]) => `package.json has ${name} ${version}`),
  );
  expect(manifest.packageManager).toMatch(/^bun@\d+\.\d+\.\d+$/);
});

test("the reader of paths reads paths", () => {
  expect(
    pathsIn("see `domain/hold.ts`, `src/pool/` and `rotor pool explain`, not `NOUN-service.ts` or `/v1/responses`"),
  ).toEqual(["domain/hold.ts", "src/pool/"]);
  expect(pathsIn("```\n`a/b.ts`\n```")).toEqual([]);
});
