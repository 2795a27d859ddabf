/**
 * kill -9 at random moments while logins are renewed (product §5, contracts §15). Within upstream's grace window no login is lost;
 * without one exactly those are whose new tokens were on their way. ROTOR_TEST_SEED shows a failure again, ROTOR_TEST_DEPTH=deep kills more.
 */
import { expect, test } from "bun:test";
import type { FaultSpec } from "../../src/simulator/fault-book.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";
import { createProxyClient, speakerOf } from "./support/client.ts";
import type { AccountJson } from "./support/control.ts";
import type { DaemonProcess } from "./support/daemon-process.ts";
import { type Chance, IS_DEEP, seeded } from "./support/seed.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until, within } from "./support/until.ts";

const ALIASES = ["alpha", "beta", "gamma", "delta"] as const;
type Alias = (typeof ALIASES)[number];

const GRACE_KILLS = IS_DEEP ? 1_500 : 110;
const BARE_KILLS = IS_DEEP ? 600 : 50;
/** A kill takes about a third of a second with its restart; this only says "hangs". */
const TEST_MS = IS_DEEP ? 3_600_000 : 600_000;

/** A refresh and its commit take a few milliseconds: kills are spread over that and what follows. */
const KILL_WITHIN_MS = 30;
const LATE_MS = 25;

async function openPool(graceSeconds: number): Promise<{ stage: Stage; daemon: DaemonProcess }> {
  const stage = await openStage({ accounts: ALIASES.map((alias) => ({ alias })), oauth: { graceSeconds } });
  const daemon = await stage.start();
  for (const [i, alias] of ALIASES.entries()) await daemon.control.importLogin(stage.sim.accounts[i], alias);
  return { stage, daemon };
}

/** Asks for a refresh of every account at once; says which of them have not come back. */
function refreshAll(
  daemon: DaemonProcess,
  accounts: readonly AccountJson[],
): { pending: Set<string>; over: Promise<unknown> } {
  const pending = new Set<string>(accounts.map(({ alias }) => alias));
  const calls = accounts.map(({ id, alias }) =>
    daemon.control.call("AccountService/RefreshAccount", { accountId: id }).then(
      () => pending.delete(alias),
      // Refused, or cut off by the kill: the account's state is looked at afterwards.
      () => {},
    ),
  );
  return { pending, over: Promise.all(calls) };
}

/**
 * Half of the kills come at any moment, the other half when upstream has just given a new token away: how long it takes to get there depends
 * on the machine, that kills fall there does not.
 */
async function momentToKill(sim: Simulator, chance: Chance, over: Promise<unknown>): Promise<void> {
  const given = () => ALIASES.reduce((sum, alias) => sum + rotations(sim, alias), 0);
  const before = given();
  if (chance.fraction() < 0.5) await Bun.sleep(chance.fraction() * KILL_WITHIN_MS);
  else await Promise.race([over, until(() => given() > before, "a refresh at upstream")]);
}

function rotations(sim: Simulator, alias: string): number {
  return sim.account(alias).counters.refreshes;
}

const needsLogin = (account: AccountJson) =>
  account.holds?.some((hold) => hold.kind === "HOLD_KIND_NEEDS_LOGIN") === true;

/** Every login that a crash cut short was tried again, and the answer is in. How many there were. */
async function resumed(daemon: DaemonProcess): Promise<number> {
  const tries = daemon.logText().split('"credentials.refresh_resumed"').length - 1;
  await until(async () => {
    const { counters } = await daemon.control.call<{ counters: { refreshes?: string; refreshFailures?: string } }>(
      "DaemonService/GetStatus",
    );
    return Number(counters.refreshes ?? 0) + Number(counters.refreshFailures ?? 0) >= tries;
  }, "the end of the refreshes that were tried again");
  return tries;
}

/** The proof that a login lives: it can be renewed, and its account answers. */
async function expectAlive(daemon: DaemonProcess, alias: Alias, key: string): Promise<void> {
  const { id } = await daemon.control.account(alias);
  await daemon.control.call("AccountService/RefreshAccount", { accountId: id });
  await daemon.control.call("PoolService/PinAccount", { accountId: id });
  const received = await createProxyClient(daemon.proxyUrl, key).ask("codex");
  expect(`${received.status} ${speakerOf(received.text)}`).toBe(`200 ${alias}`);
}

