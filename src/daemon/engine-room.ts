/**
 * Store and engine as one thing that opens, closes and opens again while the doors stay: what unlocking, restoring and recovering need.
 * A store that cannot be used leaves the daemon up and saying so (contracts §11). Must never be reached past its state.
 */
import type { Clock } from "../base/clock.ts";
import type { Config } from "../base/config.ts";
import { type AppError, fromUnknown } from "../base/errors.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import type { DaemonStateName } from "../control/daemon-facts.ts";
import { createEngine, type RunningEngine } from "../pool/create-engine.ts";
import { openSqliteStore } from "../store/sqlite-store.ts";
import type { Store } from "../store/store.ts";
import { createUpstream } from "../upstream/codex-client.ts";
import { createIssuer } from "../upstream/oauth-issuer.ts";
import { CALLBACK_PORTS, createLoginIssuer } from "../upstream/oauth-login.ts";
import { createCallbackDoor } from "./callback-door.ts";

export interface EngineRoomOptions {
  readonly paths: Paths;
  readonly config: Config;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
}

export interface RoomCondition {
  readonly state: DaemonStateName;
  readonly reason: string | null;
}

export class EngineRoom {
  readonly #options: EngineRoomOptions;
  readonly #watchers = new Set<() => void>();
  #condition: RoomCondition = { state: "migrating", reason: "the store is being opened" };
  #store: Store | null = null;
  #engine: RunningEngine | null = null;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: EngineRoomOptions) {
    this.#options = options;
  }

  /** Whatever there is, also outside `ready`. */
  get engine(): RunningEngine | null {
    return this.#engine;
  }

  readyEngine(): RunningEngine | null {
    return this.#condition.state === "ready" ? this.#engine : null;
  }

  condition(): RoomCondition {
    return this.#condition;
  }

  watch(onChange: () => void): () => void {
    this.#watchers.add(onChange);
    return () => void this.#watchers.delete(onChange);
  }

  open(): Promise<void> {
    return this.#inTurn(() => this.#open());
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#close());
  }

  /** Closes, lets `change` work on the files alone, and opens again, also when `change` fails. One at a time. */
  reopen<T>(reason: string, change: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      this.#become({ state: "migrating", reason });
      await this.#close();
      try {
        return await change();
      } finally {
        await this.#open();
      }
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  async #open(): Promise<void> {
    const { paths, config, clock, dice, log } = this.#options;
    try {
      this.#store = await openSqliteStore({ paths, dice, clock, log });
      await proveSeal(this.#store);
      const { issuer, clientId, baseUrl } = config.upstream;
      this.#engine = await createEngine({
        store: this.#store,
        upstream: createUpstream({ baseUrl, clock, log }),
        issuer: createIssuer({ issuer, clientId, clock, log }),
        loginIssuer: createLoginIssuer({ issuer, clientId, clock, dice, log }),
        openCallbackListener: createCallbackDoor({ ports: CALLBACK_PORTS, clock, log }),
        issuerUrl: issuer,
        settings: config.settings,
        clock,
        dice,
        log,
      });
      this.#become({ state: "ready", reason: null });
    } catch (thrown) {
      const error = fromUnknown(thrown);
      const state = stateAfter(error);
      if (state === null) throw error;
      log.error("store.unusable", { error });
      this.#become({ state, reason: error.message });
    }
  }

  async #close(): Promise<void> {
    const [engine, store] = [this.#engine, this.#store];
    this.#engine = null;
    this.#store = null;
    await engine?.close();
    await store?.close();
  }

  #become(condition: RoomCondition): void {
    this.#condition = condition;
    for (const onChange of this.#watchers) onChange();
  }
}

/** null = not of the store's making. */
function stateAfter(error: AppError): DaemonStateName | null {
  if (error.code === "seal_key_missing") return "locked";
  return error.code === "store_damaged" || error.code === "store_newer" ? "damaged" : null;
}

/** A store whose logins cannot be opened is locked, not ready: it must say so before the first request finds out. */
async function proveSeal(store: Store): Promise<void> {
  const [first] = (await store.loadPool()).accounts;
  if (first !== undefined) await store.loadCredentials(first.id);
}
