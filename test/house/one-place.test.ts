/**
 * Law 4: the wall clock, timers, randomness, `process.env` and `console` are each touched in one file only.
 */
import { expect, test } from "bun:test";
import {
  isIdentifier,
  isMetaProperty,
  isNewExpression,
  isPropertyAccessExpression,
  isTypeQueryNode,
  type Node,
} from "typescript/unstable/ast";
import { at, type HouseFile, loadHouse, parseTexts, productFiles, walk } from "./house-tree.ts";
import { type Breach, expectKept, namedFiles } from "./law.ts";

interface Reserved {
  what: string;
  /** The one file (or folder, with a trailing slash) that may touch it, and those excused with a reason in contracts.md §24. */
  homes: readonly string[];
  /** `object.member` pairs, or bare names. */
  accesses: ReadonlySet<string>;
  /** Names that may not be imported from `modules`. null = none of them. */
  modules: RegExp;
  imported: ReadonlySet<string> | null;
}

const words = (text: string) => new Set(text.split(/\s+/));

const RESERVED: readonly Reserved[] = [
  {
    what: "the clock or a timer",
    homes: ["src/base/clock.ts", "src/plugin/"],
    accesses: words(
      "Date.now performance.now performance.timeOrigin process.hrtime process.uptime Bun.nanoseconds Bun.sleep Bun.sleepSync Bun.cron AbortSignal.timeout setTimeout setInterval setImmediate",
    ),
    modules: /^node:timers/,
    imported: null,
  },
  {
    what: "randomness",
    homes: ["src/base/id.ts"],
    accesses: words(
      "Math.random crypto.randomUUID crypto.getRandomValues crypto.randomBytes crypto.randomInt Bun.randomUUIDv7 Bun.randomUUIDv5 Bun.CSRF",
    ),
    modules: /^(node:crypto|crypto)$/,
    imported: words("randomBytes randomUUID randomInt randomFill randomFillSync getRandomValues webcrypto"),
  },
  {
    what: "the process environment",
    homes: ["src/base/env.ts", "src/plugin/"],
    accesses: words("process.env Bun.env import.meta.env"),
    modules: /^node:process$/,
    imported: words("env default"),
  },
  {
    what: "the console",
    homes: ["src/cli/print.ts"],
    accesses: words("console"),
    modules: /^node:console$/,
    imported: null,
  },
];

/** `a.b` of a property access, or a bare name that is not itself a member or a key. */
function accessName(node: Node): string | null {
  if (isPropertyAccessExpression(node)) {
    if (isMetaProperty(node.expression)) return `import.meta.${node.name.text}`;
    if (isIdentifier(node.expression)) return `${node.expression.text}.${node.name.text}`;
    const inner = node.expression;
    // globalThis.crypto.randomUUID
    return isPropertyAccessExpression(inner) ? `${inner.name.text}.${node.name.text}` : null;
  }
  if (!isIdentifier(node)) return null;
  const parent = node.parent;
  if (isPropertyAccessExpression(parent) && parent.name === node) return null;
  if ("name" in parent && parent.name === node) return null;
  return isTypeQueryNode(parent) ? null : node.text;
}

function touches(house: readonly HouseFile[]): Breach[] {
  const found: Breach[] = [];
  for (const file of productFiles(house)) {
    const rules = RESERVED.filter(
      (rule) => !rule.homes.some((home) => file.path === home || (home.endsWith("/") && file.path.startsWith(home))),
    );
    for (const rule of rules) {
      for (const item of file.imports) {
        if (!rule.modules.test(item.specifier) || item.typeOnly) continue;
        const names = item.names?.filter((name) => rule.imported === null || rule.imported.has(name));
        if (names === undefined ? rule.imported === null : names.length > 0)
          found.push(`${file.path}:${item.line} imports ${rule.what}`);
      }
    }
    walk(file.tree, (node) => {
      // `new Date()` reads the clock; `new Date(atMs)` only formats.
      const isNow =
        isNewExpression(node) &&
        isIdentifier(node.expression) &&
        node.expression.text === "Date" &&
        !node.arguments?.length;
      const name = isNow ? "Date.now" : accessName(node);
      const rule = name === null ? undefined : rules.find((candidate) => candidate.accesses.has(name));
      if (rule) found.push(`${at(file, node)} touches ${rule.what} (${isNow ? "new Date()" : name})`);
    });
  }
  return found;
}

