/** Single values in odd configurations: put there and taken back, and nothing else of the file moves. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ParseError, parse as parseJsonc } from "jsonc-parser";
import { parse as parseToml } from "smol-toml";
import { putAll, type Setting, takeBack, Unfit } from "../../../src/cli/connect/document.ts";
import { FORMATS, type FormatName } from "../../../src/cli/connect/task.ts";
import { JSONC_SETTINGS, oddJsonc, oddToml, TOML_SETTINGS } from "./odd-configs.ts";

/** By readers that are not the ones under test, where there are such. */
function valuesOf(format: FormatName, text: string): Record<string, unknown> {
  if (format === "toml") return JSON.parse(JSON.stringify(parseToml(text)));
  const errors: ParseError[] = [];
  const value = text.trim() === "" ? {} : parseJsonc(text, errors, { allowTrailingComma: true });
  expect(errors).toEqual([]);
  return value as Record<string, unknown>;
}

/** The same values with the settings in them, as plain objects. */
function withSettings(values: Record<string, unknown>, settings: readonly Setting[]): Record<string, unknown> {
  const copy = structuredClone(values);
  for (const { path, value } of settings) {
    let home = copy;
    for (const name of path.slice(0, -1)) home = (home[name] ??= {}) as Record<string, unknown>;
    home[path.at(-1)!] = value;
  }
  return copy;
}

/** null = it was refused in words, which is always allowed. */
function put(format: FormatName, text: string, settings: readonly Setting[]) {
  try {
    return putAll(FORMATS[format], text, settings);
  } catch (error) {
    if (error instanceof Unfit) return null;
    throw error;
  }
}

