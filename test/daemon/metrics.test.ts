/**
 * Metrics as a Prometheus gets them from the real daemon: only when they are asked for, only from loopback names, with the figures of what
 * was really served, and nothing in them that would name a person or open an account.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createProxyClient } from "./support/client.ts";
import type { DaemonProcess } from "./support/daemon-process.ts";
import { sendRaw } from "./support/raw-http.ts";
import { openStage, type Stage } from "./support/stage.ts";
import { until } from "./support/until.ts";

let stage: Stage;
let daemon: DaemonProcess;
let key: string;

beforeAll(async () => {
  stage = await openStage({ accounts: [{ alias: "alpha" }, { alias: "beta" }] });
  daemon = await stage.start({ env: { ROTOR_METRICS_LISTEN: "127.0.0.1:0", ROTOR_SETTING_WAIT_SECONDS: "0" } });
  for (const [index, alias] of ["alpha", "beta"].entries()) {
    await daemon.control.importLogin(stage.sim.accounts[index], alias);
  }
  key = await daemon.control.createKey("test");
});

afterAll(() => stage[Symbol.asyncDispose]());

const metricsUrl = (home = daemon.home): string | null =>
  (JSON.parse(readFileSync(join(home, "daemon.json"), "utf8")) as { metrics_url: string | null }).metrics_url;

const get = (url: string, headers: Record<string, string> = {}, method = "GET") =>
  sendRaw(url, { method, headers }).received;

/** The samples of one metric: its labels as they are printed, and the value. */
async function samples(name: string): Promise<Map<string, number>> {
  const { text } = await get(metricsUrl()!);
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] === name) found.set(match[2] ?? "", Number(match[3]));
  }
  return found;
}

const sum = (found: Map<string, number>) => [...found.values()].reduce((total, value) => total + value, 0);

test("what was served, tried and moved is counted, and the state of the pool is told", async () => {
  const client = createProxyClient(daemon.proxyUrl, key);
  // Whoever is asked first is out.
  stage.sim.addFault({ at: "responses", kind: "usage_limit", resetsInSeconds: 3_600, times: 1 });
  for (const dress of ["codex", "sdk", "folded"] as const) expect((await client.ask(dress)).status).toBe(200);
  await until(async () => sum(await samples("rotor_exchanges_total")) === 3, "three exchanges in the metrics");
  const exchanges = await samples("rotor_exchanges_total");
  const served = [...exchanges.keys()].filter(
    (labels) => labels.includes('status="200"') && labels.includes('outcome="served"'),
  );
  expect(served).toHaveLength(2);
  const attempts = await samples("rotor_attempts_total");
  expect(attempts.get('outcome="served"')).toBe(3);
  expect(attempts.get('outcome="window_exhausted"')).toBe(1);
  expect(sum(await samples("rotor_failovers_total"))).toBe(1);
  expect(sum(await samples("rotor_first_event_seconds_count"))).toBe(3);
  expect(sum(await samples("rotor_tokens_total"))).toBeGreaterThan(0);
  expect((await samples("rotor_accounts")).get("")).toBe(2);
  expect([...(await samples("rotor_open_leases"))]).toEqual([
    ['account="alpha"', 0],
    ['account="beta"', 0],
  ]);
  const used = [...(await samples("rotor_window_used_percent")).keys()];
  expect(used.some((labels) => labels.includes('account="beta"'))).toBe(true);
  expect((await samples("rotor_resident_memory_bytes")).get("")).toBeGreaterThan(1024 * 1024);
  expect((await samples("rotor_ready")).get("")).toBe(1);
});

describe("nothing in them names a person or opens an account", () => {
  test("no address, no token, no key, no id, no model", async () => {
    const { text } = await get(metricsUrl()!);
    expect(text).not.toContain("@");
    expect(text).not.toContain("gpt-");
    expect(text).not.toContain(key);
    for (const account of stage.sim.accounts) {
      const { access_token, refresh_token, account_id } = account.tokens;
      for (const secret of [access_token, refresh_token, account_id]) expect(text).not.toContain(secret);
    }
  });
});

describe("the door", () => {
  test("answers to loopback names alone", async () => {
    expect((await get(metricsUrl()!, { host: "evil.example" })).status).toBe(403);
    expect((await get(metricsUrl()!, { origin: "https://evil.example" })).status).toBe(403);
    expect((await get(metricsUrl()!, { host: "localhost" })).status).toBe(200);
  });

  test("has one route, and the proxy has none", async () => {
    expect((await get(metricsUrl()!.replace("/metrics", "/"))).status).toBe(404);
    expect((await get(metricsUrl()!, {}, "POST")).status).toBe(405);
    const headers = { authorization: `Bearer ${key}` };
    expect((await get(`${daemon.proxyUrl}/metrics`, headers)).status).toBe(404);
  });

  test("is not there unless the config names it", async () => {
    const other = await stage.start({ home: "off" });
    expect(metricsUrl(other.home)).toBeNull();
    expect(other.logText()).not.toContain("metrics.listening");
  });

  test("a lock and an unlock neither lose counts nor count twice", async () => {
    const before = sum(await samples("rotor_exchanges_total"));
    await daemon.control.call("SealService/LockSeal");
    expect((await samples("rotor_ready")).get("")).toBe(0);
    await daemon.control.call("SealService/UnlockSeal");
    await createProxyClient(daemon.proxyUrl, key).ask("codex");
    await until(async () => sum(await samples("rotor_exchanges_total")) > before, "the next exchange in the metrics");
    expect(sum(await samples("rotor_exchanges_total"))).toBe(before + 1);
  });
});
