/** The scan of JSON bytes against JSON.parse, and splices against assignment and delete. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  findMember,
  readFlag,
  readSpan,
  readText,
  scanElements,
  scanMembers,
  spanIncludes,
} from "../../src/proxy/json-members.ts";
import { type Edit, jsonBytes, spliceElements, spliceMembers } from "../../src/proxy/json-splice.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

/** Any spacing that JSON allows between tokens, chosen by a number, so that the scan meets more than compact text. */
function spaced(value: unknown, choice: number): string {
  return JSON.stringify(value, null, ["", " ", "\t", "\r\n"][choice % 4]);
}

/** Objects whose strings are long, quoted and escaped as well as short. */
const strings = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ minLength: 40, maxLength: 200 }),
  fc.constantFrom('\\"', "\\\\", '"}],', "\u2028", "a".repeat(47), `${"b".repeat(48)}\\`, `${"c".repeat(60)}"\\"`),
);
const objects = fc.dictionary(
  strings,
  fc.jsonValue({ maxDepth: 4 }).chain((value) => fc.oneof(strings, fc.constant(value))),
);

describe("scan", () => {
  test("members and their values are those that JSON.parse finds", () => {
    fc.assert(
      fc.property(objects, fc.nat(3), (value, choice) => {
        const data = bytes(spaced(value, choice));
        const scan = scanMembers(data);
        if (!scan.ok) throw new Error(`refused at ${scan.at}`);
        const seen = scan.members.map((member) => [member.key, readSpan(data, member)]);
        expect(seen).toEqual(Object.entries(JSON.parse(text(data))));
      }),
    );
  });

  test("names that are known by their bytes are the names that they are, and nothing like them is", () => {
    const known = fc.constantFrom(
      "model",
      "input",
      "stream",
      "store",
      "tools",
      "tool_choice",
      "top_p",
      "type",
      "text",
      "user",
      "id",
    );
    const changed = fc
      .tuple(known, fc.nat(10), fc.constantFrom("x", "", "é", "\\", '"', "M"))
      .map(([name, at, put]) => name.slice(0, at) + put + name.slice(at + 1));
    // As JSON may spell it: any letter as its number.
    const spelt = (key: string, escaped: number) =>
      `"${[...key].map((c, i) => (i === escaped ? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}` : JSON.stringify(c).slice(1, -1))).join("")}"`;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(known, changed, fc.string()), fc.nat(12))), (keys) => {
        const data = bytes(`{${keys.map(([key, escaped], i) => `${spelt(key, escaped)}:${i}`).join(",")}}`);
        const scan = scanMembers(data);
        if (!scan.ok) throw new Error(`refused at ${scan.at}`);
        const asParsed = scan.members.map(({ keyStart, valueStart }) =>
          JSON.parse(text(data.subarray(keyStart, valueStart - 1))),
        );
        expect(scan.members.map(({ key }) => key)).toEqual(asParsed);
      }),
    );
  });

  test("elements are those that JSON.parse finds", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(strings, objects, fc.jsonValue({ maxDepth: 3 }))), fc.nat(3), (value, choice) => {
        const data = bytes(spaced(value, choice));
        const scan = scanElements(data);
        if (!scan.ok) throw new Error(`refused at ${scan.at}`);
        expect(scan.elements.map((element) => readSpan(data, element))).toEqual(JSON.parse(text(data)));
      }),
    );
  });

  test("what the scan refuses, JSON.parse refuses; what it takes of short strings, JSON.parse takes", () => {
    const tokens = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"a"',
      '"b"',
      "1",
      "-",
      "1.",
      ".5",
      "01",
      "true",
      "nul",
      " ",
    );
    fc.assert(
      fc.property(fc.array(tokens, { maxLength: 12 }), (parts) => {
        const source = `{${parts.join("")}}`;
        let parsed = true;
        try {
          JSON.parse(source);
        } catch {
          parsed = false;
        }
        expect(scanMembers(bytes(source)).ok).toBe(parsed);
      }),
      { numRuns: 2_000 },
    );
  });

  test("cutting valid text anywhere is refused, never read as something else", () => {
    fc.assert(
      fc.property(objects, fc.nat(), (value, cut) => {
        const data = bytes(JSON.stringify(value));
        expect(scanMembers(data.subarray(0, cut % data.length)).ok).toBe(false);
      }),
    );
  });

  test.each([
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ["[]", 0],
    ['{"a":tru}', 8],
    ['{"a":[1 2]}', 8],
    ['{"a":{"b"}}', 9],
    ['{"a":1}x', 7],
    ['{"a":"b', 7],
    ['{"a":1]', 6],
    ['{"a":[}', 6],
    ["", 0],
    ['{"a":01}', 6],
    ['{"a":"\n"}', 6],
  ])("%s is wrong at byte %d", (source, at) => {
    expect(scanMembers(bytes(source))).toEqual({ ok: false, at });
  });

  test("a body of nothing but brackets is refused, not followed down", () => {
    const data = bytes(`{"a":${"[".repeat(2_000_000)}`);
    expect(scanMembers(data).ok).toBe(false);
  });

  test("of repeated keys the last one counts, as it does for a parser", () => {
    const data = bytes('{"model":"a","model":"b","m\\u006fdel":"c"}');
    const scan = scanMembers(data);
    expect(scan.ok && readText(data, findMember(scan.members, "model"))).toBe("c");
  });

  test("flags and texts are read only where they are such", () => {
    const data = bytes('{"yes":true,"no":false,"word":"true","none":null}');
    const scan = scanMembers(data);
    if (!scan.ok) throw new Error("unreachable");
    const at = (key: string) => findMember(scan.members, key);
    expect([readFlag(data, at("yes")), readFlag(data, at("no")), readFlag(data, at("word"))]).toEqual([
      true,
      false,
      null,
    ]);
    expect([readText(data, at("word")), readText(data, at("yes")), readText(data, at("absent"))]).toEqual([
      "true",
      null,
      null,
    ]);
  });

  test("a search stays inside its span", () => {
    const data = bytes('{"a":"needle","b":"need"}');
    const scan = scanMembers(data);
    if (!scan.ok) throw new Error("unreachable");
    expect(spanIncludes(data, scan.members[0]!, "needle")).toBe(true);
    expect(spanIncludes(data, scan.members[1]!, "needle")).toBe(false);
  });
});

