/** `rotor pool forecast`, `rotor pool best` and what `account show` says of the last 24 hours. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import type { WindowSample } from "../../src/domain/window-history.ts";
import { aWindow } from "../support/builders.ts";
import { accountOf, type FakeEngine } from "../support/fake-engine.ts";
import { T0 } from "../support/manual-clock.ts";
import { type Desk, openDesk } from "./harness.ts";

const HOUR_MS = 3_600_000;
let desk: Desk;
let engine: FakeEngine;
beforeEach(async () => {
  desk = await openDesk();
  engine = desk.door.engine;
});
afterEach(() => desk.close());

/** An account whose week was used by `percentPerHour` for the last day. */
function put(alias: string, usedPercent: number, percentPerHour: number, resetHours = 140): void {
  const resetsAtMs = T0 + resetHours * HOUR_MS;
  const window = aWindow({ lengthMinutes: 10_080, usedPercent, resetsAtMs });
  const account = accountOf(alias, { windows: [window] });
  engine.put(account);
  for (let hour = 24; hour >= 0; hour--) {
    const { limit, slot, lengthMinutes } = window;
    const sample = { accountId: account.id, limit, slot, lengthMinutes, resetsAtMs };
    const used = usedPercent - percentPerHour * hour;
    engine.samples.push({ ...sample, usedPercent: used, atMs: T0 - hour * HOUR_MS } satisfies WindowSample);
  }
}

test("forecast says how long the pool and every window last", async () => {
  put("work", 60, 2);
  put("home", 10, 0);
  const { out } = await desk.run("pool", "forecast");
  expect(out).toBe(
    [
      "the pool lasts until Tue 05:00 (2d 17h)",
      "  long windows: 65 % left, 2.0 %/h of a Plus window asked, run out in 2d 17h (Tue 05:00)",
      "",
      "ALIAS  WINDOW  USED     PACE  LASTS",
      "work   7d      60 %  2.0 %/h  runs out in 20h (Sun 08:00)",
      "home   7d      10 %  0.0 %/h  to its reset in 5d 20h (Fri 08:00)",
      "",
    ].join("\n"),
  );
});

test("forecast answers what-if: without an account, with one more", async () => {
  put("work", 60, 2);
  put("home", 10, 0);
  const without = (await desk.run("pool", "forecast", "--without", "home")).out.trimEnd().split("\n").at(-1);
  expect(without).toBe("without home the pool lasts until Sun 08:00 (20h), 1d 21h less");
  const more = (await desk.run("pool", "forecast", "--with", "pro")).out.trimEnd().split("\n").at(-1);
  expect(more).toBe("with one more pro the pool lasts: nothing runs out for good at this pace");
  const json = JSON.parse((await desk.run("pool", "forecast", "--without", "home", "--json")).out);
  expect(json.forecast.accounts.map((account: { counts: boolean }) => account.counts)).toEqual([true, false]);
  expect((await desk.run("pool", "forecast", "--without", "nobody")).exit).toBe(4);
});

test("forecast of a pool that nobody has used yet says so", async () => {
  engine.put(accountOf("work"));
  expect((await desk.run("pool", "forecast")).out).toContain("nothing was observed yet");
});

test("forecast --live draws again when something changes, and ends when it is stopped", async () => {
  for (const isJson of [false, true]) {
    engine.put(accountOf("work"));
    const late = isJson ? "latecomer" : "newcomer";
    const interrupt = new AbortController();
    let changed = false;
    const run = await desk.runWith(
      {
        interrupt,
        ...(isJson ? {} : { columns: 100 }),
        onOut(text) {
          if (!changed) {
            changed = true;
            engine.put(accountOf(late));
          }
          if (text.includes(late)) interrupt.abort();
        },
      },
      ...["pool", "forecast", "--live", ...(isJson ? ["--json"] : [])],
    );
    expect(run.exit).toBe(0);
    if (isJson)
      for (const line of run.out.trimEnd().split("\n")) expect(JSON.parse(line)).toHaveProperty("forecast.time");
    else expect(run.out).toStartWith("\u001b[2J\u001b[H");
  }
  expect((await desk.run("pool", "forecast", "--live")).err).toContain("--live draws on a terminal, which this is not");
  expect((await desk.run("pool", "forecast", "--live", "--json", "--with", "plus")).exit).toBe(2);
});

test("best names one account and why, or exits with 1", async () => {
  put("work", 60, 2);
  expect((await desk.run("pool", "best")).out).toBe(
    "work: nobody else is usable; 7d 60 %, at this pace until Sun 08:00 (20h)\n",
  );
  put("home", 10, 0);
  expect((await desk.run("pool", "best")).out).toStartWith("work: balanced: most would expire unused there; 7d 60 %");
  await desk.run("pool", "pin", "home");
  expect((await desk.run("pool", "best")).out).toBe("home: it is pinned; 7d 10 %\n");
  expect(JSON.parse((await desk.run("pool", "best", "--json")).out).plan.reason).toBe("PLAN_REASON_PIN");
  engine.put(accountOf("home", { enabled: false }));
  const none = await desk.run("pool", "best");
  expect([none.exit, none.out]).toEqual([1, ""]);
  expect(none.err).toContain("nobody is usable");
});

test("account show draws the last 24 hours of each window", async () => {
  put("work", 60, 2);
  expect((await desk.run("account", "show", "work")).out).toContain(
    "last 24h     7d ▂▂▂▂▂▂▃▃▃▃▃▃▄▄▄▄▄▄▅▅▅▅▅▅ 2.0 %/h, runs out in 20h (Sun 08:00)",
  );
});
