/**
 * What `/rotor` and the tool `rotor_status` answer: the pool in a few lines, and the orders that are given from inside a conversation.
 * Asks the daemon for each answer; keeps nothing. Knows no credential, so that none can come into a conversation.
 */
import type { Link } from "./link.ts";
import { downMessage } from "./routed-fetch.ts";
import type { AccountJson, HoldJson, PlanJson, PoolJson } from "./wire.ts";

export const HELP = `accounts · pin ACCOUNT [2h] · unpin · strategy NAME · explain [MODEL] · status`;

/** Whatever goes wrong is said in the answer; never rejects. */
export async function answer(link: Link, line: string): Promise<string> {
  const [verb = "status", ...rest] = line.trim().split(/\s+/).filter(Boolean);
  try {
    return await perform(link, verb.toLowerCase(), rest);
  } catch (error) {
    const { code, message } = error as { code?: string; message?: string };
    return code === undefined || code === "unavailable" ? downMessage(error) : `Rotor refuses: ${message}`;
  }
}

async function perform(link: Link, verb: string, rest: readonly string[]): Promise<string> {
  await link.greet();
  switch (verb) {
    case "status":
    case "accounts":
    case "list":
      return await overview(link);
    case "pin":
      return await pin(link, rest[0], rest.at(-1));
    case "unpin":
      await link.call("PoolService/UnpinAccount");
      return "The pin is gone: accounts are chosen by the strategy again.";
    case "strategy":
      return await setStrategy(link, rest[0]);
    case "explain":
      return await explain(link, rest[0] ?? "");
    default:
      return `/rotor takes: ${HELP}`;
  }
}

async function overview(link: Link): Promise<string> {
  const [pool, accounts] = await Promise.all([poolOf(link), accountsOf(link)]);
  if (accounts.length === 0) return "Rotor has no accounts yet. Sign in with: rotor login";
  const { client } = await link.greet();
  const profile = client?.profile ? `, profile ${client.profile}` : "";
  const head = `Rotor: ${pool.usableCount ?? 0} of ${accounts.length} accounts usable, strategy ${strategyWord(pool)}${profile}`;
  const pinned = accounts.find(({ id }) => id === pool.pin?.accountId);
  const pinLine =
    pinned === undefined
      ? []
      : [`pinned to ${pinned.alias}${pool.pin?.endTime ? ` until ${clock(pool.pin.endTime)}` : ""}`];
  return [head, ...pinLine, ...accounts.map((account) => `  ${accountLine(account, pool)}`)].join("\n");
}

export async function poolOf(link: Link): Promise<PoolJson> {
  return (await link.call<{ pool?: PoolJson }>("PoolService/GetPool")).pool ?? {};
}

export async function accountsOf(link: Link): Promise<readonly AccountJson[]> {
  return (await link.call<{ accounts?: readonly AccountJson[] }>("AccountService/ListAccounts")).accounts ?? [];
}

export function accountLine(account: AccountJson, pool: PoolJson): string {
  const windows = (account.windows ?? []).map(windowText);
  const state = (account.holds ?? []).length === 0 ? "usable" : (account.holds ?? []).map(holdText).join(", ");
  const next = pool.nextAccountId === account.id ? "▸ " : "";
  return [`${next}${account.alias}`, account.tier ?? "", ...windows, state].filter((text) => text !== "").join(" · ");
}

/** `5h 41% used`; another limit than the main one by its name. */
function windowText({ limit = "", lengthMinutes, usedPercent = 0 }: Window): string {
  const minutes = Number(lengthMinutes ?? 0);
  const length = minutes === 0 ? "" : minutes % 1_440 === 0 ? `${minutes / 1_440}d` : `${Math.round(minutes / 60)}h`;
  const name = [limit === "codex" && length !== "" ? "" : limit, length].filter((text) => text !== "").join(" ");
  return `${name} ${Math.round(usedPercent)}% used`;
}

type Window = NonNullable<AccountJson["windows"]>[number];

function holdText(hold: HoldJson): string {
  const kind = (hold.kind ?? "")
    .replace(/^HOLD_KIND_/, "")
    .toLowerCase()
    .replaceAll("_", " ");
  return hold.endTime === undefined ? kind : `${kind} until ${clock(hold.endTime)}`;
}

