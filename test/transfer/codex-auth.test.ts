/** Reading auth.json: what is in it, where it is broken, and never a token in a message. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AppError } from "../../src/base/errors.ts";
import { readCodexAuth } from "../../src/transfer/codex-auth.ts";
import { anAccount } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { tokenFor } from "../support/pool-room.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const canary = "canary-7f3a";
const login = (n = 1) => ({
  auth_mode: "chatgpt",
  OPENAI_API_KEY: null,
  tokens: {
    id_token: tokenFor(anAccount({ n }), T0),
    access_token: tokenFor(anAccount({ n }), T0, canary),
    refresh_token: `${canary}-${n}`,
    account_id: `workspace-${n}`,
  },
  last_refresh: "2026-11-21T01:34:57.268533156Z",
  something_new: { kept: true },
});

describe("reads", () => {
  const pretty = JSON.stringify(login(), null, 2);
  const one = JSON.stringify(login());
  for (const [name, text, count] of [
    ["one object as the official client writes it", pretty, 1],
    ["an array", JSON.stringify([login(1), login(2)]), 2],
    ["JSON lines, with blank ones and CRLF", `${one}\r\n\r\n${one}\r\n`, 2],
    ["one line of JSON lines", `${one}\n`, 1],
  ] as const) {
    test(name, () => {
      const found = readCodexAuth(encode(text));
      expect(found).toHaveLength(count);
      expect(found[0]!.claims).toMatchObject({
        workspaceId: "workspace-1",
        userId: "user-1",
        tier: "plus",
        expiresAtMs: T0,
      });
      expect(found[0]!.refreshedAtMs).toBe(Date.parse("2026-11-21T01:34:57.268Z"));
    });
  }
});

describe("refuses, naming the place", () => {
  for (const [name, text, words] of [
    ["nothing", "  \n", "empty"],
    ["no JSON", "hello", "the file: it is not JSON"],
    ["half a file", JSON.stringify(login()).slice(0, 200), "the file"],
    ["a broken line", `${JSON.stringify(login())}\n{"tokens":`, "line 2"],
    ["an API key", '{"OPENAI_API_KEY":"sk-x"}', "API key"],
    ["an empty list", "[]", "no login"],
    ["a number", "7", "must be an object"],
    ["a second entry without tokens", JSON.stringify([login(), {}]), "entry 2"],
  ] as const) {
    test(name, () => {
      expect(() => readCodexAuth(encode(text))).toThrow(words);
    });
  }

  test("bytes that are no UTF-8", () => {
    expect(() => readCodexAuth(new Uint8Array([0xff, 0xfe, 0x7b]))).toThrow("UTF-8");
  });
});

test("cut anywhere it is an error, never a part, and no token shows", () => {
  const text = JSON.stringify([login(1), login(2)], null, 1);
  fc.assert(
    fc.property(fc.integer({ min: 0, max: text.length - 1 }), (length) => {
      try {
        readCodexAuth(encode(text.slice(0, length)));
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        expect((error as AppError).code).toBe("invalid_import");
        expect(String((error as AppError).message)).not.toContain(canary);
        return;
      }
      throw new Error(`accepted ${length} of ${text.length} characters`);
    }),
  );
});

test("any field of a wrong type is an error or does not matter; it never breaks anything else", () => {
  const fields = [
    "tokens",
    "last_refresh",
    "tokens.id_token",
    "tokens.access_token",
    "tokens.refresh_token",
    "tokens.account_id",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...fields), fc.jsonValue(), (path, value) => {
      const broken: Record<string, unknown> = structuredClone(login());
      const keys = path.split(".");
      const last = keys.pop()!;
      const holder = keys.reduce((at, key) => at[key] as Record<string, unknown>, broken);
      holder[last] = value;
      try {
        expect(readCodexAuth(encode(JSON.stringify(broken)))).toHaveLength(1);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        expect(error.code).toBe("invalid_import");
        expect(error.message).not.toContain(canary);
      }
    }),
  );
});
