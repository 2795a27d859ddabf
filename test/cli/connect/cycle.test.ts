/** Files on the disk: connected and disconnected, byte for byte, with their modes and links; refused with words; taken back half-way. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { resolvePaths } from "../../../src/base/paths.ts";
import { carryOut, isIdle, planTask, planUndo, receiptOf } from "../../../src/cli/connect/change.ts";
import { type FileReceipt, openReceipts, type ReceiptBook } from "../../../src/cli/connect/receipt.ts";
import type { Task } from "../../../src/cli/connect/task.ts";
import { JSONC_SETTINGS, oddJsonc, oddToml, TOML_SETTINGS } from "./odd-configs.ts";

let folder: string;
let book: ReceiptBook;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rotor-cycle-"));
  const host = {
    env: { ROTOR_HOME: join(folder, "rotor") },
    platform: "linux" as const,
    homeDir: folder,
    tempDir: folder,
    uid: 0,
  };
  book = openReceipts(resolvePaths(host));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const config = () => join(folder, "home", "config.toml");
const edit = (path: string, value = "ours"): Task => ({
  kind: "edit",
  path,
  what: "a configuration",
  format: "toml",
  settings: [{ path: ["openai_base_url"], value }],
});

function place(path: string, text: string | Uint8Array, mode = 0o644): void {
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

async function connect(task: Task, former: FileReceipt | null = null, isSecret = false): Promise<FileReceipt> {
  const change = await planTask(task, former, book, isSecret);
  const receipt = (await receiptOf(change, book))!;
  const folders = await carryOut(change);
  return folders.length > 0 ? { ...receipt, folders } : receipt;
}

async function disconnect(receipt: FileReceipt): Promise<readonly string[]> {
  const change = await planUndo(receipt, book);
  await carryOut(change);
  return change.kept;
}

describe("byte for byte", () => {
  const ODD = fc.oneof(
    fc.tuple(oddToml, fc.constant("toml" as const), fc.constantFrom(...TOML_SETTINGS)),
    fc.tuple(oddJsonc, fc.constant("jsonc" as const), fc.constant(JSONC_SETTINGS)),
  );

  test("any odd file, with or without a BOM, whatever its mode, through a link or not", async () => {
    let at = 0;
    await fc.assert(
      fc.asyncProperty(
        ODD,
        fc.boolean(),
        fc.constantFrom(0o644, 0o600, 0o640),
        fc.boolean(),
        fc.boolean(),
        async ([text, format, settings], hasBom, mode, isLink, isTwice) => {
          const real = join(folder, `${at++}`, "real.conf");
          const bytes = new TextEncoder().encode((hasBom ? "\ufeff" : "") + text);
          place(real, bytes, mode);
          const path = isLink ? join(folder, `${at}-link.conf`) : real;
          if (isLink) symlinkSync(real, path);
          const task: Task = { kind: "edit", path, what: "a configuration", format, settings };
          const change = await planTask(task, null, book, true).catch(() => null);
          if (change === null) return;
          let receipt = await connect(task, null, true);
          if (isTwice) receipt = await connect(task, receipt, true);
          expect(statSync(real).mode & 0o077).toBe(0);
          expect(await disconnect(receipt)).toEqual([]);
          expect(new Uint8Array(readFileSync(real))).toEqual(bytes);
          expect(statSync(real).mode & 0o777).toBe(mode);
          expect(lstatSync(path).isSymbolicLink()).toBe(isLink);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a file that was not there goes again, with the folders that were made for it", async () => {
    const receipt = await connect(edit(config()));
    expect(readFileSync(config(), "utf8")).toBe('openai_base_url = "ours"\n');
    await disconnect(receipt);
    expect(existsSync(join(folder, "home"))).toBe(false);
  });

  test("folders that somebody has used since stay", async () => {
    const receipt = await connect(edit(config()));
    writeFileSync(join(folder, "home", "theirs"), "x");
    await disconnect(receipt);
    expect(readdirSync(join(folder, "home"))).toEqual(["theirs"]);
  });

  test("a file that was removed comes back, mode and all", async () => {
    place(config(), "a = 1\n", 0o640);
    const receipt = await connect({ kind: "remove", path: config(), what: "a leftover" });
    expect(existsSync(config())).toBe(false);
    await disconnect(receipt);
    expect(readFileSync(config(), "utf8")).toBe("a = 1\n");
    expect(statSync(config()).mode & 0o777).toBe(0o640);
  });

  test("bytes in their place: a file that has grown since keeps what was added", async () => {
    place(config(), 'head "a-long-name" tail\n');
    const spots = [{ offset: 5, from: '"a-long-name"', to: '"short"      ' }];
    const receipt = await connect({ kind: "patch", path: config(), what: "a conversation", spots });
    expect(readFileSync(config(), "utf8")).toBe('head "short"       tail\n');
    writeFileSync(config(), `${readFileSync(config(), "utf8")}more\n`);
    await disconnect(receipt);
    expect(readFileSync(config(), "utf8")).toBe('head "a-long-name" tail\nmore\n');
  });
});

describe("edited since", () => {
  test("what others wrote stays, what is ours goes, the mode comes back", async () => {
    place(config(), "a = 1\n", 0o644);
    const receipt = await connect(edit(config()), null, true);
    writeFileSync(config(), `${readFileSync(config(), "utf8")}\n[theirs]\nb = 2\n`);
    expect(await disconnect(receipt)).toEqual([]);
    expect(readFileSync(config(), "utf8")).toBe("a = 1\n\n[theirs]\nb = 2\n");
    expect(statSync(config()).mode & 0o777).toBe(0o644);
  });

  test("a file of ours into which somebody wrote stays, without what is ours", async () => {
    const receipt = await connect(edit(config()));
    writeFileSync(config(), `${readFileSync(config(), "utf8")}theirs = 1\n`);
    await disconnect(receipt);
    expect(readFileSync(config(), "utf8")).toBe("theirs = 1\n");
  });

  test("a file that somebody removed is not made again", async () => {
    place(config(), "a = 1\n");
    const receipt = await connect(edit(config()));
    rmSync(config());
    await disconnect(receipt);
    expect(existsSync(config())).toBe(false);
  });

  test("connected again with other words: one disconnect takes both back", async () => {
    place(config(), "openai_base_url = 'mine'\n");
    const first = await connect(edit(config(), "one"));
    const second = await connect(edit(config(), "two"), first);
    expect(readFileSync(config(), "utf8")).toBe('openai_base_url = "two"\n');
    await disconnect(second);
    expect(readFileSync(config(), "utf8")).toBe("openai_base_url = 'mine'\n");
  });

  test("without its copy, what is ours is taken out all the same", async () => {
    place(config(), "a = 1 # so\n");
    const receipt = await connect(edit(config()));
    rmSync(join(book.folder, "copies"), { recursive: true });
    await disconnect(receipt);
    expect(readFileSync(config(), "utf8")).toBe("a = 1 # so\n");
  });

  test("lines between marks: the rest is free", async () => {
    place(config(), "first");
    const receipt = await connect({ kind: "block", path: config(), what: "a shell file", lines: ["ours"] });
    expect(readFileSync(config(), "utf8")).toBe("first\n# >>> rotor >>>\nours\n# <<< rotor <<<\n");
    writeFileSync(config(), `${readFileSync(config(), "utf8")}last\n`);
    await disconnect(receipt);
    expect(readFileSync(config(), "utf8")).toBe("first\nlast\n");
  });
});

describe("refused with words", () => {
  const refusal = async (task: Task) => (await planTask(task, null, book, false).catch((error) => error)).message;

  test("a read-only file", async () => {
    place(config(), "a = 1\n", 0o444);
    expect(await refusal(edit(config()))).toContain("read-only");
    expect(readFileSync(config(), "utf8")).toBe("a = 1\n");
  });

  test("a link that leads nowhere, a folder, bytes that are no text, a file that is no TOML", async () => {
    mkdirSync(join(folder, "home"));
    symlinkSync(join(folder, "gone"), config());
    expect(await refusal(edit(config()))).toContain("leads nowhere");
    rmSync(config());
    mkdirSync(config());
    expect(await refusal(edit(config()))).toContain("not a plain file");
    rmSync(config(), { recursive: true });
    place(config(), new Uint8Array([0x61, 0xff, 0xfe]));
    expect(await refusal(edit(config()))).toContain("not UTF-8");
    place(config(), "a = = 1\n");
    expect(await refusal(edit(config()))).toMatch(/line 1 is not TOML/);
  });

  test("a file that changed between the look and the deed", async () => {
    place(config(), "a = 1\n");
    const change = await planTask(edit(config()), null, book, false);
    writeFileSync(config(), "a = 2\n");
    expect(carryOut(change)).rejects.toThrow(/changed since it was looked at/);
    expect(readFileSync(config(), "utf8")).toBe("a = 2\n");
  });

  test("nothing to do is nothing done, read-only or not", async () => {
    place(config(), 'openai_base_url = "ours"\n', 0o444);
    expect(isIdle(await planTask(edit(config()), null, book, false))).toBe(true);
  });
});
