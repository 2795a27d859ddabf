/**
 * `rotor codex`: the real Codex CLI through the pool with nothing in its config. What it is served, what it finds of earlier conversations,
 * its signals and exit codes. After each run nothing of ours lies in Codex's home: no file, no key, no line in its config.
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { listExchanges, nextAccount, triesOf } from "./exchanges.ts";
import { ACCOUNTS, inWorld, rotorCommand, type World } from "./harness.ts";
import { clientSuite, installClients } from "./install.ts";
import type { Run } from "./processes.ts";
import { headerOf, type SeenRequest, storyOf } from "./upstream.ts";

setDefaultTimeout(90_000);

/** What a test must switch off so that Codex asks nobody but its model; the wrapper itself needs no config. */
const OFFLINE = `[features]
plugins = false
apps = false

[analytics]
enabled = false
`;

const PROGRAM = join(import.meta.dir, "programs", "app-server.mjs");

interface Told {
  readonly account: unknown;
  readonly turns: readonly unknown[];
  readonly notes: readonly {
    readonly rateLimits: { readonly primary: { readonly windowDurationMins: number } | null };
  }[];
}

const CLASSIC = ["-c", 'model="gpt-5.5"'];
const UNBOXED = ["--sandbox", "danger-full-access"];
const EXEC = ["exec", "--skip-git-repo-check"];

