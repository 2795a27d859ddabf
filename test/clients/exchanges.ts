/**
 * What Rotor says of a request afterwards, as its ctl prints it with --json; and whom it would ask next.
 */
import type { World } from "./harness.ts";

export interface ShownExchange {
  readonly id: string;
  readonly surface: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly errorCode: string;
  readonly accountAlias: string;
  readonly endTime?: string;
  readonly attempts: readonly {
    readonly accountAlias: string;
    readonly outcome: string;
    readonly status: number;
    readonly next: string;
  }[];
  readonly plan?: {
    readonly held: readonly {
      readonly alias: string;
      readonly holds: readonly { readonly kind: string; readonly endTime?: string }[];
    }[];
  };
  readonly usage?: { readonly inputTokens: string; readonly outputTokens: string };
}

/** Newest first. */
export async function listExchanges(world: World): Promise<readonly ShownExchange[]> {
  return (await world.ctlJson<{ exchanges: ShownExchange[] }>("exchange", "list")).exchanges;
}

export async function showExchange(world: World, id: string): Promise<ShownExchange> {
  return (await world.ctlJson<{ exchange: ShownExchange }>("exchange", "show", id)).exchange;
}

/** `pro window_exhausted next, team served done`: each try, what came of it, and what was decided. */
export function triesOf(exchange: ShownExchange): string {
  return exchange.attempts.map((attempt) => `${attempt.accountAlias} ${attempt.outcome} ${attempt.next}`).join(", ");
}

/** The alias that the next request will get. Asked of Rotor, so that tests need not know how it ranks. */
export async function nextAccount(world: World): Promise<string> {
  const { pool } = await world.ctlJson<{ pool: { nextAccountId: string } }>("pool", "show");
  const { accounts } = await world.ctlJson<{ accounts: { id: string; alias: string }[] }>("account", "list");
  const next = accounts.find((account) => account.id === pool.nextAccountId);
  if (!next) throw new Error("nobody is next");
  return next.alias;
}
