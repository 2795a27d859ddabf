/**
 * What `rotor doctor` says of the machine around the daemon: clock, disk, and whether upstream and issuer take a connection. Opens
 * connections and writes nothing on them; changes nothing.
 */
import { statfsSync } from "node:fs";
import type { Clock } from "../base/clock.ts";
import type { Config } from "../base/config.ts";
import type { Paths } from "../base/paths.ts";
import type { Finding } from "../control/daemon-facts.ts";
import { tryReach } from "../upstream/reach.ts";
import type { ClockReading } from "../upstream/upstream-clock.ts";
import { error, ok, warning } from "./finding.ts";

/** Logins are judged by their expiry; before this product existed no clock can be right. */
const EARLIEST_SANE_MS = Date.UTC(2026, 0, 1);
/** `date` has whole seconds, and an answer takes its time. */
const SKEW_SEEN_MS = 30_000;
/** Access tokens are renewed some minutes before their end; resets would be waited for by so much too long. */
const SKEW_HARMFUL_MS = 300_000;

export function clockFinding(clock: Clock, reading: ClockReading | null): Finding {
  const check = "host.clock";
  if (clock.nowMs() < EARLIEST_SANE_MS)
    return error(check, "the clock is years behind: logins would look fresh that are not", "set the clock");
  if (reading === null) return ok(check, "the clock is plausible; upstream's next answer will say how right it is");
  const seconds = Math.round(Math.abs(reading.aheadMs) / 1_000);
  if (seconds * 1_000 < SKEW_SEEN_MS) return ok(check, "the clock agrees with upstream's");
  const words = `the clock is ${seconds} s ${reading.aheadMs > 0 ? "behind" : "ahead of"} upstream's`;
  const hint = "set the clock (timedatectl set-ntp true, or your system's settings)";
  if (seconds * 1_000 < SKEW_HARMFUL_MS) return warning(check, words, hint);
  return error(check, `${words}: expiries and resets are judged wrong by that much`, hint);
}

/** A day of exchanges and a backup take a few megabytes. */
const DISK_LOW_BYTES = 200e6;
/** Less than SQLite needs to be sure of a write with its journal. */
const DISK_FULL_BYTES = 20e6;

export function diskFinding({ dataDir }: Paths): Finding[] {
  const check = "host.disk";
  let freeBytes: number;
  try {
    const { bavail, bsize } = statfsSync(dataDir);
    freeBytes = bavail * bsize;
  } catch {
    return [];
  }
  const words = `${sizeText(freeBytes)} free on the disk of ${dataDir}`;
  if (freeBytes < DISK_FULL_BYTES) return [error(check, words, "make room on that disk")];
  return [freeBytes < DISK_LOW_BYTES ? warning(check, words, "make room on that disk") : ok(check, words)];
}

function sizeText(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(0)} MB`;
}

export async function reachFindings({ upstream }: Config, clock: Clock): Promise<Finding[]> {
  const places = [
    ["upstream.base", "upstream", upstream.baseUrl],
    ["upstream.issuer", "the issuer", upstream.issuer],
  ] as const;
  return await Promise.all(
    places.map(async ([check, name, url]): Promise<Finding> => {
      const { host } = new URL(url);
      // What stands in between decides what is reached, and is asked with a request alone.
      if (upstream.client === "fetch")
        return ok(check, `${name} (${host}) is reached through an outgoing proxy; not tried`);
      const failure = await tryReach(url, clock);
      if (failure === null) return ok(check, `${name} (${host}) takes connections`);
      return error(
        check,
        `${name} (${host}): ${failure}`,
        "check the network, a firewall or a VPN, then: rotor doctor",
      );
    }),
  );
}
