/**
 * Store and engine as one thing that opens, closes and opens again while the doors stay: what unlocking, restoring and recovering need.
 * A store that cannot be used leaves the daemon up and saying so (contracts §11). Must never be reached past its state.
 */
import { type Clock, localOffsetMinutes } from "../base/clock.ts";
import type { Config } from "../base/config.ts";
import type { Host } from "../base/env.ts";
import { AppError, type ErrorCode, fromUnknown } from "../base/errors.ts";
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Paths } from "../base/paths.ts";
import type { Secret } from "../base/secret.ts";
import type { DaemonStateName } from "../control/daemon-facts.ts";
import { createEngine, type RunningEngine } from "../pool/create-engine.ts";
import type { Aside } from "../store/aside.ts";
import type { SealKeeper } from "../store/seal-keeper.ts";
import { isShut, openSqliteStore, type SealedStore } from "../store/sqlite-store.ts";
import { createUpstream } from "../upstream/codex-client.ts";
import { createIssuer } from "../upstream/oauth-issuer.ts";
import { CALLBACK_PORTS, createLoginIssuer } from "../upstream/oauth-login.ts";
import { type ClockReading, createUpstreamClock, type UpstreamClock } from "../upstream/upstream-clock.ts";
import { createCallbackDoor } from "./callback-door.ts";
import { createLoginFilePort } from "./login-file-port.ts";
import type { StoreCare } from "./store-care.ts";
import { runInWorker } from "./worker.ts";

export interface EngineRoomOptions {
  readonly paths: Paths;
  readonly config: Config;
  readonly host: Pick<Host, "uid" | "env" | "platform">;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
  readonly care: Pick<StoreCare, "prepare" | "recover" | "safeguard">;
}

export interface RoomCondition {
  readonly state: DaemonStateName;
  readonly reason: string | null;
  /** What made it so; null while nothing went wrong. */
  readonly code: ErrorCode | null;
}

const BY_ORDER: RoomCondition = { state: "locked", reason: "the seal was locked by order", code: "store_locked" };

/** A wrong passphrase is answered this much later, one at a time: guessing over the socket is slow, a slip of a finger is not. */
const WRONG_PASSPHRASE_MS = 1_000;

const aside: Aside = {
  report: (database, query) => runInWorker("reportUsage", { database, query }),
  previewRules: (database, ask) => runInWorker("previewRules", { database, ask }),
};

