/**
 * `rotor account …`: the accounts of the pool.
 */
import type { Account } from "../../gen/rotor/v1/account_pb.ts";
import {
  GetAccountResponseSchema,
  RenameTagResponseSchema,
  UpdateAccountResponseSchema,
} from "../../gen/rotor/v1/account_service_pb.ts";
import type { Argument, Command, Context, Input } from "../command.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { importSource, OWNER_OPTIONS, ownerWish } from "../import/import-logins.ts";
import { sourceFor } from "../import/import-sources.ts";
import { resolveAccount } from "../resolve.ts";
import { accountFacts } from "../text/account-text.ts";
import { trendLines } from "../text/forecast-text.ts";

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
  async run(context, input) {
    const source = sourceFor(context, input.arg(0) ?? "codex");
    await importSource(context, source, {
      alias: input.value("alias"),
      dryRun: false,
      owner: ownerWish(input),
      passphrase: null,
    });
  },
};

const rename: Command = {
  path: ["account", "rename"],
  summary: "give an account another alias",
  details: ["Rules and profiles that name it go on naming it."],
  args: [ACCOUNT_ARGUMENT, { name: "ALIAS", about: "1–40 of a–z 0–9 . _ -, not only digits" }],
  starts: true,
  async run({ daemon, print }, input) {
    const link = await daemon();
    const { account } = await accountArgument(link, input);
    const alias = input.arg(1) ?? "";
    const response = await link.accounts.updateAccount({ accountId: account.id, alias });
    if (print.asJson(UpdateAccountResponseSchema, response)) return;
    print.note(`${account.alias} is now ${response.account?.alias ?? alias}`);
    print.note(`undo: rotor account rename ${response.account?.alias ?? alias} ${account.alias}`);
  },
};

const renameTag: Command = {
  path: ["account", "rename-tag"],
  summary: "give a tag another name, on accounts and in rules and profiles",
  args: [
    { name: "TAG", about: "as it is now", completes: "tag" },
    { name: "NEW", about: "1–32 of a–z 0–9 . _ -" },
  ],
  options: [{ name: "dry-run", about: "say which accounts have it and change nothing" }],
  examples: ["rotor account rename-tag team work"],
  starts: true,
  async run({ daemon, print }, input) {
    const [tag, newTag] = [input.arg(0) ?? "", input.arg(1) ?? ""];
    const dryRun = input.has("dry-run");
    const response = await (await daemon()).accounts.renameTag({ tag, newTag, dryRun });
    if (print.asJson(RenameTagResponseSchema, response)) return;
    for (const { alias, tags } of response.accounts) print.note(`${alias}: ${tags.join(", ")}`);
    print.note(dryRun ? "nothing was changed (--dry-run)" : `undo: rotor account rename-tag ${newTag} ${tag}`);
  },
};

export const accountCommands: readonly Command[] = [show, add, rename, renameTag];

/** Aliases for other nouns that show account ids. */
export async function listAccounts(context: Context): Promise<Account[]> {
  return (await (await context.daemon()).accounts.listAccounts({})).accounts;
}
