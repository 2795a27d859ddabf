/** Which conversation a request belongs to: the headers that real clients send, and that clients never share one. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { conversationKeyOf } from "../../src/domain/affinity.ts";

const keyOf = (headers: Record<string, string>, promptCacheKey: string | null = null, keyId: string | null = "k") =>
  conversationKeyOf({ header: (name) => headers[name] ?? null, promptCacheKey, keyId });

test.each([
  ["nothing said", {}, null, null],
  ["Codex", { "session-id": "s", "thread-id": "t", "x-client-request-id": "r" }, "p", "k/s"],
  ["Codex of last year", { session_id: "s", conversation_id: "c" }, null, "k/s"],
  ["a thread alone", { "thread-id": "t" }, "p", "k/t"],
  ["OpenCode", { "x-session-affinity": "ses_1", "x-session-id": "ses_1" }, "ses_2", "k/ses_1"],
  ["OpenCode's own plugin", { "session-id": "ses_1", "x-session-affinity": "ses_1" }, null, "k/ses_1"],
  ["an SDK", {}, "p", "k/p"],
  ["an empty header is no id", { "session-id": "" }, "p", "k/p"],
  ["text far too long is no id", { "session-id": "x".repeat(257) }, null, null],
])("%s", (_, headers, promptCacheKey, expected) => {
  expect(keyOf(headers as Record<string, string>, promptCacheKey)).toBe(expected);
});

test("a sub-agent belongs to its parent's conversation, whichever header names it", () => {
  const parent = keyOf({ "session-id": "p1", "thread-id": "p1" });
  expect(keyOf({ "session-id": "c1", "thread-id": "c1", "x-codex-parent-thread-id": "p1" })).toBe(parent);
  expect(keyOf({ "x-session-id": "c1", "x-parent-session-id": "p1" })).toBe(parent);
});

test("clients never share a conversation by naming the same one", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[0-9A-Z]{1,10}$/),
      fc.stringMatching(/^[0-9A-Z]{1,10}$/),
      fc.string(),
      fc.string(),
      (a, b, x, y) => {
        fc.pre(a !== b);
        const first = keyOf({ "session-id": x }, null, a);
        if (first !== null) expect(keyOf({ "session-id": y }, null, b)).not.toBe(first);
      },
    ),
  );
});
