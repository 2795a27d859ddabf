/** A reset credit is spent once: the daemon is killed while upstream has the request, and the next one asks again under the same id. */
import { expect, test } from "bun:test";
import type { RequestRecord } from "../../src/simulator/recorder.ts";
import type { Simulator } from "../../src/simulator/simulator.ts";
import { openStage } from "./support/stage.ts";
import { until } from "./support/until.ts";

const consumed = (sim: Simulator): RequestRecord[] =>
  sim.requests().filter((request) => request.path.endsWith("/rate-limit-reset-credits/consume"));
const idOf = ({ body }: RequestRecord) => (body as { redeem_request_id: string }).redeem_request_id;

interface Answer {
  readonly outcome: string;
  readonly resumed: boolean;
  readonly account: {
    readonly resetCredits: { readonly available: number };
    readonly windows: readonly { readonly usedPercent: number }[];
  };
}

test("killed in the middle of it: one credit is spent, not two", async () => {
  await using stage = await openStage({
    accounts: [{ alias: "alpha", resetCredits: 2 }],
  });
  const { sim } = stage;
  sim.changeAccount("alpha", { usedPercent: { primary: 100 } });
  const daemon = await stage.start();
  const { id } = await daemon.control.importLogin(sim.accounts[0], "alpha");
  sim.addFault({ at: "reset_credits", kind: "late_answer", delayMs: 600_000 });
  const lost = daemon.control.call("AccountService/RedeemResetCredit", { accountId: id }).catch(() => "lost");
  await until(() => consumed(sim).length === 1, "upstream has the request");
  await daemon.kill();
  expect(await lost).toBe("lost");

  const { control } = await stage.start();
  const again = await control.call<Answer>("AccountService/RedeemResetCredit", { accountId: id });
  expect(again.resumed).toBe(true);
  expect(["REDEEM_OUTCOME_RESET", "REDEEM_OUTCOME_ALREADY_REDEEMED"]).toContain(again.outcome);
  expect(again.account.resetCredits.available).toBe(1);
  expect(again.account.windows[0]!.usedPercent).toBe(0);
  const [first, second] = consumed(sim).map(idOf);
  expect(second).toBe(first!);
});
