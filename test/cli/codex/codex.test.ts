/** `rotor codex`: what Codex is started with, and what its end becomes. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AttachedProgram } from "../../../src/cli/attached-program.ts";
import { type Desk, openDesk, type Run, runIn } from "../harness.ts";

const THREAD = "01a1ff4f-72b9-7cb2-91f9-0a47fe10da01";

let desk: Desk;
let folder: string;
let codex: string;
let ran: AttachedProgram[];

beforeEach(async () => {
  desk = await openDesk();
  folder = mkdtempSync(join(tmpdir(), "rotor-codex-"));
  codex = join(folder, "codex");
  writeFileSync(codex, "\x7fELF");
  chmodSync(codex, 0o755);
  ran = [];
});
afterEach(async () => {
  await desk.close();
  rmSync(folder, { recursive: true, force: true });
});

const env = () => ({ ROTOR_CODEX_BIN: codex, CODEX_HOME: join(folder, "home"), PATH: "/nowhere" });
const onRun = (exit: number) => (program: AttachedProgram) => {
  ran.push(program);
  return exit;
};
const run = (...argv: string[]): Promise<Run> => desk.runWith({ env: env(), onRun: onRun(0) }, "codex", ...argv);

/** What was put in front of the person's own words. */
function ownWords(program: AttachedProgram, ...theirs: string[]): readonly string[] {
  expect(program.args.slice(program.args.length - theirs.length)).toEqual(theirs);
  return program.args.slice(0, program.args.length - theirs.length);
}

test("a run goes through Rotor: overrides in front, the key in the environment and nowhere else", async () => {
  expect(await run("exec", "--json", "say hi")).toEqual({ out: "", err: "", exit: 0 });
  const [program] = ran;
  expect(program!.command).toBe(codex);
  const own = ownWords(program!, "exec", "--json", "say hi");
  expect(own).toContain('model_provider="rotor"');
  expect(own).not.toContain("--no-daemon");
  const key = program!.env.ROTOR_KEY!;
  expect(key).toStartWith("rtr_");
  expect(program!.args.join(" ")).not.toContain(key.slice(4));
  expect(program!.env).toMatchObject({ PATH: "/nowhere", ROTOR_PROJECT: expect.stringMatching(/-[0-9a-f]{12}$/) });
});

test("the key is Codex's own, and ends with it", async () => {
  let during: unknown[] = [];
  const peek = async () => {
    during = JSON.parse((await desk.run("--json", "client", "list")).out).clients;
    return 0;
  };
  await desk.runWith({ env: env(), onRun: peek }, "codex", "exec", "hi");
  expect(during).toMatchObject([{ client: "codex-wrapper", directory: process.cwd() }]);
  expect(JSON.parse((await desk.run("--json", "client", "list")).out).clients).toEqual([]);
});

test("the screen leaves no server behind, unless the person says which server", async () => {
  await run("hello");
  expect(ownWords(ran[0]!, "hello").at(-1)).toBe("--no-daemon");
  await run("--", "--remote", "unix://", "resume");
  expect(ownWords(ran[1]!, "--remote", "unix://", "resume")).not.toContain("--no-daemon");
});

test("exit codes are Codex's own", async () => {
  for (const exit of [1, 2, 101, 130, 143])
    expect((await desk.runWith({ env: env(), onRun: onRun(exit) }, "codex", "exec", "hi")).exit).toBe(exit);
});

test("what asks no model is run as it is, and needs no daemon", async () => {
  const alone = { env: { ...env(), ROTOR_HOME: join(folder, "rotor") }, onRun: onRun(0) };
  for (const words of [["completion", "bash"], ["login", "status"], ["--version"], ["exec", "--help"]]) {
    expect(await runIn(folder, alone, ["codex", ...words])).toEqual({ out: "", err: "", exit: 0 });
    expect(ran.at(-1)!.args).toEqual(words);
    expect(ran.at(-1)!.env.ROTOR_KEY).toBeUndefined();
  }
});