/** In the words of the clock on this wall; a date when it is not today. */
export function clock(time: string): string {
  const date = new Date(time);
  const hours = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return date.toDateString() === new Date().toDateString() ? hours : `${date.toLocaleDateString()} ${hours}`;
}

export function strategyWord(pool: PoolJson): string {
  return (pool.strategy ?? "")
    .replace(/^STRATEGY_/, "")
    .toLowerCase()
    .replaceAll("_", "-");
}

/** By alias, number in the list, or the one that begins so. */
async function accountNamed(link: Link, name: string | undefined): Promise<AccountJson> {
  const accounts = await accountsOf(link);
  const exact = accounts.find(({ alias, id }, i) => alias === name || id === name || String(i + 1) === name);
  const like = accounts.filter(({ alias = "" }) => name !== undefined && alias.startsWith(name));
  const found = exact ?? (like.length === 1 ? like[0] : undefined);
  if (found !== undefined) return found;
  const names = accounts.map(({ alias }) => alias).join(", ");
  throw Object.assign(
    new Error(
      name === undefined ? `which account? There are ${names}` : `there is no account ${name}; there are ${names}`,
    ),
    {
      code: "account_not_found",
    },
  );
}

async function pin(link: Link, name: string | undefined, length: string | undefined): Promise<string> {
  const account = await accountNamed(link, name);
  const spoken = /^(\d+)\s*([mhd])$/.exec(length ?? "");
  const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 }[spoken?.[2] ?? "m"] ?? 0;
  const endTime = spoken === null ? undefined : new Date(Date.now() + Number(spoken[1]) * unitMs).toISOString();
  await link.call("PoolService/PinAccount", { accountId: account.id, ...(endTime === undefined ? {} : { endTime }) });
  return `Pinned to ${account.alias}${endTime === undefined ? "" : ` until ${clock(endTime)}`}: nobody else serves, also when it is out. Undo: /rotor unpin`;
}

export const STRATEGIES = [
  "balanced",
  "round-robin",
  "least-used",
  "random",
  "weighted-round-robin",
  "drain-first",
  "reset-soonest",
] as const;

async function setStrategy(link: Link, name: string | undefined): Promise<string> {
  const known = STRATEGIES.find((strategy) => strategy === name);
  if (known === undefined) return `There are the strategies ${STRATEGIES.join(", ")}; /rotor strategy NAME sets one.`;
  await link.call("PoolService/SetStrategy", { strategy: `STRATEGY_${known.toUpperCase().replaceAll("-", "_")}` });
  return `Accounts are chosen by ${known} from now on.`;
}

async function explain(link: Link, model: string): Promise<string> {
  const { client } = await link.greet();
  const asked = {
    model: model.replace(/^openai\//, ""),
    keyId: client?.keyId ?? "",
    projectKey: client?.projectKey ?? "",
  };
  const [{ plan = {} }, accounts] = await Promise.all([
    link.call<{ plan?: PlanJson }>("PoolService/ExplainSelection", asked),
    accountsOf(link),
  ]);
  return planText(plan, new Map(accounts.map(({ id = "", alias = "" }) => [id, alias])));
}

function planText(plan: PlanJson, aliases: ReadonlyMap<string, string>): string {
  const order = (plan.accountIds ?? []).map((id) => aliases.get(id) ?? id);
  const reason = (plan.reason ?? "")
    .replace(/^PLAN_REASON_/, "")
    .toLowerCase()
    .replaceAll("_", " ");
  const head =
    order.length === 0
      ? "Nobody could serve a new conversation now."
      : `A new conversation would go to ${order[0]} (${reason}).`;
  const next = order.length > 1 ? [`Then: ${order.slice(1).join(", ")}.`] : [];
  const held = (plan.held ?? []).map((one) => `  ${one.alias}: ${(one.holds ?? []).map(holdText).join(", ")}`);
  const first =
    plan.nextUsableTime === undefined || order.length > 0
      ? []
      : [`The first is usable at ${clock(plan.nextUsableTime)}.`];
  return [head, ...next, ...(held.length > 0 ? ["Held:", ...held] : []), ...first].join("\n");
}
