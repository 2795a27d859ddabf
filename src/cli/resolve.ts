/**
 * Names as people give them → the one thing that is meant. Done once, here; the API takes ids only.
 */
import { AppError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import type { Account } from "../gen/rotor/v1/account_pb.ts";
import type { Exchange } from "../gen/rotor/v1/exchange_pb.ts";
import type { Key } from "../gen/rotor/v1/key_service_pb.ts";
import { printable } from "./print.ts";

/** Candidates named in an "ambiguous" answer; more would scroll the reason away. */
const CANDIDATES_SHOWN = 6;

/** Alias, list number, id, e-mail address, or an unambiguous beginning of alias, id or address. In this order. */
export function resolveAccount(accounts: readonly Account[], name: string): Account {
  const wanted = name.trim();
  const lower = wanted.toLowerCase();
  const byAlias = accounts.find((account) => account.alias === lower);
  if (byAlias) return byAlias;
  if (/^\d{1,4}$/.test(wanted)) {
    const byNumber = accounts[Number(wanted) - 1];
    if (byNumber) return byNumber;
  }
  const names = (account: Account) => [account.alias, account.id, account.email].map((text) => text.toLowerCase());
  const exact = accounts.filter((account) => names(account).includes(lower));
  if (exact.length === 1) return exact[0]!;
  if (exact.length > 1) throw ambiguousAccount(wanted, exact);
  const starting =
    lower === "" ? [] : accounts.filter((account) => names(account).some((text) => text.startsWith(lower)));
  if (starting.length === 1) return starting[0]!;
  if (starting.length > 1) throw ambiguousAccount(wanted, starting);
  const known = accounts.flatMap((account) => [account.alias, ...(account.email ? [account.email] : [])]);
  throw new AppError("account_not_found", notFound("account", wanted, known), {
    hint: accounts.length === 0 ? "rotor login" : undefined,
  });
}

function ambiguousAccount(name: string, found: readonly Account[]): AppError {
  const shown = found.slice(0, CANDIDATES_SHOWN).map((account) => `${account.alias} (${accountSubtitle(account)})`);
  const more = found.length > shown.length ? ` and ${found.length - shown.length} more` : "";
  const message = `"${printable(name)}" could be any of ${found.length} accounts: ${shown.join(", ")}${more}`;
  return new AppError("account_ambiguous", message, { facts: { count: found.length } });
}

function accountSubtitle(account: Account): string {
  return printable([account.email, account.tier, account.workspaceId].filter((text) => text !== "").join(", "));
}

/** Name, list number, id or an unambiguous beginning of either. A valid key wins over revoked ones of the same name. */
export function resolveKey(keys: readonly Key[], name: string): Key {
  const wanted = name.trim();
  const valid = keys.filter((key) => key.revokeTime === undefined);
  for (const group of [valid, keys]) {
    const exact = group.filter((key) => key.name === wanted || key.id === wanted);
    if (exact.length === 1) return exact[0]!;
    if (exact.length > 1) throw ambiguousKey(wanted, exact);
  }
  if (/^\d{1,4}$/.test(wanted)) {
    const byNumber = keys[Number(wanted) - 1];
    if (byNumber) return byNumber;
  }
  for (const group of [valid, keys]) {
    const starting = group.filter((key) => wanted !== "" && (key.name.startsWith(wanted) || key.id.startsWith(wanted)));
    if (starting.length === 1) return starting[0]!;
    if (starting.length > 1) throw ambiguousKey(wanted, starting);
  }
  throw new AppError(
    "key_not_found",
    notFound(
      "key",
      wanted,
      keys.map((key) => key.name),
    ),
    {
      hint: keys.length === 0 ? "rotor key create NAME" : undefined,
    },
  );
}

function ambiguousKey(name: string, found: readonly Key[]): AppError {
  const shown = found.slice(0, CANDIDATES_SHOWN).map((key) => `${key.name} (${key.id})`);
  return new AppError("bad_usage", `"${printable(name)}" could be any of ${found.length} keys: ${shown.join(", ")}`, {
    hint: "rotor key list",
  });
}

/** List number of `exchange list`, newest = 1. Anything else is an id or its beginning, which the daemon completes. */
export function exchangeNumber(name: string): number | null {
  return /^[1-9]\d{0,2}$/.test(name.trim()) ? Number(name.trim()) : null;
}

/** The shortest beginnings that tell these exchanges apart. At least ten characters: those are only the time. */
export function shortIds(exchanges: readonly Exchange[]): ReadonlyMap<string, string> {
  const ids = exchanges.map((exchange) => exchange.id).sort();
  let length = 10;
  for (let i = 1; i < ids.length; i++) {
    let common = 0;
    while (common < ids[i]!.length && ids[i]![common] === ids[i - 1]![common]) common++;
    length = Math.max(length, common + 1);
  }
  return new Map(ids.map((id) => [id, id.slice(0, length)]));
}

export function notFound(noun: string, name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  return `there is no ${noun} "${printable(name)}"${meant === null ? "" : ` (did you mean ${printable(meant)}?)`}`;
}