test("a daemon that is not there is said, and Codex is not started", async () => {
  const alone = { env: { ...env(), ROTOR_HOME: join(folder, "rotor") }, onRun: onRun(0) };
  for (const words of [
    ["--no-start", "codex", "exec", "hi"],
    ["codex", "--no-start", "exec", "hi"],
  ]) {
    const done = await runIn(folder, alone, words);
    expect(done).toMatchObject({ out: "", exit: 3 });
    expect(done.err).toContain("no daemon runs");
    expect(done.err).toContain("try: rotor up");
  }
  const asJson = await runIn(folder, alone, ["--json", "--no-start", "codex", "exec", "hi"]);
  expect(JSON.parse(asJson.err).error.code).toBe("daemon_unreachable");
  expect(ran).toEqual([]);
});

test("an account or a profile that is not there is said before Codex starts", async () => {
  expect(await run("--account", "nobody", "exec", "hi")).toMatchObject({ exit: 4 });
  expect(await run("--profile=nothing", "exec", "hi")).toMatchObject({ exit: 4 });
  expect(await run("--account")).toMatchObject({ exit: 2 });
  expect(ran).toEqual([]);
});

test("our options end at the first other word: the same name behind it is Codex's", async () => {
  await run("exec", "--profile", "theirs", "hi");
  ownWords(ran[0]!, "exec", "--profile", "theirs", "hi");
  await run("--", "--profile", "theirs", "hi");
  ownWords(ran[1]!, "--profile", "theirs", "hi");
  await run("exec", "--", "--account");
  ownWords(ran[2]!, "exec", "--", "--account");
});

test("--direct takes back what the config says of Rotor, and nothing else", async () => {
  mkdirSync(join(folder, "home"));
  writeFileSync(join(folder, "home", "config.toml"), 'model_provider = "rotor"\n');
  expect((await run("--direct", "exec", "hi")).exit).toBe(0);
  expect(ran[0]!.args).toEqual(["-c", 'model_provider="openai"', "exec", "hi"]);
  expect(ran[0]!.env.ROTOR_KEY).toBeUndefined();
  expect(await run("--direct", "--account", "x", "hi")).toMatchObject({ exit: 2 });
});

test("a conversation of another provider goes on as a copy, one of the replaced product as it is", async () => {
  const sessions = join(folder, "home", "sessions");
  mkdirSync(sessions, { recursive: true });
  const begin = (provider: string) => {
    const payload = { id: THREAD, model_provider: provider, cwd: process.cwd(), source: "cli" };
    writeFileSync(
      join(sessions, `rollout-x-${THREAD}.jsonl`),
      `${JSON.stringify({ type: "session_meta", payload })}\n`,
    );
  };
  begin("openai");
  const copied = await run("resume", "--last", "go on");
  ownWords(ran[0]!, "fork", THREAD, "go on");
  expect(copied.err).toContain("goes on as a copy");
  begin("codex-multi-auth-runtime-proxy");
  const gone = await run("resume", THREAD);
  expect(ownWords(ran[1]!, "resume", THREAD)).toContain('model_provider="codex-multi-auth-runtime-proxy"');
  expect(gone.err).toBe("");
});

test("a Codex that is not there, or cannot be run, is said with what helps", async () => {
  const gone = await desk.runWith({ env: { ...env(), ROTOR_CODEX_BIN: join(folder, "gone") } }, "codex");
  expect(gone.exit).toBe(4);
  expect(gone.err).toContain("ROTOR_CODEX_BIN");
  const onFail = () => {
    throw new Error("spawn ENOEXEC");
  };
  const broken = await desk.runWith({ env: env(), onRun: onFail }, "codex", "exec", "hi");
  expect(broken.exit).toBe(4);
  expect(broken.err).toContain("cannot be run: spawn ENOEXEC");
  expect(broken.err).toContain("npm install -g @openai/codex");
});

test("--help is ours and tells of Codex's", async () => {
  const { out, exit } = await run("--help");
  expect(exit).toBe(0);
  expect(out).toContain("rotor codex -- --help");
  expect(ran).toEqual([]);
});
