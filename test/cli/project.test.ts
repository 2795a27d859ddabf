/** A project is what its repository is: the same from every folder and worktree of it. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectOf } from "../../src/cli/project.ts";

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "rotor-project-")));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const make = (...path: string[]) => {
  const made = join(folder, ...path);
  mkdirSync(made, { recursive: true });
  return made;
};

test("every folder and linked worktree of a repository is one project; another repository is another", () => {
  const root = make("demo");
  make("demo", ".git", "worktrees", "side");
  writeFileSync(join(root, ".git/worktrees/side/commondir"), "../..\n");
  const side = make("side", "src");
  writeFileSync(join(folder, "side/.git"), `gitdir: ${join(root, ".git/worktrees/side")}\n`);
  const project = projectOf(root);
  expect(project).toEqual({ key: expect.stringMatching(/^demo-[0-9a-f]{12}$/), path: root });
  expect(projectOf(make("demo", "src", "deep"))).toEqual(project);
  expect(projectOf(side)).toEqual(project);
  make("other", ".git");
  expect(projectOf(join(folder, "other")).key).not.toBe(project.key);
});

test("a bare repository with worktrees, a submodule, and a folder outside of any are projects of their own", () => {
  const bare = make("bare.git");
  make("bare.git", "worktrees", "one");
  writeFileSync(join(bare, "worktrees/one/commondir"), "../..\n");
  make("one");
  writeFileSync(join(folder, "one/.git"), `gitdir: ${join(bare, "worktrees/one")}\n`);
  expect(projectOf(join(folder, "one")).path).toBe(bare);
  make("sub");
  writeFileSync(join(folder, "sub/.git"), "gitdir: ../demo/.git/modules/sub\n");
  expect(projectOf(join(folder, "sub")).path).toBe(join(folder, "sub"));
  const odd = make("ödd näme!");
  expect(projectOf(odd)).toEqual({ key: expect.stringMatching(/^[A-Za-z0-9._-]+-[0-9a-f]{12}$/), path: odd });
});

test("what is no folder is refused in words", () => {
  expect(() => projectOf(join(folder, "absent"))).toThrow("is not a folder");
});
