/**
 * What `rotor doctor` says of the seal: what guards it, whether it is open, and what would make its guard worthless. Changes nothing.
 */
import { realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { fromUnknown } from "../base/errors.ts";
import type { Paths } from "../base/paths.ts";
import type { Finding } from "../control/daemon-facts.ts";
import type { SealFacts, SealKeeper } from "../store/seal-keeper.ts";
import { error, ok, warning } from "./finding.ts";

export async function sealFindings(seal: SealKeeper, paths: Paths): Promise<Finding[]> {
  try {
    const facts = await seal.facts();
    return [openFinding(facts), ...(await guardFindings(seal, facts, paths))];
  } catch (thrown) {
    const { message, hint } = fromUnknown(thrown);
    return [error("seal", message, hint)];
  }
}

function openFinding({ guard, place, isOpen, fingerprint }: SealFacts): Finding {
  const by = { key_file: "a key file", passphrase: "a passphrase", keychain: "the keychain" }[guard];
  const named = fingerprint === null ? "" : `, key ${fingerprint}`;
  if (!isOpen)
    return error("seal", `the seal is locked; it is guarded by ${by} (${place})${named}`, "rotor seal unlock");
  return ok("seal", `the seal is open, guarded by ${by} (${place})${named}`);
}

async function guardFindings(seal: SealKeeper, { guard }: SealFacts, paths: Paths): Promise<Finding[]> {
  if (guard === "key_file") return keyFileFindings(paths);
  const refusal = await seal.refusal(guard);
  return refusal === null ? [] : [error("seal.guard", refusal, "rotor seal show")];
}

function keyFileFindings({ keyFile, dataDir }: Paths): Finding[] {
  const stat = statSync(keyFile, { throwIfNoEntry: false });
  if (stat === undefined) return [error("seal.guard", `the key file ${keyFile} is not there`, "put it back")];
  if (process.platform !== "win32" && (stat.mode & 0o077) !== 0) {
    const mode = (stat.mode & 0o777).toString(8);
    return [
      warning("seal.guard", `the key file ${keyFile} is open to others (mode ${mode})`, `chmod 600 '${keyFile}'`),
    ];
  }
  if (realpathSync(dirname(keyFile)) !== realpathSync(dataDir)) return [];
  const message = "the key file lies in the data folder: whoever copies that folder can read the logins";
  return [warning("seal.guard", message, "rotor seal change passphrase")];
}
