/** Which project a turn belongs to: what the client says, else what Codex tells of the repository that it works in. */
import { expect, test } from "bun:test";
import { projectKeyOf } from "../../src/base/project-key.ts";
import { turnFacts } from "../../src/proxy/request-facts.ts";

const factsOf = (headers: Record<string, string>) => turnFacts((name) => headers[name] ?? null, null).project;
const metadata = (workspaces: unknown) => ({ "x-codex-turn-metadata": JSON.stringify({ turn_id: "t", workspaces }) });

test("a project is named by its repository, as rotor profile project spells it", () => {
  expect(projectKeyOf("/home/me/src/demo")).toBe("demo-7abe6c8bbc56");
  expect(projectKeyOf("/home/me/a b!")).toMatch(/^a-b-[0-9a-f]{12}$/);
  expect(projectKeyOf("C:\\src\\demo")).toBe(projectKeyOf("C:/src/demo"));
});

test("Codex tells the repository; what a client says itself goes before it", () => {
  const told = metadata({ "/home/me/src/demo": { has_changes: false } });
  expect(factsOf(told)).toBe(projectKeyOf("/home/me/src/demo"));
  expect(factsOf({ ...told, "x-rotor-project": "mine" })).toBe("mine");
  expect(factsOf({})).toBeNull();
});

test("what tells nothing that can be understood is no project, and no reason to refuse", () => {
  for (const workspaces of [{}, [], null, "x", { relative: {} }, { "/": {} }, { "": {} }])
    expect(factsOf(metadata(workspaces))).toBeNull();
  expect(factsOf({ "x-codex-turn-metadata": '{"workspaces": nonsense' })).toBeNull();
});