export class EngineRoom {
  readonly #options: EngineRoomOptions;
  readonly #watchers = new Set<() => void>();
  #condition: RoomCondition = { state: "migrating", reason: "the store is being opened", code: null };
  #store: SealedStore | null = null;
  /** Its kept connections are let go with the engine that used them. */
  #upstream: ReturnType<typeof createUpstream> | null = null;
  readonly #upstreamClock: UpstreamClock;
  #engine: RunningEngine | null = null;
  /** Closed by a lock; what was still being answered then is written down when it has ended. */
  #locked: RunningEngine | null = null;
  /** Stays so whatever the store goes through, until somebody unlocks it. */
  #isLockedByOrder = false;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: EngineRoomOptions) {
    this.#options = options;
    this.#upstreamClock = createUpstreamClock(options.clock);
  }

  /** Whatever there is, also outside `ready`. */
  get engine(): RunningEngine | null {
    return this.#engine;
  }

  readyEngine(): RunningEngine | null {
    return this.#condition.state === "ready" ? this.#engine : null;
  }

  /** What upstream's answers said of the time; null while none has come. */
  upstreamClock(): ClockReading | null {
    return this.#upstreamClock.reading();
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
      this.#become({ state: "migrating", reason, code: null });
      await this.#close();
      try {
        return await change();
      } finally {
        await this.#open();
      }
    });
  }

  /** The seal of the store, for looking at; null while there is none that can be read. */
  seal(): SealKeeper | null {
    return this.#store?.seal ?? null;
  }

  /** Changes to the seal, one at a time and never beside a lock or a restore. Rejects with `store_locked` or `not_ready`. */
  withSeal<T>(work: (seal: SealKeeper) => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      const { state, reason } = this.#condition;
      if (this.#store === null || state !== "ready") throw refusal(state, reason);
      return await work(this.#store.seal);
    });
  }

  /** Opens the seal and serves. Rejects with what keeps it shut. */
  unlock(given: Secret | null): Promise<void> {
    return this.#inTurn(async () => {
      const { state, reason } = this.#condition;
      if (state === "ready") return;
      if (this.#store === null || state !== "locked") throw refusal(state, reason);
      try {
        await this.#locked?.close();
        this.#locked = null;
        await this.#store.seal.unlock(given);
        this.#isLockedByOrder = false;
        await this.#serve(this.#store);
      } catch (thrown) {
        this.#refuse(thrown);
        if (fromUnknown(thrown).code === "passphrase_wrong") await this.#options.clock.sleep(WRONG_PASSPHRASE_MS);
        throw thrown;
      }
    });
  }

  /** New requests are refused at once; renewals under way reach the disk; then the keys are forgotten. */
  lock(): Promise<void> {
    return this.#inTurn(async () => {
      const { state, reason } = this.#condition;
      if (state === "locked") return;
      if (this.#store === null || state !== "ready") throw refusal(state, reason);
      this.#isLockedByOrder = true;
      this.#become(BY_ORDER);
      this.#locked = this.#engine;
      this.#engine = null;
      await this.#locked?.close();
      this.#store.seal.forget();
      this.#options.log.info("seal.locked", {});
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

  async #open(mayRecover = true): Promise<void> {
    const { paths, config, host, clock, dice, log, care } = this.#options;
    const { guard: choice, passphrase, passphraseFile: file } = config.seal;
    const guards = { choice, source: { passphrase, file }, env: host.env, platform: host.platform };
    try {
      await care.prepare();
      this.#store = await openSqliteStore({ paths, dice, clock, log, guards, aside });
      if (this.#isLockedByOrder) {
        this.#store.seal.forget();
        return this.#become(BY_ORDER);
      }
      await this.#store.seal.ready();
      await this.#serve(this.#store);
    } catch (thrown) {
      if (mayRecover && fromUnknown(thrown).code === "store_damaged") {
        await this.#close();
        if (await this.#recovered()) return this.#open(false);
      }
      if (!this.#refuse(thrown)) throw thrown;
    }
  }

  /** A broken store gives way to its last good backup; whatever keeps that from working leaves it as it is. */
  async #recovered(): Promise<boolean> {
    const { care, log } = this.#options;
    this.#become({ state: "migrating", reason: "the store is damaged and is being recovered", code: null });
    try {
      return (await care.recover(false)) !== null;
    } catch (error) {
      log.error("store.not_recovered", { error });
      return false;
    }
  }

  async #serve(store: SealedStore): Promise<void> {
    const { config, clock, dice, log, care } = this.#options;
    await proveSeal(store);
    const { issuer, clientId, baseUrl, client } = config.upstream;
    this.#upstream?.close();
    this.#upstream = createUpstream({ baseUrl, client, clock, dice, log, onAnswer: this.#upstreamClock.note });
    this.#engine = await createEngine({
      store,
      upstream: this.#upstream,
      issuer: createIssuer({ issuer, clientId, clock, log }),
      loginIssuer: createLoginIssuer({ issuer, clientId, clock, dice, log }),
      openCallbackListener: createCallbackDoor({ ports: CALLBACK_PORTS, clock, log }),
      filePort: createLoginFilePort({ uid: this.#options.host.uid, clock, dice }),
      issuerUrl: issuer,
      settings: config.settings,
      zone: localOffsetMinutes,
      safeguard: () => care.safeguard("before-import"),
      clock,
      dice,
      log,
    });
    this.#become({ state: "ready", reason: null, code: null });
  }

  /** Takes on the state that a failure of the store means; false = it is not of the store's making. */
  #refuse(thrown: unknown): boolean {
    const error = fromUnknown(thrown);
    const state = stateAfter(error);
    if (state === null) return false;
    this.#options.log.error("store.unusable", { error });
    this.#become({ state, reason: error.message, code: error.code });
    return true;
  }

  async #close(): Promise<void> {
    const [engine, locked, store] = [this.#engine, this.#locked, this.#store];
    this.#engine = null;
    this.#locked = null;
    this.#store = null;
    await engine?.close();
    await locked?.close();
    this.#upstream?.close();
    this.#upstream = null;
    await store?.close();
  }

  #become(condition: RoomCondition): void {
    this.#condition = condition;
    for (const onChange of this.#watchers) onChange();
  }
}

function refusal(state: DaemonStateName, reason: string | null): AppError {
  const code = state === "locked" ? "store_locked" : "not_ready";
  return new AppError(code, `the daemon is ${state}${reason === null ? "" : `: ${reason}`}`);
}

/** null = not of the store's making. */
function stateAfter(error: AppError): DaemonStateName | null {
  if (isShut(error.code)) return "locked";
  return error.code === "store_damaged" || error.code === "store_newer" ? "damaged" : null;
}

/** A store whose logins cannot be opened is locked, not ready: it must say so before the first request finds out. */
async function proveSeal(store: SealedStore): Promise<void> {
  const [first] = (await store.loadPool()).accounts;
  if (first !== undefined) await store.loadCredentials(first.id);
}
