/**
 * Header lists keep what arrived: order, repetition and case of values. Only connection-bound fields are dropped.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type HeaderList, headerValue, withoutHeaders, withoutHopByHop } from "../../src/base/header-list.ts";

const HOP_BY_HOP = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];
const list: HeaderList = [
  ["set-cookie", "a=1"],
  ["x-codex-turn-state", "AbC"],
  ["set-cookie", "b=2"],
];

test("the first value is found, an absent name is null", () => {
  expect([headerValue(list, "set-cookie"), headerValue(list, "x-codex-turn-state"), headerValue(list, "x")]).toEqual([
    "a=1",
    "AbC",
    null,
  ]);
});

test("removing some leaves the others as they were", () => {
  expect(withoutHeaders(list, new Set(["x-codex-turn-state"]))).toEqual([list[0]!, list[2]!]);
});

test("every hop-by-hop field of RFC 9110 §7.6.1 is dropped", () => {
  for (const name of HOP_BY_HOP)
    expect(
      withoutHopByHop([
        [name, "x"],
        ["accept", "y"],
      ]),
    ).toEqual([["accept", "y"]]);
});

test("what Connection names is dropped too, however it is written", () => {
  const received: HeaderList = [
    ["connection", "close,  X-Once , keep-alive"],
    ["x-once", "1"],
    ["x-twice", "2"],
  ];
  expect(withoutHopByHop(received)).toEqual([["x-twice", "2"]]);
});

test("end-to-end fields pass in order, with repetition", () => {
  const name = fc.stringMatching(/^x-[a-z]{1,8}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(name, fc.string())), (fields) => expect(withoutHopByHop(fields)).toEqual(fields)),
  );
});
