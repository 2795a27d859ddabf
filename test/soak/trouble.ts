/**
 * The trouble of a soak: faults of upstream's, accounts that run dry and come back, logins that expire, operators who disable and enable. All
 * of it passes: what a soak looks for is what stays.
 */

import { FAULT_KINDS, type FaultKind, type FaultParams, STREAM_POINTS } from "../../src/simulator/faults.ts";
import type { Chance } from "../daemon/support/seed.ts";
import { ALIASES, type SoakWorld } from "./world.ts";

/** Ends within seconds; what cannot be had that way is ordered once and heals by an order of its own. */
const SHORT: Readonly<Partial<Record<FaultKind, FaultParams>>> = {
  usage_limit: { resetsInSeconds: 3 },
  usage_limit_resets_at_only: { resetsInSeconds: 3 },
  usage_limit_resets_in_only: { resetsInSeconds: 3 },
  usage_limit_headers_only: { resetsInSeconds: 3 },
  usage_limit_retry_after_only: { resetsInSeconds: 3 },
  usage_limit_error_code: { resetsInSeconds: 3 },
  usage_limit_text_only: { tryAgainIn: "3s" },
  rate_limit: { tryAgainIn: "1.3s" },
  rate_limit_tokens: { tryAgainIn: "2s" },
  rate_limit_retry_after: { retryAfterSeconds: 2 },
  failed_usage_limit: { resetsInSeconds: 3 },
  failed_rate_limit: { tryAgainIn: "1s" },
  slow_first_byte: { delayMs: 800 },
  late_answer: { delayMs: 800 },
  pause: { delayMs: 800 },
};

/** These end a login or a workspace for good: a soak would be over with the last account. */
const FATAL =
  /^(account_deactivated|deactivated_workspace.*|foreign_account|already_expired|refresh_.*|invalid_grant|app_session_.*|without_.*)$/;
const KINDS = (Object.keys(FAULT_KINDS) as FaultKind[]).filter((kind) => !FATAL.test(kind) && kind !== "custom");

/** What happened, in a word. */
export async function makeTrouble({ sim, daemon }: SoakWorld, chance: Chance): Promise<string> {
  const alias = chance.pick(ALIASES);
  switch (chance.pick(["fault", "fault", "fault", "fault", "handshake", "expire", "flap", "hold"])) {
    case "handshake": {
      const kind = chance.pick(["overloaded", "usage_limit", "reset_before_headers", "unauthorized"] as const);
      sim.addFault({ at: "upgrade", kind, account: alias, times: 1, ...SHORT[kind] });
      return `${kind} at a handshake`;
    }
    case "expire":
      sim.expireAccess(alias);
      return "expired";
    case "flap":
      // Out, back, and out again: each refusal holds it for these seconds.
      sim.addFault({ at: "responses", kind: "usage_limit", account: alias, times: 3, resetsInSeconds: 2 });
      return "flapped";
    case "hold": {
      const { id } = await daemon.control.account(alias);
      await daemon.control.call("AccountService/UpdateAccount", { accountId: id, enabled: false, force: true });
      await Bun.sleep(chance.between(200, 3_000));
      await daemon.control.call("AccountService/UpdateAccount", { accountId: id, enabled: true });
      return "held";
    }
    default: {
      const kind = chance.pick(KINDS);
      const point = (FAULT_KINDS[kind].params as readonly string[]).includes("point")
        ? chance.pick(STREAM_POINTS)
        : null;
      sim.addFault({ at: "responses", kind, account: alias, times: 1, ...SHORT[kind], ...(point ? { point } : {}) });
      return kind;
    }
  }
}

/** With so few left the soak would only hear that nobody may serve. */
const ENOUGH = 3;

/** An operator who sees to it that some can serve. */
export async function helpOut({ daemon }: SoakWorld): Promise<void> {
  const accounts = await daemon.control.accounts();
  const held = accounts.filter(({ holds = [] }) => holds.length > 0);
  if (accounts.length - held.length >= ENOUGH) return;
  for (const { id } of held) await daemon.control.call("AccountService/ClearAccountCooldown", { accountId: id });
}

/** Whoever is held for longer than a soak waits is freed, as an operator would. */
export async function heal({ sim, daemon }: SoakWorld): Promise<void> {
  sim.clearFaults();
  for (const account of await daemon.control.accounts()) {
    if ((account.holds ?? []).length > 0)
      await daemon.control.call("AccountService/ClearAccountCooldown", { accountId: account.id });
  }
}
