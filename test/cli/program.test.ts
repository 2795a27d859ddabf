/** Arguments, help, man page: what is typed and what is told. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../src/base/config.ts";
import { type AppError, ERROR_TABLE } from "../../src/base/errors.ts";
import { COMMANDS } from "../../src/cli/command-table.ts";
import { commandHelp, overview } from "../../src/cli/help/help-text.ts";
import { TOPICS } from "../../src/cli/help/help-topics.ts";
import { manPage } from "../../src/cli/help/man-page.ts";
import { type Parsed, parseArguments, wantsJson } from "../../src/cli/program.ts";
import { STRATEGY_NAMES } from "../../src/domain/strategy.ts";
import { runIn, tempHome } from "./harness.ts";

let home: string;
beforeAll(() => {
  home = tempHome();
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const run = (...argv: string[]) => runIn(home, { env: { ROTOR_HOME: home } }, argv);

function parsed(...argv: string[]): Extract<Parsed, { kind: "run" }> {
  const found = parseArguments(argv, COMMANDS);
  if (found.kind !== "run") throw new Error(`${argv.join(" ")} is ${found.kind}`);
  return found;
}

test("rotor ctl NOUN VERB is the same as rotor NOUN VERB", () => {
  expect(parsed("ctl", "account", "list").command).toBe(parsed("account", "list").command);
});

test("options are read wherever they stand", () => {
  const { input, global } = parsed("pool", "pin", "--for", "2h", "work", "--json", "--no-start");
  expect(input.arg(0)).toBe("work");
  expect(input.value("for")).toBe("2h");
  expect(input.value("until")).toBeNull();
  expect(global).toEqual({ json: true, start: false });
  expect(parsed("log", "-f", "-n", "5").input.has("follow")).toBe(true);
  expect(parsed("log", "-n5").input.value("number")).toBe("5");
  expect(parsed("import", "--dry-run", "x").input.has("dry-run")).toBe(true);
  expect(wantsJson(["complete", "--", "--json"], COMMANDS)).toBe(false);
});

test("every mistake is exit 2 with the command that helps, in words and in JSON", async () => {
  const cases: [string[], RegExp, string][] = [
    [["acount"], /there is no command "acount" \(did you mean account\?\)/, "rotor help"],
    [["account", "lst"], /there is no command "account lst" \(did you mean account list\?\)/, "rotor help account"],
    [["account"], /say what to do with account: list, show, /, "rotor help account"],
    [["account", "show"], /missing required argument 'ACCOUNT'/, "rotor help account show"],
    [["account", "list", "extra"], /too many arguments/, "rotor help account list"],
    [["account", "list", "--frist"], /unknown option '--frist'/, "rotor help account list"],
    [["pool", "pin", "x", "--for"], /option '--for <DURATION>' argument missing/, "rotor help pool pin"],
    [["up", "--port", "70000"], /--port takes a number from 0 to 65535/, "rotor help up"],
    [["connect", "codexx", "--print"], /did you mean codex\?/, "rotor help connect"],
    [["path", "sokcet"], /did you mean socket\?/, "rotor path"],
    [["completion", "powershell"], /there is no shell "powershell"/, "rotor help completion"],
    [["help", "conifg"], /did you mean config\?/, "rotor help topics"],
    [["log", "--level", "wran"], /did you mean warn\?/, "rotor help log"],
    [["--nonsense"], /unknown option '--nonsense'/, "rotor help"],
  ];
  for (const [argv, message, hint] of cases) {
    const plain = await run(...argv);
    expect({ argv, exit: plain.exit, out: plain.out }).toEqual({ argv, exit: 2, out: "" });
    expect(plain.err).toMatch(message);
    expect(plain.err).toEndWith(`  try: ${hint}\n`);
    const { error } = JSON.parse((await run(...argv, "--json")).err) as { error: Record<string, unknown> };
    expect(error).toMatchObject({ code: "bad_usage", hint, retry_time: null });
    expect(error.message).toMatch(message);
  }
});

test("no arguments, --help and help print the overview; it fits 80 columns and names every noun", async () => {
  for (const argv of [[], ["--help"], ["-h"], ["help"], ["ctl"]]) {
    const { out, exit } = await run(...argv);
    expect(exit).toBe(0);
    expect(out).toBe(`${overview(COMMANDS)}\n`);
  }
  const text = overview(COMMANDS);
  for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  for (const command of COMMANDS)
    if (!command.hidden) expect(text).toMatch(new RegExp(`^ {2}${command.path[0]} `, "m"));
});

test("every command has help within 80 columns; --help and help are the same", async () => {
  for (const command of COMMANDS) {
    const text = commandHelp(command);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    if (command.hidden) continue;
    const byFlag = await run(...command.path, "--help");
    expect(byFlag.out).toStartWith(text);
    expect((await run("help", ...command.path)).out).toStartWith(text);
  }
});

test("every topic fits 80 columns and is found by its names", async () => {
  for (const topic of TOPICS) {
    for (const line of topic.text().split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
    for (const name of [topic.name, ...topic.aliases]) expect((await run("help", name)).out).toContain(topic.text());
  }
  expect((await run("help", "topics")).out).toContain("fair-use");
});

test("the config in help is a config that can be read, with every default as it is", async () => {
  const { out } = await run("help", "config");
  const sample = out
    .split("\n")
    .filter((line) => /^ {4}(\[\w+\]|\w+ = )/.test(line))
    .join("\n");
  const file = join(home, "sample.toml");
  await Bun.write(file, sample);
  const host = { env: {}, platform: "linux" as const, homeDir: home, tempDir: home, uid: 0 };
  const read = loadConfig(file, host);
  const defaults = loadConfig(join(home, "absent.toml"), host);
  expect({ ...read, codex: null, settings: null }).toEqual({ ...defaults, codex: null, settings: null });
});

test("help errors lists every code with its exit code", async () => {
  const { out } = await run("help", "errors");
  for (const [code, row] of Object.entries(ERROR_TABLE)) expect(out).toMatch(new RegExp(`^${code} +${row.exit} `, "m"));
});

test("every command that an error recommends exists and takes what is recommended", () => {
  for (const [code, { hint }] of Object.entries(ERROR_TABLE)) {
    const found = hint === null ? null : /(?:^|: )rotor ([^(]*)/.exec(hint);
    if (!found) continue;
    const argv = found[1]!.trim().split(/\s+/);
    try {
      expect(parseArguments(argv, COMMANDS).kind).toBe("run");
    } catch (thrown) {
      throw new Error(`${code} recommends rotor ${argv.join(" ")}: ${(thrown as AppError).message}`);
    }
  }
});

test("every example of every command parses", () => {
  for (const command of COMMANDS) {
    for (const example of command.examples ?? []) {
      const found = /rotor ((?:[a-z-]+ ?)+[^|<>)]*)/.exec(example);
      expect(found).not.toBeNull();
      // Words as a shell takes them: what is in quotes is one.
      const words = [...found![1]!.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
      expect(parseArguments(words, COMMANDS).kind).toBe("run");
    }
  }
});

test("the strategies in help are those of the domain", () => {
  const text = commandHelp(COMMANDS.find((command) => command.path.join(" ") === "pool strategy")!);
  for (const name of STRATEGY_NAMES) expect(text).toContain(`${name}: `);
});

test("the daemon starts on demand for exactly the commands of the contract", () => {
  const never = COMMANDS.filter((command) => !command.starts).map((command) => command.path.join(" "));
  expect(never.sort()).toEqual(
    [
      "complete",
      "completion",
      "daemon",
      "demo",
      "down",
      "help",
      "log",
      "path",
      "profile project",
      "simulate",
      "status",
      "version",
    ].sort(),
  );
});

test("the man page names every command and escapes what roff would obey", async () => {
  const page = manPage(COMMANDS, "0.1.0");
  expect((await run("help", "--man")).out).toBe(page);
  for (const command of COMMANDS)
    if (!command.hidden) expect(page).toContain(`.SS "rotor ${command.path.join(" ").replaceAll("-", "\\-")}`);
  for (const line of page.split("\n"))
    if (/^['.]/.test(line)) expect(line).toMatch(/^\.(TH|SH|SS|TP|PP|B|I|RI|br|nf|fi)\b/);
});

test("--version is one line", async () => {
  for (const flag of ["--version", "-V"]) expect(await run(flag)).toEqual({ out: "rotor 0.1.0\n", err: "", exit: 0 });
});
