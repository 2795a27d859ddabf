/** Orders about many logins: each step told, two at a time, stopped between accounts, and no token spent in vain. */
import { expect, test } from "bun:test";
import type { Account } from "../../src/domain/account.ts";
import type { LoginStep } from "../../src/pool/login-step.ts";
import type { RefreshResult } from "../../src/upstream/upstream.ts";
import { anAccount } from "../support/builders.ts";
import { T0 } from "../support/manual-clock.ts";
import { createPoolRoom, rotate } from "../support/pool-room.ts";

const lost = (reason: string): Account["login"] => ({ kind: "needs_login", reason, sinceMs: T0 });
const open = () => new AbortController().signal;
const said = ({ alias, state }: LoginStep) => `${alias} ${state}`;

async function all(steps: AsyncIterable<LoginStep>): Promise<LoginStep[]> {
  const found: LoginStep[] = [];
  for await (const step of steps) found.push(step);
  return found;
}

const GOOD = anAccount({ n: 1 });
const SHARED = anAccount({ n: 2, refreshOwner: { kind: "file", path: "/home/ann/auth.json" } });
const SPENT = anAccount({ n: 3, login: lost("refresh_token_reused") });
const UNTRIED = anAccount({ n: 4, login: lost("unauthorized") });
const MIXED = [GOOD, SHARED, SPENT, UNTRIED];
const idsOf = (accounts: readonly Account[]) => accounts.map(({ id }) => id);

test("a rehearsal says what would be done and why not the rest, and sends nothing", async () => {
  const room = await createPoolRoom({ accounts: MIXED, issuer: rotate(MIXED, T0 + 9e6) });
  const steps = await all(room.engine.accounts.refreshAll(idsOf(MIXED), { dryRun: true, signal: open() }));
  expect(steps.map(({ state }) => state)).toEqual(["queued", "skipped", "skipped", "skipped"]);
  expect(steps[1]!.text).toContain("/home/ann/auth.json");
  expect(steps[2]!.text).toContain("refresh_token_reused");
  const probe = await all(room.engine.accounts.probeAll(idsOf(MIXED), { dryRun: true, signal: open(), ask: null }));
  expect(probe.map(({ state }) => state)).toEqual(["queued", "skipped", "skipped", "queued"]);
  expect(room.refreshed).toEqual([]);
  expect(await room.engine.audit.list({ limit: 9 })).toEqual([]);
  await room.engine.close();
});

test("a refresh renews what it may and nothing else", async () => {
  const room = await createPoolRoom({ accounts: MIXED, issuer: rotate(MIXED, T0 + 9e6) });
  const steps = await all(room.engine.accounts.refreshAll(idsOf(MIXED), { dryRun: false, signal: open() }));
  expect(steps.at(-1)).toMatchObject({ accountId: GOOD.id, state: "done" });
  expect(room.refreshed).toEqual([`refresh-${GOOD.alias}-1`]);
  expect(room.engine.accounts.get(GOOD.id)!.credentials.generation).toBe(2);
  await room.engine.close();
});

test("a probe restores a lost login whose refresh token is untried, once; a spent one is not shown again", async () => {
  const room = await createPoolRoom({ accounts: MIXED, issuer: rotate(MIXED, T0 + 9e6) });
  const steps = await all(
    room.engine.accounts.probeAll(idsOf([SPENT, UNTRIED]), { dryRun: false, signal: open(), ask: null }),
  );
  expect(steps.map(said)).toEqual([
    `${SPENT.alias} skipped`,
    `${UNTRIED.alias} queued`,
    `${UNTRIED.alias} running`,
    `${UNTRIED.alias} done`,
  ]);
  expect(room.refreshed).toEqual([`refresh-${UNTRIED.alias}-1`]);
  expect(room.engine.accounts.get(UNTRIED.id)!.login).toEqual({ kind: "ok" });
  expect(room.engine.accounts.get(SPENT.id)!.login.kind).toBe("needs_login");
  await room.engine.close();
});

test("a probe that the issuer refuses leaves the login lost, and one for a passing reason too", async () => {
  const answers: RefreshResult[] = [
    { kind: "failed", message: "no route" },
    { kind: "refused", code: "invalid_grant", message: "" },
  ];
  const room = await createPoolRoom({ accounts: [UNTRIED], issuer: () => answers.shift()! });
  for (const text of ["no route", "invalid_grant"]) {
    const steps = await all(room.engine.accounts.probeAll([UNTRIED.id], { dryRun: false, signal: open(), ask: null }));
    expect(steps.at(-1)).toMatchObject({ state: "failed" });
    expect(steps.at(-1)!.text).toContain(text);
    expect(room.engine.accounts.get(UNTRIED.id)!.login.kind).toBe("needs_login");
  }
  await room.engine.close();
});

test("two are under way at a time; stopped, those end and nobody else begins", async () => {
  const accounts = [1, 2, 3, 4, 5].map((n) => anAccount({ n }));
  const gates = new Map<string, (result: RefreshResult) => void>();
  const issuer = (token: string) => new Promise<RefreshResult>((resolve) => gates.set(token, resolve));
  const room = await createPoolRoom({ accounts, issuer });
  const stop = new AbortController();
  const steps = all(room.engine.accounts.refreshAll(idsOf(accounts), { dryRun: false, signal: stop.signal }));
  const letGo = (n: number) => {
    const token = `refresh-${accounts[n]!.alias}-1`;
    gates.get(token)!(rotate(accounts, T0 + 9e6)(token));
  };
  await room.clock.advance(1);
  expect(gates.size).toBe(2);
  letGo(0);
  await room.clock.advance(1);
  expect(gates.size).toBe(3);
  stop.abort();
  letGo(1);
  letGo(2);
  await room.clock.advance(1);
  const ended = (await steps).filter(({ state }) => state === "done").map(({ accountId }) => accountId);
  expect(ended.toSorted()).toEqual(idsOf(accounts.slice(0, 3)).toSorted());
  expect(gates.size).toBe(3);
  await room.engine.close();
});
