/**
 * Which accounts a command is about: named one by one, all, or by a tag. Resolved once, here; the API takes ids only.
 */
import { AppError } from "../base/errors.ts";
import type { Account } from "../gen/rotor/v1/account_pb.ts";
import type { Argument, Context, Input, Option } from "./command.ts";
import { printable } from "./print.ts";
import { notFound, resolveAccount } from "./resolve.ts";

export const SELECTION_OPTIONS: readonly Option[] = [
  { name: "all", about: "every account" },
  { name: "tag", value: "TAG", about: "every account with this tag", completes: "tag" },
];

/** As of a command that is about any number of them. */
export const ACCOUNTS_ARGUMENT: Argument = {
  name: "ACCOUNT",
  about: "aliases, list numbers, e-mail addresses, ids, or unambiguous beginnings",
  optional: true,
  variadic: true,
  completes: "account",
};

/** Each account once, in the order in which they were named. Rejects when none is meant. */
function selectAccounts(
  accounts: readonly Account[],
  names: readonly string[],
  { input, title }: { input: Input; title: string },
): Account[] {
  const tag = input.value("tag");
  const ways = [names.length > 0, input.has("all"), tag !== null].filter(Boolean).length;
  const hint = title.replace(/^rotor /, "rotor help ");
  if (ways === 0) throw new AppError("bad_usage", "say which account, or --all, or --tag TAG", { hint });
  if (ways > 1) throw new AppError("bad_usage", "give names, or --all, or --tag TAG, one of the three", { hint });
  if (tag !== null) return taggedWith(accounts, tag);
  if (names.length === 0) {
    if (accounts.length > 0) return [...accounts];
    throw new AppError("account_not_found", "there are no accounts", { hint: "rotor login" });
  }
  return [...new Set(names.map((name) => resolveAccount(accounts, name)))];
}

function taggedWith(accounts: readonly Account[], tag: string): Account[] {
  const found = accounts.filter((account) => account.tags.includes(tag));
  if (found.length > 0) return found;
  const known = [...new Set(accounts.flatMap((account) => account.tags))];
  throw new AppError("account_not_found", notFound("account with the tag", tag, known));
}

/** The selection that the command line makes of all accounts. */
export async function selected(context: Context, input: Input, names = input.rest(0)): Promise<Account[]> {
  const { accounts } = await (await context.daemon()).accounts.listAccounts({});
  return selectAccounts(accounts, names, { input, title: context.title });
}

/** Aliases for a sentence: `work`, `work and home`, `work, home and 3 more`. */
export function namesText(accounts: readonly Account[]): string {
  const names = accounts.map((account) => printable(account.alias));
  if (names.length > 4) return `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
