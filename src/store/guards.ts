/**
 * The three guards of this host, and which of them a new store gets. A store that has one keeps it: only an order changes it.
 */
import type { Clock } from "../base/clock.ts";
import type { Env } from "../base/env.ts";
import type { Log } from "../base/log.ts";
import { createKeyFileGuard } from "./key-file-guard.ts";
import type { GuardKind, Guards } from "./key-guard.ts";
import { createKeychain, KEYCHAIN_LIMIT_MS, KEYCHAIN_PATIENT_LIMIT_MS } from "./keychain.ts";
import { createKeychainGuard } from "./keychain-guard.ts";
import { createPassphraseGuard, type PassphraseSource } from "./passphrase-guard.ts";

/** What a new store gets; `auto` is the best that works here without a person. */
export type GuardChoice = "auto" | GuardKind;

export interface GuardOptions {
  readonly choice: GuardChoice;
  readonly source: PassphraseSource;
  readonly keyFile: string;
  readonly platform: NodeJS.Platform;
  readonly env: Env;
  readonly clock: Clock;
}

export function createGuards({ keyFile, source, platform, env, clock }: GuardOptions): Guards {
  const keychain = createKeychain({
    platform,
    env,
    clock,
    limitMs: KEYCHAIN_LIMIT_MS,
    patientLimitMs: KEYCHAIN_PATIENT_LIMIT_MS,
  });
  return {
    key_file: createKeyFileGuard(keyFile),
    passphrase: createPassphraseGuard(source),
    keychain: createKeychainGuard(keychain),
  };
}

/** A passphrase that was given is meant; a keychain that answers is better than a file; a file always works. */
export async function chooseGuard(guards: Guards, { choice, source }: GuardOptions, log: Log): Promise<GuardKind> {
  if (choice !== "auto") return choice;
  if (source.passphrase !== null || source.file !== null) return "passphrase";
  const refusal = await guards.keychain.refusal();
  if (refusal === null) return "keychain";
  log.info("seal.keychain_passed_over", { message: `the key file is used, because ${refusal}` });
  return "key_file";
}
