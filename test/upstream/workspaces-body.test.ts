/** Both shapes of the answer that names workspaces, and what is none (wire §3.1). */
import { expect, test } from "bun:test";
import { readWorkspacesBody } from "../../src/upstream/workspaces-body.ts";

const entry = (id: string, name: unknown, more: object = {}) => ({ id, name, plan_type: "team", ...more });
const read = (accounts: unknown) => readWorkspacesBody(JSON.stringify({ accounts }));

test("a list of them", () => {
  const seen = read([
    entry("ws-1", "Acme\n Labs "),
    entry("ws-2", null),
    entry("ws-3", "Old", { is_deactivated: true }),
  ]);
  expect(seen).toEqual([
    { id: "ws-1", name: "Acme Labs" },
    { id: "ws-2", name: "" },
  ]);
});

test("a map by id", () => {
  const seen = read({ "ws-1": { account: { name: "Acme" }, entitlement: {} }, "ws-2": {} });
  expect(seen).toEqual([
    { id: "ws-1", name: "Acme" },
    { id: "ws-2", name: "" },
  ]);
});

test("a name is bounded, and what cannot be read is none", () => {
  expect(read([entry("ws-1", "x".repeat(5_000))])![0]!.name).toHaveLength(100);
  expect(read([null, 7, { name: "nameless" }])).toEqual([]);
  for (const text of ["", "[]", "{}", "<html>", '{"accounts":"none"}']) expect(readWorkspacesBody(text)).toBeNull();
});
