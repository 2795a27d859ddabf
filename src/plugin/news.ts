/**
 * What happens in OpenCode, told to the daemon (which notifies whoever wants to know) and, where it concerns the pool, said in a toast.
 * Sub-agents are not worth news. Never waits, never throws: OpenCode does not wait for it either.
 */
import type { Link } from "./link.ts";
import { isRecord } from "./places.ts";
import type { Sent } from "./routed-fetch.ts";
import type { AccountJson, ExchangeJson, NewsKind } from "./wire.ts";
import { accountsOf, clock, poolOf } from "./words.ts";

export type ShowToast = (message: string, variant: "info" | "warning" | "error") => void;

export interface NewsDesk {
  /** An event of OpenCode. */
  event(event: unknown): void;
  /** An answer that the proxy gave. */
  answered(sent: Sent): void;
  down(message: string): void;
  /** A request has no answer yet. */
  slow(): void;
}

/** Titles and accounts of so many conversations are remembered. */
const REMEMBERED = 200;
/** The same toast again within this time would only be noise. */
const TOAST_EVERY_MS = 60_000;

export function createNewsDesk(link: Link, toast: ShowToast): NewsDesk {
  const titles = new Map<string, string>();
  const children = new Set<string>();
  const servedBy = new Map<string, string>();
  const lost = new Set<string>();
  const toasted = new Map<string, number>();

  const say: ShowToast = (message, variant) => {
    if (link.options.toasts === false || Date.now() - (toasted.get(message) ?? 0) < TOAST_EVERY_MS) return;
    remember(toasted, message, Date.now());
    toast(message, variant);
  };
  const tell = (kind: NewsKind, conversationId: string, message = "") => {
    if (children.has(conversationId)) return;
    void link.report({ kind, conversationId, message, title: titles.get(conversationId) ?? "" });
  };
  /** Logins that were lost since the last look; the first look says them too. */
  const lookAtLogins = async () => {
    for (const account of await accountsOf(link)) {
      const { id = "", alias = "" } = account;
      if (!needsLogin(account)) lost.delete(id);
      else if (!lost.has(id)) {
        lost.add(id);
        say(`${alias} has to sign in again: rotor account relogin ${alias}`, "warning");
      }
    }
  };
  const lookAtMove = async (exchangeId: string) => {
    const { exchange } = await link.call<{ exchange?: ExchangeJson }>("ExchangeService/GetExchange", { exchangeId });
    const { conversation = "", accountAlias = "", attempts = [] } = exchange ?? {};
    if (conversation === "" || accountAlias === "") return;
    const before = servedBy.get(conversation);
    remember(servedBy, conversation, accountAlias);
    const failed = attempts.find((attempt) => attempt.accountAlias !== accountAlias);
    const from = before ?? failed?.accountAlias;
    if (from === undefined || from === accountAlias) return;
    const why = failed?.outcome === undefined ? "" : ` (${failed.outcome.replaceAll("_", " ")})`;
    say(`Moved from ${from} to ${accountAlias}${why}`, "info");
  };
  const sayExhausted = async (doing = "") => {
    const { usableCount = 0, nextUsableTime } = await poolOf(link);
    if (usableCount > 0) return;
    const when =
      nextUsableTime === undefined ? "rotor pool explain says why" : `the first is usable at ${clock(nextUsableTime)}`;
    say(`${doing}Every account is held; ${when}`, "warning");
  };
  const quietly = (work: () => Promise<void>) => void work().catch(() => {});

  const handlers: Readonly<Record<string, (properties: Record<string, unknown>) => void>> = {
    "session.created": ({ info }) => {
      if (!isRecord(info)) return;
      const id = text(info.id);
      if (text(info.parentID) !== "") return void remember(children, id, id);
      remember(titles, id, text(info.title));
      quietly(async () => {
        await link.greet();
        tell("CREATED", id);
        await lookAtLogins();
      });
    },
    "session.updated": ({ info }) => {
      if (isRecord(info) && titles.has(text(info.id))) remember(titles, text(info.id), text(info.title));
    },
    "session.idle": ({ sessionID }) => {
      tell("IDLE", text(sessionID));
      quietly(lookAtLogins);
    },
    "session.status": ({ sessionID, status }) => {
      if (isRecord(status) && status.type === "retry") tell("RETRY", text(sessionID), text(status.message));
    },
    "session.error": ({ sessionID, error }) => tell("ERROR", text(sessionID), errorText(error)),
    "permission.asked": ({ sessionID, permission }) => tell("WAITING", text(sessionID), text(permission)),
    "question.asked": ({ sessionID }) => tell("WAITING", text(sessionID)),
  };

  return {
    event(event) {
      if (!isRecord(event) || !isRecord(event.properties)) return;
      try {
        handlers[text(event.type)]?.(event.properties);
      } catch {
        // Another version of OpenCode spells an event in another way: no news of it.
      }
    },
    answered({ response }) {
      const exchangeId = response.headers.get("x-rotor-exchange");
      if (response.ok && exchangeId !== null) quietly(() => lookAtMove(exchangeId));
      if (response.status === 429 || response.status === 400) quietly(() => sayExhausted());
    },
    down: (message) => say(message, "error"),
    slow: () => quietly(() => sayExhausted("Waiting. ")),
  };
}

function needsLogin({ holds = [] }: AccountJson): boolean {
  return holds.some(({ kind }) => kind === "HOLD_KIND_NEEDS_LOGIN");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function errorText(error: unknown): string {
  if (!isRecord(error)) return "";
  const inner = isRecord(error.data) ? text(error.data.message) : "";
  return inner || text(error.message) || text(error.name);
}

function remember<K, V>(kept: Map<K, V> | Set<K>, key: K, value: V): void {
  kept.delete(key);
  if (kept instanceof Map) kept.set(key, value);
  else kept.add(key);
  if (kept.size > REMEMBERED) kept.delete(kept.keys().next().value as K);
}
