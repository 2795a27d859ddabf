/** `rotor status` for people and for machines, with the engine of the fakes behind the socket. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { accountOf } from "../support/fake-engine.ts";
import { type Desk, openDesk } from "./harness.ts";

let desk: Desk;
beforeEach(async () => {
  desk = await openDesk();
});
afterEach(() => desk.close());

test("the page names what was used lately, budgets and running clients", async () => {
  const { engine } = desk.door;
  engine.put(accountOf("work"));
  await engine.clients.shakeHands(
    {
      client: "opencode",
      clientVersion: "1.18.33",
      linkVersion: "0.1.0",
      pid: 12,
      instance: "one",
      directory: "/home/ann/src/demo",
      project: null,
      profile: null,
      accountId: null,
    },
    null,
  );
  expect((await desk.run("budget", "set", "team", "--limit", "20 USD/week")).exit).toBe(0);
  const { out, exit } = await desk.run("status");
  expect(exit).toBe(0);
  expect(out).toContain("since start  requests 7 (served 6, moved on 2), renewals 3, 1 failed, probes 4\n");
  expect(out).toMatch(/\nbudgets\nteam {2}\S+ of 20\.00 USD\/week/);
  expect(out).toMatch(/\nclients\nopencode {2}1\.18\.33, pid 12, \/home\/ann\/src\/demo, seen /);
});

test("the report holds every part and nothing personal, and its file is for its owner alone", async () => {
  desk.door.engine.put(accountOf("work", { email: "ann.private@example.org" }));
  const { out } = await desk.run("status", "--full", "--json");
  const report = JSON.parse(out) as Record<string, { error?: unknown }>;
  expect(Object.keys(report)).toEqual([
    "report_time",
    "ctl",
    "status",
    "diagnostics",
    "plan",
    "forecast",
    "rules",
    "profiles",
    "settings",
    "keys",
    "clients",
    "tools",
    "models",
    "files",
    "seal",
    "backups",
    "exchanges",
    "audit",
  ]);
  expect(Object.values(report).filter((part) => part.error !== undefined)).toEqual([]);
  expect(out).toContain("[e-mail 1]");
  expect(out).not.toContain("ann.private");
  expect(out).not.toContain("workspace-work");

  const file = join(desk.home, "report.json");
  expect((await desk.run("status", "--full", "--out", file)).exit).toBe(0);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(Object.keys(JSON.parse(readFileSync(file, "utf8")) as object)).toEqual(Object.keys(report));
  expect((await desk.run("status", "--out", file)).exit).toBe(2);
});

test("a daemon that is not ready reports what it can, and why not the rest", async () => {
  desk.door.facts.setState("locked", "the seal is locked");
  const report = JSON.parse((await desk.run("status", "--full", "--json")).out) as Record<string, unknown>;
  expect(report.forecast).toMatchObject({ error: { code: "store_locked" } });
  expect(report.diagnostics).toMatchObject({ findings: [{}, {}] });
});