interface Wrapper {
  (...args: string[]): Promise<Run>;
  /** Its words and environment, for a test that starts it another way. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function withWrapper(body: (world: World, codex: Wrapper) => Promise<void>): Promise<void> {
  const clients = installClients();
  await inWorld(async (world) => {
    world.write(".codex/config.toml", OFFLINE);
    // Whatever key is in the environment, the wrapper brings its own.
    const env = { ROTOR_CODEX_BIN: clients.codex, ROTOR_KEY: "" };
    const command = [...rotorCommand(), "codex"];
    const run = (...args: string[]) => world.run([...command, ...args], { env });
    await body(world, Object.assign(run, { command, env }));
    expect(readFileSync(join(world.home, ".codex", "config.toml"), "utf8")).toBe(OFFLINE);
    const left = textsBelow(join(world.home, ".codex"));
    expect(left.filter(([name, text]) => /rotor/i.test(name) || name === "auth.json" || text.includes("rtr_"))).toEqual(
      [],
    );
  });
}

function textsBelow(folder: string): [string, string][] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name), "latin1")]);
}

function expectNoTrouble(run: Run): void {
  expect(run.err).not.toMatch(/error|reconnecting|falling back|usage limit|exceeded|rerouted|status \d/i);
  expect(run.exit).toBe(0);
}

const isTurn = ({ method, body }: SeenRequest) => method !== "GET" && body?.generate !== false;

async function turnsOf(world: World): Promise<readonly SeenRequest[]> {
  return (await world.upstream.settled(isTurn)).filter(isTurn);
}

clientSuite("rotor codex", () => {
  test("exec: answered by the account that is next, for the project of the folder; its key ends with it", async () => {
    await withWrapper(async (world, codex) => {
      const first = await nextAccount(world);
      const run = await codex(...EXEC, "say hello");
      expect(run.out).toBe(`SIM ${first} says: say hello\n`);
      expectNoTrouble(run);
      const turns = await turnsOf(world);
      expect(storyOf(turns)).toBe(`${first} 200`);
      expect(turns[0]!.method).toBe("WS");
      expect(headerOf(turns[0]!, "originator")).toStartWith("codex");
      const { clients } = await world.ctlJson<{ clients: unknown[] }>("client", "list");
      expect(clients).toEqual([]);
      const { buckets } = await world.ctlJson<{ buckets: { key: string }[] }>("usage", "--by", "project");
      expect(buckets.map(({ key }) => key)).toEqual([expect.stringMatching(/^work-[0-9a-f]{12}$/)]);
    });
  });

  test("an account that runs out between a tool call and its output: the next one goes on", async () => {
    await withWrapper(async (world, codex) => {
      const first = await nextAccount(world);
      const order = JSON.stringify({ at: "responses", account: first, kind: "usage_limit", skip: 1, times: "always" });
      const control = `${world.upstream.issuer}/__sim/v1/faults`;
      const ordered = await fetch(control, { method: "POST", headers: { "x-rotor-sim": "1" }, body: order });
      expect(ordered.ok).toBe(true);
      const run = await codex(
        ...CLASSIC,
        ...EXEC,
        ...UNBOXED,
        "run: echo between-$((40+2))-$(printenv ROTOR_KEY | wc -l)",
      );
      // What Codex runs for the model does not see the key.
      expect(run.out).toContain("between-42-0");
      expectNoTrouble(run);
      const served = await turnsOf(world);
      expect(served.at(-1)!.account).not.toBe(first);
      expect(served.some((turn) => turn.account === first && turn.status === 429)).toBe(true);
    });
  });

  test("--account asks that one and no other; when it is out, that is said once", async () => {
    await withWrapper(async (world, codex) => {
      const first = await nextAccount(world);
      const other = ACCOUNTS.find((alias) => alias !== first)!;
      const served = await codex("--account", other, ...EXEC, "say hello");
      expect(served.out).toBe(`SIM ${other} says: say hello\n`);
      await world.upstream.exhaust(other);
      const refused = await codex("--account", other, ...CLASSIC, ...EXEC, "say hello");
      expect(refused.exit).toBe(1);
      expect(refused.err).toContain("no other one may serve in its place");
      expect(refused.err).not.toMatch(/reconnecting/i);
      expect(storyOf(await turnsOf(world))).not.toContain(first);
    });
  });

  test("the profile that is bound to the folder applies, and --profile goes before it", async () => {
    await withWrapper(async (world, codex) => {
      const first = await nextAccount(world);
      const [bound, named] = ACCOUNTS.filter((alias) => alias !== first);
      await world.ctl("profile", "set", "bound", "--accounts", bound!);
      await world.ctl("profile", "set", "named", "--accounts", named!);
      await world.ctl("profile", "bind", "bound", world.work);
      expect((await codex(...EXEC, "say hello")).out).toBe(`SIM ${bound} says: say hello\n`);
      expect((await codex("--profile", "named", ...EXEC, "say hello")).out).toBe(`SIM ${named} says: say hello\n`);
    });
  });

  test("exec resume goes on, also with a conversation that began without Rotor", async () => {
    await withWrapper(async (world, codex) => {
      const { codex: program } = installClients();
      const base = `openai_base_url="${world.proxyUrl}/backend-api/codex"`;
      const before = await world.run([program, "-c", base, ...EXEC, "say before"], {
        env: { CODEX_API_KEY: world.key },
      });
      const id = /session id: ([0-9a-f-]{36})/.exec(before.err)![1]!;
      expect(before.err).toContain("provider: openai");

      const copied = await codex(...EXEC, "resume", "--last", "say after");
      expect(copied.out).toMatch(/^SIM \w+ says: say after\n$/);
      expect(copied.err).toContain(`rotor: ${id} began with the provider openai; it goes on as a copy`);
      expect(copied.exit).toBe(0);
      const resumed = await codex(...EXEC, "resume", "--last", "say at last");
      expectNoTrouble(resumed);
      const input = JSON.stringify((await turnsOf(world)).at(-1)!.body);
      expect(resumed.out).toMatch(/^SIM \w+ says: say at last\n$/);
      expect(input).toContain("say at last");
      const records = textsBelow(join(world.home, ".codex", "sessions"));
      const copy = records.find(([name]) => !name.includes(id))![1];
      for (const said of ["say before", "say after", "say at last"]) expect(copy + before.out).toContain(said);
    });
  });

  test("app-server over stdio: turns through the pool, and what that has left in its notes", async () => {
    await withWrapper(async (world, codex) => {
      const shim = world.write("codex-by-rotor", `#!/bin/sh\nexec ${codex.command.join(" ")} "$@"\n`);
      chmodSync(shim, 0o755);
      const first = await nextAccount(world);
      const run = await world.run([process.execPath, PROGRAM, shim, "say one", "say two"], { env: codex.env });
      const line = run.out.split("\n").find((text) => text.startsWith('{"before"'));
      const told = JSON.parse(line ?? "{}") as Told;
      expect(told.turns).toEqual(["completed", "completed"]);
      // A key is no account: Codex has none, and asks nobody for its limits.
      expect(told.account).toMatchObject({ account: null, requiresOpenaiAuth: false });
      expect(told.notes.at(-1)!.rateLimits.primary!.windowDurationMins).toBe(300);
      expect(storyOf(await turnsOf(world))).toBe(`${first} 200, ${first} 200`);
    });
  });

  test("every account is out: Codex's own words and exit code", async () => {
    await withWrapper(async (world, codex) => {
      for (const alias of ACCOUNTS) await world.upstream.exhaust(alias);
      const run = await codex(...CLASSIC, ...EXEC, "say hello");
      expect(run.exit).toBe(1);
      expect(run.err).toMatch(/hit your usage limit/i);
      const [exchange] = await listExchanges(world);
      expect(exchange).toMatchObject({ status: 429 });
      expect(triesOf(exchange!)).not.toContain("served");
    });
  });

  for (const [signal, exit] of [
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    test(`${signal} reaches Codex, and its end is the wrapper's: ${exit}`, async () => {
      await withWrapper(async (world, codex) => {
        await world.upstream.pace({ deltas: 5_000, delayMs: 5 });
        const started = world.start([...codex.command, ...EXEC, "say much"], { env: codex.env });
        await untilTurn(world, 0);
        process.kill(started.pid, signal);
        expect((await started.ended).exit).toBe(exit);
        // Upstream was told before it had said all.
        const [turn, ...others] = await turnsOf(world);
        expect(others).toEqual([]);
        expect(turn!.eventsSent).toBeLessThan(5_000);
      });
    });
  }

  test("SIGINT interrupts Codex as Ctrl-C does", async () => {
    await withWrapper(async (world, codex) => {
      await world.upstream.pace({ deltas: 5_000, delayMs: 5 });
      const { codex: program } = installClients();
      const interrupted = async (command: readonly string[], env: Readonly<Record<string, string>>) => {
        const before = (await world.upstream.responses()).filter(isTurn).length;
        const started = world.start([...command, ...EXEC, "say much"], { env });
        await untilTurn(world, before);
        process.kill(started.pid, "SIGINT");
        return (await started.ended).exit;
      };
      const plain = `openai_base_url="${world.proxyUrl}/backend-api/codex"`;
      const alone = await interrupted([program, "-c", plain], { CODEX_API_KEY: world.key });
      expect(await interrupted(codex.command, codex.env)).toBe(alone);
    });
  });

  test("what asks no model needs no daemon; what does says that there is none, with exit 3", async () => {
    await withWrapper(async (world, codex) => {
      const alone = { ROTOR_HOME: join(world.home, "no-rotor"), ...codex.env };
      const version = await world.run([...codex.command, "--version"], { env: alone });
      expect(version.out).toMatch(/^codex-cli \d/);
      const completion = await world.run([...codex.command, "completion", "bash"], { env: alone });
      expect(completion.out).toContain("_codex()");
      const refused = await world.run([...rotorCommand(), "--no-start", "codex", ...EXEC, "hi"], { env: alone });
      expect(refused).toMatchObject({ exit: 3, out: "" });
      expect(refused.err).toContain("no daemon runs");
      expect(readdirSync(world.home)).not.toContain("no-rotor");
      expect(await turnsOf(world)).toEqual([]);
    });
  });
});

/** Until a further turn streams. */
async function untilTurn(world: World, before: number): Promise<void> {
  for (let looks = 0; looks < 400; looks++) {
    const turns = (await world.upstream.responses()).filter(isTurn);
    if (turns.length > before && turns.at(-1)!.eventsSent > 5) return;
    await Bun.sleep(50);
  }
  throw new Error("no turn begins upstream");
}
