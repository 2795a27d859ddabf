/**
 * `rotor account list`: all accounts or some of them, those without a working login apart.
 */
import { create } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import { type Account, HoldKind } from "../../gen/rotor/v1/account_pb.ts";
import { ListAccountsResponseSchema } from "../../gen/rotor/v1/account_service_pb.ts";
import type { Command } from "../command.ts";
import { accountTable, lostLoginTable } from "../text/account-text.ts";
import { fileNotes } from "../text/file-text.ts";
import { toMs } from "../text/wire-text.ts";

/** How far the fullest window is: what is left of the account is what is left of that. */
function usedPercent(account: Account): number {
  return Math.max(0, ...account.windows.map((window) => window.usedPercent));
}

function needsLogin(account: Account): boolean {
  return account.holds.some((hold) => hold.kind === HoldKind.NEEDS_LOGIN);
}

type Ordering = (a: Account, b: Account) => number;

/** Where two are alike, the order in which they were added stands. */
const ORDERINGS: Readonly<Record<string, Ordering>> = {
  added: () => 0,
  alias: (a, b) => (a.alias < b.alias ? -1 : 1),
  tier: (a, b) => (a.tier === b.tier ? 0 : a.tier < b.tier ? -1 : 1),
  left: (a, b) => usedPercent(a) - usedPercent(b),
  used: (a, b) => (toMs(b.lastLeaseTime) ?? 0) - (toMs(a.lastLeaseTime) ?? 0),
  expiry: (a, b) => expiryMs(a) - expiryMs(b),
};

function expiryMs(account: Account): number {
  return toMs(account.credentials?.accessExpireTime) ?? Number.MAX_SAFE_INTEGER;
}

const list: Command = {
  path: ["account", "list"],
  summary: "all accounts with what they have left and why they may not serve",
  details: [
    "WINDOWS are named by their length (5h, 7d) and show how much is used. USED is when the account was last chosen. LOGIN is how long its access token lasts; Rotor renews it in time.",
    "Accounts whose login no longer works stand apart, with the reason. The number in the first column is the account's place among all, whatever is shown.",
  ],
  options: [
    { name: "needs-login", about: "only those whose login no longer works" },
    { name: "usable", about: "only those that may serve now" },
    { name: "tag", value: "TAG", about: "only those with this tag", completes: "tag" },
    {
      name: "sort",
      value: "BY",
      about: `order: ${Object.keys(ORDERINGS).join(", ")}`,
      completes: Object.keys(ORDERINGS),
    },
  ],
  examples: ["rotor account list --usable --sort left", "rotor account list --needs-login --json"],
  starts: true,
  async run({ daemon, print, nowMs }, input) {
    const link = await daemon();
    const by = input.value("sort") ?? "added";
    const ordering = Object.hasOwn(ORDERINGS, by) ? ORDERINGS[by] : undefined;
    if (ordering === undefined) {
      const message = `--sort takes ${Object.keys(ORDERINGS).join(", ")}, not ${by}`;
      throw new AppError("bad_usage", message, { hint: "rotor help account list" });
    }
    const all = (await link.accounts.listAccounts({})).accounts;
    const tag = input.value("tag");
    const shown = all
      .filter((account) => !input.has("needs-login") || needsLogin(account))
      .filter((account) => !input.has("usable") || account.holds.length === 0)
      .filter((account) => tag === null || account.tags.includes(tag))
      .toSorted(ordering);
    if (print.asJson(ListAccountsResponseSchema, create(ListAccountsResponseSchema, { accounts: shown }))) return;
    const { files } = await link.transfers.listWatchedFiles({});
    if (all.length === 0) return void print.note("no accounts yet; sign in with: rotor login");
    if (shown.length === 0) return void print.note("none of the accounts is like that");
    const number = (account: Account) => all.indexOf(account) + 1;
    const view = { nowMs: nowMs(), width: print.columns, style: print.style, number };
    const working = shown.filter((account) => !needsLogin(account));
    const lost = shown.filter(needsLogin);
    if (working.length > 0) for (const line of accountTable(working, view)) print.line(line);
    if (lost.length > 0) {
      if (working.length > 0) print.line();
      print.line(print.style.bad("needs login"));
      for (const line of lostLoginTable(lost, view)) print.line(line);
    }
    for (const note of fileNotes(files, all)) print.warning(note);
  },
};

export const accountListCommands: readonly Command[] = [list];
