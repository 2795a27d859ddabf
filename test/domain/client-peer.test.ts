/** What is kept of a peer and of its events, and the models that it begins with. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type PeerFacts, startingModels, tidyNews, tidyPeer } from "../../src/domain/client-peer.ts";
import { anAccount, modelOf } from "../support/builders.ts";
import { tokenFor } from "../support/tokens.ts";

const FACTS: PeerFacts = {
  client: "opencode",
  clientVersion: "1.18.33",
  linkVersion: "0.1.0",
  pid: 7,
  instance: "abc-1",
  directory: "/srv/demo",
  project: "demo-1a2b3c4d5e6f",
  profile: null,
  accountId: null,
};

test("a peer that says who it is, is kept as it says", () => {
  expect(tidyPeer(FACTS)).toEqual(FACTS);
});

test.each([
  ["client", "Open Code"],
  ["client", ""],
  ["instance", ""],
  ["instance", "a b"],
  ["project", "no project\n"],
])("a %s of %j is refused with the reason", (field, value) => {
  const kept = tidyPeer({ ...FACTS, [field]: value });
  expect(kept).toStartWith(field === "project" ? "project_key" : field);
});

describe("news", () => {
  test("lose credentials, line ends and what is too long", () => {
    const secret = ["sk", "a1B2".repeat(8)].join("-");
    const news = tidyNews({
      kind: "error",
      conversationId: "ses_1",
      title: "one\r\ntwo\u001b[31m",
      message: `Bearer ${secret} and ${tokenFor(anAccount({ n: 1 }), 0)} and ${"x".repeat(9_000)}`,
    });
    expect(news.title).toBe("one two [31m");
    expect(news.message).not.toContain(secret.slice(0, 12));
    expect(news.message).not.toContain("eyJ");
    expect(news.message.length).toBeLessThanOrEqual(400);
  });

  test("are short and on one line, whatever a client says", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ maxLength: 3_000 }), (title, message) => {
        const news = tidyNews({ kind: "retry", conversationId: title, title, message });
        for (const text of [news.conversationId!, news.title, news.message]) {
          expect(text.length).toBeLessThanOrEqual(400);
          expect([...text].every((sign) => sign >= " " && sign !== "\u007f")).toBe(true);
        }
        expect(tidyNews(news)).toEqual(news);
      }),
    );
  });
});

describe("models to begin with", () => {
  const models = ["gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-9"].map((name) => ({
    facts: modelOf(name),
    accountIds: [],
  }));
  const costs: Record<string, number> = { "gpt-5.5": 30, "gpt-5.4": 15, "gpt-5.4-mini": 4 };

  test("are upstream's first and the cheapest that has a price", () => {
    expect(startingModels(models, (model) => costs[model] ?? null)).toEqual({
      first: "gpt-5.5",
      small: "gpt-5.4-mini",
    });
  });

  test("without prices the last is the small one, without models there is none", () => {
    expect(startingModels(models, () => null)).toEqual({ first: "gpt-5.5", small: "gpt-9" });
    expect(startingModels([], () => 1)).toEqual({ first: null, small: null });
  });
});
