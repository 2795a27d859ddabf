/** AccountService (proto/rotor/v1/account_service.proto): translates and calls the account desk. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { type AccountService, RedeemOutcome } from "../gen/rotor/v1/account_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import type { Redeemed } from "../pool/redeem-desk.ts";
import { mentionTexts } from "../pool/rulebook.ts";
import { toAccountEdit } from "./convert/account-edits.ts";
import { accountConverter } from "./convert/accounts.ts";
import { loginStepMessage } from "./convert/login-steps.ts";
import { toAccountId } from "./convert/values.ts";

export function createAccountService(engine: () => Engine, clock: Clock): ServiceImpl<typeof AccountService> {
  const converter = () => accountConverter(engine(), clock.nowMs());
  return {
    listAccounts: () => ({ accounts: engine().accounts.list().map(converter()) }),
    getAccount(request) {
      const account = engine().accounts.get(toAccountId(request.accountId));
      if (account === null) {
        const facts = { account_id: request.accountId };
        throw new AppError("account_not_found", `there is no account with the id ${request.accountId}`, { facts });
      }
      return { account: converter()(account) };
    },
    async updateAccount(request) {
      const { alias, enabled, force } = request;
      const account = await engine().accounts.update(toAccountId(request.accountId), { alias, enabled, force });
      return { account: converter()(account) };
    },
    async updateAccounts(request) {
      const { force, dryRun } = request;
      const ids = request.accountIds.map(toAccountId);
      const accounts = await engine().accounts.edit(ids, toAccountEdit(request), { force, dryRun });
      return { accounts: accounts.map(converter()) };
    },
    async removeAccount(request) {
      const id = toAccountId(request.accountId);
      const mentions = mentionTexts(engine().accounts.mentions(id));
      const removed = await engine().accounts.remove(id, { revoke: request.revoke });
      return { account: converter()(removed), mentions };
    },
    async renameTag({ tag, newTag, dryRun }) {
      const accounts = await engine().accounts.renameTag(tag, newTag, { dryRun });
      return { accounts: accounts.map(converter()) };
    },
    async refreshAccount(request) {
      const account = await engine().accounts.refresh(toAccountId(request.accountId));
      return { account: converter()(account) };
    },
    async *refreshAccounts(request, context) {
      const options = { dryRun: request.dryRun, signal: context.signal };
      const steps = engine().accounts.refreshAll(request.accountIds.map(toAccountId), options);
      for await (const step of steps) yield { step: loginStepMessage(step) };
    },
    async *probeAccounts(request, context) {
      const { model, effort, dryRun } = request;
      const ask = model === "" ? null : { model, effort: effort || "low" };
      const options = { dryRun, signal: context.signal, ask };
      const steps = engine().accounts.probeAll(request.accountIds.map(toAccountId), options);
      for await (const step of steps) yield { step: loginStepMessage(step) };
    },
    async redeemResetCredit(request) {
      const { code, account, resumed } = await engine().accounts.redeem(toAccountId(request.accountId));
      return { outcome: REDEEM_OUTCOMES[code], account: converter()(account), resumed };
    },
    async clearAccountCooldown(request) {
      const account = await engine().accounts.clearCooldown(toAccountId(request.accountId));
      return { account: converter()(account) };
    },
  };
}

const REDEEM_OUTCOMES: Readonly<Record<Redeemed["code"], RedeemOutcome>> = {
  reset: RedeemOutcome.RESET,
  nothing_to_reset: RedeemOutcome.NOTHING_TO_RESET,
  no_credit: RedeemOutcome.NO_CREDIT,
  already_redeemed: RedeemOutcome.ALREADY_REDEEMED,
};
