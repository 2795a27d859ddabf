/** What is fit to show: short, one line, nothing that opens an account. Shapes of secrets are put together here, never written out. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { safeText } from "../../src/upstream/safe-text.ts";

const tail = "A1b2C3d4".repeat(5);
const SECRETS = [
  `ey${"J"}${tail}.${tail}.${tail}`,
  `ey${"J"}${tail}`,
  `r${"t_"}${tail}`,
  `s${"k-"}${tail}`,
  `a${"t-"}${tail}`,
];

test("takes credentials and addresses out, wherever they stand", () => {
  const words = fc.string({ maxLength: 40 }).map((text) => text.replace(/\w/g, "."));
  fc.assert(
    fc.property(words, fc.constantFrom(...SECRETS, `Bearer ${tail}`, "some.one@example.com"), words, (a, secret, b) => {
      const shown = safeText(`${a} ${secret} ${b}`);
      expect(shown).not.toContain(tail);
      expect(shown).not.toContain("example.com");
    }),
  );
});

test("is one short line", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 2_000 }), (text) => {
      const shown = safeText(text);
      expect(shown.length).toBeLessThanOrEqual(300);
      expect(shown).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
    }),
  );
});

test("leaves ordinary sentences alone", () => {
  const said = "rate_limit_exceeded: Rate limit reached for gpt-5.5 (org). Please try again in 1.3s.";
  expect(safeText(said)).toBe(said);
});
