/** The scenario file and the command that reads it. */
import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { runSimulate } from "../../src/simulator/command.ts";
import { parseScenario } from "../../src/simulator/scenario.ts";
import { createSimulator } from "../../src/simulator/simulator.ts";
import { startBench, until } from "./support.ts";

describe("a scenario", () => {
  test.each([
    [[], "scenario must be an object"],
    [{ acounts: [] }, "scenario has no field acounts; it has startTime, accounts"],
    [{ accounts: {} }, "scenario.accounts must be a list"],
    [{ accounts: [{ plan: "gold" }] }, "scenario.accounts[0].plan must be one of free"],
    [{ accounts: [{ alias: "a b" }] }, "scenario.accounts[0].alias must be letters"],
    [{ accounts: [{ alias: "a" }, { alias: "a" }] }, "two accounts have the alias a"],
    [{ accounts: [{ windows: [{ capacityRequests: 3 }] }] }, "scenario.accounts[0].windows[0] must have minutes"],
    [{ accounts: [{ windows: [{ minutes: 5, capacityRequests: 3, capacityTokens: 3 }] }] }, "must have one of"],
    [{ accounts: [{ windows: [{ minutes: 5, usedPercent: 101 }] }] }, "usedPercent must be a number from 0 to 100"],
    [{ faults: [{ at: "usage", kind: "x" }] }, 'scenario.faults[0]: `kind` "x" is not known'],
    [{ startTime: "tomorrow" }, "scenario.startTime must be an instant"],
    [{ oauth: { graceSeconds: -1 } }, "scenario.oauth.graceSeconds must be a number from 0"],
    [{ pacing: { deltaChars: 0 } }, "scenario.pacing.deltaChars must be a number above 0"],
  ])("%j is refused", (value, words) => {
    expect(() => parseScenario(value)).toThrow(words);
  });

  test("sets the stage", async () => {
    await using bench = await startBench({
      startTime: "2030-05-05T00:00:00Z",
      accounts: [{ alias: "work", plan: "team", email: "w@example.test" }, {}],
      faults: [{ at: "usage", kind: "server_error", account: "work" }],
      oauth: { graceSeconds: 7 },
      pacing: { deltas: 2 },
    });
    expect(new Date(bench.sim.clock.nowMs()).toISOString()).toStartWith("2030-05-05T00:00:0");
    expect(bench.sim.account("work").email).toBe("w@example.test");
    expect(bench.sim.account("beta").plan).toBe("plus");
    expect((await bench.get("/wham/usage")).status).toBe(500);
    expect(bench.sim.oauth.graceSeconds).toBe(7);
    expect(bench.sim.pacing.deltas).toBe(2);
    expect(bench.auth().last_refresh).toStartWith("2030-05-05");
  });

  test("the listener stays on loopback", () => {
    expect(createSimulator({ clock: systemClock, dice: systemDice, host: "0.0.0.0" })).rejects.toThrow("loopback only");
  });
});

describe("rotor simulate", () => {
  async function run(args: string[]) {
    const stop = new AbortController();
    const out: string[] = [];
    const err: string[] = [];
    const io = {
      stdout: (line: string) => void out.push(line),
      stderr: (line: string) => void err.push(line),
      stop: stop.signal,
    };
    const exit = runSimulate(args, io);
    return { out, err, stop, exit };
  }

  test("prints one ready line, serves, and stops when asked", async () => {
    const { out, stop, exit } = await run(["--accounts", "2", "--plan", "pro", "--requests", "1", "--grace", "9"]);
    await until(() => out.length === 1);
    const ready = JSON.parse(out[0]!) as {
      url: string;
      issuer: string;
      accounts: { tokens: Record<string, string> }[];
    };
    expect(Object.keys(ready)).toEqual(["url", "issuer", "accounts"]);
    expect(ready.url).toBe(`${ready.issuer}/backend-api`);
    expect(ready.accounts).toHaveLength(2);
    const { access_token, account_id } = ready.accounts[1]!.tokens;
    const usage = await fetch(`${ready.url}/wham/usage`, {
      headers: { authorization: `Bearer ${access_token}`, "chatgpt-account-id": account_id! },
    });
    expect(await usage.json()).toMatchObject({ plan_type: "pro" });
    stop.abort();
    expect(await exit).toBe(0);
    expect(out).toHaveLength(1);
    expect(fetch(`${ready.url}/wham/usage`)).rejects.toThrow();
  });

  test("reads a scenario file and says what is wrong with it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "simulate-"));
    try {
      const path = join(folder, "scenario.json");
      await Bun.write(path, JSON.stringify({ accounts: [{ alias: "work" }] }));
      const good = await run(["--scenario", path]);
      await until(() => good.out.length === 1);
      expect(JSON.parse(good.out[0]!).accounts).toHaveLength(1);
      good.stop.abort();
      expect(await good.exit).toBe(0);
      await Bun.write(path, JSON.stringify({ accounts: [{ plan: "gold" }] }));
      const bad = await run(["--scenario", path]);
      expect(await bad.exit).toBe(2);
      expect(bad.err[0]).toContain("accounts[0].plan");
      await Bun.write(path, "{");
      expect(await (await run(["--scenario", path])).exit).toBe(2);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test.each([[["--bogus"]], [["--port", "x"]], [["--scenario", "/nowhere/at/all.json"]], [["--plan", "gold"]]])(
    "%j is bad usage",
    async (args) => {
      const { out, err, exit } = await run(args);
      expect(await exit).toBe(2);
      expect(out).toEqual([]);
      expect(err).toHaveLength(1);
    },
  );

  test("--help explains itself", async () => {
    const { out, exit } = await run(["--help"]);
    expect(await exit).toBe(0);
    expect(out.join("\n")).toContain("--scenario FILE");
  });
});
