/**
 * SealService (proto/rotor/v1/seal_service.proto): translates and calls the seal desk. Works outside `ready`. A passphrase is wrapped
 * at this door and never written anywhere.
 */
import type { ServiceImpl } from "@connectrpc/connect";
import { Secret } from "../base/secret.ts";
import type { SealService } from "../gen/rotor/v1/seal_service_pb.ts";
import { sealChangeMessage, sealMessage, toGuardKind } from "./convert/seal.ts";
import type { SealDesk } from "./seal-desk.ts";

export function createSealService(desk: SealDesk): ServiceImpl<typeof SealService> {
  const seal = async () => sealMessage(await desk.view(), []);
  return {
    getSeal: async () => ({ seal: sealMessage(await desk.view(), await desk.options()) }),
    async unlockSeal(request) {
      await desk.unlock(given(request.passphrase));
      return { seal: await seal() };
    },
    async lockSeal() {
      await desk.lock();
      return { seal: await seal() };
    },
    async changeSeal(request) {
      const { keepOldKey, dryRun } = request;
      const order = { guard: toGuardKind(request.guard), given: given(request.passphrase), keepOldKey };
      const change = await desk.change(order, dryRun);
      return { change: sealChangeMessage(change), seal: await seal() };
    },
    async rotateDataKey() {
      const resealedCount = await desk.rotate();
      return { seal: await seal(), resealedCount };
    },
  };
}

function given(passphrase: string): Secret | null {
  return passphrase === "" ? null : new Secret(passphrase);
}
