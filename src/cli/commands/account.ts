/**
 * `rotor account …`: the accounts of the pool.
 */
import { AppError } from "../../base/errors.ts";
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import {
  ClearAccountCooldownResponseSchema,
  GetAccountResponseSchema,
  ListAccountsResponseSchema,
  RefreshAccountResponseSchema,
  RemoveAccountResponseSchema,
  UpdateAccountResponseSchema,
} from "../../gen/rotor/v1/account_service_pb.ts";
import { accountFacts, accountTable, loginText, stateText } from "../account-text.ts";
import type { Argument, Command, Context, Input } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { fileNotes } from "../file-text.ts";
import { trendLines } from "../forecast-text.ts";
import { importLogins, OWNER_OPTIONS, ownerWish } from "../import-logins.ts";
import { runLogin } from "../login-flow.ts";
import { chosenMethod, METHOD_OPTIONS } from "../login-method.ts";
import { resolveAccount } from "../resolve.ts";

export const ACCOUNT_ARGUMENT: Argument = {
  name: "ACCOUNT",
  about: "alias, list number, e-mail address, id, or an unambiguous beginning",
  completes: "account",
};

/** The account that the argument means, with all of them. */
export async function accountArgument(
  link: DaemonLink,
  input: Input,
): Promise<{ account: Account; accounts: Account[] }> {
  const { accounts } = await link.accounts.listAccounts({});
  return { account: resolveAccount(accounts, input.arg(0) ?? ""), accounts };
}

const list: Command = {
  path: ["account", "list"],
  summary: "all accounts with what they have left and why they may not serve",
  details: [
    "WINDOWS are named by their length (5h, 7d) and show how much is used. USED is when the account was last chosen. LOGIN is how long its access token lasts; Rotor renews it in time.",
  ],
  starts: true,
  async run({ daemon, print, nowMs }) {
    const link = await daemon();
    const response = await link.accounts.listAccounts({});
    if (print.asJson(ListAccountsResponseSchema, response)) return;
    const { files } = await link.transfers.listWatchedFiles({});
    if (response.accounts.length === 0) {
      print.note("no accounts yet; sign in with: rotor login");
      return;
    }
    const view = { nowMs: nowMs(), width: print.columns, style: print.style };
    for (const line of accountTable(response.accounts, view)) print.line(line);
    for (const note of fileNotes(files, response.accounts)) print.warning(note);
  },
};

const show: Command = {
  path: ["account", "show"],
  summary: "everything about one account",
  args: [ACCOUNT_ARGUMENT],
  starts: true,
  async run({ daemon, print, nowMs }, input) {
    const link = await daemon();
    const { account } = await accountArgument(link, input);
    const response = await link.accounts.getAccount({ accountId: account.id });
    if (print.asJson(GetAccountResponseSchema, response)) return;
    const view = { nowMs: nowMs(), width: print.columns };
    const [{ series }, { forecast }] = await Promise.all([
      link.usage.listWindowHistory({ accountId: account.id }),
      link.pool.forecastPool({}),
    ]);
    const lasts = forecast?.accounts.find(({ accountId }) => accountId === account.id);
    const trends = trendLines(lasts, series, view.nowMs);
    for (const line of accountFacts(response.account!, { ...view, trends })) print.line(line);
  },
};

const add: Command = {
  path: ["account", "add"],
  summary: "add the logins of a file",
  details: [
    "The file holds one auth.json of the Codex CLI, a JSON array of them, or one per line. Without a file: the auth.json of the Codex CLI on this machine. Nothing is sent anywhere. A login that is known already takes the newer credentials.",
    "One login must be renewed by one program. The login of the Codex CLI is left to the Codex CLI, and Rotor takes over what that renews, unless you say --take; logins of any other file are Rotor's to renew, unless you say --share. More: rotor help sharing.",
  ],
  args: [{ name: "FILE", about: "path, or - for standard input", optional: true, completes: "file" }],
  options: [
    { name: "alias", value: "ALIAS", about: "name for the account, when the file holds one" },
    ...OWNER_OPTIONS,
  ],
  examples: ["rotor account add --alias work", "rotor account add --take", "rotor account add ~/logins.json"],
  starts: true,
  run: (context, input) =>
    importLogins(context, {
      source: input.arg(0),
      alias: input.value("alias"),
      dryRun: false,
      owner: ownerWish(input),
    }),
};

