/**
 * However many ask at once, one refresh of an account goes upstream (product §5): asked for by operators, by requests that met a 401,
 * or by both. Counted by the simulator.
 */
import { expect, test } from "bun:test";
import type { RequestRecord } from "../../src/simulator/recorder.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";
import { createProxyClient, DRESSES } from "./support/client.ts";
import { openStage } from "./support/stage.ts";
import { until } from "./support/until.ts";

const refreshesOf = (sim: Simulator): RequestRecord[] =>
  sim.requests().filter((request) => request.path === "/oauth/token");

/** Long enough for every call of a test to arrive while the first refresh is under way, on a machine that does something else too. */
const ANSWER_LATE_MS = 8_000;

for (const count of [2, 64]) {
  test.concurrent(`${count} operators who ask for a refresh at once send one request upstream`, async () => {
    await using stage = await openStage({ accounts: [{ alias: "alpha" }] });
    const { control } = await stage.start();
    const { id } = await control.importLogin(stage.sim.accounts[0], "alpha");
    stage.sim.addFault({ at: "refresh", kind: "late_answer", delayMs: ANSWER_LATE_MS });
    const answers = await Promise.all(
      Array.from({ length: count }, () =>
        control.call<{ account: { credentials: { generation: string } } }>("AccountService/RefreshAccount", {
          accountId: id,
        }),
      ),
    );
    expect(new Set(answers.map(({ account }) => account.credentials.generation))).toEqual(new Set(["2"]));
    expect(refreshesOf(stage.sim).length).toBe(1);
  });

  test.concurrent(`${count} requests that meet an expired token share one refresh, and none of them notices`, async () => {
    await using stage = await openStage({ accounts: [{ alias: "alpha" }] });
    const { control, proxyUrl } = await stage.start({ env: { ROTOR_SETTING_ACCOUNT_MAX_LEASES: "100" } });
    await control.importLogin(stage.sim.accounts[0], "alpha");
    const client = createProxyClient(proxyUrl, await control.createKey("test"));
    stage.sim.expireAccess("alpha");
    stage.sim.addFault({ at: "refresh", kind: "late_answer", delayMs: 200 });
    const received = await Promise.all(
      Array.from({ length: count }, (_, i) => client.ask(DRESSES[i % DRESSES.length]!)),
    );
    expect(new Set(received.map(({ status }) => status))).toEqual(new Set([200]));
    expect(refreshesOf(stage.sim).length).toBe(1);
    expect((await control.account("alpha")).credentials.generation).toBe("2");
  });
}

test.concurrent("operators and requests share one refresh", async () => {
  await using stage = await openStage({ accounts: [{ alias: "alpha" }] });
  const { control, proxyUrl } = await stage.start();
  const { id } = await control.importLogin(stage.sim.accounts[0], "alpha");
  const client = createProxyClient(proxyUrl, await control.createKey("test"));
  stage.sim.addFault({ at: "refresh", kind: "late_answer", delayMs: ANSWER_LATE_MS });
  stage.sim.expireAccess("alpha");
  const asked = Array.from({ length: 8 }, () => client.ask("codex"));
  await until(() => refreshesOf(stage.sim).length > 0, "the refresh of the first request");
  const forced = Array.from({ length: 8 }, () => control.call("AccountService/RefreshAccount", { accountId: id }));
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array(8).fill(200));
  await Promise.all(forced);
  expect(refreshesOf(stage.sim).length).toBe(1);
});

test.concurrent("an answer that is lost on the way is asked for once, and the next try uses the grace window", async () => {
  await using stage = await openStage({ accounts: [{ alias: "alpha" }] });
  const { control } = await stage.start();
  const { id } = await control.importLogin(stage.sim.accounts[0], "alpha");
  // A first one leaves a connection behind that is kept open: on such a one a client library may send again by itself.
  await control.call("AccountService/RefreshAccount", { accountId: id });
  stage.sim.addFault({ at: "refresh", kind: "lost_answer" });
  const refused = await control.call("AccountService/RefreshAccount", { accountId: id }).catch((error) => error.code);
  expect(refused).toBe("upstream_unreachable");
  expect(refreshesOf(stage.sim).length).toBe(2);
  expect((await control.account("alpha")).holds?.map(({ kind }) => kind)).toEqual(["HOLD_KIND_COOLING_DOWN"]);
  await control.call("AccountService/RefreshAccount", { accountId: id });
  expect((await control.account("alpha")).holds ?? []).toEqual([]);
});
