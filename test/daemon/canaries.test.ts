/**
 * No secret leaves its place (product §5): after a day in which each kind of secret was given to Rotor in every way there is, all that it
 * said and wrote is searched for each of them, in every form. Where one may stand is a list here, with the reason.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { reserveCallbackPorts } from "../support/callback-ports.ts";
import { type Allowed, FORMS, type Place, writtenAs } from "./support/canaries.ts";
import { type CanaryDay, liveCanaryDay } from "./support/canary-day.ts";
import { seeded } from "./support/seed.ts";

const TOKENS = ["id token", "access token", "refresh token"];
const allow = (kinds: readonly string[], place: RegExp, why: string): Allowed[] =>
  kinds.map((kind) => ({ kind, place, why }));

const ALLOWED: readonly Allowed[] = [
  ...allow(["client key"], /^(ctl key create|answer of KeyService\/CreateKey)/, "a key is shown once, at its making"),
  ...allow(["seal key"], /^file home\/rotor\.key$/, "the key file is where the key is kept"),
  ...allow([...TOKENS, "e-mail address"], /^file (good|broken-\S+)\.json$/, "the test's own files, which are imported"),
  ...allow(
    [...TOKENS, "e-mail address"],
    /^file codex\/auth\.json/,
    "what the switch wrote for its program, and the copy of what was there before",
  ),
  ...allow(
    ["access token", "refresh token", "e-mail address"],
    /^proxy refusal that passes/,
    "upstream's own refusal passes byte for byte",
  ),
  ...allow([...TOKENS, "e-mail address"], /^file exported\.json$/, "an open export that was confirmed"),
  ...allow(["user code"], /^(answer of LoginService|ctl login)/, "a person has to type it"),
  ...allow(
    ["e-mail address"],
    /^(answer of|ctl (account|login|import|status|pool|restore|file))/,
    "it names an account",
  ),
  ...allow(
    ["e-mail address"],
    /^file home\/(rotor\.db(-wal)?|damaged\/\S+)$/,
    "the store keeps it, open, in its account",
  ),
];

let day: CanaryDay;
let places: readonly Place[];

beforeAll(async () => {
  await seeded("canaries", async (chance) => {
    using _ = await reserveCallbackPorts();
    day = await liveCanaryDay(chance);
  });
  places = [...day.said, ...day.files()];
}, 600_000);

afterAll(() => day?.[Symbol.asyncDispose]());

describe("no secret leaves its place", () => {
  test("the day was a whole one: every kind was planted, everything was read, every file is there", () => {
    const kinds = new Set(day.canaries.all().map(({ kind }) => kind));
    expect([...kinds].toSorted()).toEqual(
      [
        ...[...TOKENS, "client key", "wrong client key", "seal key", "seal passphrase", "backup passphrase"],
        ...[
          "wrong passphrase",
          "export passphrase",
          "authorization code",
          "PKCE verifier",
          "device handle",
          "user code",
          "e-mail address",
          "prompt",
        ],
      ].toSorted(),
    );
    expect(day.canaries.all().length).toBeGreaterThan(80);
    expect(day.answered.size).toBeGreaterThan(20);
    const names = places.map(({ name }) => name).join("\n");
    for (const file of ["rotor.db", "rotor.db-wal", "rotor.db-shm", "rotor.log", "rotor.key", "daemon.json"])
      expect(names).toContain(`file home/${file}`);
    const packed = places.find(({ name }) => name === "what the store keeps packed");
    expect(Buffer.from(packed!.bytes).toString()).toContain('"attempts":[{');
    expect(names).toMatch(/file home\/backups\/\S+/);
    expect(names).toMatch(/file home\/damaged\/\S+/);
    expect(names).toContain("file exported.json");
    expect(names).toContain("file pool.rotor");
    expect(names).toContain("file away.rotor-backup");
  });

  test("not in anything that was said or written", () => {
    expect(day.canaries.leaks(places, ALLOWED)).toEqual([]);
  });

  test("a canary of each kind would have been found, in each form, wherever it stands", () => {
    const log = places.find(({ name }) => name === "file home/rotor.log")!;
    const missed: string[] = [];
    const ofEachKind = new Map(day.canaries.all().map((canary) => [canary.kind, canary]));
    for (const { kind, value } of ofEachKind.values())
      for (const form of FORMS)
        for (const before of [0, 1, 2]) {
          const line = `{"event":"test.leaked","value":"${writtenAs(form, value, before)}"}\n`;
          const leaky = { ...log, bytes: Buffer.concat([log.bytes.subarray(-200), Buffer.from(line)]) };
          if (!day.canaries.leaks([leaky], ALLOWED).some((leak) => leak.startsWith(`${kind} as`)))
            missed.push(`${kind} as ${form} after ${before} bytes`);
        }
    expect(missed).toEqual([]);
  });

  test("each exception is one that something needs", () => {
    const idle = ALLOWED.filter((one) => {
      const here = places.filter(({ name }) => one.place.test(name));
      const others = ALLOWED.filter((other) => other !== one);
      return !day.canaries.leaks(here, others).some((leak) => leak.startsWith(`${one.kind} as`));
    });
    expect(idle.map(({ kind, place }) => `${kind} in ${place}`)).toEqual([]);
  });
});
