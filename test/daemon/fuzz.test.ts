/**
 * Fuzzed requests and frames against the real daemon: nothing of it ends it, makes it hang, makes it grow or makes it answer with a fault of its
 * own. Two and a half million in the deep run (ROTOR_TEST_PART=3/8 runs the third of eight parts), a sample every time; a failure names its seed and
 * its case.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { figuresOf } from "../soak/watch.ts";
import { createProxyClient } from "./support/client.ts";
import type { Control } from "./support/control.ts";
import type { DaemonProcess } from "./support/daemon-process.ts";
import { type Address, sendFuzzedFrames, sendFuzzedRequest } from "./support/fuzz-wire.ts";
import { type Chance, IS_DEEP, partOf, seeded, seededCase } from "./support/seed.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until } from "./support/until.ts";

const REQUESTS = IS_DEEP ? 1_000_000 : 8_000;
const FRAMES = IS_DEEP ? 1_500_000 : 16_000;
const AT_ONCE = 16;
const LIMIT_MS = IS_DEEP ? 7_200_000 : 120_000;
/** Of the whole, before memory is looked at for the first time: the heap finds its size. */
const WARM_UP = 0.3;
const MAY_GROW_MB = 48;

let stage: Stage;
let daemon: DaemonProcess;
let control: Control;
let address: Address;

beforeAll(async () => {
  const aliases = ["alpha", "beta", "gamma"];
  const accounts = aliases.map((alias) => ({ alias, plan: "pro", windows: [{ minutes: 300, capacityTokens: 1e12 }] }));
  stage = await openStage({ accounts, recorder: { keep: 10, bodies: false } });
  daemon = await stage.start({ env: { ROTOR_SETTING_WAIT_SECONDS: "0", ROTOR_SETTING_BACKGROUND_RESPONSES: "on" } });
  control = daemon.control;
  for (const [index, login] of stage.sim.accounts.entries()) await control.importLogin(login, aliases[index]!);
  const { hostname, port } = new URL(daemon.proxyUrl);
  address = { hostname, port: Number(port), key: await control.createKey("fuzz") };
});

afterAll(() => stage[Symbol.asyncDispose]());

/** Nothing, where nobody tells. */
const memoryMb = () => (process.platform === "linux" ? figuresOf(daemon.pid).rssMb : 0);

/** Runs `one` until so many are done, some at once, each with a chance of its own; looks at the memory before and after. */
async function many(name: string, total: number, one: (chance: Chance) => Promise<number>): Promise<void> {
  const part = partOf(total);
  let begun = 0;
  let done = 0;
  let warmMb: number | null = null;
  const worker = async () => {
    while (done < part.count) {
      const count = await seededCase(name, part.numberOf(begun++), one);
      // Only now: `done += await …` would forget what the others have done meanwhile.
      done += count;
      if (warmMb === null && done > part.count * WARM_UP) warmMb = memoryMb();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  expect((await fetch(`${daemon.proxyUrl}/health`)).status).toBe(200);
  expect(memoryMb() - warmMb!).toBeLessThan(MAY_GROW_MB);
  const faults = daemon
    .logText()
    .split("\n")
    .filter((line) => line.includes('"level":"error"'));
  expect(faults.slice(0, 3)).toEqual([]);
}

/** 505 is the runtime's word for another version of HTTP; everything else from 500 on would be a fault of ours: upstream is well. */
function expectNoFault(status: number | null, text: string, sent: Buffer): void {
  if (status === null || status < 500 || status === 505) return;
  throw new Error(`${text.slice(0, 600)}\nto ${JSON.stringify(sent.toString("latin1").slice(0, 2_000))}`);
}

test(
  `${partOf(REQUESTS).count} requests: each is answered or refused, none by a fault of our own`,
  () =>
    seeded("fuzzed requests", () =>
      many("requests", REQUESTS, async (chance) => {
        const { status, text, sent } = await sendFuzzedRequest(address, chance);
        expectNoFault(status, text, sent);
        return 1;
      }),
    ),
  LIMIT_MS,
);

test(
  `${partOf(FRAMES).count} WebSocket frames: each connection answers a ping behind them, or is closed`,
  () => seeded("fuzzed frames", () => many("frames", FRAMES, (chance) => sendFuzzedFrames(address, chance))),
  LIMIT_MS,
);

test("nothing of it is left: no lease, no open exchange, and an ordinary request is served", async () => {
  await until(async () => (await control.openLeases()) === 0, "the end of all leases");
  await until(
    async () => (await control.exchanges()).every(({ endTime }) => endTime !== undefined),
    "the end of all exchanges",
  );
  for (const { id } of await control.accounts()) {
    await control.call("AccountService/ClearAccountCooldown", { accountId: id });
  }
  expect((await createProxyClient(daemon.proxyUrl, address.key).ask("codex")).status).toBe(200);
});
