/**
 * A daemon with its own simulator and a wire between them that keeps upstream's bytes: where one case after another is played. Several
 * lanes run side by side.
 */
import { createProxyClient, type ProxyClient } from "./client.ts";
import type { Control } from "./control.ts";
import { openRelay, type Relay } from "./relay.ts";
import { openStage, type Stage } from "./stage.ts";
import { openTrio, type Trio } from "./trio.ts";

export interface Lane extends AsyncDisposable {
  readonly stage: Stage;
  readonly relay: Relay;
  readonly control: Control;
  readonly client: ProxyClient;
  /** Plays a case with three fresh accounts, and clears up after it. */
  withTrio<T>(play: (trio: Trio) => Promise<T>): Promise<T>;
}

export async function openLane(env: Readonly<Record<string, string>> = {}): Promise<Lane> {
  const stage = await openStage({ accounts: [], pacing: { deltas: 6 } });
  const relay = await openRelay(stage.sim.port);
  const { control, proxyUrl } = await stage.start({ env: { ROTOR_UPSTREAM_BASE_URL: relay.url, ...env } });
  const client = createProxyClient(proxyUrl, await control.createKey("test"));
  return {
    stage,
    relay,
    control,
    client,
    async withTrio(play) {
      const trio = await openTrio(stage, control, client);
      try {
        relay.clear();
        return await play(trio);
      } finally {
        await trio.end();
      }
    },
    async [Symbol.asyncDispose]() {
      await stage[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
    },
  };
}
