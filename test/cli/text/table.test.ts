/** Tables and facts, on a terminal and in a pipe. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { ellipsis, renderFacts, renderTable, textWidth, wrapText } from "../../../src/cli/text/table.ts";

const COLUMNS = [{ header: "#", align: "right" as const }, { header: "ALIAS", max: 8 }, { header: "STATE" }];
const ROWS = [
  ["1", "work", "usable"],
  ["10", "a-very-long-alias", "window used up, back in 2h 10m (14:05)"],
];

test("in a pipe nothing is cut or wrapped", () => {
  expect(renderTable(COLUMNS, ROWS, { width: null })).toEqual([
    " #  ALIAS              STATE",
    " 1  work               usable",
    "10  a-very-long-alias  window used up, back in 2h 10m (14:05)",
  ]);
});

test("on a terminal the last column wraps under itself", () => {
  expect(renderTable(COLUMNS, ROWS, { width: 39 })).toEqual([
    " #  ALIAS     STATE",
    " 1  work      usable",
    "10  a-very-…  window used up, back in",
    "              2h 10m (14:05)",
  ]);
});

test("no line is wider than the terminal as long as words fit", () => {
  const word = fc.stringMatching(/^[a-z]{1,10}$/);
  const row = fc.tuple(
    fc.nat(999).map(String),
    word,
    fc.array(word, { maxLength: 12 }).map((words) => words.join(" ")),
  );
  fc.assert(
    fc.property(fc.array(row, { maxLength: 6 }), fc.integer({ min: 40, max: 120 }), (rows, width) => {
      for (const line of renderTable(COLUMNS, rows, { width })) expect(textWidth(line)).toBeLessThanOrEqual(width);
    }),
  );
});

test("wide characters and colours count as what the eye sees", () => {
  expect(textWidth("\x1b[32musable\x1b[39m")).toBe(6);
  const lines = renderTable(
    [{ header: "A" }, { header: "B" }],
    [
      ["漢字", "x"],
      ["ab", "y"],
    ],
    { width: null },
  );
  expect(lines).toEqual(["A     B", "漢字  x", "ab    y"]);
});

test("facts align and wrap under their value", () => {
  expect(
    renderFacts(
      [
        ["id", "x"],
        ["a long name", "one two three four five"],
      ],
      30,
    ),
  ).toEqual(["id           x", "a long name  one two three", "             four five"]);
});

test("wrapping loses no word; an ellipsis keeps to its width", () => {
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1 }),
      fc.integer({ min: 5, max: 40 }),
      (words, width) => {
        expect(wrapText(words.join(" "), width).join(" ")).toBe(words.join(" "));
      },
    ),
  );
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 2, max: 20 }), (text, max) => textWidth(ellipsis(text, max)) <= max),
  );
});
