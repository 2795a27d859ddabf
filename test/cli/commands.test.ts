/** Every noun against the real control socket, for people and for programs. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppError } from "../../src/base/errors.ts";
import type { AccountId } from "../../src/domain/account.ts";
import { accountOf, exchangeOf } from "../support/fake-engine.ts";
import { T0 } from "../support/manual-clock.ts";
import { type Desk, openDesk } from "./harness.ts";

const HOUR = 3_600_000;
const WORK = accountOf("work", {
  windows: [
    {
      limit: "codex",
      slot: "secondary",
      models: null,
      lengthMinutes: 10_080,
      usedPercent: 12,
      resetsAtMs: T0 + 72 * HOUR,
      observedAtMs: T0,
      observedFrom: "header",
    },
    {
      limit: "codex",
      slot: "primary",
      models: null,
      lengthMinutes: 300,
      usedPercent: 82.4,
      resetsAtMs: T0 + HOUR,
      observedAtMs: T0,
      observedFrom: "header",
    },
  ],
  use: { lastLeaseOrder: 1, lastLeasedAtMs: T0 - 180_000, lastServedAtMs: T0 - 170_000, turn: 0, exchangesByDay: [] },
});
const SPARE = accountOf("spare", {
  tier: "pro",
  windows: [
    {
      limit: "codex",
      slot: "primary",
      models: null,
      lengthMinutes: 300,
      usedPercent: 100,
      resetsAtMs: T0 + 2 * HOUR + 600_000,
      observedAtMs: T0,
      observedFrom: "error",
    },
  ],
});

let desk: Desk;
beforeAll(async () => {
  desk = await openDesk();
  desk.door.engine.put(WORK);
  desk.door.engine.put(SPARE);
  desk.door.engine.record(
    exchangeOf(1, {
      endedAtMs: T0 + 900,
      status: 200,
      servedBy: WORK.id,
      servedByAlias: "work",
      firstByteMs: 210,
      usage: { inputTokens: 11, cachedInputTokens: 4, outputTokens: 7, reasoningTokens: 2 },
      attempts: [
        {
          accountId: SPARE.id,
          alias: "spare",
          startedAtMs: T0 + 1,
          endedAtMs: T0 + 101,
          outcome: "window_exhausted",
          status: 429,
          message: "The usage limit has been reached",
          next: "next",
        },
        {
          accountId: WORK.id,
          alias: "work",
          startedAtMs: T0 + 101,
          endedAtMs: T0 + 900,
          outcome: "served",
          status: 200,
          message: null,
          next: "done",
        },
      ],
    }),
  );
});
afterAll(() => desk.close());

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

test("account list reads well: windows by length, holds with their end", async () => {
  const { out, err, exit } = await desk.run("account", "list");
  expect(exit).toBe(0);
  expect(err).toBe("");
  expect(out.split("\n")).toEqual([
    "#  ALIAS  TIER  WINDOWS            USED    LOGIN  STATE",
    "1  work   plus  5h 82 % · 7d 12 %  3m ago  1h     usable",
    "2  spare  pro   5h 100 %           never   1h     window used up, back in 2h 10m (14:10)",
    "",
  ]);
});

test("account list fits a terminal of 80 columns, with colour there only", async () => {
  const { out } = await desk.runWith({ columns: 80 }, "account", "list");
  expect(out).toContain("\x1b[32musable\x1b[39m");
  for (const line of out.split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
  const plain = await desk.runWith({ columns: 80, env: { NO_COLOR: "1" } }, "account", "list");
  expect(plain.out).not.toContain("\x1b");
});

test("--json is the response with implicit fields, before or after the command", async () => {
  for (const argv of [
    ["--json", "account", "list"],
    ["account", "list", "--json"],
    ["ctl", "account", "--json", "list"],
  ]) {
    const { out } = await desk.run(...argv);
    const { accounts } = json(out) as { accounts: Record<string, unknown>[] };
    expect(accounts.map((account) => account.alias)).toEqual(["work", "spare"]);
    expect(accounts[0]!.openLeases).toBe(0);
    expect(accounts[0]!.exchangesLastWeek).toBe("0");
    expect(accounts[0]!.holds).toEqual([]);
  }
});

test("account show tells all of one account by any of its names", async () => {
  for (const name of ["spare", "2", "spare@", "SPARE"]) {
    const { out } = await desk.run("account", "show", name);
    expect(out).toContain("held         window used up, back in 2h 10m (14:10): ");
    expect(out).toContain("window       5h 100 % used (critical), resets in 2h 10m (14:10), seen now");
    expect(out).toContain("e-mail       spare@example.org");
  }
});

test("disable and enable; the mending command stands beside the hold", async () => {
  expect((await desk.run("account", "disable", "spare")).err).toBe(
    "spare is disabled\nundo: rotor account enable spare\n",
  );
  expect((await desk.run("account", "show", "spare")).out).toContain("try: rotor account enable spare");
  expect((await desk.run("account", "enable", "spare")).exit).toBe(0);
});

test("rename says both names, and the daemon's refusal comes through with its exit code", async () => {
  expect((await desk.run("account", "rename", "spare", "second")).err).toBe(
    "spare is now second\nundo: rotor account rename second spare\n",
  );
  const taken = await desk.run("account", "rename", "second", "work");
  expect(taken).toEqual({
    out: "",
    err: "rotor account rename: work is taken\n  try: rotor account list\n",
    exit: 5,
  });
  const bad = await desk.run("account", "rename", "second", "Not An Alias", "--json");
  expect(bad.exit).toBe(2);
  expect(json(bad.err)).toMatchObject({ error: { code: "invalid_alias", retry_time: null } });
  await desk.run("account", "rename", "second", "spare");
});

test("refresh: done, and failed with the time to try again", async () => {
  expect((await desk.run("account", "refresh", "work")).err).toContain("renewed; the new access token lasts 1h");
  desk.door.engine.nextFailure = new AppError("upstream_unreachable", "no route to upstream", {
    retryAtMs: T0 + 60_000,
  });
  const { err, exit } = await desk.run("account", "refresh", "work");
  expect(exit).toBe(1);
  expect(err).toContain(
    "rotor account refresh: no route to upstream\n  again: in 1m (12:01)\n  try: check the network, then: rotor doctor\n",
  );
});

test("clear-cooldown says what is left", async () => {
  desk.door.engine.put({ ...WORK, cooldown: { untilMs: T0 + 60_000, reason: "rate_limited", step: 0 } as never });
  expect((await desk.run("account", "clear-cooldown", "work")).err).toBe("work: usable\n");
});

test("add and import read files, standard input and the Codex home; a dry run says would", async () => {
  const file = join(desk.home, "auth.json");
  writeFileSync(file, "{}");
  const dry = await desk.run("import", file, "--dry-run");
  expect(dry.out).toContain("would add  plus   new");
  expect(dry.err).toBe("note: something\nnothing was changed (--dry-run)\n");
  const home = await desk.runWith({ env: { CODEX_HOME: desk.home } }, "account", "add", "--alias", "third");
  expect(home.out).toContain("added   third  new");
  const piped = await desk.runWith({ stdin: "{}" }, "import", "-", "--json");
  expect(json(piped.out)).toMatchObject({ accounts: [{ action: "IMPORT_ACTION_ADD", alias: "plus" }] });
  const bad = await desk.runWith({ stdin: "[1]" }, "account", "add", "-");
  expect(bad.exit).toBe(2);
  for (const alias of ["third", "plus"]) await desk.run("account", "remove", alias, "--yes");
});

test("a file that is not there is named, with what to do about it", async () => {
  const missing = await desk.run("import", "/nowhere/auth.json");
  expect(missing).toMatchObject({
    exit: 2,
    err: "rotor import: /nowhere/auth.json cannot be read: it does not exist\n",
  });
  const none = await desk.runWith({ env: { CODEX_HOME: "/nowhere" } }, "account", "add");
  expect(none.err).toContain("the Codex CLI has no login here: /nowhere/auth.json does not exist\n  try: codex login");
});

test("remove asks on a terminal, and is refused where nobody can answer", async () => {
  desk.door.engine.put(accountOf("gone"));
  const piped = await desk.run("account", "remove", "gone");
  expect(piped.exit).toBe(5);
  expect(piped.err).toContain("try: rotor account remove gone --yes");
  const no = await desk.runWith({ answer: "n" }, "account", "remove", "gone");
  expect(no).toMatchObject({ exit: 1, out: "" });
  expect(no.err).toContain("Forget gone and its login? [y/N] ");
  expect((await desk.runWith({ answer: "y" }, "account", "remove", "gone")).exit).toBe(0);
  expect((await desk.run("account", "show", "gone")).exit).toBe(4);
});

test("pool show, strategy, pin and unpin", async () => {
  expect((await desk.run("pool", "strategy", "round_robin")).err).toBe("the strategy is round-robin\n");
  expect((await desk.run("pool", "strategy")).out).toBe("round-robin\n");
  const wrong = await desk.run("pool", "strategy", "round-robbin");
  expect(wrong.exit).toBe(2);
  expect(wrong.err).toContain("did you mean round-robin?");
  const pinned = await desk.run("pool", "pin", "spare", "--for", "2h");
  expect(pinned.err).toContain("only spare serves now; the pin ends in 2h (14:00)\n");
  expect(pinned.err).toContain("warning: spare may not serve: window used up");
  const shown = await desk.run("pool", "show");
  expect(shown.out).toContain("pin       spare, ends in 2h (14:00), since now");
  expect((await desk.run("pool", "strategy", "random")).err).toContain("it takes over when the pin is off");
  expect((await desk.run("pool", "unpin")).err).toBe("no pin; the strategy is random\n");
  expect((await desk.run("pool", "pin", "work", "--for", "2 lightyears")).exit).toBe(2);
  expect((await desk.run("pool", "pin", "work", "--for", "2h", "--until", "18:00")).exit).toBe(2);
});

test("pool explain: the order with its reason, and every hold of the others", async () => {
  const { out } = await desk.run("pool", "explain");
  expect(out).toContain("order (the strategy puts it first)\n  1. work  5h 82 % · 7d 12 %\n");
  expect(out).toContain("held\n  spare: window used up, back in 2h 10m (14:10): ");
  const { out: text } = await desk.run("pool", "explain", "--json");
  expect(json(text)).toMatchObject({ plan: { usableCount: 1, heldCount: 1, accountIds: [WORK.id] } });
});

test("keys: the secret alone on stdout, once; revoke needs a yes", async () => {
  const made = await desk.run("key", "create", "laptop");
  expect(made.out).toMatch(/^rtr_\S+\n$/);
  expect(json((await desk.run("key", "create", "desk", "--json")).out)).toMatchObject({ key: { name: "desk" } });
  const { out } = await desk.run("key", "list");
  expect(out).toContain("1  laptop  K000000000  now   never  valid");
  expect(out).not.toContain("rtr_");
  expect((await desk.run("key", "revoke", "laptop")).exit).toBe(5);
  expect((await desk.run("key", "revoke", "lap", "--yes")).err).toBe("the key laptop is revoked\n");
  expect((await desk.run("key", "create", "desk")).exit).toBe(5);
});

test("exchanges: a line each, and the story of one with why it moved", async () => {
  const { out } = await desk.run("exchange", "list");
  expect(out.split("\n").slice(0, 2)).toEqual([
    "#  ID          WHEN  MODEL     TOOK  STATUS  ACCOUNT",
    "1  01EXCH0000  now   gpt-5.4  899ms  200     spare → work",
  ]);
  for (const name of ["1", "01exch"]) {
    const story = await desk.run("exchange", "show", name);
    expect(story.out).toContain("  1. spare: 429 window exhausted after 100ms; moved to the next account\n");
    expect(story.out).toContain("     upstream said: The usage limit has been reached\n");
    expect(story.out).toContain("  2. work: 200 served after 799ms\n");
    expect(story.out).toContain("tokens    11 in (4 cached), 7 out (2 reasoning)");
  }
  expect((await desk.run("exchange", "show", "7")).exit).toBe(4);
  expect((await desk.run("exchange", "show", "01ZZ")).exit).toBe(4);
  expect((await desk.run("exchange", "list", "-n", "0")).exit).toBe(2);
  expect((await desk.run("exchange", "list", "--account", "spare")).err).toBe("no requests yet\n");
});

test("settings: list, get with its reason, set, reset and presets with a preview", async () => {
  expect((await desk.run("setting", "list")).out).toContain("wait_seconds");
  expect((await desk.run("setting", "get", "wait-seconds")).out).toContain(
    "reason   a short hold is worth waiting out",
  );
  expect((await desk.run("setting", "set", "wait_seconds", "60")).err).toBe("wait_seconds is 60\n");
  expect((await desk.run("setting", "set", "wait_seconds", "soon")).exit).toBe(2);
  expect((await desk.run("setting", "get", "wait_second")).exit).toBe(4);
  const preview = await desk.run("setting", "preset", "aggressive", "--dry-run");
  expect(preview.out).toMatch(/^wait_seconds +60 +5$/m);
  expect(preview.err).toBe("nothing was changed (--dry-run)\n");
  expect((await desk.run("setting", "reset", "wait_seconds")).out).toContain("wait_seconds  60      20");
  expect((await desk.run("setting", "reset")).err).toBe("nothing to change\n");
});

test("status is one page; --full adds counters and places", async () => {
  const { out } = await desk.run("status");
  expect(out).toContain(`daemon  rotor 0.1.0, pid ${process.pid}, up since now`);
  expect(out).toContain("state   ready");
  expect(out).toContain("accounts\n#  ALIAS");
  const full = await desk.run("status", "--full");
  expect(full.out).toContain("moved on      2");
  expect(full.out).toContain("upstream  https://upstream.example.org");
});

test("a state other than ready is said with its reason", async () => {
  desk.door.facts.setState("locked", "the key file is missing");
  const { out } = await desk.run("status");
  expect(out).toContain("state   locked: the key file is missing");
  desk.door.facts.setState("ready");
});

test("versions that differ are said, on stderr, and nothing is stopped by it", async () => {
  const { err, exit } = await desk.runWith({ version: "9.9.9" }, "account", "list");
  expect(exit).toBe(0);
  expect(err).toBe(
    "warning: this is rotor 9.9.9, but the running daemon is 0.1.0; change over with: rotor down && rotor up\n",
  );
  expect((await desk.run("version")).out).toBe("rotor 0.1.0\n");
  expect(json((await desk.run("version", "--json")).out)).toEqual({
    version: "0.1.0",
    commit: null,
    daemon_version: "0.1.0",
  });
});

test("doctor joins the daemon's findings with its own and fails when something is bad", async () => {
  // Port 0 is nobody's: nothing can listen there, whatever else runs on this machine.
  desk.door.facts.setProxyUrl("http://127.0.0.1:0");
  const { out, exit } = await desk.run("doctor");
  expect(out).toContain("  ✓ the store is sound");
  expect(out).toContain("  ! others may read the log\n    try: chmod 600 rotor.log");
  expect(out).toContain("  ✗ http://127.0.0.1:0 cannot be reached");
  expect(exit).toBe(1);
  const findings = json((await desk.run("doctor", "--json")).out).findings as { check: string; level: string }[];
  expect(findings.find((finding) => finding.check === "config.readable")?.level).toBe("FINDING_LEVEL_OK");
  desk.door.facts.setProxyUrl("http://127.0.0.1:4747");
});

test("a broken config is a finding, and commands that read it name the line", async () => {
  const env = { ROTOR_CONFIG: join(desk.home, "config.toml") };
  writeFileSync(env.ROTOR_CONFIG, "[proxy]\nprot = 1\n");
  const { out } = await desk.runWith({ env }, "doctor");
  expect(out).toContain("line 2: unknown key proxy.prot");
  const { err, exit } = await desk.runWith({ env }, "import");
  expect(exit).toBe(2);
  expect(err).toContain("line 2: unknown key proxy.prot");
});

test("watches print the whole, then changes, and end with 0 when stopped", async () => {
  for (const isJson of [false, true]) {
    const interrupt = new AbortController();
    let changed = false;
    const run = await desk.runWith(
      {
        interrupt,
        onOut(text) {
          const lines = text.trimEnd().split("\n");
          if (!changed && (isJson ? lines.length >= 1 : text.includes("spare"))) {
            changed = true;
            desk.door.engine.put({ ...WORK, enabled: false });
          }
          if (isJson ? lines.length >= 2 : text.includes("work: disabled")) interrupt.abort();
        },
      },
      ...["pool", "watch", ...(isJson ? ["--json"] : [])],
    );
    expect(run.exit).toBe(0);
    if (isJson) for (const line of run.out.trimEnd().split("\n")) expect(json(line)).toHaveProperty("pool.revision");
    desk.door.engine.put(WORK);
  }
  expect(desk.door.engine.watchers().pool).toBeLessThanOrEqual(2);
});

test("exchange watch prints an exchange when it moves and when it ends", async () => {
  const interrupt = new AbortController();
  const open = exchangeOf(5, { model: "gpt-5.5" });
  const moved = {
    ...open,
    attempts: [
      {
        accountId: SPARE.id as AccountId,
        alias: "spare",
        startedAtMs: T0,
        endedAtMs: T0,
        outcome: "window_exhausted" as const,
        status: 429,
        message: null,
        next: "next" as const,
      },
    ],
  };
  desk.door.engine.record(open);
  let step = 0;
  const run = await desk.runWith(
    {
      interrupt,
      onOut(text) {
        if (step === 0 && text.includes(open.id)) {
          step = 1;
          desk.door.engine.record(moved);
        } else if (step === 1 && text.includes("spare: window exhausted")) {
          step = 2;
          desk.door.engine.record({ ...moved, endedAtMs: T0 + 9, status: 429, errorCode: "pool_exhausted" });
        } else if (text.includes("429 pool_exhausted")) interrupt.abort();
      },
    },
    "exchange",
    "watch",
  );
  expect(run.exit).toBe(0);
  expect(run.out.split("\n").filter((line) => line.includes(open.id))).toHaveLength(3);
});

test("down asks the daemon to stop", async () => {
  const before = desk.door.facts.stops();
  const interrupt = new AbortController();
  const run = desk.runWith({ interrupt }, "down");
  while (desk.door.facts.stops() === before) await new Promise((resolve) => setImmediate(resolve));
  // The door of this test does not close by itself.
  interrupt.abort();
  expect((await run).exit).toBe(130);
});
