/**
 * kill -9 at any moment loses nothing that was acknowledged. The moments come from a seed: a failure prints it; ROTOR_TEST_SEED
 * runs it again, ROTOR_TEST_CRASHES sets how many.
 */
import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/base/clock.ts";
import { readHost } from "../../src/base/env.ts";
import { systemDice } from "../../src/base/id.ts";
import { silentLog } from "../../src/base/log.ts";
import { acquireLock } from "../../src/store/lock.ts";
import { openSqliteStore } from "../../src/store/sqlite-store.ts";
import { accountLike, exchangeId } from "../support/store-samples.ts";
import { ACCOUNTS, credentialsOf, intentOf, storePaths } from "./crash-facts.ts";

const { env } = readHost();
const CRASHES = Number(env.ROTOR_TEST_CRASHES ?? 30);
const SEED = Number(env.ROTOR_TEST_SEED ?? 20_261_121);
/** So many kills hit one folder before a fresh one starts: both young and grown files are hit. */
const KILLS_PER_FOLDER = 6;

interface Acknowledged {
  /** Highest generation said to be committed, by account. */
  readonly committed: Map<number, number>;
  /** Highest generation whose intent was said to be written. */
  readonly began: Map<number, number>;
  /** Highest generation whose exchange was said to be written. */
  readonly exchanged: Map<number, number>;
}

/** Starts a writer, kills it after `lines` lines and takes in everything that it had said until then. */
async function killedAfter(lines: number, folder: string, acknowledged: Acknowledged): Promise<void> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "crash-child.ts"), folder], {
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  let killed = false;
  const decoder = new TextDecoder();
  try {
    for await (const chunk of child.stdout) {
      text += decoder.decode(chunk, { stream: true });
      if (killed || text.split("\n").length - 1 < lines) continue;
      killed = true;
      child.kill("SIGKILL");
    }
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
  if (!killed) throw new Error(`the writer ended by itself: ${await new Response(child.stderr).text()}`);
  // The last piece may be half a line: not said.
  for (const line of text.split("\n").slice(0, -1)) {
    const [verb, account, generation] = line.split(" ");
    const said = verb === "committed" || verb === "began" || verb === "exchanged" ? acknowledged[verb] : null;
    said?.set(Number(account), Math.max(Number(generation), said.get(Number(account)) ?? 0));
  }
}

async function judge(folder: string, acknowledged: Acknowledged): Promise<void> {
  const lock = acquireLock(join(folder, "data", "rotor.lock"));
  const store = await openSqliteStore({
    paths: storePaths(folder),
    dice: systemDice,
    clock: systemClock,
    log: silentLog,
  });
  try {
    expect(await store.check()).toMatchObject({ integrity: "ok", looseFiles: [] });
    if (acknowledged.committed.size === 0) return;
    const { accounts } = await store.loadPool();
    const intents = await store.refreshIntents();
    for (const n of ACCOUNTS) {
      const { credentials, generation } = await store.loadCredentials(accountLike(n).id);
      expect(credentials).toEqual(credentialsOf(n, generation));
      expect(accounts[n - 1]!.credentials.generation).toBe(generation);
      const committed = acknowledged.committed.get(n) ?? 0;
      const began = acknowledged.began.get(n) ?? 0;
      // The write that was under way may have been finished; nothing older than what was said may be there.
      expect([committed, committed + 1]).toContain(generation);
      const intent = intents.find((one) => one.accountId === accountLike(n).id) ?? null;
      if (began === generation) expect(intent).toEqual(intentOf(n, generation));
      if (intent !== null) expect(intent).toEqual(intentOf(n, generation));
      const exchanged = acknowledged.exchanged.get(n);
      if (exchanged !== undefined) expect(await store.getExchange(exchangeId(exchanged * 10 + n))).not.toBeNull();
    }
  } finally {
    await store.close();
    lock.release();
  }
}

/** Numbers in [0, 1) from a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(`${CRASHES} kills lose nothing that was acknowledged (seed ${SEED})`, async () => {
  const random = seeded(SEED);
  let folder = "";
  let acknowledged: Acknowledged = { committed: new Map(), began: new Map(), exchanged: new Map() };
  let refreshes = 0;
  try {
    for (let kill = 0; kill < CRASHES; kill++) {
      if (kill % KILLS_PER_FOLDER === 0) {
        if (folder !== "") rmSync(folder, { recursive: true, force: true });
        folder = mkdtempSync(join(tmpdir(), "rotor-crash-"));
        acknowledged = { committed: new Map(), began: new Map(), exchanged: new Map() };
      }
      // One in four dies while it opens the store, the others somewhere in their work.
      const lines = random() < 0.25 ? 1 + Math.floor(random() * 2) : 5 + Math.floor(random() * 150);
      await killedAfter(lines, folder, acknowledged);
      await judge(folder, acknowledged);
      refreshes = Math.max(refreshes, ...acknowledged.committed.values());
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  // Guards against a test that kills before anything happens.
  expect(refreshes).toBeGreaterThan(CRASHES > 5 ? 10 : 0);
}, 600_000);
