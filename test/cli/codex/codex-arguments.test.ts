/** Which of Codex's commands ask a model, and how one that goes on with a conversation becomes a copy. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { asFork, CODEX_COMMANDS, readCodexArguments } from "../../../src/cli/codex/codex-arguments.ts";

const useOf = (line: string) => readCodexArguments(line.split(" ").filter(Boolean)).use;

test("what asks a model is told from what does not", () => {
  for (const line of ["", "fix the test", "-m gpt-5.5 hello", "resume", "resume --last", "fork 1", "agents", "-C exec"])
    expect([line, useOf(line)]).toEqual([line, "screen"]);
  for (const line of [
    "exec hi",
    "e hi",
    "-c model=x exec hi",
    "--cd /tmp review",
    "app-server",
    "app-server --listen stdio://",
  ])
    expect([line, useOf(line)]).toEqual([line, "run"]);
  for (const line of [
    "login",
    "logout",
    "mcp list",
    "completion bash",
    "--version",
    "exec --help",
    "help",
    "exec help",
    "-h",
  ])
    expect([line, useOf(line)]).toEqual([line, "plain"]);
  for (const line of ["app-server daemon start", "app-server generate-ts", "cloud list", "a 1", "features list"])
    expect([line, useOf(line)]).toEqual([line, "plain"]);
});

test("what stands behind -- is a prompt", () => {
  expect(readCodexArguments(["--", "login"]).use).toBe("screen");
  expect(readCodexArguments(["exec", "--", "--help"])).toMatchObject({ use: "run", command: "exec", resume: null });
});

test("a word that Codex does not know is a prompt, whatever it is", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), (word) => {
      fc.pre(!word.startsWith("-") && !Object.hasOwn(CODEX_COMMANDS, word) && word !== "e" && word !== "a");
      expect(readCodexArguments([word])).toMatchObject({ use: "screen", command: null });
    }),
  );
});

test("the folder is the last one that is named", () => {
  expect(readCodexArguments(["-C", "/a", "exec", "--cd", "/b", "hi"]).folder).toBe("/b");
  expect(readCodexArguments(["--cd=/c", "hi"]).folder).toBe("/c");
  expect(readCodexArguments(["exec", "--", "-C", "/a"]).folder).toBeNull();
});

test("where a conversation is gone on with, by its id or as the last one", () => {
  const resumeOf = (...args: string[]) => readCodexArguments(args).resume;
  expect(resumeOf("resume", "7", "go on")).toMatchObject({ id: "7", last: null, everySource: false });
  expect(resumeOf("-m", "x", "resume", "--last", "go on")).toMatchObject({ id: null, last: 3 });
  expect(resumeOf("exec", "--json", "resume", "--all", "7")).toMatchObject({
    id: "7",
    everywhere: true,
    everySource: true,
  });
  expect(resumeOf("exec", "hi", "resume")).toBeNull();
  expect(resumeOf("fork", "7")).toBeNull();
});

test("as a copy: the id stands in front of the prompt, and nothing else moves", () => {
  const forked = (...args: string[]) => asFork(args, readCodexArguments(args).resume!, "ID").join(" ");
  expect(forked("resume", "7", "go on")).toBe("fork ID go on");
  expect(forked("-m", "x", "resume", "--last", "go on")).toBe("-m x fork ID go on");
  expect(forked("resume", "go on", "--last", "--include-non-interactive", "-s", "read-only")).toBe(
    "fork ID go on -s read-only",
  );
  expect(forked("exec", "--json", "resume", "-m", "x", "7", "7")).toBe("exec --json fork ID -m x 7");
});
