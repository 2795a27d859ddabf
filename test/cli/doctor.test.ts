/** `rotor doctor`, what of it needs no daemon of its own: programs on the PATH, groups, orders that contradict each other. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { accountOf } from "../support/fake-engine.ts";
import { type Desk, openDesk } from "./harness.ts";

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk();
});
afterAll(() => desk.close());

test("the tools' programs are found on the PATH, with the version that each says", async () => {
  const folder = join(desk.home, "bin");
  mkdirSync(folder);
  const put = (name: string, script: string) => {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  put("codex", "echo codex-cli 0.169.0");
  put("opencode", "echo broken >&2; exit 1");
  const env = { PATH: folder };
  const { out } = await desk.runWith({ env }, "doctor", "--only", "tools");
  expect(out).toContain(`  ✓ codex 0.169.0 (${folder}/codex)\n`);
  expect(out).toContain(`  ! ${folder}/opencode does not say its version\n    try: opencode --version\n`);
  expect((await desk.runWith({ env: { PATH: "/does/not/exist" } }, "doctor", "--only", "tools")).out).toBe("");
});

test("one group alone, and groups that there are not", async () => {
  const { out } = await desk.run("doctor", "--only", "store");
  expect(out).toBe("store\n  ✓ the store is sound\n");
  const { err, exit } = await desk.run("doctor", "--only", "shop");
  expect(exit).toBe(2);
  expect(err).toContain("shop");
});

test("a running client that another version speaks for is to be started again", async () => {
  desk.door.engine.put(accountOf("work"));
  const facts = { client: "opencode", clientVersion: "1.18.33", pid: 4, directory: null, project: null, profile: null };
  const old = { ...facts, linkVersion: "0.0.9", instance: "old", accountId: null };
  await desk.door.engine.clients.shakeHands(old, null);
  const { out } = await desk.run("doctor", "--only", "tools");
  expect(out).toContain("  ! opencode 1.18.33 (pid 4) runs with what Rotor 0.0.9 gave it; this is 0.1.0\n");
});

test("orders that contradict each other are refused before anything is done", async () => {
  for (const args of [["--dry-run"], ["--model", "gpt-5.5"], ["--live", "--offline"], ["--live", "--fix", "--dry-run"]])
    expect((await desk.run("doctor", ...args)).exit).toBe(2);
});
