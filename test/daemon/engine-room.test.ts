/** The engine room in this process: what a lock by order outlives, and what it keeps out. */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { loadConfig } from "../../src/base/config.ts";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { resolvePaths } from "../../src/base/paths.ts";
import { EngineRoom } from "../../src/daemon/engine-room.ts";
import { expectCode } from "../contract/store.suite.ts";

test("locked by order, a store that is closed and opened again stays locked until somebody unlocks it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "rotor-engine-room-"));
  const env = { ROTOR_HOME: folder, ROTOR_SEAL_GUARD: "key_file" };
  const host = { env, platform: process.platform, homeDir: folder, tempDir: tmpdir(), uid: 1 };
  const paths = resolvePaths(host);
  const config = loadConfig(paths.configFile, host);
  const care = { prepare: async () => {}, recover: async () => null, safeguard: async () => null };
  const room = new EngineRoom({ paths, config, host, clock: systemClock, dice: systemDice, log: silentLog, care });
  try {
    await room.open();
    expect(room.condition().state).toBe("ready");
    await room.lock();
    await room.reopen("a restore", async () => expect(room.seal()).toBeNull());
    expect([room.condition().state, room.readyEngine()]).toEqual(["locked", null]);
    expect((await room.seal()!.facts()).isOpen).toBe(false);
    await expectCode(
      room.withSeal((seal) => seal.rotate()),
      "store_locked",
    );
    await room.unlock(null);
    await room.reopen("another", async () => {});
    expect(room.condition().state).toBe("ready");
    expect(await room.withSeal((seal) => seal.rotate())).toBe(0);
  } finally {
    await room.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
