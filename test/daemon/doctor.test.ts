/** `rotor doctor` against a real daemon: what is wrong is named, with the command that mends it, and the exit code says so. */
import { expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { runCtl } from "./support/ctl.ts";
import { openStage, type Stage } from "./support/stage.ts";

interface FindingJson {
  readonly check: string;
  readonly level: string;
  readonly message: string;
  readonly hint: string;
}

async function doctor(stage: Stage, args: readonly string[] = [], env: Record<string, string> = {}) {
  const run = await runCtl(["doctor", "--json", ...args], { ...stage.env(), ...env });
  const { findings, mended } = JSON.parse(run.stdout) as { findings: FindingJson[]; mended: { message: string }[] };
  const wrong = findings.filter(({ level }) => level !== "FINDING_LEVEL_OK");
  return {
    exit: run.exit,
    text: run.stdout,
    findings,
    wrong,
    mended,
    named: (check: string) => findings.find((one) => one.check === check),
  };
}

/** Where nobody listens any more. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return `http://127.0.0.1:${port}`;
}

/** The key of these stages lies in the data folder, by their making. */
const ALWAYS = "seal.guard";

test("an installation in order: nothing is wrong, and upstream got no request", async () => {
  await using stage = await openStage({ accounts: [{ alias: "one" }] });
  const { control } = await stage.start();
  await control.importLogin(stage.sim.login("one"), "one");
  const { exit, wrong, named, text } = await doctor(stage);
  expect(wrong.map(({ check }) => check)).toEqual([ALWAYS]);
  expect(exit).toBe(0);
  expect(named("upstream.base")?.message).toEndWith("takes connections");
  expect(named("host.clock")?.message).toContain("will say how right it is");
  expect(named("accounts.state")?.message).toStartWith("one (");
  expect(text).not.toContain("@example");
  expect(stage.sim.requests()).toEqual([]);
});

test("a lost login, a clock that is off and a missing issuer are named, each with what mends it", async () => {
  await using stage = await openStage({ accounts: [{ alias: "one" }, { alias: "two" }] });
  const closed = await closedAddress();
  const { control } = await stage.start();
  await control.importLogin(stage.sim.login("one"), "one");
  await control.importLogin(stage.sim.login("two"), "two");
  stage.sim.clock.advance(600_000);
  stage.sim.revoke("two");
  // What this shows is read from the answers of ordinary work.
  expect((await runCtl(["account", "probe", "one"], stage.env())).exit).toBe(0);
  expect((await runCtl(["account", "refresh", "two"], stage.env())).exit).toBe(1);
  const { exit, wrong } = await doctor(stage);
  expect(exit).toBe(1);
  const clock = wrong.find(({ check }) => check === "host.clock");
  expect(clock?.level).toBe("FINDING_LEVEL_ERROR");
  expect(clock?.message).toMatch(/the clock is \d+ s behind upstream's/);
  const lost = wrong.find(({ check }) => check === "accounts.state");
  expect(lost).toMatchObject({ level: "FINDING_LEVEL_ERROR", hint: "rotor account relogin two" });

  const env = { ROTOR_HOME: stage.home("elsewhere"), ROTOR_UPSTREAM_ISSUER: closed };
  await stage.start({ home: "elsewhere", env });
  const far = await doctor(stage, [], env);
  expect(far.named("upstream.issuer")?.message).toContain("nothing accepts connections there");
  expect(far.exit).toBe(1);
  expect((await doctor(stage, ["--offline"], env)).exit).toBe(0);
  expect((await doctor(stage, ["--only", "accounts"], env)).findings.map(({ check }) => check)).toEqual(["accounts"]);
});

test("without a daemon it says what it can, and --fix takes away what a killed one left", async () => {
  await using stage = await openStage({ accounts: [] });
  const daemon = await stage.start();
  await daemon.kill();
  chmodSync(join(stage.home(), "rotor.key"), 0o644);
  const before = await doctor(stage, ["--no-start"]);
  expect(before.exit).toBe(1);
  expect(before.wrong.map(({ check }) => check)).toEqual(["files.key", "daemon.file", "daemon.reachable"]);

  const rehearsed = await doctor(stage, ["--fix", "--dry-run", "--no-start"]);
  expect(rehearsed.wrong.map(({ check }) => check)).toEqual(before.wrong.map(({ check }) => check));
  const mended = await doctor(stage, ["--fix", "--no-start"]);
  const words = mended.mended.map(({ message }) => message).join("\n");
  expect(words).toContain("daemon.json, left by a daemon that died");
  expect(words).toContain("take the rights of others off");
  expect(mended.wrong.map(({ check }) => check)).toEqual(["daemon.reachable"]);
});

test("locked: the chain's first link is named, the rest still looked at", async () => {
  await using stage = await openStage({ accounts: [] });
  const env = { ROTOR_SEAL_GUARD: "passphrase", ROTOR_PASSPHRASE: "a phrase of this test" };
  const first = await stage.start({ env });
  await first.terminate();
  await stage.start({ env: { ROTOR_SEAL_GUARD: "passphrase" } });
  const locked = await doctor(stage);
  expect(locked.exit).toBe(1);
  expect(locked.named("daemon.state")).toMatchObject({ level: "FINDING_LEVEL_ERROR", hint: "rotor seal unlock" });
  expect(locked.named("upstream.base")?.level).toBe("FINDING_LEVEL_OK");
  expect(locked.named("proxy.answers")?.level).toBe("FINDING_LEVEL_OK");
});
