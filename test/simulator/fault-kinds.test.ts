/** No fault kind without a test and without its row in the README. */
import { expect, test } from "bun:test";
import { FAULT_KINDS, FAULT_PLACES, type FaultKindRow } from "../../src/simulator/faults.ts";

const kinds = Object.entries(FAULT_KINDS) as [string, FaultKindRow][];
const folder = import.meta.dir;

test("every kind is met by a test", async () => {
  const files = ["faults-answers.test.ts", "faults-stream.test.ts", "socket.test.ts"];
  const text = (await Promise.all(files.map((file) => Bun.file(`${folder}/${file}`).text()))).join("\n");
  const missing = kinds.map(([kind]) => kind).filter((kind) => !new RegExp(`\\b${kind}\\b`).test(text));
  expect(missing).toEqual([]);
});

test("the README's table is the code's table", async () => {
  const readme = await Bun.file(`${folder}/../../src/simulator/README.md`).text();
  const rows = readme
    .split("\n")
    .filter((line) => /^\| `[a-z_0-9]+` \| (answer|transport|tokens|stream) \|/.test(line));
  const cell = (text: string) => text.replaceAll("|", "\\|");
  const wanted = kinds.map(([kind, row]) => {
    const params = row.params.map((name) => `\`${name}\``).join(", ");
    return `| \`${kind}\` | ${row.stage} | ${cell(row.says)} | ${params || "–"} |`;
  });
  expect(rows).toEqual(wanted);
  for (const place of FAULT_PLACES) expect(readme).toContain(`\`${place}\``);
});