function orderFaults(sim: Simulator, chance: Chance, kinds: readonly FaultSpec["kind"][]): void {
  for (const account of ALIASES) {
    const kind = chance.pick([null, ...kinds]);
    if (kind === null) continue;
    const more = kind === "late_answer" ? { delayMs: chance.between(1, LATE_MS) } : {};
    sim.addFault({ at: "refresh", account, kind, ...more });
  }
}

test.concurrent(
  `within the grace window ${GRACE_KILLS} kills during refreshes lose no login`,
  () =>
    seeded("grace", async (chance) => {
      const { stage, daemon: first } = await openPool(3_600);
      await using opened = stage;
      const { sim } = opened;
      const key = await first.control.createKey("test");
      const accounts = await first.control.accounts();
      let daemon = first;
      let inFlight = 0;
      for (let kill = 0; kill < GRACE_KILLS; kill++) {
        orderFaults(sim, chance, ["late_answer", "late_answer", "lost_answer"]);
        const { pending, over } = refreshAll(daemon, accounts);
        await momentToKill(sim, chance, over);
        if (pending.size > 0) inFlight++;
        await daemon.kill();
        await within(over, "the calls of a daemon that was killed");
        // Some die again while they start and try the old tokens once more.
        if (chance.fraction() < 0.2) {
          const dying = stage.spawn();
          await Bun.sleep(chance.between(50, 300));
          dying.signal("SIGKILL");
          await dying.exited;
          kill++;
        }
        sim.clearFaults();
        daemon = await stage.start();
      }
      await resumed(daemon);
      const lost = (await daemon.control.accounts()).filter(needsLogin).map(({ alias }) => alias);
      expect(lost).toEqual([]);
      const unsaved = await Promise.all(
        ALIASES.map(async (alias) => rotations(sim, alias) - generationOf(await daemon.control.account(alias)) + 1),
      );
      for (const alias of ALIASES) await expectAlive(daemon, alias, key);
      // The test has teeth only when kills met refreshes, and answers were lost by them.
      expect(inFlight).toBeGreaterThan(GRACE_KILLS / 4);
      expect(unsaved.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(GRACE_KILLS / 10);
    }),
  TEST_MS,
);

const generationOf = (account: AccountJson) => Number(account.credentials.generation);

test.concurrent(
  `without a grace window ${BARE_KILLS} kills cost exactly the logins whose new tokens were on their way`,
  () =>
    seeded("no grace", async (chance) => {
      const { stage, daemon: first } = await openPool(0);
      await using opened = stage;
      const { sim } = opened;
      const key = await first.control.createKey("test");
      let daemon = first;
      let lostInAll = 0;
      let keptInAll = 0;
      let triedAgain = 0;
      for (let kill = 0; kill < BARE_KILLS; kill++) {
        const before = await daemon.control.accounts();
        const saved = new Map(
          before.map((account) => [account.alias, generationOf(account) - rotations(sim, account.alias)]),
        );
        orderFaults(sim, chance, ["late_answer"]);
        const { pending, over } = refreshAll(
          daemon,
          before.filter(() => chance.fraction() < 0.8),
        );
        await momentToKill(sim, chance, over);
        const unanswered = new Set(pending);
        await daemon.kill();
        await within(over, "the calls of a daemon that was killed");
        sim.clearFaults();
        daemon = await stage.start();
        triedAgain += await resumed(daemon);
        const after = await daemon.control.accounts();
        // Upstream gave the old token away and the new one never reached the disk.
        const onTheWay = after
          .filter((account) => generationOf(account) - rotations(sim, account.alias) < saved.get(account.alias)!)
          .map(({ alias }) => alias);
        expect(after.filter(needsLogin).map(({ alias }) => alias)).toEqual(onTheWay);
        expect(onTheWay.filter((alias) => !unanswered.has(alias))).toEqual([]);
        lostInAll += onTheWay.length;
        keptInAll += after.length - onTheWay.length;
        for (const alias of onTheWay) {
          const again = await daemon.control.importLogin(sim.login(alias));
          expect(again.holds ?? []).toEqual([]);
        }
      }
      for (const alias of ALIASES) await expectAlive(daemon, alias, key);
      // A crash is found out about at once, not when somebody needs the login next.
      expect(triedAgain).toBeGreaterThanOrEqual(lostInAll);
      expect(lostInAll).toBeGreaterThan(BARE_KILLS / 10);
      expect(keptInAll).toBeGreaterThan(BARE_KILLS / 2);
    }),
  TEST_MS,
);
