/** A seal desk in memory, for doors and the ctl: keeps its passphrase in the open, so it must never leave the tests. */
import { AppError } from "../../src/base/errors.ts";
import type { SealDesk } from "../../src/control/seal-desk.ts";
import type { GuardKind } from "../../src/store/key-guard.ts";
import { T0 } from "./manual-clock.ts";

const PLACES: Readonly<Record<GuardKind, string>> = {
  key_file: "/config/rotor.key",
  passphrase: "whoever knows it",
  keychain: "the Secret Service keyring",
};

export interface FakeSeal extends SealDesk {
  guard: GuardKind;
  isOpen: boolean;
  passphrase: string;
  keyNumber: number;
  /** No key was made yet: whoever unlocks sets the passphrase. */
  isNew: boolean;
}

export function createFakeSeal(): FakeSeal {
  const refuseLocked = () => {
    if (!fake.isOpen) throw new AppError("store_locked", "the daemon is locked: the seal was locked by order");
  };
  const fake: FakeSeal = {
    guard: "key_file",
    isOpen: true,
    passphrase: "",
    keyNumber: 1,
    isNew: false,
    async view() {
      return {
        guard: fake.guard,
        place: PLACES[fake.guard],
        isOpen: fake.isOpen,
        fingerprint: fake.isNew ? null : "0123456789abcdef",
        guardedAtMs: fake.isNew ? null : T0 - 3_600_000,
        dataKeyNumber: fake.isNew ? null : fake.keyNumber,
        dataKeyAtMs: fake.isNew ? null : T0 - 7_200_000,
        lockReason: fake.isOpen ? null : "the seal was locked by order",
      };
    },
    options: async () => [
      { guard: "key_file", refusal: null },
      { guard: "passphrase", refusal: null },
      { guard: "keychain", refusal: "there is no secret-tool on this machine" },
    ],
    async unlock(given) {
      if (fake.isOpen) return;
      const passphrase = given?.reveal() ?? "";
      if (fake.guard === "passphrase" && passphrase === "")
        throw new AppError("passphrase_required", "the seal is guarded by a passphrase, and none was given");
      if (fake.isNew) Object.assign(fake, { passphrase, isNew: false });
      if (fake.guard === "passphrase" && passphrase !== fake.passphrase)
        throw new AppError("passphrase_wrong", "this is not the passphrase that the seal is guarded by");
      fake.isOpen = true;
    },
    async lock() {
      fake.isOpen = false;
    },
    async change({ guard, given, keepOldKey }, dryRun) {
      refuseLocked();
      if (guard === "keychain") throw new AppError("guard_unavailable", "there is no secret-tool on this machine");
      const change = { oldGuard: fake.guard, oldPlace: PLACES[fake.guard], newGuard: guard, newPlace: PLACES[guard] };
      if (!dryRun) Object.assign(fake, { guard, passphrase: given?.reveal() ?? "" });
      return { ...change, oldKeyStays: keepOldKey };
    },
    async rotate() {
      refuseLocked();
      fake.keyNumber++;
      return 3;
    },
  };
  return fake;
}
