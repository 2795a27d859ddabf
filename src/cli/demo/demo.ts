/**
 * `rotor demo`: a play in four acts, each of which must come out as told or the demo fails.
 * Three accounts take turns · one runs out behind Rotor's back · only one is left · all are out.
 */
import { AppError } from "../../base/errors.ts";
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import { Strategy } from "../../gen/rotor/v1/pool_pb.ts";
import type { Context } from "../command.ts";
import { type ExitCode, failureOf } from "../failure.ts";
import { type Served, sendRequest } from "../one-request.ts";
import { printable } from "../print.ts";
import { accountTable } from "../text/account-text.ts";
import { routeText, whyText } from "../text/exchange-text.ts";
import { formatEnd } from "../text/time-text.ts";
import { toMs } from "../text/wire-text.ts";
import { createScaffold, type Scaffold, type Stage, setStage, stageLog, strikeStage } from "./demo-stage.ts";

const ALIASES = ["work", "home", "spare"] as const;
type Alias = (typeof ALIASES)[number];

/** Five-hour and weekly windows at different points, so that "the earliest reset" means something. A pause between events lets the eye follow. */
const SCENARIO = {
  pacing: { delayMs: 8 },
  accounts: [
    demoAccount("work", "plus", { usedPercent: 62, resetsInSeconds: 7_800 }),
    demoAccount("home", "plus", { usedPercent: 35, resetsInSeconds: 2_700 }),
    demoAccount("spare", "pro", { usedPercent: 10, resetsInSeconds: 12_600 }),
  ],
};
/** `home` resets first; the refusal in the last act must name this instant. */
const EARLIEST: Alias = "home";
/** Clocks of three processes and rounding to seconds. */
const RESET_TOLERANCE_MS = 5_000;

function demoAccount(alias: Alias, plan: string, fiveHours: { usedPercent: number; resetsInSeconds: number }) {
  const week = { minutes: 10_080, capacityRequests: 5_000, usedPercent: 20, resetsInSeconds: 260_000 };
  return {
    alias,
    plan,
    email: `${alias}@example.org`,
    windows: [{ minutes: 300, capacityRequests: 500, ...fiveHours }, week],
  };
}

interface Play {
  readonly context: Context;
  readonly stage: Stage;
  readonly secret: string;
  asked: number;
}

export async function runDemo(context: Context, { keep }: { keep: boolean }): Promise<ExitCode> {
  const { io, print } = context;
  const startMs = io.clock.monotonicMs();
  const scaffold = createScaffold(io.host);
  let stage: Stage | null = null;
  let kept = false;
  try {
    print.note("starting a scripted upstream and a daemon in a temporary folder …");
    stage = await setStage(io, scaffold, SCENARIO);
    const play = await prepare(context, stage);
    await takingTurns(play);
    await ranOutElsewhere(play);
    await oneLeft(play);
    await allOut(play);
    const seconds = ((io.clock.monotonicMs() - startMs) / 1_000).toFixed(1);
    if (print.json) print.value({ act: "done", requests: play.asked, seconds: Number(seconds) });
    else for (const line of closingWords(play, seconds)) print.line(line);
    kept = keep;
    if (keep) sayHowToUse(play);
    return 0;
  } catch (thrown) {
    reportFailure(context, scaffold, thrown);
    return (io.exitOfSignal() ?? 1) as ExitCode;
  } finally {
    if (kept) stage?.link.close();
    else await strikeStage(io, scaffold, stage?.link ?? null);
  }
}

function reportFailure({ io, print }: Context, scaffold: Scaffold, thrown: unknown): void {
  if (io.interrupted.aborted) {
    print.failure("rotor demo: stopped");
    return;
  }
  const { code, message, cause } = failureOf(thrown);
  const why = cause === null ? message : `${message} (${cause})`;
  if (print.json) print.failure(JSON.stringify({ error: { code, message: why, hint: null, retry_time: null } }));
  else print.failure(`rotor demo FAILED: ${printable(why)}`);
  for (const line of stageLog(scaffold)) print.note(`  ${printable(line)}`);
}

