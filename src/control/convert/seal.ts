/** Seals and guards in the words of proto/rotor/v1/seal_service.proto. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import { type SealChangeSchema, SealGuard, type SealSchema } from "../../gen/rotor/v1/seal_service_pb.ts";
import type { GuardKind } from "../../store/key-guard.ts";
import type { GuardOption, SealChange, SealView } from "../seal-desk.ts";
import { instant, int64 } from "./values.ts";

const GUARDS: Readonly<Record<GuardKind, SealGuard>> = {
  key_file: SealGuard.KEY_FILE,
  passphrase: SealGuard.PASSPHRASE,
  keychain: SealGuard.KEYCHAIN,
};

export function sealMessage(view: SealView, options: readonly GuardOption[]): MessageInitShape<typeof SealSchema> {
  return {
    guard: GUARDS[view.guard],
    place: view.place,
    locked: !view.isOpen,
    lockReason: view.lockReason ?? "",
    fingerprint: view.fingerprint ?? "",
    guardTime: instant(view.guardedAtMs),
    dataKeyNumber: int64(view.dataKeyNumber ?? 0),
    dataKeyTime: instant(view.dataKeyAtMs),
    options: options.map(({ guard, refusal }) => ({
      guard: GUARDS[guard],
      available: refusal === null,
      refusal: refusal ?? "",
    })),
  };
}

export function sealChangeMessage(change: SealChange): MessageInitShape<typeof SealChangeSchema> {
  return { ...change, oldGuard: GUARDS[change.oldGuard], newGuard: GUARDS[change.newGuard] };
}

export function toGuardKind(guard: SealGuard): GuardKind {
  const found = Object.entries(GUARDS).find(([, value]) => value === guard)?.[0] as GuardKind | undefined;
  if (found === undefined) throw new AppError("bad_usage", "say which guard: key_file, passphrase or keychain");
  return found;
}