/** Remarks are found by their words: they may never get lost. */
const remarksOf = (text: string) => text.match(/#.*(?=\r?\n|$)|\/\/ (?!not)[a-z ]+|\/\*[^*]*\*\//g) ?? [];

function checkCycle(format: FormatName, text: string, settings: readonly Setting[], added: (text: string) => string) {
  const before = valuesOf(format, text);
  const done = put(format, text, settings);
  if (done === null) return false;
  // It says what it must, and all else as before.
  expect(valuesOf(format, done.text)).toEqual(withSettings(before, settings));
  // What stood inside a value that is another now went with it, and comes back with it.
  const inside = done.claims.map((claim) => claim.before ?? "").join("\n");
  for (const remark of remarksOf(text)) if (!inside.includes(remark)) expect(done.text).toContain(remark);
  const isCrlf = text.includes("\r\n");
  expect(/(?<!\r)\n/.test(done.text)).toBe(isCrlf ? /(?<!\r)\n/.test(text) : done.text.includes("\n"));
  // Said once more it changes nothing.
  const again = put(format, done.text, settings)!;
  expect(again.text).toBe(done.text);
  expect(again.claims).toEqual([]);
  // Taken back, also behind an edit of somebody else.
  const back = takeBack(FORMATS[format], done.text, done.claims);
  expect(back.kept).toEqual([]);
  expect(valuesOf(format, back.text)).toEqual(before);
  const edited = takeBack(FORMATS[format], added(done.text), done.claims);
  expect(edited.kept).toEqual([]);
  expect(valuesOf(format, edited.text)).toEqual({ ...before, theirs: 1 });
  for (const remark of remarksOf(text)) expect(edited.text).toContain(remark);
  return true;
}

describe("TOML", () => {
  const added = (text: string) => `theirs = 1 # theirs\n${text}`;

  test("any odd file: put, put again, edited by others, taken back", () => {
    let done = 0;
    fc.assert(
      fc.property(oddToml, fc.constantFrom(...TOML_SETTINGS), (text, settings) => {
        const crlf = text.includes("\r\n");
        if (checkCycle("toml", text, settings, crlf ? (one) => added(one).replace("\n", "\r\n") : added)) done++;
      }),
      { numRuns: 120 },
    );
    // Refusing everything would pass as well.
    expect(done).toBeGreaterThan(80);
  });

  test("what is ours alone leaves no byte behind", () => {
    for (const text of ["", "# hi\n", 'model = "x" # t\r\n\r\n[tui]\r\na = 1\r\n', "[a]\nb = 1\n"]) {
      for (const settings of TOML_SETTINGS) {
        const done = putAll(FORMATS.toml, text, settings);
        expect(takeBack(FORMATS.toml, done.text, done.claims).text).toBe(text);
      }
    }
  });

  test("root keys stand above the sections, sections at the end", () => {
    const text = '# mine\nmodel = "x"\n\n[tui]\na = 1\n';
    const { text: after } = putAll(FORMATS.toml, text, [
      { path: ["openai_base_url"], value: "u" },
      { path: ["model_providers", "rotor", "name"], value: "Rotor" },
      { path: ["model_providers", "rotor", "wire_api"], value: "responses" },
    ]);
    expect(after).toBe(
      '# mine\nmodel = "x"\nopenai_base_url = "u"\n\n[tui]\na = 1\n\n[model_providers.rotor]\nname = "Rotor"\nwire_api = "responses"\n',
    );
  });

  test("a value that somebody has changed since stays, and is named", () => {
    const done = putAll(FORMATS.toml, "a = 1\n", [{ path: ["openai_base_url"], value: "ours" }]);
    const theirs = done.text.replace('"ours"', '"theirs"');
    expect(takeBack(FORMATS.toml, theirs, done.claims)).toEqual({ text: theirs, kept: [["openai_base_url"]] });
  });

  test("an address with one of our keys in it is ours whoever has edited it: left behind, it would lead nowhere", () => {
    const done = putAll(FORMATS.toml, "a = 1\n", [
      { path: ["chatgpt_base_url"], value: "http://localhost:1/k/rtr_x/backend-api" },
    ]);
    const edited = done.text.replace("localhost", "127.0.0.1");
    expect(takeBack(FORMATS.toml, edited, done.claims)).toEqual({ text: "a = 1\n", kept: [] });
  });

  test("a value spelt otherwise says the same, and is not ours", () => {
    const done = putAll(FORMATS.toml, "openai_base_url = 'u' # so\n", [{ path: ["openai_base_url"], value: "u" }]);
    expect(done).toEqual({ text: "openai_base_url = 'u' # so\n", claims: [] });
  });

  test("a whole section is taken out and put back", () => {
    const text = "a = 1\n\n[x.y]\nn = 1 # so\n\n[x.y.z]\nm = 2\n\n[b]\nc = 1\n";
    const done = putAll(FORMATS.toml, text, [{ path: ["x", "y"], value: null }]);
    expect(parseToml(done.text)).toEqual({ a: 1, b: { c: 1 } });
    const back = takeBack(FORMATS.toml, done.text, done.claims).text;
    expect(parseToml(back)).toEqual(parseToml(text));
    expect(back).toContain("n = 1 # so");
  });

  test("what would break the file is refused with its line", () => {
    const put = (text: string, path: string[]) => () => putAll(FORMATS.toml, text, [{ path, value: "v" }]);
    expect(put("a = \n", ["b"])).toThrow(/line \d is not TOML/);
    expect(put("a = 1\n", ["a", "b"])).toThrow(/a is not a table/);
    expect(put("[[a]]\nx = 1\n", ["a", "b"])).toThrow(/list of tables/);
  });
});

describe("JSON with comments", () => {
  const added = (text: string) =>
    text.replace("{", `{"theirs": 1${valuesOf("jsonc", text) && isEmpty(text) ? "" : ","} `);
  const isEmpty = (text: string) => Object.keys(valuesOf("jsonc", text)).length === 0;

  test("any odd file: put, put again, edited by others, taken back", () => {
    let done = 0;
    fc.assert(
      fc.property(oddJsonc, (text) => {
        if (checkCycle("jsonc", text, JSONC_SETTINGS, added)) done++;
      }),
      { numRuns: 400 },
    );
    expect(done).toBeGreaterThan(200);
  });

  test("behind the last property, with the file's own indentation", () => {
    const text = '{\n\t// c\n\t"provider": {\n\t\t"x": 1, // why\n\t},\n}\n';
    const { text: after } = putAll(FORMATS.jsonc, text, [{ path: ["provider", "openai", "baseURL"], value: "u" }]);
    expect(after).toBe(
      '{\n\t// c\n\t"provider": {\n\t\t"x": 1, // why\n\t\t"openai": {\n\t\t\t"baseURL": "u"\n\t\t},\n\t},\n}\n',
    );
  });

  test("items of lists: put among the others and taken back, whatever stands around them", () => {
    const put = (isIn: boolean) => [{ path: ["plugin"], value: null, item: { value: "ours", isIn } }];
    for (const list of [
      "[]",
      '["a"]',
      '["a", "b"]',
      '[\n    "a", // so\n    "b", // too\n  ]',
      '[\n  "a" /* x */\n]',
      "[ ]",
    ]) {
      const text = `{\n  "plugin": ${list},\n  "x": 1\n}\n`;
      const items = valuesOf("jsonc", text).plugin as string[];
      const done = putAll(FORMATS.jsonc, text, put(true));
      expect(valuesOf("jsonc", done.text)).toEqual({ plugin: [...items, "ours"], x: 1 });
      expect(putAll(FORMATS.jsonc, done.text, put(true)).claims).toEqual([]);
      const back = takeBack(FORMATS.jsonc, done.text, done.claims).text;
      expect(valuesOf("jsonc", back)).toEqual({ plugin: items, x: 1 });
      for (const remark of remarksOf(text)) expect(back).toContain(remark);
      // The other way: taken out, and put back.
      const without = putAll(FORMATS.jsonc, done.text, put(false));
      expect(valuesOf("jsonc", without.text)).toEqual({ plugin: items, x: 1 });
      const again = takeBack(FORMATS.jsonc, without.text, without.claims).text;
      expect(valuesOf("jsonc", again)).toEqual({ plugin: [...items, "ours"], x: 1 });
    }
    const done = putAll(FORMATS.jsonc, '{ "x": 1 }', put(true));
    expect(done.text).toBe('{ "x": 1, "plugin": ["ours"] }');
    expect(takeBack(FORMATS.jsonc, done.text, done.claims).text).toBe('{ "x": 1 }');
  });

  test("an empty file becomes an object; no object is refused", () => {
    expect(putAll(FORMATS.jsonc, "", [{ path: ["a"], value: 1 }]).text).toBe('{\n  "a": 1\n}\n');
    expect(() => putAll(FORMATS.jsonc, "[1]", [{ path: ["a"], value: 1 }])).toThrow(/no object/);
    expect(() => putAll(FORMATS.jsonc, '{"a": }', [{ path: ["a"], value: 1 }])).toThrow(/line 1 is not JSON/);
    expect(() => putAll(FORMATS.jsonc, '{"a": 1}', [{ path: ["a", "b"], value: 1 }])).toThrow(/a is not an object/);
  });
});
