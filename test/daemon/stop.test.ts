/**
 * The end of a daemon, asked for by SIGTERM or `rotor down`: open streams get their time, what does not end is cut, and what was learnt is
 * in the store for the next one.
 */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createProxyClient, type ProxyClient, shapeOf } from "./support/client.ts";
import type { ExchangeJson, KeyJson } from "./support/control.ts";
import { runCtl } from "./support/ctl.ts";
import type { DaemonProcess } from "./support/daemon-process.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until, within } from "./support/until.ts";

interface Scene {
  readonly stage: Stage;
  readonly daemon: DaemonProcess;
  readonly client: ProxyClient;
}

async function openScene(scenario: Parameters<typeof openStage>[0] = {}): Promise<Scene> {
  const stage = await openStage({ accounts: [{ alias: "alpha" }], ...scenario });
  const daemon = await stage.start();
  await daemon.control.importLogin(stage.sim.accounts[0], "alpha");
  return { stage, daemon, client: createProxyClient(daemon.proxyUrl, await daemon.control.createKey("test")) };
}

/** What the next daemon of the same home knows. */
async function afterwards(stage: Stage): Promise<{ next: DaemonProcess; exchanges: readonly ExchangeJson[] }> {
  const next = await stage.start();
  return { next, exchanges: await next.control.exchanges() };
}

const ENDS: Readonly<Record<string, (stage: Stage, daemon: DaemonProcess) => Promise<number>>> = {
  SIGTERM: (_stage, daemon) => daemon.terminate(),
  "rotor down": async (stage, daemon) => {
    const { exit } = await runCtl(["down"], stage.env());
    expect(exit).toBe(0);
    return daemon.exited;
  },
};

