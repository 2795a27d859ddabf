/**
 * A Secret cannot be printed by accident, whichever way it is turned into text; `reveal` is the one door.
 */
import { expect, test } from "bun:test";
import { format, inspect } from "node:util";
import { serialize } from "node:v8";
import fc from "fast-check";
import { AppError } from "../../src/base/errors.ts";
import { createLog } from "../../src/base/log.ts";
import { Secret } from "../../src/base/secret.ts";
import { createManualClock } from "../support/manual-clock.ts";

/** Anything clone-like may refuse; what it must not do is carry the value. */
function attempt(act: () => unknown): string {
  try {
    const result = act();
    return result instanceof Uint8Array
      ? Buffer.from(result).toString("latin1")
      : inspect(result, { showHidden: true, depth: 9 });
  } catch (error) {
    return String(error);
  }
}

const WAYS: Record<string, (secret: Secret) => unknown> = {
  "String()": (secret) => String(secret),
  template: (secret) => `${secret}`,
  concatenation: (secret) => "".concat(secret as unknown as string),
  "toString()": (secret) => secret.toString(),
  "as a key": (secret) => ({ [secret as unknown as string]: 1 }),
  "JSON.stringify": (secret) => JSON.stringify({ nested: [secret] }),
  "util.inspect": (secret) => inspect({ secret }, { depth: 9, showHidden: true, customInspect: true }),
  "util.inspect without custom": (secret) => inspect(secret, { depth: 9, showHidden: true, customInspect: false }),
  "Bun.inspect": (secret) => Bun.inspect({ secret }),
  "%s": (secret) => format("%s %o %O %j", secret, secret, secret, secret),
  "error message": (secret) => new Error(`refused ${secret}`).message,
  "error cause": (secret) => inspect(new Error("refused", { cause: secret })),
  structuredClone: (secret) => structuredClone({ secret }),
  serialize: (secret) => serialize({ secret }),
  "own keys": (secret) => [Reflect.ownKeys(secret), Object.entries(secret), { ...secret }],
  "for in": (secret) => {
    const seen: unknown[] = [];
    for (const key in secret) seen.push((secret as unknown as Record<string, unknown>)[key]);
    return seen;
  },
  URLSearchParams: (secret) => new URLSearchParams({ token: secret as unknown as string }).toString(),
  Headers: (secret) => [...new Headers({ authorization: secret as unknown as string })],
};

for (const [name, print] of Object.entries(WAYS)) {
  test(`${name} does not show it`, () => {
    const value = "correct-horse-battery-staple";
    expect(attempt(() => print(new Secret(value)))).not.toContain(value);
  });
}

test("text made of a secret says so", () => {
  const secret = new Secret("x");
  expect([`${secret}`, String(secret), JSON.stringify({ secret }), inspect(secret)]).toEqual([
    "[secret]",
    "[secret]",
    '{"secret":"[secret]"}',
    "[secret]",
  ]);
});

test("the log prints no secret, be it a field or inside an error", () => {
  const lines: string[] = [];
  const log = createLog({ clock: createManualClock(), level: "debug", sinks: [(line) => lines.push(line)] });
  const secret = new Secret("correct-horse");
  log.info("login.refreshed", { secret, deep: { list: [secret] } });
  log.error("login.refused", {
    error: new AppError("login_rejected", `refused ${secret}`, { cause: new Error("x", { cause: secret }) }),
  });
  expect(lines.join("\n")).not.toContain("correct-horse");
  expect(lines[0]).toContain("[secret]");
});

test("reveal gives back exactly what went in", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (value) => new Secret(value).reveal() === value));
});
