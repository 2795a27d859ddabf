/**
 * Keys in the keychain of the operating system, one entry a key, named by its fingerprint: what is there is never overwritten.
 */
import { AppError } from "../base/errors.ts";
import { fingerprintOf, KEY_BYTES, type KeyGuard } from "./key-guard.ts";
import type { Keychain } from "./keychain.ts";

/** Tells the key from whatever else a keychain may answer. */
const PREFIX = "rotor-key-v1.";

export function createKeychainGuard(keychain: Keychain): KeyGuard {
  const unreachable = (cause: AppError) =>
    new AppError("seal_key_missing", `the key is in ${keychain.name}, which cannot be asked: ${cause.message}`, {
      hint: "open the keychain, then: rotor seal unlock",
      cause,
    });
  return {
    kind: "keychain",
    place: keychain.name,
    async refusal() {
      const failed = await keychain.probe().then(
        () => null,
        (thrown: unknown) => thrown,
      );
      return failed === null ? null : failed instanceof AppError ? failed.message : String(failed);
    },
    async load({ fingerprint }, { isPerson }) {
      const text = await keychain.get(fingerprint, isPerson).catch((cause) => {
        throw unreachable(cause);
      });
      if (text === null)
        return { kind: "absent", words: `${keychain.name} has no key ${fingerprint} of Rotor's any more` };
      const key = parseKey(text);
      if (key === null || fingerprintOf(key) !== fingerprint)
        throw new AppError("seal_key_missing", `${keychain.name} answers with something that is not Rotor's key`);
      return { kind: "key", key };
    },
    check: async () => {},
    make: async (dice) => ({ key: Uint8Array.from(dice.bytes(KEY_BYTES)), recipe: "" }),
    async keep(key, { isPerson }) {
      const fingerprint = fingerprintOf(key);
      await keychain.set(fingerprint, PREFIX + Buffer.from(key).toString("base64url"), isPerson);
      // Some tools say "done" to what they did not do; nothing is wrapped by a key that cannot be had again.
      const back = parseKey((await keychain.get(fingerprint, isPerson)) ?? "");
      if (back === null || fingerprintOf(back) !== fingerprint)
        throw new AppError("guard_unavailable", `${keychain.name} did not keep the key that it was given`);
      back.fill(0);
    },
    forget: (fingerprint) => keychain.remove(fingerprint),
  };
}

function parseKey(text: string): Uint8Array | null {
  const encoded = new RegExp(`^${PREFIX.replaceAll(".", "\\.")}([A-Za-z0-9_-]{43})$`).exec(text.trim())?.[1];
  const key = encoded === undefined ? null : new Uint8Array(Buffer.from(encoded, "base64url"));
  return key?.length === KEY_BYTES ? key : null;
}
