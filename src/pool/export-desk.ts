/**
 * Writes logins in the formats of other programs, or as a pool file of ours. It hands out bytes and nothing else: where they go is for
 * whoever asked over the socket. Sends nothing to anybody and changes nothing here; every export is in the audit log.
 */
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { type Account, type AccountId, isProvisional } from "../domain/account.ts";
import { accountToCarry } from "../transfer/foreign-account.ts";
import type { ForeignAccount, ForeignKey } from "../transfer/foreign-store.ts";
import { writePoolFile } from "../transfer/pool-file.ts";
import { writeCodexAuth, writeOpencodeAuth } from "../transfer/write-auth-json.ts";
import { writeOcMultiAuth } from "../transfer/write-oc-multi-auth.ts";
import type { IntakeDeps } from "./account-intake.ts";
import type { SpendDesk } from "./budget-desk.ts";
import { choiceToCarry } from "./export-choice.ts";
import type { KeyDeskWithFlush } from "./key-desk.ts";
import type { Rulebook } from "./rulebook.ts";
import type { SettingDeskWithNow } from "./setting-desk.ts";
import type { ExportedRow, ExportOrder, ExportReport, TransferDesk } from "./transfer-desk.ts";

interface ExportDeskDeps extends IntakeDeps {
  readonly keys: KeyDeskWithFlush;
  readonly settings: SettingDeskWithNow;
  readonly rulebook: Pick<Rulebook, "lines" | "profiles">;
  readonly budgets: Pick<SpendDesk, "list">;
  readonly log: Log;
}

interface Carried {
  readonly account: Account;
  readonly login: ForeignAccount;
}

export function createExportDesk(deps: ExportDeskDeps): Pick<TransferDesk, "exportAccounts"> {
  const { keeper, audit, log } = deps;
  return {
    async exportAccounts(order) {
      const ids = order.accountIds ?? keeper.accounts().map(({ id }) => id);
      if (ids.length === 0)
        throw new AppError("export_refused", "there is no account to export", { hint: "rotor account list" });
      const carried: Carried[] = [];
      for (const id of ids) carried.push(await carry(deps, id));
      const report = await write(deps, order, carried);
      if (order.dryRun) return { ...report, bytes: null };
      const subjects = carried.map(({ account }) => ({ id: account.id, name: account.alias }));
      audit.say({ action: "account.export", subjects, text: `to ${order.format}` });
      log.info("accounts.exported", { format: order.format, accounts: carried.length });
      return report;
    },
  };
}

/** While nobody renews it: the token that is handed out must be the one that works. */
function carry({ keeper, store, credentials }: ExportDeskDeps, id: AccountId): Promise<Carried> {
  const { alias } = keeper.require(id);
  return credentials.alone(id, async () => {
    const stored = await store.loadCredentials(id);
    const account = keeper.get(id);
    if (account === null) throw new AppError("account_not_found", `${alias} was removed meanwhile`);
    const login = accountToCarry(account, stored.credentials);
    if (!isProvisional(account)) return { account, login };
    return { account, login: { ...login, isIdentified: false, claims: { ...login.claims, workspaceId: "" } } };
  });
}

async function write(deps: ExportDeskDeps, order: ExportOrder, carried: readonly Carried[]): Promise<ExportReport> {
  const { format, existing } = order;
  const rows = (reason: string) => carried.map(({ account }): ExportedRow => ({ account, action: "add", reason }));
  switch (format) {
    case "codex-auth":
    case "opencode-auth": {
      const { login } = only(carried, format);
      const writeAuth = format === "codex-auth" ? writeCodexAuth : writeOpencodeAuth;
      const bytes = writeAuth(existing, login);
      return { bytes, rows: rows("its login takes the place of any other"), destinationOnly: 0, remarks: [] };
    }
    case "oc-codex-multi-auth":
      return merged(deps, order, carried);
    case "rotor-pool-file":
      return poolFile(deps, order, carried, rows("in the pool file"));
  }
}

function only(carried: readonly Carried[], format: string): Carried {
  const [one, more] = carried;
  if (one !== undefined && more === undefined) return one;
  throw new AppError("export_refused", `${format} holds one login; ${carried.length} were asked for`, {
    hint: "name one account",
  });
}

