/**
 * Everything that the handlers share, built once by simulator.ts. Types only.
 */
import type { Dice } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import type { Roster } from "./accounts.ts";
import type { FaultBook } from "./fault-book.ts";
import type { Exchange } from "./http-exchange.ts";
import type { Pacing } from "./pacing.ts";
import type { Recorder, RequestRecord } from "./recorder.ts";
import type { SealedContent } from "./sealed-content.ts";
import type { SimClock } from "./sim-clock.ts";
import type { OauthSettings, TokenVault } from "./token-vault.ts";

export interface Gauges {
  openStreams: number;
  mostOpenStreams: number;
  requests: number;
}

export interface World {
  clock: SimClock;
  dice: Dice;
  log: Log;
  roster: Roster;
  vault: TokenVault;
  oauth: OauthSettings;
  faults: FaultBook;
  recorder: Recorder;
  sealed: SealedContent;
  pacing: Pacing;
  gauges: Gauges;
  /** `http://127.0.0.1:PORT`. */
  issuer(): string;
}

/** One request on its way through a handler. */
export interface Call {
  world: World;
  exchange: Exchange;
  record: RequestRecord;
}
