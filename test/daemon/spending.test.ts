/**
 * Limits, budgets and new secrets through the real proxy: refused once and before upstream is asked, in the shape that each client
 * understands.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { awayFromMidnight } from "../support/calendar.ts";
import { createProxyClient } from "./support/client.ts";
import { runCtl } from "./support/ctl.ts";
import { type Lane, openLane } from "./support/lane.ts";

let lane: Lane;

beforeAll(async () => {
  // Limits by the month end with it.
  await awayFromMidnight();
  lane = await openLane();
}, 400_000);

afterAll(() => lane[Symbol.asyncDispose]());

const ctl = async (...args: string[]) => {
  const { exit, stdout, stderr } = await runCtl(args, lane.stage.env());
  expect([args.join(" "), exit, stderr]).toEqual([args.join(" "), 0, expect.any(String)]);
  return stdout;
};
const clientWith = async (name: string, ...terms: string[]) => {
  return { name, client: createProxyClient(lane.client.url, (await ctl("key", "create", name, ...terms)).trim()) };
};
const errorIn = (text: string) => (JSON.parse(text) as { error: { code: string; message: string } }).error;

test("a limit and a budget are told once, with their name and reset, and count across the project header", () =>
  lane.withTrio(async () => {
    const { name, client } = await clientWith("counted", "--limit", "2 requests/month");
    for (const dress of ["codex", "sdk"] as const) expect((await client.ask(dress)).status).toBe(200);
    for (const dress of ["codex", "sdk"] as const) {
      const refused = await client.ask(dress);
      expect(refused.status).toBe(400);
      expect(errorIn(refused.text)).toMatchObject({ code: "key_limit_reached" });
      expect(errorIn(refused.text).message).toContain(name);
      expect(errorIn(refused.text).message).toMatch(/starts again \d{4}-\d{2}-01 00:00 UTC/);
    }
    await ctl("budget", "set", "site", "--scope", "project:site", "--limit", "1 request/month");
    const site = { headers: { "x-rotor-project": "site" } };
    expect((await lane.client.ask("sdk", site)).status).toBe(200);
    expect(errorIn((await lane.client.ask("sdk", site)).text).code).toBe("budget_exhausted");
    expect((await lane.client.ask("sdk")).status).toBe(200);
    const csv = await ctl("usage", "--by", "project", "--csv");
    expect(csv).toMatch(/^site,site,2,1,/m);
    expect(errorIn((await lane.client.ask("sdk", { headers: { "x-rotor-project": "=1+1" } })).text).code).toBe(
      "invalid_request",
    );
  }));

test("what a key may not ask for is a 403, and for Codex a 400; the old secret is good for its grace alone", () =>
  lane.withTrio(async () => {
    const { name, client } = await clientWith("narrow", "--models", "o3");
    expect([(await client.ask("sdk")).status, (await client.ask("codex")).status]).toEqual([403, 400]);
    await ctl("key", "limit", name, "--models", "none");
    const renewed = createProxyClient(lane.client.url, (await ctl("key", "rotate", name, "--grace", "1h")).trim());
    expect([(await client.ask("sdk")).status, (await renewed.ask("sdk")).status]).toEqual([200, 200]);
    const last = createProxyClient(lane.client.url, (await ctl("key", "rotate", name, "--grace", "0")).trim());
    const statuses = [client, renewed, last].map(async (one) => (await one.ask("sdk")).status);
    expect(await Promise.all(statuses)).toEqual([401, 401, 200]);
  }));