/** The demo promises these things; one that did not happen is a failure, said as what it is. */
function must(happened: boolean, what: string): void {
  if (!happened) throw new AppError("internal", `this should have happened and did not: ${what}`, { hint: null });
}

function act(play: Play, title: string): void {
  const { print } = play.context;
  if (print.json) print.value({ act: title });
  else {
    print.line();
    print.line(print.style.bold(title));
  }
}

async function prepare(context: Context, stage: Stage): Promise<Play> {
  const { link, logins } = stage;
  must(logins.length === ALIASES.length, "the scripted upstream has three accounts");
  for (const [i, alias] of ALIASES.entries()) {
    const data = new TextEncoder().encode(JSON.stringify(logins[i]));
    await link.transfers.importAccounts({ files: [{ name: "demo", data }], alias });
  }
  await link.pool.setStrategy({ strategy: Strategy.ROUND_ROBIN });
  const { secret } = await link.keys.createKey({ name: "demo" });
  if (!context.print.json) context.print.line(`three accounts, one endpoint: ${link.daemon.proxyUrl}/v1`);
  return { context, stage, secret, asked: 0 };
}

/** Sends one request and shows at once who served it and why. */
async function ask(play: Play): Promise<Served> {
  const { context, stage, secret } = play;
  const { print, io } = context;
  const number = ++play.asked;
  const served = await sendRequest(io, stage.link, {
    secret,
    model: "gpt-5.5",
    prompt: `Say hello, for the ${number}. time.`,
  });
  const { exchange, status, events } = served;
  if (print.json) {
    const { id, accountAlias } = exchange;
    print.value({ request: number, exchange: id, status, account: accountAlias, route: routeText(exchange), events });
    return served;
  }
  const answer = status === 200 ? print.style.good("200") : print.style.bad(String(status));
  const what = status === 200 ? `${events} events` : exchange.errorCode;
  const why = whyText(exchange);
  print.line(
    `  ${String(number).padStart(2)}.  ${answer}  ${what.padEnd(14)}  ${routeText(exchange)}${why === "" ? "" : `   (${why})`}`,
  );
  return served;
}

function mustServe(served: Served, by: string | null): void {
  const { status, completed, text, exchange } = served;
  must(
    status === 200 && completed && text !== "",
    `request ${exchange.id} is answered with a whole stream, not ${status}`,
  );
  if (by !== null)
    must(exchange.accountAlias === by, `${by} serves request ${exchange.id}, not ${exchange.accountAlias}`);
}

async function takingTurns(play: Play): Promise<void> {
  act(play, "1. Requests are spread over three accounts");
  const by = new Set<string>();
  for (let i = 0; i < ALIASES.length; i++) {
    const served = await ask(play);
    mustServe(served, null);
    by.add(served.exchange.accountAlias);
  }
  must(by.size === ALIASES.length, "each of the three accounts serves one of three requests");
}

async function ranOutElsewhere(play: Play): Promise<void> {
  const gone = await exhaustNext(
    play,
    (alias) => `2. ${alias} is used up by another program, and Rotor does not know yet`,
  );
  const served = await ask(play);
  mustMove(served, gone);
}

/** Upstream says 429 in the middle of the request; the client sees one clean stream from another account. */
function mustMove(served: Served, gone: string): void {
  mustServe(served, null);
  const [first] = served.exchange.attempts;
  must(first?.accountAlias === gone && first.next === "next", `${gone} is tried first and found used up`);
  must(served.exchange.accountAlias !== gone, `another account than ${gone} serves it`);
}

async function oneLeft(play: Play): Promise<void> {
  const gone = await exhaustNext(play, (alias) => `3. Now ${alias} as well: one account carries everything`);
  mustMove(await ask(play), gone);
  const usable = (await accountsOf(play)).filter((account) => account.holds.length === 0);
  must(usable.length === 1, "exactly one account is usable");
  for (let i = 0; i < 2; i++) mustServe(await ask(play), usable[0]!.alias);
}

