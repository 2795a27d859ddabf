/**
 * Looks at the watched files when they change, and now and then: which account each holds, what another program has renewed, and what is
 * to be offered. Takes over without asking only what `domain/file-verdict` allows. Must never keep a token of a file in memory.
 */
import type { Clock, Timer } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import { ROTOR } from "../domain/audit.ts";
import { type FileNotice, type FileVerdict, isAutomatic, judgeFileLogin, noticeOf } from "../domain/file-verdict.ts";
import type { Settings } from "../domain/setting.ts";
import type { FoundLogin } from "../transfer/codex-auth.ts";
import { adoptLogin, type IntakeDeps, REPLACE_TRIES, replaceLogin } from "./account-intake.ts";
import { compare, isOf } from "./borrowed-login.ts";
import type { FileDesk, FileState, FileView, SyncedFile } from "./engine.ts";
import type { FilePort } from "./file-port.ts";
import type { FileSight, LoginFiles } from "./login-files.ts";
import type { Scheduler } from "./scheduler.ts";

export interface WatchDesk extends Pick<FileDesk, "list" | "holding" | "watch" | "unwatch" | "sync"> {
  accept(path: string): string;
  /** Looks at a watched file now, and shows what it saw. */
  look(path: string): Promise<void>;
  start(): void;
  close(): Promise<void>;
}

/** A program writes more than once when it writes; it is done when this long nothing has moved. */
const QUIET_MS = 200;
/** Changes that the system did not tell of (network folders, a folder that was made anew) are seen this much later at most. */
const POLL_EVERY_MS = 30_000;
const POLL = "files.poll";

interface Seen {
  readonly lookedAtMs: number;
  readonly state: FileState;
  readonly reason: string | null;
  readonly accountId: AccountId | null;
  readonly notice: FileNotice | null;
}

interface Judged {
  readonly account: Account | null;
  readonly verdict: FileVerdict;
}

