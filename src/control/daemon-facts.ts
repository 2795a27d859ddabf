/**
 * What the control door must know of the daemon around it. Implemented where the daemon is put together; holds no proto types.
 */

export type DaemonStateName = "ready" | "locked" | "damaged" | "migrating";

export interface DaemonSnapshot {
  readonly version: string;
  readonly pid: number;
  readonly state: DaemonStateName;
  /** Why it is not ready, in words; null when it is. */
  readonly stateReason: string | null;
  /** On its way out. It answers what it still can; nobody should begin anything with it. */
  readonly isStopping: boolean;
  readonly startedAtMs: number;
  /** null while the proxy does not listen. */
  readonly proxyUrl: string | null;
  readonly socketPath: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly logFile: string;
  readonly upstreamUrl: string;
  readonly issuer: string;
  /** What somebody should know and has not acknowledged, in words. */
  readonly notices: readonly string[];
}

export interface Finding {
  /** Stable name, e.g. `store.integrity`. */
  readonly check: string;
  readonly level: "ok" | "warning" | "error";
  readonly message: string;
  /** The command that mends it; null when there is nothing to mend. */
  readonly hint: string | null;
  /** When it ends by itself; absent or null = it does not, or nobody knows. */
  readonly endsAtMs?: number | null;
}

export interface DaemonFacts {
  /** Cheap; called on every request. */
  snapshot(): DaemonSnapshot;
  /** Changes nothing and asks nobody anything; `offline`: opens no connection either. */
  diagnose(options: { readonly offline: boolean }): Promise<readonly Finding[]>;
  /** Begins the stop and returns at once: the answer to the caller goes out while the doors drain. */
  stop(): void;
  /** Calls `onChange` after every change of state until the returned function is called. */
  watch(onChange: () => void): () => void;
}