async function allOut(play: Play): Promise<void> {
  const { print, nowMs } = play.context;
  await exhaustNext(play, (alias) => `4. ${alias} runs out too: the refusal names the true reset`);
  const served = await ask(play);
  must(served.status === 429, `the answer is 429, not ${served.status}`);
  const { error } = JSON.parse(served.text) as {
    error?: { type?: string; resets_at?: number; resets_in_seconds?: number };
  };
  must(error?.type === "usage_limit_reached", "the 429 is upstream's own usage_limit_reached");
  const accounts = await accountsOf(play);
  must(
    accounts.every((account) => account.holds.length > 0),
    "every account is held",
  );
  const earliestMs = Math.min(...accounts.map(heldUntilMs));
  const resetAlias = accounts.find((account) => heldUntilMs(account) === earliestMs)!.alias;
  must(resetAlias === EARLIEST, `${EARLIEST} comes back first, not ${resetAlias}`);
  const afterMs = Number(served.retryAfter) * 1_000;
  must(
    Math.abs(nowMs() + afterMs - earliestMs) < RESET_TOLERANCE_MS,
    `Retry-After (${served.retryAfter} s) is the earliest reset`,
  );
  if (error?.resets_at !== undefined) {
    must(Math.abs(error.resets_at * 1_000 - earliestMs) < RESET_TOLERANCE_MS, "resets_at is the earliest reset");
  }
  if (print.json) {
    print.value({ refusal: JSON.parse(served.text), retry_after: served.retryAfter });
    return;
  }
  print.line();
  print.line(`  HTTP 429   retry-after: ${served.retryAfter}`);
  print.line(`  ${printable(served.text)}`);
  print.line(`  ${resetAlias} is back ${formatEnd(earliestMs, nowMs())}`);
  print.line();
  const view = { nowMs: nowMs(), width: print.columns, style: print.style };
  for (const line of accountTable(accounts, view)) print.line(`  ${line}`.trimEnd());
}

/** When the last of its holds ends; infinite when one has no known end. */
function heldUntilMs(account: Account): number {
  return Math.max(...account.holds.map((hold) => toMs(hold.endTime) ?? Number.POSITIVE_INFINITY));
}

/** Fills, upstream, the window of the account that Rotor would take next. */
async function exhaustNext(play: Play, title: (alias: string) => string): Promise<string> {
  const { pool } = await play.stage.link.pool.getPool({});
  const account = (await accountsOf(play)).find((candidate) => candidate.id === pool?.nextAccountId);
  if (account === undefined) throw new AppError("internal", "somebody should be next and nobody is", { hint: null });
  act(play, title(account.alias));
  await play.stage.steer("PATCH", `accounts/${account.alias}`, { usedPercent: { primary: 100 } });
  return account.alias;
}

async function accountsOf(play: Play): Promise<Account[]> {
  return (await play.stage.link.accounts.listAccounts({})).accounts;
}

function closingWords(play: Play, seconds: string): string[] {
  return [
    "",
    `${play.asked} requests in ${seconds} s; the client changed nothing and saw no failure until nobody was left.`,
    "",
    "With your own accounts:",
    "  rotor account add                        the login that the Codex CLI has here",
    "  export ROTOR_KEY=$(rotor key create me)  a key for your clients",
    "  rotor connect codex                      send the Codex CLI through Rotor",
    "  rotor status                             who has what left",
  ];
}

function sayHowToUse(play: Play): void {
  const { print } = play.context;
  const { folder, home, simulatorPid, link } = play.stage;
  if (print.json) {
    print.value({
      kept: {
        folder,
        rotor_home: home,
        simulator_pid: simulatorPid,
        proxy_url: link.daemon.proxyUrl,
        secret: play.secret,
      },
    });
    return;
  }
  print.line();
  print.line("It is left running. Look around with:");
  print.line(`  export ROTOR_HOME=${home} ROTOR_KEY=${play.secret}`);
  print.line("  rotor exchange show 1; rotor pool explain");
  print.line("and stop it with:");
  print.line(`  ROTOR_HOME=${home} rotor down; kill ${simulatorPid}; rm -r ${folder}`);
}