describe("splice", () => {
  const edits = fc.dictionary(
    fc.string(),
    fc.oneof(
      fc.constant(null),
      fc.jsonValue().map((value) => ({ value })),
    ),
  );

  test("edits do what assignment and delete do to the parsed object", () => {
    fc.assert(
      fc.property(objects, edits, fc.nat(3), (value, changes, choice) => {
        const data = bytes(spaced(value, choice));
        const scan = scanMembers(data);
        if (!scan.ok) throw new Error("unreachable");
        const wanted = new Map<string, unknown>(Object.entries(JSON.parse(text(data))));
        const asked = new Map<string, Edit>();
        const keys = Object.keys(value);
        Object.entries(changes).forEach(([name, change], index) => {
          // Half of the edits meet a key that is there.
          const key = index % 2 === 0 && keys.length > 0 ? keys[index % keys.length]! : name;
          asked.set(key, change === null ? null : jsonBytes(change.value));
          if (change === null) wanted.delete(key);
          else wanted.set(key, JSON.parse(JSON.stringify(change.value)));
        });
        const got = JSON.parse(text(spliceMembers(data, scan.members, asked)));
        expect(new Map(Object.entries(got))).toEqual(wanted);
      }),
    );
  });

  test("what is not named keeps its very bytes", () => {
    const data = bytes('{ "n" : 1.00e2 , "drop":1, "s":"\\u0041" }');
    const scan = scanMembers(data);
    if (!scan.ok) throw new Error("unreachable");
    const got = text(spliceMembers(data, scan.members, new Map([["drop", null]])));
    expect(got).toBe('{"n" : 1.00e2,"s":"\\u0041"}');
  });

  test("elements are replaced and taken out by index", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.array(fc.tuple(fc.nat(6), fc.boolean())), (list, changes) => {
        const data = bytes(JSON.stringify(list));
        const scan = scanElements(data);
        if (!scan.ok) throw new Error("unreachable");
        const asked = new Map<number, Edit>(changes.map(([index, out]) => [index, out ? null : jsonBytes("new")]));
        const wanted = JSON.parse(JSON.stringify(list)).flatMap((element: unknown, index: number) => {
          const edit = asked.get(index);
          return edit === undefined ? [element] : edit === null ? [] : ["new"];
        });
        expect(JSON.parse(text(spliceElements(data, scan.elements, asked)))).toEqual(wanted);
      }),
    );
  });
});
