/**
 * Moves a login between the pool and a watched file, and its renewal with it: `account switch` and `account take`. No login is lost on
 * the way: what lies in the file alone is taken into the pool first, and what cannot be read as a login is copied beside it.
 */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type Account, type AccountId, OWNED_HERE, type RefreshOwner } from "../domain/account.ts";
import type { FoundLogin } from "../transfer/codex-auth.ts";
import { accountToCarry } from "../transfer/foreign-account.ts";
import { writeLoginFile } from "../transfer/login-file.ts";
import { adoptLogin, type IntakeDeps, REPLACE_TRIES, replaceLogin } from "./account-intake.ts";
import { compare, isOf } from "./borrowed-login.ts";
import type { FileDesk, SwitchReport } from "./engine.ts";
import type { FilePort } from "./file-port.ts";
import type { FileSight, LoginFiles } from "./login-files.ts";
import type { WatchDesk } from "./watch-desk.ts";

export interface SwitchDeskDeps extends IntakeDeps {
  readonly files: LoginFiles;
  readonly port: FilePort;
  readonly watch: WatchDesk;
  readonly log: Log;
}

/** The file's own program may write at the same moment; then its new content is looked at first. */
const WRITE_TRIES = 4;

export function createSwitchDesk(deps: SwitchDeskDeps): Pick<FileDesk, "switchTo" | "take"> {
  const { keeper, files, watch, credentials, audit, log } = deps;
  let turn: Promise<unknown> = Promise.resolve();

  return {
    switchTo(id, path, dryRun) {
      // One after the other: each may touch two accounts.
      const run = turn.then(async () => {
        const accepted = files.accept(path);
        if (dryRun) return await switchOnce(deps, id, accepted, true);
        await watch.watch(accepted);
        const report = await credentials.alone(id, () => switchOnce(deps, id, accepted, false));
        await watch.look(accepted);
        const { account, previous } = report;
        const subjects = [account, previous].flatMap((one) => (one === null ? [] : [{ id: one.id, name: one.alias }]));
        audit.say({ action: "transfer.switch_account", subjects, text: `${account.alias} into ${accepted}` });
        const facts = { account: account.alias, path: accepted, written: report.written };
        log.info("file.switched", { ...facts, previous: previous?.alias ?? null });
        return report;
      });
      turn = run.catch(() => undefined);
      return run;
    },
    async take(id) {
      const { refreshOwner } = keeper.require(id);
      if (refreshOwner.kind === "rotor") return keeper.require(id);
      const { path } = refreshOwner;
      const taken = await credentials.alone(id, () => takeOver(deps, id, path));
      if (files.isWatched(path)) await watch.look(path);
      audit.say({ action: "transfer.take_account", subjects: [{ id, name: taken.alias }], text: `from ${path}` });
      log.info("account.taken", { account: taken.alias, path });
      return taken;
    },
  };
}

/** The freshest state of the login first; whoever renews an older one would cut it off. */
async function takeOver(deps: SwitchDeskDeps, id: AccountId, path: string): Promise<Account> {
  const { keeper, files, store, credentials } = deps;
  const account = keeper.require(id);
  const sight = files.isWatched(path) ? await files.lookPatiently(path) : null;
  if (sight?.kind === "login" && isOf(account, sight.login)) {
    const mine = (await store.loadCredentials(id)).credentials;
    if (compare(account, mine, sight.login).age === "newer")
      return replaceLogin(deps, id, sight.login, OWNED_HERE, REPLACE_TRIES);
  }
  const owned = await own(deps, id, OWNED_HERE);
  if (owned.cooldown?.reason !== "owner_must_refresh") return owned;
  const usable = await keeper.commit(id, { kind: "cooldown_cleared" });
  credentials.replaced(id);
  return usable;
}

async function own(deps: SwitchDeskDeps, id: AccountId, refreshOwner: RefreshOwner): Promise<Account> {
  const account = await deps.keeper.commit(id, { kind: "edited", refreshOwner });
  deps.credentials.replaced(id);
  return account;
}