test("clock, timers, randomness, environment and console have one home each", async () => {
  expectKept(
    "Take a Clock (base/clock.ts), Dice (base/id.ts) or Host (base/env.ts) as an argument and print through cli/print.ts: " +
      "what reads the world by itself can neither be tested at another time nor run in another place.",
    touches(await loadHouse()),
  );
});

test("the law of one place bites", async () => {
  const broken = await parseTexts({
    "src/pool/now.ts": "export const f = () => Date.now();",
    "src/pool/new-date.ts": "export const f = () => new Date();",
    "src/pool/timer.ts": "export const f = () => setTimeout(() => {}, 1);",
    "src/pool/abort.ts": "export const f = () => AbortSignal.timeout(5);",
    "src/pool/module.ts": 'import { setTimeout as sleep } from "node:timers/promises"; export const f = sleep;',
    "src/pool/random.ts": "export const f = () => Math.random();",
    "src/pool/uuid.ts": "export const f = () => globalThis.crypto.randomUUID();",
    "src/pool/bytes.ts": 'import { randomBytes } from "node:crypto"; export const f = randomBytes;',
    "src/pool/env.ts": "export const f = () => process.env.HOME;",
    "src/pool/print.ts": 'export const f = () => console.log("x");',
    "src/pool/fine.ts":
      'import { createHash } from "node:crypto"; export const f = (clock: { setTimeout(): void }, now: Date) => { clock.setTimeout(); return new Date(5) > now ? createHash("sha256") : { env: 1, console: 2 }; };',
    "src/plugin/opencode.ts": "export const f = () => [process.env.HOME, setTimeout(() => {}, 1)];",
    "src/base/clock.ts": "export const f = () => Date.now();",
  });
  const innocent = ["src/pool/fine.ts", "src/plugin/opencode.ts", "src/base/clock.ts"];
  const guilty = broken.map((file) => file.path).filter((path) => !innocent.includes(path));
  expect(namedFiles(touches(broken))).toEqual(guilty);
});

/** Faces and rooms that are started from outside; all others are handed what they need. */
const ROOTS = ["attic", "daemon", "cli", "simulator"];
/** Runs before there is anybody to hand it anything (contracts §24). */
const FIRST = "src/base/bootstrap.ts";
const REAL_WORLD = new Set(["systemClock", "systemDice", "readHost"]);

function realWorldImports(house: readonly HouseFile[]): Breach[] {
  return productFiles(house).flatMap((file) => {
    if (ROOTS.includes(file.room!) || file.path === FIRST) return [];
    return file.imports.flatMap((item) => {
      const taken = item.target?.startsWith("src/base/")
        ? (item.names ?? []).filter((name) => REAL_WORLD.has(name))
        : [];
      return taken.length ? [`${file.path}:${item.line} takes ${taken.join(", ")} by itself`] : [];
    });
  });
}

test("the real clock, dice and host enter through the faces only", async () => {
  expectKept(
    "daemon, cli, simulator and main hand the clock, the dice and the host down; a room that fetches them itself cannot be given others.",
    realWorldImports(await loadHouse()),
  );
});

test("the law of the faces bites", async () => {
  const broken = await parseTexts({
    "src/pool/own-clock.ts": 'import { systemClock } from "../base/clock.ts";',
    "src/daemon/start.ts": 'import { systemClock } from "../base/clock.ts";',
    "src/pool/fine.ts": 'import type { Clock } from "../base/clock.ts";',
  });
  expect(namedFiles(realWorldImports(broken))).toEqual(["src/pool/own-clock.ts"]);
});
