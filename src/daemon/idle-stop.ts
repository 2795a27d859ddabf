/** Stops a daemon that nobody has used for as long as the setting `idle_stop_minutes` says (0 = never, the default). */
import type { Clock, Timer } from "../base/clock.ts";
import type { RunningEngine } from "../pool/create-engine.ts";

/** The setting counts minutes; looking once a minute is exact enough. */
const LOOK_EVERY_MS = 60_000;

export function createIdleStop(deps: { engine: () => RunningEngine | null; clock: Clock; onIdle: () => void }): {
  close(): void;
} {
  const { clock } = deps;
  let seen = 0;
  let quietSinceMs = clock.nowMs();
  let timer: Timer | null = null;
  const look = () => {
    const engine = deps.engine();
    const minutes = engine?.settings.list().find((state) => state.key === "idle_stop_minutes")?.value ?? 0;
    const exchanges = engine?.counters().exchanges ?? 0;
    const isLoggingIn = engine?.logins.list().some((login) => login.state === "pending") ?? false;
    if (exchanges !== seen || (engine?.openLeases() ?? 0) > 0 || isLoggingIn) {
      seen = exchanges;
      quietSinceMs = clock.nowMs();
    }
    if (typeof minutes === "number" && minutes > 0 && clock.nowMs() - quietSinceMs >= minutes * 60_000)
      return deps.onIdle();
    timer = clock.after(LOOK_EVERY_MS, look);
  };
  timer = clock.after(LOOK_EVERY_MS, look);
  return { close: () => timer?.cancel() };
}
