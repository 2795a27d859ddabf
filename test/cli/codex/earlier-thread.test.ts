/** Which provider a conversation was held through, from its record. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lastThread, threadById } from "../../../src/cli/codex/earlier-thread.ts";

const ONE = "01a1ff4f-72b9-7cb2-91f9-0a47fe10da01";
const TWO = "01a1ff4f-72b9-7cb2-91f9-0a47fe10da02";
const THREE = "01a1ff4f-72b9-7cb2-91f9-0a47fe10da03";

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "rotor-threads-"));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

function record(id: string, head: Record<string, unknown> | string, atSeconds: number): void {
  const folder = join(home, "sessions", "2026", "11", "21");
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `rollout-2026-11-21T18-12-39-${id}.jsonl`);
  const line = typeof head === "string" ? head : JSON.stringify({ type: "session_meta", payload: { id, ...head } });
  writeFileSync(file, `${line}\n{"type":"other"}\n`);
  utimesSync(file, atSeconds, atSeconds);
}

const meta = (provider: string, cwd = home, source = "cli") => ({
  model_provider: provider,
  cwd,
  source,
  base_instructions: { text: "x".repeat(40_000) },
});

test("by its id, and only by a whole one", () => {
  record(ONE, meta("openai"), 1);
  expect(threadById(home, ONE)).toMatchObject({ id: ONE, provider: "openai" });
  expect(threadById(home, ONE.toUpperCase())).toMatchObject({ id: ONE });
  for (const id of [TWO, "my thread", "", ".*", "-"]) expect(threadById(home, id)).toBeNull();
});

test("the last one of this folder that a person sat in front of", () => {
  record(ONE, meta("openai"), 3);
  record(TWO, meta("rotor", tmpdir()), 4);
  record(THREE, meta("rotor", home, "exec"), 5);
  const providerOf = (folder: string | null, everySource: boolean) => lastThread(home, { folder, everySource })?.id;
  expect(providerOf(home, false)).toBe(ONE);
  expect(providerOf(home, true)).toBe(THREE);
  expect(providerOf(null, false)).toBe(TWO);
  expect(providerOf("/nowhere", true)).toBeUndefined();
});

test("records that cannot be read, and no records, are no conversation; nothing is written", () => {
  expect(threadById(home, ONE)).toBeNull();
  expect(lastThread(home, { folder: null, everySource: true })).toBeNull();
  record(ONE, "{ half a li", 9);
  record(TWO, { cwd: home, source: "cli" }, 8);
  record(THREE, meta("codex-multi-auth-runtime-proxy"), 7);
  expect(threadById(home, ONE)).toBeNull();
  expect(lastThread(home, { folder: home, everySource: false })).toMatchObject({
    id: THREE,
    provider: "codex-multi-auth-runtime-proxy",
  });
  expect(readdirSync(home)).toEqual(["sessions"]);
});
