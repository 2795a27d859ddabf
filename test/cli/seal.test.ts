/** `rotor seal` against the real control socket: who is asked for a passphrase, how often, and that none is ever shown. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { type Desk, openDesk } from "./harness.ts";

const SECRET = "open sesame";

let desk: Desk;
beforeEach(async () => {
  desk = await openDesk();
});
afterEach(() => desk.close());

const lockedBy = (passphrase: string) =>
  Object.assign(desk.door.seal, { guard: "passphrase", passphrase, isOpen: false });

test("show: the guard, since when, and what else would work here", async () => {
  const { out, exit } = await desk.run("seal", "show");
  expect(exit).toBe(0);
  for (const text of [
    "open",
    "key-file (/config/rotor.key)",
    "0123456789abcdef, since 1h",
    "number 1",
    "not here: there is no secret-tool",
  ])
    expect(out).toContain(text);
  lockedBy(SECRET);
  expect((await desk.run("seal", "show")).out).toMatch(/locked: .*by order\n\s+try: rotor seal unlock/);
});

test("unlock asks once where a passphrase guards, shows nothing of it, and asks nobody where none is needed", async () => {
  lockedBy(SECRET);
  const wrong = await desk.runWith({ answer: "sesame" }, "seal", "unlock");
  expect([wrong.exit, wrong.err.includes("not the passphrase")]).toEqual([5, true]);
  const right = await desk.runWith({ answer: SECRET, columns: 80 }, "seal", "unlock");
  expect([right.exit, right.err.match(/Passphrase/g)?.length, desk.door.seal.isOpen]).toEqual([0, 1, true]);
  expect(right.out + right.err).not.toContain(SECRET);
  const again = await desk.runWith({ answer: [] }, "seal", "unlock");
  expect([again.exit, again.err]).toEqual([0, "the seal is open already\n"]);
  Object.assign(desk.door.seal, { guard: "key_file", isOpen: false });
  expect((await desk.runWith({ answer: [] }, "seal", "unlock")).err).toBe("the seal is open\n");
});

test("unlock takes the first line of a pipe", async () => {
  lockedBy(SECRET);
  const { exit, out } = await desk.runWith({ stdin: `${SECRET}\r\nmore\n` }, "seal", "unlock", "--json");
  expect([exit, JSON.parse(out).seal.locked]).toEqual([0, false]);
});

test("unlock of a store without a key sets its passphrase, asked for twice", async () => {
  Object.assign(lockedBy(""), { isNew: true });
  const differing = await desk.runWith({ answer: [SECRET, "sesame"] }, "seal", "unlock");
  expect([differing.exit, differing.err.includes("not the same"), desk.door.seal.isNew]).toEqual([2, true, true]);
  expect((await desk.runWith({ answer: [SECRET, SECRET] }, "seal", "unlock")).exit).toBe(0);
  expect(desk.door.seal.passphrase).toBe(SECRET);
});

test("change: a new passphrase twice, another guard after a yes, and a dry run asks nothing", async () => {
  const dry = await desk.run("seal", "change", "passphrase", "--dry-run");
  expect([dry.exit, desk.door.seal.guard]).toEqual([0, "key_file"]);
  expect(dry.out).toMatch(/from +key-file .*its key is taken away\nto +passphrase/);
  const differing = await desk.runWith({ answer: [SECRET, "sesame"] }, "seal", "change", "passphrase");
  expect([differing.exit, desk.door.seal.guard]).toEqual([2, "key_file"]);
  expect((await desk.runWith({ answer: [""] }, "seal", "change", "passphrase")).exit).toBe(5);
  const changed = await desk.runWith({ answer: [SECRET, SECRET] }, "seal", "change", "passphrase", "--keep-old-key");
  expect([changed.exit, desk.door.seal.passphrase]).toEqual([0, SECRET]);
  expect(changed.out).toContain("its key stays");
  expect(changed.out + changed.err).not.toContain(SECRET);
  expect((await desk.runWith({ answer: "n" }, "seal", "change", "key_file")).exit).toBe(1);
  expect(desk.door.seal.guard).toBe("passphrase");
  expect((await desk.runWith({ answer: "y" }, "seal", "change", "key_file")).exit).toBe(0);
  expect(desk.door.seal.guard).toBe("key_file");
  expect((await desk.run("seal", "change", "keychain", "--yes")).exit).toBe(5);
});

test("lock and rotate say what comes next", async () => {
  expect((await desk.run("seal", "rotate")).err).toBe("sealed 3 logins again, under data key number 2\n");
  expect((await desk.run("seal", "lock")).err).toContain("rotor seal unlock");
  const refused = await desk.run("seal", "rotate", "--json");
  expect(JSON.parse(refused.err).error).toMatchObject({ code: "store_locked", hint: "rotor seal unlock" });
});

test("status names the command that unlocks", async () => {
  desk.door.facts.setState("locked", "the seal was locked by order");
  expect((await desk.run("status")).out).toMatch(/locked: the seal was locked by order\n\s+try: rotor seal unlock/);
});
