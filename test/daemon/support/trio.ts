/**
 * Three fresh accounts for one case in a daemon that serves many cases: the first of the plan, the second and the third. Nothing of one
 * case is left for the next.
 */
import type { FaultSpec } from "../../../src/simulator/fault-book.ts";
import type { RequestRecord } from "../../../src/simulator/recorder.ts";
import type { FaultOn, Place } from "../failure-table.ts";
import type { ProxyClient } from "./client.ts";
import type { AccountJson, Control, PlanJson } from "./control.ts";
import type { Stage } from "./stage.ts";

const PLACES: readonly Place[] = ["A", "B", "C"];

export interface Trio {
  alias(place: Place): string;
  /** The place of an account, by its alias. */
  place(alias: string | null): string;
  account(place: Place): Promise<AccountJson>;
  order(fault: FaultOn): void;
  /** What upstream has seen since the case began. */
  requests(path: string): RequestRecord[];
  /** Inference requests, as places: `AAB`; handshakes are none. */
  tried(): string;
  /** Takes the accounts away, and shows the pool that upstream serves: failures of one case are no burst with those of the next. */
  end(): Promise<void>;
}

export async function openTrio(stage: Stage, control: Control, client: ProxyClient): Promise<Trio> {
  const { sim } = stage;
  const firstId = (sim.requests().at(-1)?.id ?? 0) + 1;
  const added: AccountJson[] = [];
  for (const _ of PLACES) added.push(await addAccount(stage, control));
  const { plan } = await control.call<{ plan: PlanJson }>("PoolService/ExplainSelection", { model: "gpt-5.5" });
  const aliases = plan.accountIds!.map((id) => added.find((account) => account.id === id)!.alias);
  const alias = (place: Place) => aliases[PLACES.indexOf(place)]!;
  const trio: Trio = {
    alias,
    place: (name) => (name === null ? "?" : (PLACES[aliases.indexOf(name)] ?? "?")),
    account: (place) => control.account(alias(place)),
    order({ on, at, ...fault }) {
      sim.addFault({ ...fault, at: at ?? "responses", account: alias(on ?? "A") } as FaultSpec);
    },
    requests: (path) => sim.requests().filter((request) => request.id >= firstId && request.path === path),
    tried: () =>
      trio
        .requests("/backend-api/codex/responses")
        // A handshake asks nothing of the model.
        .filter((request) => request.method !== "GET")
        .map((request) => trio.place(request.account))
        .join(""),
    async end() {
      sim.clearFaults();
      for (const { id } of added) await control.call("AccountService/RemoveAccount", { accountId: id });
      const healer = await addAccount(stage, control);
      await client.ask("codex");
      await control.call("AccountService/RemoveAccount", { accountId: healer.id });
    },
  };
  return trio;
}

async function addAccount({ sim }: Stage, control: Control): Promise<AccountJson> {
  const { account, auth } = sim.addAccount();
  return control.importLogin(auth, account.alias);
}
