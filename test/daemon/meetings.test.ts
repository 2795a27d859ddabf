/**
 * Processes that meet at a bad moment: a command while the daemon stops, signals that come twice, a terminal that hangs up, what a dead
 * daemon left. What happens is one of two orders, never a third thing.
 */
import { expect, test } from "bun:test";
import { appendFileSync, existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createProxyClient } from "./support/client.ts";
import { runCtl } from "./support/ctl.ts";
import { type DaemonProcess, ROTOR, readDaemonFile } from "./support/daemon-process.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until, within } from "./support/until.ts";

/** A daemon with a stream open that does not end by itself: it needs its whole grace to stop. */
async function openBusy(): Promise<{ stage: Stage; daemon: DaemonProcess; gone: Promise<unknown> }> {
  const stage = await openStage({ accounts: [{ alias: "alpha" }] });
  writeFileSync(join(stage.home(), "config.toml"), "[proxy]\nport = 0\n");
  const daemon = await stage.start();
  await daemon.control.importLogin(stage.sim.accounts[0], "alpha");
  const client = createProxyClient(daemon.proxyUrl, await daemon.control.createKey("test"));
  stage.sim.addFault({ at: "responses", kind: "stall", point: "middle" });
  const stalled = client.open("codex");
  await until(() => stalled.text().includes("response.output_text.delta"), "output");
  return { stage, daemon, gone: stalled.received.catch(() => null) };
}

/** From here on it is on its way out, and says so. */
async function beginEnd(daemon: DaemonProcess): Promise<void> {
  void daemon.terminate();
  await until(() => readDaemonFile(daemon.home)?.pid !== daemon.pid, "the beginning of the end");
}

test.concurrent("`up` while the old daemon stops waits for it and starts the next one", async () => {
  const { stage, daemon, gone } = await openBusy();
  await using opened = stage;
  await beginEnd(daemon);
  const up = await runCtl(["up", "--json"], opened.env());
  expect({ exit: up.exit, stderr: up.stderr }).toMatchObject({ exit: 0 });
  const { pid } = (JSON.parse(up.stdout) as { daemon: { pid: string } }).daemon;
  expect(Number(pid)).not.toBe(daemon.pid);
  expect(await daemon.exited).toBe(0);
  await gone;
});

test.concurrent("looks and orders while it stops go to the next one; `status` starts none", async () => {
  const { stage, daemon, gone } = await openBusy();
  await using opened = stage;
  await beginEnd(daemon);
  const env = opened.env();
  const [status, list, order] = await Promise.all([
    runCtl(["status", "--json"], env),
    runCtl(["account", "list", "--json"], env),
    runCtl(["setting", "set", "wait_seconds", "7"], env),
  ]);
  expect({ exit: list.exit, said: list.stderr }).toMatchObject({ exit: 0 });
  expect({ exit: order.exit, said: order.stderr }).toMatchObject({ exit: 0 });
  expect(JSON.parse(list.stdout)).toMatchObject({ accounts: [{ alias: "alpha" }] });
  // Before the two others had started one, or after.
  expect([0, 3]).toContain(status.exit);
  expect(await daemon.exited).toBe(0);
  await gone;
});

test.concurrent("`down` while it stops waits for its end, and two of them are one", async () => {
  const { stage, daemon, gone } = await openBusy();
  await using opened = stage;
  await beginEnd(daemon);
  const downs = await Promise.all([runCtl(["down"], opened.env()), runCtl(["down"], opened.env())]);
  expect(downs.map(({ exit }) => exit)).toEqual([0, 0]);
  expect(existsSync(daemon.socket)).toBe(false);
  expect(await daemon.exited).toBe(0);
  await gone;
});

test.concurrent("a supervisor that says SIGTERM twice gets a tidy end all the same", async () => {
  const { stage, daemon, gone } = await openBusy();
  await using _ = stage;
  await beginEnd(daemon);
  expect(await within(daemon.terminate(), "the end of the daemon")).toBe(0);
  expect(daemon.logText()).toContain('"daemon.stopped"');
  expect(existsSync(daemon.socket)).toBe(false);
  await gone;
});

test.concurrent("what a killed daemon left names nobody any more once another has begun", async () => {
  await using stage = await openStage({ accounts: [] });
  const home = stage.home();
  writeFileSync(join(home, "daemon.json"), JSON.stringify({ pid: process.pid, socket: join(home, "rotor.sock") }));
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  const failed = stage.spawn({ args: ["--port", String(port)] });
  expect(await failed.exited).toBe(1);
  expect(readDaemonFile(home)).toBeNull();
  taken.close();
});

/** A ctl that goes on until it is told to stop, and everything that it has said so far. */
function following(args: readonly string[], env: Record<string, string>) {
  const child = Bun.spawn([...args], { env, cwd: "/", stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const said = { text: "" };
  const read = async (stream: ReadableStream<Uint8Array>) => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) said.text += decoder.decode(bytes, { stream: true });
  };
  const ended = Promise.all([child.exited, read(child.stdout), read(child.stderr)]).then(([exit]) => exit);
  return { child, said, ended };
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test.concurrent(`${signal} ends a watch and a followed log as done`, async () => {
    await using stage = await openStage({ accounts: [] });
    const daemon = await stage.start();
    const env = stage.env();
    const watch = following([...ROTOR, "exchange", "watch"], env);
    const log = following([...ROTOR, "log", "-f"], env);
    await until(() => watch.said.text.includes("watching"), "the watch");
    await until(() => log.said.text.includes("daemon.started"), "the log");
    for (const one of [watch, log]) {
      one.child.kill(signal);
      expect(await within(one.ended, `the end of ${signal}`)).toBe(0);
    }
    expect(daemon.logText()).not.toContain("call.failed");
  });
}

// Only Linux tells a program whether it was started that way.
test.skipIf(process.platform !== "linux")("nohup: a terminal that hangs up is none of its business", async () => {
  await using stage = await openStage({ accounts: [] });
  const logFile = join(stage.home(), "rotor.log");
  writeFileSync(logFile, '{"level":"info","event":"first.line"}\n');
  const log = following(["nohup", ...ROTOR, "log", "-f"], stage.env());
  await until(() => log.said.text.includes("first.line"), "the log");
  log.child.kill("SIGHUP");
  appendFileSync(logFile, '{"level":"info","event":"second.line"}\n');
  await until(() => log.said.text.includes("second.line"), "what was written after the hangup");
  log.child.kill("SIGTERM");
  expect(await log.ended).toBe(0);
});
