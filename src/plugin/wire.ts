/**
 * The answers of the control API as JSON on the wire, as far as the plugin reads them (proto/rotor/v1 is their manual). Whatever has its
 * default is absent; int64 is text; enums are their names.
 */
export interface ModelJson {
  readonly name?: string;
  readonly displayName?: string;
  readonly contextTokens?: string;
  readonly maxOutputTokens?: string;
  readonly efforts?: readonly string[];
  readonly defaultEffort?: string;
  readonly serviceTiers?: readonly string[];
  readonly verbosity?: boolean;
  readonly defaultVerbosity?: string;
  readonly inputModalities?: readonly string[];
}

export interface Handshake {
  readonly client?: {
    readonly id?: string;
    readonly profile?: string;
    readonly projectKey?: string;
    readonly keyId?: string;
  };
  readonly key?: string;
  readonly proxyUrl?: string;
  readonly models?: readonly ModelJson[];
  readonly aliases?: readonly { readonly name?: string; readonly target?: string }[];
  readonly defaultModel?: string;
  readonly smallModel?: string;
  readonly backfill?: boolean;
  readonly daemonVersion?: string;
}

export interface HoldJson {
  readonly kind?: string;
  readonly endTime?: string;
}

export interface AccountJson {
  readonly id?: string;
  readonly alias?: string;
  readonly tier?: string;
  readonly holds?: readonly HoldJson[];
  readonly windows?: readonly {
    readonly limit?: string;
    readonly slot?: string;
    readonly lengthMinutes?: string;
    readonly usedPercent?: number;
  }[];
}

export interface PoolJson {
  readonly strategy?: string;
  readonly pin?: { readonly accountId?: string; readonly endTime?: string };
  readonly accountCount?: number;
  readonly usableCount?: number;
  readonly nextUsableTime?: string;
  readonly lastAccountId?: string;
  readonly nextAccountId?: string;
}

export interface PlanJson {
  readonly reason?: string;
  readonly accountIds?: readonly string[];
  readonly held?: readonly {
    readonly accountId?: string;
    readonly alias?: string;
    readonly holds?: readonly HoldJson[];
  }[];
  readonly nextUsableTime?: string;
}

export interface ExchangeJson {
  readonly conversation?: string;
  readonly accountAlias?: string;
  readonly attempts?: readonly { readonly accountAlias?: string; readonly outcome?: string }[];
}

export interface LoginJson {
  readonly id?: string;
  readonly state?: string;
  readonly authorizeUrl?: string;
  readonly verificationUrl?: string;
  readonly userCode?: string;
  readonly message?: string;
  readonly accountId?: string;
}

/** What is told of a client: `CLIENT_EVENT_KIND_` and this. */
export type NewsKind = "CREATED" | "IDLE" | "RETRY" | "ERROR" | "WAITING" | "CLOSED";

export interface News {
  readonly kind: NewsKind;
  readonly conversationId?: string;
  readonly title?: string;
  readonly message?: string;
}
