/** SealService at the door: works outside `ready`, orders reach the desk as given, no passphrase comes back or into the log. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { type Client, ConnectError } from "@connectrpc/connect";
import { exposureOf } from "../../src/control/exposure.ts";
import { ErrorDetailSchema } from "../../src/gen/rotor/v1/error_pb.ts";
import { SealGuard, SealService } from "../../src/gen/rotor/v1/seal_service_pb.ts";
import { T0 } from "../support/manual-clock.ts";
import { type Door, grpcClient, openDoor } from "./harness.ts";

let door: Door;
let seals: Client<typeof SealService>;
beforeEach(async () => {
  door = await openDoor();
  seals = grpcClient(SealService, door.path);
});
afterEach(() => door.close());

async function codeOf(call: Promise<unknown>): Promise<string | undefined> {
  try {
    await call;
  } catch (thrown) {
    return ConnectError.from(thrown).findDetails(ErrorDetailSchema)[0]?.code;
  }
  throw new Error("the call was answered");
}

test("a seal with all that may be known of it, and what else could guard it", async () => {
  const { seal } = await seals.getSeal({});
  expect(seal).toMatchObject({
    guard: SealGuard.KEY_FILE,
    place: "/config/rotor.key",
    locked: false,
    lockReason: "",
    fingerprint: "0123456789abcdef",
    dataKeyNumber: 1n,
  });
  expect([timestampMs(seal!.guardTime!), timestampMs(seal!.dataKeyTime!)]).toEqual([T0 - 3_600_000, T0 - 7_200_000]);
  expect(seal!.options.map(({ guard, available, refusal }) => [guard, available, refusal])).toEqual([
    [SealGuard.KEY_FILE, true, ""],
    [SealGuard.PASSPHRASE, true, ""],
    [SealGuard.KEYCHAIN, false, "there is no secret-tool on this machine"],
  ]);
});

test("works while the daemon is locked, which is what it is for", async () => {
  door.facts.setState("locked", "the seal was locked by order");
  Object.assign(door.seal, { guard: "passphrase", passphrase: "open sesame", isOpen: false });
  expect((await seals.getSeal({})).seal).toMatchObject({ locked: true, lockReason: "the seal was locked by order" });
  expect(await codeOf(seals.unlockSeal({}))).toBe("passphrase_required");
  expect(await codeOf(seals.unlockSeal({ passphrase: "sesame" }))).toBe("passphrase_wrong");
  expect(await codeOf(seals.changeSeal({ guard: SealGuard.KEY_FILE }))).toBe("store_locked");
  expect(await codeOf(seals.rotateDataKey({}))).toBe("store_locked");
  expect((await seals.unlockSeal({ passphrase: "open sesame" })).seal?.locked).toBe(false);
  expect((await seals.lockSeal({})).seal?.locked).toBe(true);
  expect(JSON.stringify(door.log)).not.toContain("sesame");
});

test("a change says what it did, a dry run what it would do; a guard must be named", async () => {
  const would = await seals.changeSeal({ guard: SealGuard.PASSPHRASE, passphrase: "open sesame", dryRun: true });
  expect(would.change).toMatchObject({
    oldGuard: SealGuard.KEY_FILE,
    newGuard: SealGuard.PASSPHRASE,
    oldPlace: "/config/rotor.key",
    oldKeyStays: false,
  });
  expect(door.seal.guard).toBe("key_file");
  const order = { guard: SealGuard.PASSPHRASE, passphrase: "open sesame", keepOldKey: true };
  const did = await seals.changeSeal(order);
  expect([did.change?.oldKeyStays, did.seal?.guard, door.seal.passphrase]).toEqual([
    true,
    SealGuard.PASSPHRASE,
    "open sesame",
  ]);
  expect(JSON.stringify([did, would], (_, value) => (typeof value === "bigint" ? 0 : value))).not.toContain("sesame");
  expect(await codeOf(seals.changeSeal({ passphrase: "x" }))).toBe("bad_usage");
  expect(await codeOf(seals.changeSeal({ guard: SealGuard.KEYCHAIN }))).toBe("guard_unavailable");
});

test("a new data key says how many logins were sealed again", async () => {
  const { seal, resealedCount } = await seals.rotateDataKey({});
  expect([seal?.dataKeyNumber, resealedCount]).toEqual([2n, 3]);
});

test("nothing of it is for the dashboard", () => {
  expect(SealService.methods.filter((method) => exposureOf(method) !== "socket_only")).toEqual([]);
});