function merged(
  { clock }: ExportDeskDeps,
  { existing, dryRun }: ExportOrder,
  carried: readonly Carried[],
): ExportReport {
  const logins = carried.map(({ login }) => login);
  const end = writeOcMultiAuth(existing, logins, clock.nowMs());
  if (end.ok) {
    const rows = end.rows.map(({ account, action, reason }) => ({
      account: carried[account]!.account,
      action,
      reason,
    }));
    return { bytes: end.bytes, rows, destinationOnly: end.destinationOnly, remarks: [] };
  }
  const clashes = new Map(end.collisions.map(({ account, reason }) => [account, reason]));
  const rows = carried.map(({ account }, index): ExportedRow => {
    const reason = clashes.get(index);
    return reason === undefined
      ? { account, action: "keep", reason: "nothing is written" }
      : { account, action: "refuse", reason };
  });
  if (dryRun) return { bytes: null, rows, destinationOnly: 0, remarks: [] };
  const words = rows
    .filter(({ action }) => action === "refuse")
    .map(({ account, reason }) => `${account.alias}: ${reason}`);
  throw new AppError("export_refused", `nothing was written: ${words.join("; ")}`, {
    hint: "export the others, or refresh these first",
  });
}

/** The whole pool takes its strategy, settings, rules, profiles, budgets and keys along; a part of it is accounts and no more. */
async function poolFile(
  { keeper, keys, settings, rulebook, budgets, clock, dice }: ExportDeskDeps,
  { accountIds, passphrase, dryRun }: ExportOrder,
  carried: readonly Carried[],
  rows: readonly ExportedRow[],
): Promise<ExportReport> {
  const isWhole = accountIds === null;
  const own = keys.list().filter(({ hash, revokedAtMs }) => hash.algorithm === "sha256" && revokedAtMs === null).length;
  const remarks = isWhole && own > 0 ? [`client keys that were made here stay here (${own}): make new ones there`] : [];
  const ownBudgets = budgets.list().map(({ budget }) => budget);
  const counts = { rules: rulebook.lines().length, profiles: rulebook.profiles().length, budgets: ownBudgets.length };
  const carries = Object.entries(counts).flatMap(([what, count]) => (count === 0 ? [] : [`${what} (${count})`]));
  if (isWhole && carries.length > 0) remarks.push(`with it: ${carries.join(", ")}`);
  if (dryRun) return { bytes: null, rows, destinationOnly: 0, remarks };
  if (passphrase === null) throw new AppError("passphrase_required", "a pool file needs a passphrase");
  const pin = keeper.pin();
  const pinned = carried.findIndex(({ account }) => account.id === pin?.accountId);
  const content = {
    accounts: carried.map(({ login }) => login),
    pin: pin === null || pinned === -1 ? null : { account: pinned, untilMs: pin.untilMs },
    strategy: isWhole ? keeper.strategy() : null,
    keys: isWhole
      ? keys.list().flatMap((key): ForeignKey[] => (key.hash.algorithm === "sha256-text" ? [foreignKey(key)] : []))
      : [],
    settings: isWhole
      ? settings
          .list()
          .flatMap(({ key, value, source }) =>
            source === "saved" ? [{ key, value: String(value), from: "rotor" }] : [],
          )
      : [],
    choice: isWhole ? choiceToCarry(rulebook.lines(), rulebook.profiles(), ownBudgets, keys.list()) : null,
    // In the words of other products there is nothing.
    profiles: [],
    budgets: [],
    ledger: [],
  };
  return { bytes: await writePoolFile(content, passphrase, clock.nowMs(), dice), rows, destinationOnly: 0, remarks };
}

function foreignKey(key: ReturnType<KeyDeskWithFlush["list"]>[number]): ForeignKey {
  const { name, hash, createdAtMs, lastUsedAtMs, revokedAtMs } = key;
  const hashed = { hashAlgorithm: "sha256", hashHex: hash.hex } as const;
  return { name, prefix: null, ...hashed, createdAtMs, lastUsedAtMs, revokedAtMs, expiresAtMs: null };
}