async function switchOnce(deps: SwitchDeskDeps, id: AccountId, path: string, dryRun: boolean): Promise<SwitchReport> {
  const { keeper, files, port, store } = deps;
  for (let tries = 1; ; tries++) {
    const sight = await (files.isWatched(path) ? files.lookPatiently(path) : files.preview(path));
    const account = keeper.require(id);
    checkMayMove(account, path, sight);
    const mine = await store.loadCredentials(id);
    const base = { path, account, backupPath: null };
    if (sight.kind === "login" && isOf(account, sight.login)) {
      const { age } = compare(account, mine.credentials, sight.login);
      if (age !== "older") {
        const held = dryRun ? account : await handOver(deps, id, path, age === "newer" ? sight.login : null);
        return { ...base, account: held, previous: account, previousKept: "in_store", written: false };
      }
    }
    const before = await keepPrevious(deps, path, sight, dryRun);
    if (dryRun) return { ...base, ...before, written: true };
    const bytes = "bytes" in sight ? sight.bytes : null;
    const next = writeLoginFile(path, bytes, accountToCarry(account, mine.credentials));
    // First nobody renews it, then the other program does: the other order would have two at it for a moment.
    const handed = await own(deps, id, { kind: "file", path });
    const end = await port.write(path, next, bytes).catch(async (error) => {
      await own(deps, id, account.refreshOwner);
      throw error;
    });
    if (end === "written") {
      const previous =
        before.previous && before.previous.id !== id ? await release(deps, before.previous.id, path) : before.previous;
      return { ...base, ...before, account: handed, previous, written: true };
    }
    await own(deps, id, account.refreshOwner);
    if (tries >= WRITE_TRIES)
      throw new AppError("login_file_broken", `${path} changes again and again; its program is writing to it`);
  }
}

function checkMayMove(account: Account, path: string, sight: FileSight): void {
  const { alias, refreshOwner, login } = account;
  if (sight.kind === "refused") throw new AppError("invalid_login_file", `${path}: ${sight.reason}`);
  if (sight.kind === "broken")
    throw new AppError("login_file_broken", `${path} cannot be read: ${sight.reason}; it was left as it is`);
  if (refreshOwner.kind === "file" && refreshOwner.path !== path) {
    const message = `${alias} lies in ${refreshOwner.path}, and two programs must not renew one login`;
    throw new AppError("file_in_use", message, { hint: `rotor account take ${alias}` });
  }
  if (login.kind === "needs_login")
    throw new AppError("login_rejected", `${alias} needs a login itself`, { hint: `rotor account relogin ${alias}` });
}

/** The file has it already; from now on its program alone renews it. */
async function handOver(deps: SwitchDeskDeps, id: AccountId, path: string, newer: FoundLogin | null): Promise<Account> {
  const owner = { kind: "file", path } as const;
  return newer === null ? own(deps, id, owner) : replaceLogin(deps, id, newer, owner, REPLACE_TRIES);
}

/** What the file holds now, made safe before it is written over. */
async function keepPrevious(
  deps: SwitchDeskDeps,
  path: string,
  sight: FileSight,
  dryRun: boolean,
): Promise<Pick<SwitchReport, "previous" | "previousKept" | "backupPath">> {
  const { keeper, store, credentials, port } = deps;
  const none = { previous: null, backupPath: null } as const;
  if (!("bytes" in sight)) return { ...none, previousKept: "nothing_there" };
  const backUp = async (previous: Account | null) => {
    const backupPath = dryRun ? null : await port.backUp(path, sight.bytes);
    return { previous, previousKept: "backed_up", backupPath } as const;
  };
  if (sight.kind !== "login") return backUp(null);
  const { login } = sight;
  const known = keeper.accounts().find((one) => isOf(one, login)) ?? null;
  if (known === null) {
    if (dryRun) return { ...none, previousKept: "adopted" };
    const wish = { alias: null, accountId: null, owner: { kind: "file", path } } as const;
    return { previous: (await adoptLogin(deps, login, wish)).account, previousKept: "adopted", backupPath: null };
  }
  const compared = compare(known, (await store.loadCredentials(known.id)).credentials, login);
  if (compared.age === "same") return { previous: known, previousKept: "in_store", backupPath: null };
  // An older state of it, or a sign-in of its own: the pool has a login of this account, but not this one.
  if (compared.age === "older") return backUp(known);
  if (dryRun) return { previous: known, previousKept: "adopted", backupPath: null };
  const owner = { kind: "file", path } as const;
  const previous = await credentials.alone(known.id, () => replaceLogin(deps, known.id, login, owner, REPLACE_TRIES));
  return { previous, previousKept: "adopted", backupPath: null };
}

/** Its login is in the file no more, so nobody else renews it. */
async function release(deps: SwitchDeskDeps, id: AccountId, path: string): Promise<Account> {
  const { refreshOwner } = deps.keeper.require(id);
  const isOfFile = refreshOwner.kind === "file" && refreshOwner.path === path;
  return isOfFile ? own(deps, id, OWNED_HERE) : deps.keeper.require(id);
}
