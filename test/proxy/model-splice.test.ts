/** What a model's name stands for, put into any request that JSON can spell: the meaning is what it should be, and every other byte is the client's. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { ModelMapping } from "../../src/domain/model-choice.ts";
import { mapModel, withDefaultEffort } from "../../src/proxy/model-splice.ts";
import { scanBody } from "../../src/proxy/request-facts.ts";

interface Written {
  readonly key: string;
  /** With any characters of it escaped. */
  readonly keyText: string;
  readonly valueText: string;
  /** Before the key, before and after the colon, behind the value. */
  readonly blanks: readonly [string, string, string, string];
}

const EDITED = new Set(["model", "reasoning", "service_tier"]);
const blank = fc.constantFrom("", "", " ", "\n  ", "\t", "\r\n");

/** A string as JSON may spell it: every character plain or as `\uXXXX`. */
function spelt(value: string): fc.Arbitrary<string> {
  const units = Array.from({ length: value.length }, (_, i) => value.charCodeAt(i));
  return fc.array(fc.boolean(), { minLength: units.length, maxLength: units.length }).map((escapes) => {
    const escaped = (unit: number) => `\\u${unit.toString(16).padStart(4, "0")}`;
    const isPlain = (unit: number) => unit > 0x7f === false && unit >= 0x20 && unit !== 0x22 && unit !== 0x5c;
    return `"${units.map((unit, i) => (isPlain(unit) && !escapes[i] ? String.fromCharCode(unit) : escaped(unit))).join("")}"`;
  });
}

const names = fc.constantFrom("gpt-5.5", "gpt-5.5-high", "mine", "größe", 'a"b\\c', "模型");
const reasoning = fc.oneof(
  fc.constant("null"),
  fc.constant('{ "summary" : "auto" }'),
  fc.constant('{"effort":"low","summary":"detailed","effort" : "minimal"}'),
  fc.constant('"high"'),
  fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify({ other: value })),
);
const anyValue = fc.tuple(fc.jsonValue({ maxDepth: 3 }), fc.nat(2)).map(([value, n]) => JSON.stringify(value, null, n));
const keys = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("model", "reasoning", "service_tier") },
  { weight: 3, arbitrary: fc.constantFrom("input", "instructions", "stream", "models", "Model", "") },
  { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
);
const valueFor = (key: string): fc.Arbitrary<string> => {
  if (key === "model")
    return fc.oneof({ weight: 5, arbitrary: names.chain(spelt) }, { weight: 1, arbitrary: anyValue });
  if (key === "reasoning") return reasoning;
  return key === "service_tier" ? fc.constantFrom("null", '"flex"', '"priority"') : anyValue;
};
const memberArb: fc.Arbitrary<Written> = keys.chain((key) =>
  fc.record({
    key: fc.constant(key),
    keyText: spelt(key),
    valueText: valueFor(key),
    blanks: fc.tuple(blank, blank, blank, blank),
  }),
);
const textOf = (members: readonly Written[]) =>
  `{${members.map(({ keyText, valueText, blanks: [a, b, c, d] }) => [a, keyText, b, ":", c, valueText, d].join("")).join(",")}}`;
const bodyOf = (text: string) => scanBody(new TextEncoder().encode(text));
const said = (body: { readonly bytes: Uint8Array }) => new TextDecoder().decode(body.bytes);

const meant = fc.record({
  sent: fc.constantFrom("gpt-5.5", "gpt-6.1-sol", 'a"b\\c'),
  effort: fc.constantFrom(null, "high", "max"),
  serviceTier: fc.constantFrom(null, "priority"),
});

describe("a mapped model", () => {
  test("means what it should, whatever the formatting, the order, the escapes and the duplicates; all else is byte for byte", () => {
    fc.assert(
      fc.property(fc.array(memberArb, { maxLength: 8 }), meant, (members, wanted) => {
        const text = textOf(members);
        const before = JSON.parse(text) as Record<string, unknown>;
        const choose = (asked: string): ModelMapping => ({ asked, ...wanted });
        const { body, mapping } = mapModel(bodyOf(text), { choose });
        if (typeof before.model !== "string" || before.model === "") {
          expect([mapping, said(body)]).toEqual([null, text]);
          return;
        }
        const expected: Record<string, unknown> = { ...before, model: wanted.sent };
        const isThought = typeof before.reasoning === "object" && !Array.isArray(before.reasoning);
        if (wanted.effort !== null)
          expected.reasoning = { ...(isThought ? (before.reasoning as object) : {}), effort: wanted.effort };
        const isTierSaid = before.service_tier !== undefined && before.service_tier !== null;
        if (wanted.serviceTier !== null && !isTierSaid) expected.service_tier = wanted.serviceTier;
        expect(JSON.parse(said(body))).toEqual(expected);
        expect(mapping).toEqual({
          asked: before.model,
          ...wanted,
          serviceTier: isTierSaid ? null : wanted.serviceTier,
        });
        let at = 0;
        for (const { key, keyText, valueText, blanks } of members) {
          const head = `${keyText}${blanks[1]}:${blanks[2]}`;
          const found = said(body).indexOf(EDITED.has(key) ? head : head + valueText, at);
          expect(found).toBeGreaterThanOrEqual(at);
          at = found + head.length;
        }
      }),
    );
  });

  test("that stands for itself costs nothing: the very bytes go on", () => {
    fc.assert(
      fc.property(fc.array(memberArb, { maxLength: 8 }), (members) => {
        const body = bodyOf(textOf(members));
        expect(mapModel(body, { choose: () => null })).toEqual({ body, mapping: null });
        expect(mapModel(body, { choose: () => null }).body.bytes).toBe(body.bytes);
      }),
    );
  });
});

test("a default effort is said where nothing of reasoning is, to the models that need it, and nothing else changes", () => {
  const catalogue = { defaultEffort: () => "medium" };
  const of = (text: string) => said(withDefaultEffort(bodyOf(text), catalogue));
  expect(of('{ "model":"gpt-6.1-sol",  "input":[ ] }')).toBe(
    '{"model":"gpt-6.1-sol",  "input":[ ],"reasoning":{"effort":"medium","summary":"auto"}}',
  );
  for (const text of [
    '{"model":"gpt-5.5"}',
    '{"model":"gpt-6-luna","reasoning":{}}',
    '{"model":"gpt-60"}',
    '{"input":[]}',
  ])
    expect(of(text)).toBe(text);
});
