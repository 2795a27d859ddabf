/**
 * A key that is made from a passphrase whenever it is needed and kept nowhere: the store holds the salt and the parameters, a person (or
 * the environment of the daemon) the rest. Never keeps what it was given.
 */
import { readFileSync, statSync } from "node:fs";
import { AppError } from "../base/errors.ts";
import { sha256Hex } from "../base/id.ts";
import { deriveKey, KEY_PARAMS, type KeyParams, SALT_BYTES } from "../base/passphrase-box.ts";
import { Secret } from "../base/secret.ts";
import { fingerprintOf, type KeyGuard } from "./key-guard.ts";

/** Where a passphrase comes from when nobody gives one. */
export interface PassphraseSource {
  readonly passphrase: Secret | null;
  /** Its first line is the passphrase. */
  readonly file: string | null;
}

export const NO_PASSPHRASE: PassphraseSource = { passphrase: null, file: null };

const UNLOCK_HINT = "rotor seal unlock";
const WANTED = "the seal is to be guarded by a passphrase, and none was given";
/** A passphrase that people type is shorter; a file that is longer is the wrong file. */
const FILE_MAX_BYTES = 4_096;

export function createPassphraseGuard(source: PassphraseSource): KeyGuard {
  const required = (given: Secret | null, message: string) => {
    const passphrase = given ?? readPassphrase(source);
    if (passphrase !== null && passphrase.reveal() !== "") return passphrase;
    throw new AppError("passphrase_required", message, { hint: UNLOCK_HINT });
  };
  return {
    kind: "passphrase",
    place: placeOf(source),
    refusal: async () => null,
    async load({ fingerprint, recipe }, { given }) {
      const { salt, params } = parseRecipe(recipe);
      const passphrase = required(given, "the seal is guarded by a passphrase, and none was given");
      const key = await deriveKey(passphrase.reveal(), salt, params);
      if (fingerprintOf(key) === fingerprint) return { kind: "key", key };
      key.fill(0);
      throw new AppError("passphrase_wrong", "this is not the passphrase that the seal is guarded by", {
        hint: given === null ? `mend ${placeOf(source)}, or: ${UNLOCK_HINT}` : UNLOCK_HINT,
      });
    },
    async check(given) {
      required(given, WANTED);
    },
    async make(dice, given) {
      const passphrase = required(given, WANTED);
      const salt = Uint8Array.from(dice.bytes(SALT_BYTES));
      return { key: await deriveKey(passphrase.reveal(), salt, KEY_PARAMS), recipe: formatRecipe(salt, KEY_PARAMS) };
    },
    keep: async () => {},
    forget: async () => {},
  };
}

function placeOf({ passphrase, file }: PassphraseSource): string {
  if (passphrase !== null) return "ROTOR_PASSPHRASE";
  return file ?? "whoever knows it";
}

/** Rejects a file that others may read: a passphrase in it protects nothing. */
function readPassphrase({ passphrase, file }: PassphraseSource): Secret | null {
  if (passphrase !== null || file === null) return passphrase;
  const refuse = (why: string, hint: string, cause?: unknown) =>
    new AppError("passphrase_required", `the passphrase file ${file} ${why}`, { hint, cause });
  try {
    const stat = statSync(file);
    if (process.platform !== "win32" && (stat.mode & 0o077) !== 0)
      throw refuse(`can be read by others (mode ${(stat.mode & 0o777).toString(8)})`, `chmod 600 '${file}'`);
    if (stat.size > FILE_MAX_BYTES) throw refuse("is too long to hold a passphrase", "name another file");
    return new Secret(readFileSync(file, "utf8").split(/\r?\n/, 1)[0]!);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw refuse("cannot be read", "check its name and who owns it", cause);
  }
}

interface Recipe {
  readonly salt: Uint8Array;
  readonly params: KeyParams;
}

/** `argon2id memory passes lanes salt check`: the check tells a damaged recipe from a wrong passphrase. */
function formatRecipe(salt: Uint8Array, { memoryKib, passes, lanes }: KeyParams): string {
  const body = ["argon2id", memoryKib, passes, lanes, Buffer.from(salt).toString("base64url")].join(" ");
  return `${body} ${checkOf(body)}`;
}

function parseRecipe(recipe: string): Recipe {
  const [, body, check] = /^(argon2id \d{1,9} \d{1,9} \d{1,9} [A-Za-z0-9_-]{22}) ([0-9a-f]{16})$/.exec(recipe) ?? [];
  if (body === undefined || checkOf(body) !== check)
    throw new AppError("store_damaged", "the salt of the passphrase is damaged");
  const [, memoryKib, passes, lanes, salt] = body.split(" ");
  return {
    salt: Buffer.from(salt!, "base64url"),
    params: { memoryKib: Number(memoryKib), passes: Number(passes), lanes: Number(lanes) },
  };
}

const checkOf = (body: string) => sha256Hex(`rotor/recipe/v1 ${body}`).slice(0, 16);
