/**
 * Redeems a reset credit of an account: empties its windows, once. The id under which it is asked for is on disk before anything is sent and
 * stays until upstream has said what became of it, so that no crash and no second try spends a second one.
 */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { type Dice, randomUuid } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Account, AccountId } from "../domain/account.ts";
import type { RedeemIntent, Store } from "../store/store.ts";
import { type RedeemCode, readRedeemAnswer } from "../upstream/redeem-answer.ts";
import { type CallDeps, callAccount } from "./account-call.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { UsageReader } from "./usage-reader.ts";

export interface Redeemed {
  readonly code: RedeemCode;
  /** With the figures as they are after it, where they could be read. */
  readonly account: Account;
  /** An earlier try whose end nobody knew was asked for again. */
  readonly resumed: boolean;
}

export interface RedeemDesk {
  /** Joins one that is under way for the account. Rejects with `upstream_unreachable` (may be tried again) or `upstream_rejected`. */
  redeem(id: AccountId): Promise<Redeemed>;
}

const PATH = "/wham/rate-limit-reset-credits/consume";

interface RedeemDeps extends CallDeps {
  readonly store: Store;
  readonly reader: UsageReader;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly audit: AuditNotes;
  readonly log: Log;
}

export function createRedeemDesk(deps: RedeemDeps): RedeemDesk {
  const running = new Map<AccountId, Promise<Redeemed>>();
  return {
    redeem(id) {
      const joined = running.get(id);
      if (joined !== undefined) return joined;
      const started = redeem(deps, id).finally(() => running.delete(id));
      running.set(id, started);
      return started;
    },
  };
}

async function redeem(deps: RedeemDeps, id: AccountId): Promise<Redeemed> {
  const { keeper, store, reader, clock, dice, audit, log } = deps;
  const { alias } = keeper.require(id);
  const requestId = randomUuid(dice);
  const intent = await store.beginRedeem({ accountId: id, requestId, startedAtMs: clock.nowMs() });
  const resumed = intent.requestId !== requestId;
  const code = await ask(deps, alias, intent);
  await store.endRedeem(intent);
  audit.say({ action: "account.redeem", subjects: [{ id, name: alias }], text: code });
  log.info("account.redeemed", { account: alias, code, resumed });
  // What it did shows at once, and not with the next request.
  await reader.read(id, new AbortController().signal);
  return { code, account: keeper.require(id), resumed };
}

async function ask(deps: RedeemDeps, alias: string, intent: RedeemIntent): Promise<RedeemCode> {
  const body = { redeem_request_id: intent.requestId };
  // Nobody's leaving stops it: it is asked to its end.
  const { signal } = new AbortController();
  const end = await callAccount(deps, intent.accountId, { method: "POST", path: PATH, body, signal, renews: true });
  if (end.kind === "refused") {
    if (end.status !== null) await deps.store.endRedeem(intent);
    throw new AppError("upstream_rejected", `${alias}: nothing was redeemed: ${end.message}`);
  }
  const code = end.kind === "answered" ? readRedeemAnswer(end.text) : null;
  if (code !== null) return code;
  const said = end.kind === "answered" ? "upstream's answer cannot be read" : end.message;
  throw new AppError(
    "upstream_unreachable",
    `${alias}: nobody knows whether it was redeemed (${said}); ask again, it is not spent twice`,
    { hint: `rotor account redeem ${alias}` },
  );
}