/** `enable` and `disable` differ in one bit. */
function switchCommand(verb: "enable" | "disable", summary: string): Command {
  const enabled = verb === "enable";
  return {
    path: ["account", verb],
    summary,
    args: [ACCOUNT_ARGUMENT],
    options: enabled ? [] : [{ name: "force", about: "also when it is the last usable account" }],
    starts: true,
    async run({ daemon, print }, input) {
      const link = await daemon();
      const { account } = await accountArgument(link, input);
      const response = await link.accounts.updateAccount({ accountId: account.id, enabled, force: input.has("force") });
      if (print.asJson(UpdateAccountResponseSchema, response)) return;
      print.note(`${account.alias} is ${verb}d`);
    },
  };
}

const rename: Command = {
  path: ["account", "rename"],
  summary: "give an account another alias",
  args: [ACCOUNT_ARGUMENT, { name: "ALIAS", about: "1–40 of a–z 0–9 . _ -, not only digits" }],
  starts: true,
  async run({ daemon, print }, input) {
    const link = await daemon();
    const { account } = await accountArgument(link, input);
    const alias = input.arg(1) ?? "";
    const response = await link.accounts.updateAccount({ accountId: account.id, alias });
    if (print.asJson(UpdateAccountResponseSchema, response)) return;
    print.note(`${account.alias} is now ${response.account?.alias ?? alias}`);
  },
};

const remove: Command = {
  path: ["account", "remove"],
  summary: "forget an account and its login",
  details: ["The login itself stays valid upstream; other programs that hold it are not touched."],
  args: [ACCOUNT_ARGUMENT],
  options: [YES_OPTION],
  starts: true,
  async run(context, input) {
    const link = await context.daemon();
    const { account } = await accountArgument(link, input);
    await confirm(context, input, {
      question: `Forget ${account.alias} and its login?`,
      command: `rotor account remove ${account.alias} --yes`,
    });
    const response = await link.accounts.removeAccount({ accountId: account.id });
    if (context.print.asJson(RemoveAccountResponseSchema, response)) return;
    context.print.note(`${account.alias} is removed`);
  },
};

const refresh: Command = {
  path: ["account", "refresh"],
  summary: "renew the login of an account now",
  args: [ACCOUNT_ARGUMENT],
  starts: true,
  async run({ daemon, print, nowMs }, input) {
    const link = await daemon();
    const { account } = await accountArgument(link, input);
    print.note(`renewing the login of ${account.alias} …`);
    const response = await link.accounts.refreshAccount({ accountId: account.id });
    if (print.asJson(RefreshAccountResponseSchema, response)) return;
    print.note(`renewed; the new access token lasts ${loginText(response.account!, nowMs())}`);
  },
};

const relogin: Command = {
  path: ["account", "relogin"],
  summary: "sign in again to an account that is here, keeping all but its login",
  details: [
    "Alias, history and the operator's switch stay. A sign-in to any other account is refused; nothing changes then.",
  ],
  args: [ACCOUNT_ARGUMENT],
  options: METHOD_OPTIONS,
  examples: ["rotor account relogin work", "rotor account relogin work --device"],
  starts: true,
  async run(context, input) {
    const chosen = chosenMethod(context, input);
    const { account } = await accountArgument(await context.daemon(), input);
    const command = `rotor account relogin ${account.alias}`;
    await runLogin(context, { chosen, alias: null, accountId: account.id, email: account.email, command });
  },
};

const clearCooldown: Command = {
  path: ["account", "clear-cooldown"],
  summary: "end a cooldown early",
  details: ["Used-up windows stay: only time or upstream ends those."],
  args: [ACCOUNT_ARGUMENT],
  starts: true,
  async run({ daemon, print, nowMs }, input) {
    const link = await daemon();
    const { account } = await accountArgument(link, input);
    const response = await link.accounts.clearAccountCooldown({ accountId: account.id });
    if (print.asJson(ClearAccountCooldownResponseSchema, response)) return;
    if (response.account === undefined) throw new AppError("internal", "the daemon answered without the account");
    print.note(`${account.alias}: ${stateText(response.account, nowMs())}`);
  },
};

export const accountCommands: readonly Command[] = [
  list,
  show,
  add,
  switchCommand("enable", "let an account serve again"),
  switchCommand("disable", "keep an account from serving until it is enabled"),
  rename,
  remove,
  refresh,
  relogin,
  clearCooldown,
];

/** Aliases for other nouns that show account ids. */
export async function listAccounts(context: Context): Promise<Account[]> {
  return (await (await context.daemon()).accounts.listAccounts({})).accounts;
}
