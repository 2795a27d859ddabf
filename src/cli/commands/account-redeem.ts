/**
 * `rotor account redeem`: empties the windows of an account with one of its reset credits.
 */
import { RedeemOutcome, RedeemResetCreditResponseSchema } from "../../gen/rotor/v1/account_service_pb.ts";
import type { Command } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import { windowsText } from "../text/account-text.ts";
import { ACCOUNT_ARGUMENT, accountArgument } from "./account.ts";

const OUTCOMES: Readonly<Record<RedeemOutcome, string>> = {
  [RedeemOutcome.UNSPECIFIED]: "nothing is known",
  [RedeemOutcome.RESET]: "one reset credit is redeemed",
  [RedeemOutcome.NOTHING_TO_RESET]: "nothing to reset, nothing is spent",
  [RedeemOutcome.NO_CREDIT]: "there is no reset credit to redeem",
  [RedeemOutcome.ALREADY_REDEEMED]: "the earlier try had redeemed it; no second one is spent",
};

const redeem: Command = {
  path: ["account", "redeem"],
  summary: "empty the windows of an account with one of its reset credits",
  details: [
    "It is spent once, however often you ask: a try that was cut off is asked for again under its own id. rotor account show says how many there are.",
  ],
  args: [ACCOUNT_ARGUMENT],
  options: [{ name: "dry-run", about: "say what would be redeemed and send nothing" }, YES_OPTION],
  examples: ["rotor account redeem work --dry-run", "rotor account redeem work --yes"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const link = await context.daemon();
    const { account } = await accountArgument(link, input);
    const { id, alias, resetCredits } = account;
    const known = resetCredits === undefined ? "upstream never said how many" : `${resetCredits.available} there`;
    const about = `one reset credit of ${alias} (${known}; used: ${windowsText(account.windows)})`;
    if (input.has("dry-run")) {
      if (print.json) print.value({ would_redeem: alias, available: resetCredits?.available ?? null });
      else print.note(`would redeem ${about}; nothing was sent (--dry-run)`);
      return 0;
    }
    await confirm(context, input, { question: `Redeem ${about}?`, command: `rotor account redeem ${alias} --yes` });
    const response = await link.accounts.redeemResetCredit({ accountId: id });
    if (!print.asJson(RedeemResetCreditResponseSchema, response)) {
      print.note(`${alias}: ${OUTCOMES[response.outcome] ?? OUTCOMES[RedeemOutcome.UNSPECIFIED]}`);
      print.note(`${alias}: used: ${windowsText(response.account?.windows ?? [])}`);
    }
    return response.outcome === RedeemOutcome.NO_CREDIT ? 1 : 0;
  },
};

export const accountRedeemCommands: readonly Command[] = [redeem];
