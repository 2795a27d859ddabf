/**
 * The seal as the control door sees it: orders go through the engine room, which alone may open and close what they are about.
 */
import { AppError } from "../base/errors.ts";
import type { SealDesk } from "../control/seal-desk.ts";
import { GUARD_KINDS, type GuardKind } from "../store/key-guard.ts";
import type { EngineRoom } from "./engine-room.ts";

export function createSealDesk(room: EngineRoom, beforeChange: () => Promise<void>): SealDesk {
  const looked = () => {
    const seal = room.seal();
    const { state, reason } = room.condition();
    if (seal === null) throw new AppError("not_ready", `the daemon is ${state}${reason === null ? "" : `: ${reason}`}`);
    return seal;
  };
  return {
    async view() {
      const facts = await looked().facts();
      return { ...facts, lockReason: facts.isOpen ? null : (room.condition().reason ?? "") };
    },
    options() {
      const seal = looked();
      const option = async (guard: GuardKind) => ({ guard, refusal: await seal.refusal(guard) });
      return Promise.all(GUARD_KINDS.map(option));
    },
    unlock: (given) => room.unlock(given),
    lock: () => room.lock(),
    change: (order, dryRun) =>
      room.withSeal(async (seal) => {
        const before = await seal.facts();
        await seal.check(order);
        if (!dryRun) {
          await beforeChange();
          await seal.change(order);
        }
        return {
          oldGuard: before.guard,
          oldPlace: before.place,
          newGuard: order.guard,
          newPlace: seal.placeOf(order.guard),
          oldKeyStays: order.keepOldKey && before.guard !== "passphrase",
        };
      }),
    rotate: () =>
      room.withSeal(async (seal) => {
        await beforeChange();
        return await seal.rotate();
      }),
  };
}