for (const [name, end] of Object.entries(ENDS)) {
  describe(name, () => {
    test.concurrent("lets an open stream end by itself, and keeps what was learnt from it", async () => {
      // Few events with long pauses: a busy machine adds to each of them, and the whole must fit into the grace.
      const { stage, daemon, client } = await openScene({ pacing: { deltas: 10, delayMs: 120 } });
      await using opened = stage;
      const stream = client.open("codex");
      await until(() => stream.text().includes("response.output_text.delta"), "output");
      const exit = end(opened, daemon);
      const received = await stream.received;
      expect(`${received.status} ${received.whole}`).toBe("200 true");
      expect(shapeOf(received.text)).toEqual(["response.created", "response.completed"]);
      expect(await within(exit, "the end of the daemon")).toBe(0);
      for (const left of ["rotor.sock", "daemon.json"]) expect(existsSync(join(daemon.home, left))).toBe(false);
      expect(stage.sim.requests().map((request) => request.end)).toEqual(["answered"]);

      const { next, exchanges } = await afterwards(opened);
      expect(exchanges.map(({ attempts }) => attempts?.map(({ outcome }) => outcome))).toEqual([["served"]]);
      expect(Number(exchanges[0]?.usage?.outputTokens)).toBeGreaterThan(0);
      const account = await next.control.account("alpha");
      expect(account.windows?.map(({ limit, slot }) => `${limit}/${slot}`)).toEqual([
        "codex/primary",
        "codex/secondary",
      ]);
      expect(Date.parse(account.lastServedTime!)).toBeGreaterThan(0);
      const { keys } = await next.control.call<{ keys: KeyJson[] }>("KeyService/ListKeys");
      expect(Date.parse(keys[0]!.lastUseTime!)).toBeGreaterThan(0);
    });

    test.concurrent("lets an order that is under way finish, with its answer and its entry in the audit", async () => {
      const { stage, daemon } = await openScene();
      await using opened = stage;
      stage.sim.addFault({ at: "revoke", kind: "late_answer", delayMs: 1_500 });
      const order = runCtl(["account", "remove", "alpha", "--revoke", "--yes"], stage.env());
      await until(() => stage.sim.requests().some(({ path }) => path === "/oauth/revoke"), "the order to ask upstream");
      expect(await within(end(opened, daemon), "the end of the daemon")).toBe(0);
      const { exit, stderr } = await order;
      expect(exit).toBe(0);
      expect(stderr).toContain("alpha is removed and its login revoked");
      const { next } = await afterwards(opened);
      expect(await next.control.accounts()).toEqual([]);
      const { entries } = await next.control.call<{ entries: { action: string }[] }>("AuditService/ListAuditEntries");
      expect(entries.map(({ action }) => action)).toContain("account.remove");
    });

    test.concurrent("cuts what does not end, ends watches, and records it all", async () => {
      const { stage, daemon, client } = await openScene();
      await using opened = stage;
      stage.sim.addFault({ at: "responses", kind: "stall", point: "middle" });
      stage.sim.addFault({ at: "responses", kind: "stall_before_headers", skip: 1 });
      const stalled = client.open("codex");
      await until(() => stalled.text().includes("response.output_text.delta"), "output");
      const unanswered = client.open("sdk");
      unanswered.received.catch(() => {});
      await until(() => stage.sim.requests().length === 2, "the second request at upstream");
      const watch = fetch("http://localhost/rotor.v1.PoolService/WatchPool", {
        unix: daemon.socket,
        method: "POST",
        headers: { "content-type": "application/connect+json" },
        body: new Uint8Array([0, 0, 0, 0, 2, 0x7b, 0x7d]),
      }).then((response) => response.text());
      const idle = connect(Number(new URL(daemon.proxyUrl).port), "127.0.0.1");
      await new Promise((resolve) => idle.once("connect", resolve));
      idle.on("error", () => {});

      expect(await within(end(opened, daemon), "the end of the daemon")).toBe(0);
      expect((await stalled.received).whole).toBe(false);
      await watch.catch(() => {});
      idle.destroy();
      expect(daemon.logText()).toContain('"daemon.stopped"');
      expect(daemon.logText()).not.toContain("stop_step_failed");
      const { next, exchanges } = await afterwards(opened);
      expect(exchanges.length).toBe(2);
      // Nobody is blamed for what an operator did.
      expect((await next.control.account("alpha")).holds ?? []).toEqual([]);
      for (const exchange of exchanges) expect(exchange.endTime).toBeDefined();
    });

    test.concurrent("waits for a refresh that is under way: its answer reaches the disk", async () => {
      const { stage, daemon } = await openScene();
      await using opened = stage;
      const { id } = await daemon.control.account("alpha");
      stage.sim.addFault({ at: "refresh", kind: "late_answer", delayMs: 800 });
      const call = daemon.control.call("AccountService/RefreshAccount", { accountId: id }).catch(() => null);
      await until(() => stage.sim.account("alpha").counters.refreshes === 1, "the refresh at upstream");
      expect(await within(end(opened, daemon), "the end of the daemon")).toBe(0);
      await call;
      const { next } = await afterwards(opened);
      expect((await next.control.account("alpha")).credentials.generation).toBe("2");
      expect(next.logText()).not.toContain("refresh_resumed");
      await next.control.call("AccountService/RefreshAccount", { accountId: id });
    });
  });
}

test.concurrent("kill -9 forgets at most the last moment: what was shown as done is there", async () => {
  const { stage, daemon, client } = await openScene();
  await using opened = stage;
  const received = await client.ask("codex");
  const id = received.headers.get("x-rotor-exchange")!;
  await until(async () => (await daemon.control.exchange(id)).endTime !== undefined, "the end of the exchange");
  await daemon.control.set("wait_seconds", 7);
  await daemon.kill();
  const { next, exchanges } = await afterwards(opened);
  expect(exchanges.map((exchange) => exchange.id)).toEqual([id]);
  const { setting } = await next.control.call<{ setting: { value: string } }>("SettingService/GetSetting", {
    key: "wait_seconds",
  });
  expect(setting.value).toBe("7");
});
