/**
 * The bookkeeping of `npm test`: a run must not look better than it was.
 */
import { afterAll, beforeAll, expect, spyOn, test } from "bun:test";
import { failedFiles, readReport, type StageResult, summarize } from "../../build/stages.ts";

const lines: string[] = [];
const print = spyOn(console, "log");
beforeAll(() => void print.mockImplementation((line: string) => void lines.push(line)));
afterAll(() => print.mockRestore());

const result = (name: string, passed: number, failed: number, skipped = 0): StageResult => ({
  name,
  passed,
  failed,
  skipped,
  again: [],
  seconds: 1,
});

test("totals are read from the outermost element of a report", () => {
  const xml = `<?xml version="1.0"?>
    <testsuites name="bun test" tests="10" assertions="99" failures="2" skipped="3" time="0.5">
      <testsuite name="a" tests="4" failures="4" skipped="0"></testsuite>
    </testsuites>`;
  expect(readReport(xml)).toEqual({ passed: 5, failed: 2, skipped: 3, again: [] });
});

test("errors outside of assertions count as failures", () => {
  expect(readReport('<testsuites tests="3" failures="1" errors="1">')).toEqual({
    passed: 1,
    failed: 2,
    skipped: 0,
    again: [],
  });
});

test("an empty or cut report counts nothing, rather than a success", () => {
  for (const xml of ["", "<testsuites", "not xml"])
    expect(readReport(xml)).toEqual({ passed: 0, failed: 0, skipped: 0, again: [] });
});

test("the last line sums every stage, and the exit code follows the failures", () => {
  lines.length = 0;
  expect(summarize([result("types", 1, 0), result("unit", 40, 0, 2), result("clients", 9, 1)])).toBe(1);
  expect(lines.at(-1)!.trim()).toBe("50 passed, 1 failed");
  expect(summarize([result("types", 1, 0)])).toBe(0);
});

test("files that failed are told by name, each once", () => {
  const xml = `<testsuites tests="9" failures="3">
    <testsuite name="a" file="test/daemon/a.test.ts" tests="4" failures="2">
      <testsuite name="inner" file="test/daemon/a.test.ts" line="1" failures="1"></testsuite>
    </testsuite>
    <testsuite name="b" file="test/daemon/b.test.ts" tests="2" failures="0"></testsuite>
    <testsuite name="c" file="test/daemon/c.test.ts" tests="3" failures="1"></testsuite>
  </testsuites>`;
  expect(failedFiles(xml)).toEqual(["test/daemon/a.test.ts", "test/daemon/c.test.ts"]);
});

test("a file that passed only when it was run again is named in the summary", () => {
  lines.length = 0;
  expect(summarize([{ ...result("daemon", 9, 0), again: ["test/daemon/a.test.ts"] }])).toBe(0);
  expect(lines.join("\n")).toContain("UNSTEADY: test/daemon/a.test.ts");
});
