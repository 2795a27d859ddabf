/** Watched files on a real file system: whose, which modes, links, whole writes, and notices that survive whatever happens to the file. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { createLoginFilePort } from "../../src/daemon/login-file-port.ts";
import { until } from "./support/until.ts";

let folder: string;
let path: string;
const uid = process.getuid!();
const port = createLoginFilePort({ uid, clock: systemClock, dice: systemDice });
const bytes = (text: string) => new TextEncoder().encode(text);
const read = async (file = path) => {
  const reading = await port.read(file);
  return reading.kind === "present" ? new TextDecoder().decode(reading.bytes) : reading;
};

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "rotor-port-")));
  path = join(folder, "auth.json");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("what is looked at", () => {
  test("a file of ours, an absent one, and nothing else", async () => {
    expect(await read()).toEqual({ kind: "absent" });
    writeFileSync(path, "{}", { mode: 0o600 });
    expect(await read()).toBe("{}");
    chmodSync(path, 0o666);
    expect(await read()).toMatchObject({
      kind: "refused",
      reason: expect.stringContaining("everybody may write to it"),
    });
    rmSync(path);
    mkdirSync(path);
    expect(await read()).toMatchObject({ kind: "refused" });
    expect(() => port.accept(path)).toThrow("folder");
  });

  test("not somebody else's", async () => {
    writeFileSync(path, "{}", { mode: 0o600 });
    const foreign = createLoginFilePort({ uid: uid + 1, clock: systemClock, dice: systemDice });
    expect(await foreign.read(path)).toEqual({ kind: "refused", reason: "it belongs to somebody else" });
    expect(() => foreign.accept(path)).toThrow("it belongs to somebody else");
  });

  test("not in a folder where everybody may put another one in its place", async () => {
    writeFileSync(path, "{}", { mode: 0o600 });
    chmodSync(folder, 0o777);
    expect(await read()).toMatchObject({ kind: "refused" });
    chmodSync(folder, 0o1777);
    expect(await read()).toBe("{}");
  });

  test("a link is followed, and what it leads to is judged; a circle of links is no file", async () => {
    const target = join(folder, "dotfiles.json");
    writeFileSync(target, "{}", { mode: 0o600 });
    symlinkSync("dotfiles.json", path);
    expect(await read()).toBe("{}");
    chmodSync(target, 0o602);
    expect(await read()).toMatchObject({ kind: "refused" });
    unlinkSync(target);
    symlinkSync("auth.json", target);
    expect(await read()).toMatchObject({ kind: "refused", reason: "its links go round in a circle" });
  });

  test("paths are absolute, and their folder goes by its real name", () => {
    mkdirSync(join(folder, "real"));
    symlinkSync("real", join(folder, "alias"));
    expect(port.accept(join(folder, "alias", "auth.json"))).toBe(join(folder, "real", "auth.json"));
    expect(() => port.accept("auth.json")).toThrow("absolute");
    expect(() => port.accept(join(folder, "nowhere", "auth.json"))).toThrow("is not there");
  });
});

describe("writing", () => {
  test("whole, 0600, in the place that the link leads to, and leaves nothing behind", async () => {
    const target = join(folder, "dotfiles.json");
    writeFileSync(target, "old", { mode: 0o644 });
    symlinkSync("dotfiles.json", path);
    expect(await port.write(path, bytes("new"), bytes("old"))).toBe("written");
    expect([readFileSync(target, "utf8"), statSync(target).mode & 0o777]).toEqual(["new", 0o600]);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(["auth.json", "dotfiles.json"]);
  });

  test("not over something that was not looked at", async () => {
    writeFileSync(path, "theirs", { mode: 0o600 });
    expect(await port.write(path, bytes("ours"), bytes("before"))).toBe("changed");
    expect(await port.write(path, bytes("ours"), null)).toBe("changed");
    expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["theirs", ["auth.json"]]);
  });

  test("a copy lies beside the file, closed to others", async () => {
    writeFileSync(path, "{}", { mode: 0o600 });
    const copy = await port.backUp(path, bytes("as it was"));
    expect([readFileSync(copy, "utf8"), statSync(copy).mode & 0o777]).toEqual(["as it was", 0o600]);
  });
});

test("what a dead process left of its writing goes when the file is watched; what others call theirs stays", () => {
  const ours = [".auth.json.a1B2-_c3.tmp", ".auth.json.rotor-2026-11-21T10-00-00-000Z-ab12.bak.a1B2c3D4.tmp"];
  const others = [".auth.json.tmp", ".auth.json.a1B2c3D4.bak", "auth.json.a1B2c3D4.tmp", ".other.json.a1B2c3D4.tmp"];
  for (const name of [...ours, ...others]) writeFileSync(join(folder, name), "{}", { mode: 0o600 });
  mkdirSync(join(folder, ".auth.json.folder12.tmp"));
  port.watch(path, () => {})();
  expect(readdirSync(folder).sort()).toEqual([...others, ".auth.json.folder12.tmp"].sort());
});

test("notices come after writes in place, renames over it, deletion and re-creation, also behind a link", async () => {
  const target = join(folder, "far", "dotfiles.json");
  mkdirSync(join(folder, "far"));
  writeFileSync(target, "0", { mode: 0o600 });
  symlinkSync(target, path);
  let notices = 0;
  const stop = port.watch(path, () => {
    notices++;
  });
  const noticed = async (act: () => void, what: string) => {
    const before = notices;
    act();
    await until(() => notices > before, what);
  };
  await noticed(() => writeFileSync(target, "1"), "a notice of a write behind the link");
  await noticed(() => {
    writeFileSync(join(folder, "new"), "2", { mode: 0o600 });
    renameSync(join(folder, "new"), path);
  }, "a notice of a rename over the link");
  await noticed(() => unlinkSync(path), "a notice of its deletion");
  await noticed(() => writeFileSync(path, "3", { mode: 0o600 }), "a notice of its return");
  stop();
});