export function createWatchDesk(
  deps: IntakeDeps & {
    files: LoginFiles;
    port: FilePort;
    scheduler: Scheduler;
    settings: () => Settings;
    clock: Clock;
    log: Log;
  },
): WatchDesk {
  const { keeper, store, files, port, credentials, clock, scheduler, audit, log } = deps;
  const seen = new Map<string, Seen>();
  const watching = new Map<string, () => void>();
  const quiet = new Map<string, Timer>();
  let turn: Promise<unknown> = Promise.resolve();
  let known = factsOf(keeper.accounts());
  let closed = false;

  /** One look at a time: two could take over the same login twice. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const run = turn.then(work);
    turn = run.catch(() => undefined);
    return run;
  };

  const judge = async (login: FoundLogin): Promise<Judged> => {
    const account = keeper.accounts().find((one) => isOf(one, login)) ?? null;
    if (account === null) return { account, verdict: judgeFileLogin(null, null) };
    const mine = (await store.loadCredentials(account.id)).credentials;
    return { account, verdict: judgeFileLogin(account, compare(account, mine, login)) };
  };

  const carryOut = async (path: string, login: FoundLogin, { account, verdict }: Judged): Promise<Account | null> => {
    const owner = { kind: "file", path } as const;
    if (verdict.act === "nothing") return account;
    if (account === null) return (await adoptLogin(deps, login, { alias: null, accountId: null, owner })).account;
    return credentials.alone(account.id, async () => {
      // A refresh that was under way may have changed the answer.
      const again = await judge(login);
      if (again.verdict.act === "renew") return replaceLogin(deps, account.id, login, owner, REPLACE_TRIES);
      if (again.verdict.act !== "hand_over") return again.account;
      const handed = await keeper.commit(account.id, { kind: "edited", refreshOwner: owner });
      credentials.replaced(account.id);
      return handed;
    });
  };

  const note = (path: string, sight: FileSight, judged: Judged | null) => {
    const before = seen.get(path);
    const now: Seen = {
      lookedAtMs: clock.nowMs(),
      state: sight.kind,
      reason: sight.kind === "login" ? null : sight.reason,
      accountId: judged?.account?.id ?? null,
      notice: judged === null ? null : noticeOf(judged.verdict, judged.account),
    };
    seen.set(path, now);
    const isNews = before?.state !== now.state || before.notice !== now.notice || before.accountId !== now.accountId;
    if (!isNews) return;
    sayNews(log, path, now, judged?.account?.alias ?? null);
    keeper.announce();
  };

  const examine = async (path: string, mayAct: boolean): Promise<void> => {
    if (!files.isWatched(path)) return;
    const sight = await files.lookPatiently(path);
    if (sight.kind !== "login") return note(path, sight, null);
    let judged = await judge(sight.login);
    const adopt = deps.settings().auth_file_adopt === "adopt";
    if (mayAct && isAutomatic(judged.verdict, judged.account, adopt)) {
      const found = judged;
      // Whoever had the file watched does not give this order.
      const account = await audit.as(ROTOR, () => carryOut(path, sight.login, found));
      log.info("file.login_adopted", { path, account: account?.alias ?? null });
      judged = await judge(sight.login);
    }
    note(path, sight, judged);
  };

  const look = (path: string, mayAct = true): Promise<void> =>
    inTurn(() => examine(path, mayAct)).catch((error) => log.error("file.look_failed", { path, error }));
  const isOn = () => !closed && deps.settings().auth_file_watch;
  const soon = (path: string) => {
    quiet.get(path)?.cancel();
    const timer = clock.after(QUIET_MS, () => {
      quiet.delete(path);
      if (isOn()) void look(path);
    });
    quiet.set(path, timer);
  };
  const poll = () => {
    if (isOn()) for (const { path } of files.list()) void look(path);
    if (!closed && files.list().length > 0) scheduler.at(POLL, clock.nowMs() + POLL_EVERY_MS, poll);
  };
  const listen = (path: string) => {
    if (!watching.has(path))
      watching.set(
        path,
        port.watch(path, () => soon(path)),
      );
  };
  /** A login that was renewed, taken or removed here changes what a file's login is to us. */
  const unwatchKeeper = keeper.watch(() => {
    if (seen.size === 0 || closed) return;
    const now = factsOf(keeper.accounts());
    if (now.length === known.length && now.every((fact, i) => fact === known[i])) return;
    known = now;
    for (const { path } of files.list()) {
      // Shown right at once; what is to be done about it waits until the change is whole.
      if (isOn()) void look(path, false);
      soon(path);
    }
  });

  const viewOf = ({ path, addedAtMs }: { path: string; addedAtMs: number }): FileView => {
    const last = seen.get(path);
    const accountId = last?.accountId != null && keeper.get(last.accountId) !== null ? last.accountId : null;
    return {
      path,
      addedAtMs,
      lookedAtMs: last?.lookedAtMs ?? null,
      state: last?.state ?? "absent",
      reason: last === undefined ? "it has not been looked at yet" : last.reason,
      accountId,
      notice: last?.notice ?? null,
    };
  };
  const view = (path: string): FileView => {
    const file = files.list().find((one) => one.path === path);
    if (!file) throw new AppError("file_not_watched", `${path} is not a watched file`);
    return viewOf(file);
  };

  const syncOne = async (path: string, dryRun: boolean): Promise<SyncedFile> => {
    const sight = await files.lookPatiently(path);
    const judged = sight.kind === "login" ? await judge(sight.login) : null;
    const account = sight.kind === "login" && !dryRun ? await carryOut(path, sight.login, judged!) : judged?.account;
    await examine(path, false);
    return {
      view: view(path),
      action: judged?.verdict.act ?? "nothing",
      reason: judged === null ? (sight as { reason: string }).reason : wordsFor(judged),
      alias: account?.alias ?? "",
    };
  };

  return {
    accept: (path) => files.accept(path),
    list: () => files.list().map(viewOf),
    holding: (id) =>
      files
        .list()
        .map(viewOf)
        .filter(({ accountId }) => accountId === id),
    async watch(path) {
      const file = await files.add(path);
      audit.say({ action: "transfer.watch_file", subjects: [], text: file.path });
      listen(file.path);
      scheduler.at(POLL, clock.nowMs() + POLL_EVERY_MS, poll);
      // Whoever registers it decides next what is to be done with it.
      await look(file.path, false);
      return view(file.path);
    },
    async unwatch(path) {
      const dependent = keeper
        .accounts()
        .find((one) => one.refreshOwner.kind === "file" && one.refreshOwner.path === path);
      if (dependent) {
        const message = `${dependent.alias} is renewed by the program that uses ${path}; without it the login would end`;
        throw new AppError("file_in_use", message, { hint: `rotor account take ${dependent.alias}` });
      }
      await files.remove(path);
      audit.say({ action: "transfer.unwatch_file", subjects: [], text: path });
      watching.get(path)?.();
      watching.delete(path);
      seen.delete(path);
      keeper.announce();
    },
    sync: (path, dryRun) =>
      inTurn(async () => {
        const paths = path === null ? files.list().map((file) => file.path) : [path];
        const synced: SyncedFile[] = [];
        for (const one of paths) synced.push(await syncOne(one, dryRun));
        return synced;
      }),
    look: (path) => look(path, false),
    start() {
      for (const { path } of files.list()) listen(path);
      poll();
    },
    async close() {
      closed = true;
      scheduler.drop(POLL);
      unwatchKeeper();
      for (const stop of watching.values()) stop();
      for (const timer of quiet.values()) timer.cancel();
      await turn;
    },
  };
}

/** A transition, said once. */
function sayNews(log: Log, path: string, now: Seen, account: string | null): void {
  if (now.notice === "offered") log.warn("file.login_offered", { path });
  else if (now.notice === "two_owners") log.warn("file.two_owners", { path, account });
  else if (now.state === "broken" || now.state === "refused") log.warn("file.unreadable", { path, reason: now.reason });
  else log.info("file.seen", { path, account, state: now.state });
}

/** What of the accounts bears on files; the same objects until it changes. */
function factsOf(accounts: readonly Account[]): readonly unknown[] {
  return accounts.flatMap((account) => [account.id, account.credentials, account.refreshOwner, account.login.kind]);
}

function wordsFor({ account, verdict }: Judged): string {
  switch (verdict.act) {
    case "add":
      return "a login that is not here yet";
    case "renew":
      return "the file's login is newer";
    case "hand_over":
      return "the same login is here; the file's program alone renews it from now on";
    case "nothing":
      if (verdict.because === "same") return "the same login is here";
      if (verdict.because === "separate") return "a sign-in of its own; both work side by side";
      return `the login here is newer; to write it there: rotor account switch ${account?.alias}`;
  }
}
