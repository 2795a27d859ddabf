/** The keychain through its tools: what is kept comes back, no secret is an argument, and whatever the tool does there is an end and a word. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { systemDice } from "../../src/base/id.ts";
import { fingerprintOf } from "../../src/store/key-guard.ts";
import { createKeychain } from "../../src/store/keychain.ts";
import { createKeychainGuard } from "../../src/store/keychain-guard.ts";
import { expectCode } from "../contract/store.suite.ts";
import { type FakeKeychain, writeFakeKeychain } from "../support/fake-keychain.ts";

const DAEMON = { given: null, isPerson: false };

const TOOLS = [
  ["linux", "secret-tool"],
  ["darwin", "security"],
] as const;

for (const [platform, tool] of TOOLS) {
  describe(tool, () => {
    let folder: string;
    let fake: FakeKeychain;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "rotor-keychain-"));
      fake = writeFakeKeychain(folder, tool);
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));

    const guardWith = (path: string, limitMs: number) =>
      createKeychainGuard(
        createKeychain({
          platform,
          env: { PATH: path, ROTOR_PASSPHRASE: "x" },
          clock: systemClock,
          limitMs,
          patientLimitMs: 30_000,
        }),
      );
    const guard = (limitMs = 30_000) => guardWith(`${fake.bin}:/usr/bin:/bin`, limitMs);
    const kept = async () => {
      const { key } = await guard().make(systemDice, null);
      await guard().keep(key, DAEMON);
      return { key, wanted: { fingerprint: fingerprintOf(key), recipe: "" } };
    };

    test("keeps keys side by side, gives them back, and takes away one and no other", async () => {
      expect(await guard().refusal()).toBeNull();
      const [one, two] = [await kept(), await kept()];
      expect(await guard().load(one.wanted, DAEMON)).toEqual({ kind: "key", key: one.key });
      expect(await guard().load(two.wanted, DAEMON)).toEqual({ kind: "key", key: two.key });
      await guard().forget(one.wanted.fingerprint);
      await guard().forget(one.wanted.fingerprint);
      expect((await guard().load(one.wanted, DAEMON)).kind).toBe("absent");
      expect((await guard().load(two.wanted, DAEMON)).kind).toBe("key");
      expect(fake.calls()).not.toContain("rotor-key-v1");
    });

    test("hanging, it is ended and told", async () => {
      const { wanted } = await kept();
      fake.mood = "hanging";
      expect(await guard(1).refusal()).toMatch(/did not answer/);
      const told = await expectCode(guard(1).load(wanted, DAEMON), "seal_key_missing");
      expect(told.message).toMatch(/did not answer/);
      await expectCode(guard(1).keep(systemDice.bytes(32), DAEMON), "guard_unavailable");
    });

    test("locked, it is told in the tool's own words; opened again it answers", async () => {
      const { key, wanted } = await kept();
      fake.mood = "locked";
      expect(await guard().refusal()).toMatch(/D-Bus|interaction/);
      await expectCode(guard().load(wanted, DAEMON), "seal_key_missing");
      fake.mood = "well";
      expect(await guard().load(wanted, DAEMON)).toEqual({ kind: "key", key });
    });

    test("garbage is no key, and a tool that keeps nothing is found out at once", async () => {
      const { wanted } = await kept();
      fake.mood = "garbage";
      expect((await expectCode(guard().load(wanted, DAEMON), "seal_key_missing")).message).toMatch(/not Rotor's key/);
      fake.mood = "deaf";
      await expectCode(guard().keep(systemDice.bytes(32), DAEMON), "guard_unavailable");
      expect(fake.entries()).toEqual([wanted.fingerprint]);
    });

    test("without the tool there is a word for it", async () => {
      expect(await guardWith("/nowhere", 1_000).refusal()).toBe(`there is no ${tool} on this machine`);
    });
  });
}
