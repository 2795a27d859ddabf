/** What is taken out of texts, and what a person chose and is left in. */
import { expect, test } from "bun:test";
import { withoutTokens } from "../../src/base/token-shape.ts";
import { tokenFor } from "../support/tokens.ts";

const long = "a1b2".repeat(12);

test("a token that was given where a name belongs does not come back in the words about it", () => {
  const jwt = tokenFor({ userId: "user-1", workspaceId: "ws-1" }, 1_800_000_000_000);
  for (const prefix of ["rt_", "sk-", "at-", "ac_", "rtr_AB12_"])
    expect(withoutTokens(`no account is called ${prefix}${long}`)).toBe("no account is called [removed]");
  expect(withoutTokens(`"${jwt}" is no alias`)).toBe('"[removed]" is no alias');
  expect(withoutTokens(`authorization: Bearer ${long}+/==`)).toBe("authorization: [removed]");
});

test("names, paths and ids stay as they are", () => {
  for (const text of [
    "no account is called at-work-laptop",
    "/tmp/rt-data/x.json",
    "rotor key create rtr-office",
    "bearer of it",
  ])
    expect(withoutTokens(text)).toBe(text);
});

test("of what upstream quotes a few signs are enough", () => {
  const piece = `rt_${"ab12cd34e"}`;
  expect(withoutTokens(`token ${piece}`)).toBe(`token ${piece}`);
  expect(withoutTokens(`token ${piece}`, 8)).toBe("token [removed]");
});
