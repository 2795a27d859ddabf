/**
 * The two ports that a browser login needs are the same on the whole machine: whoever tests with them waits for his turn (contracts §26).
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromUnknown } from "../../src/base/errors.ts";
import { acquireLock } from "../../src/store/lock.ts";

/** Longer than all tests of one process that use the ports. */
const PATIENCE_MS = 220_000;
const LOOK_EVERY_MS = 20;

/** Held until disposed, or until this process ends, however it does. */
export async function reserveCallbackPorts(): Promise<Disposable> {
  // One user's lock file is not another's to open.
  const path = join(tmpdir(), `rotor-test-callback-ports-${process.getuid?.() ?? "me"}.lock`);
  const stopAtMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      const lock = acquireLock(path);
      return { [Symbol.dispose]: () => lock.release() };
    } catch (thrown) {
      if (fromUnknown(thrown).code !== "already_running" || performance.now() > stopAtMs) throw thrown;
      await Bun.sleep(LOOK_EVERY_MS);
    }
  }
}

/** Something else that listens there, as another program that signs in would. */
export function occupyPort(port: number): Disposable {
  const server = Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("somebody else") });
  return { [Symbol.dispose]: () => void server.stop(true) };
}
