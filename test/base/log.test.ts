/**
 * The log: one JSON object a line, levels, error chains, files that rotate and are nobody else's, and no fault of it stops anything.
 */
import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { AppError } from "../../src/base/errors.ts";
import { createFileSink, createLog, LOG_LEVELS, silentLog } from "../../src/base/log.ts";
import { createManualClock } from "../support/manual-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "rotor-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function capture(level: (typeof LOG_LEVELS)[number] = "debug") {
  const lines: string[] = [];
  return { lines, log: createLog({ clock: createManualClock(), level, sinks: [(line) => lines.push(line)] }) };
}

test("a line is one JSON object with time, level and event first", () => {
  const { lines, log } = capture();
  log.info("account.cooled_down", { account: "work", until: 5 });
  expect(lines).toEqual([
    '{"time":"2026-11-21T12:00:00.000Z","level":"info","event":"account.cooled_down","account":"work","until":5}',
  ]);
});

test("whatever the fields, a line stays one line that reads as JSON", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string(),
        fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.boolean(), fc.constant(null)),
      ),
      (fields) => {
        const { lines, log } = capture();
        log.warn("x.happened", fields);
        expect(lines[0]).not.toContain("\n");
        expect(() => JSON.parse(lines[0]!)).not.toThrow();
      },
    ),
  );
});

test("levels below the threshold are silent", () => {
  for (const [index, level] of LOG_LEVELS.entries()) {
    const { lines, log } = capture(level);
    for (const each of LOG_LEVELS) log[each]("x.happened");
    expect(lines.map((line) => JSON.parse(line).level)).toEqual(LOG_LEVELS.slice(index));
  }
});

test("an error is written with its code and its causes", () => {
  const { lines, log } = capture();
  const cause = Object.assign(new Error("connect refused"), { code: "ECONNREFUSED" });
  log.error("daemon.stopped", { error: new AppError("upstream_unreachable", "no way out", { cause }) });
  expect(JSON.parse(lines[0]!).error).toEqual({
    name: "AppError",
    message: "no way out",
    code: "upstream_unreachable",
    cause: { name: "Error", message: "connect refused", code: "ECONNREFUSED" },
  });
});

test("every sink gets every line", () => {
  const seen: string[] = [];
  const log = createLog({
    clock: createManualClock(),
    level: "info",
    sinks: [() => seen.push("a"), () => seen.push("b")],
  });
  log.info("x.happened");
  expect(seen).toEqual(["a", "b"]);
  silentLog.error("x.happened");
});

const mode = (path: string) => statSync(path).mode & 0o777;

test("the file is 0600 in a 0700 folder, also when it was there and open to others", () => {
  const path = join(folder, "fresh", "rotor.log");
  createFileSink(path)("one");
  expect([mode(path), mode(join(folder, "fresh"))]).toEqual([0o600, 0o700]);
  const old = join(folder, "old.log");
  writeFileSync(old, "before\n", { mode: 0o644 });
  createFileSink(old)("after");
  expect([mode(old), readFileSync(old, "utf8")]).toEqual([0o600, "before\nafter\n"]);
});

test("a full file moves aside, three older ones are kept, no line is lost or cut", () => {
  const path = join(folder, "rotating", "rotor.log");
  mkdirSync(join(folder, "rotating"));
  const big = "x".repeat(10 * 1024 * 1024);
  for (let round = 0; round < 5; round++) {
    writeFileSync(path, `${big}-${round}\n`);
    createFileSink(path)(`line ${round}`);
    expect(readFileSync(path, "utf8")).toBe(`line ${round}\n`);
  }
  const marks = [1, 2, 3].map((n) => readFileSync(`${path}.${n}`, "utf8").trimEnd().slice(-2));
  expect(marks).toEqual(["-4", "-3", "-2"]);
  expect(existsSync(`${path}.4`)).toBe(false);
  for (const n of [1, 2, 3]) expect(mode(`${path}.${n}`) & 0o077).toBe(0);
});

test("a file that grows through one sink moves aside by itself", () => {
  const path = join(folder, "growing.log");
  const sink = createFileSink(path);
  const line = "y".repeat(1024 * 1024);
  for (let i = 0; i < 12; i++) sink(line);
  expect(statSync(`${path}.1`).size).toBeGreaterThan(10 * 1024 * 1024);
  expect(statSync(path).size).toBeLessThan(3 * 1024 * 1024);
});

test("a sink whose folder vanished drops the line and goes on", () => {
  const path = join(folder, "vanishing", "rotor.log");
  const sink = createFileSink(path);
  rmSync(join(folder, "vanishing"), { recursive: true });
  expect(() => sink("lost")).not.toThrow();
  mkdirSync(join(folder, "vanishing"));
  sink("kept");
  expect(readFileSync(path, "utf8")).toBe("kept\n");
});
