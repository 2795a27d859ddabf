/** DaemonService (proto/rotor/v1/daemon_service.proto): works in every state, so it never asks for an engine that may not be there. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import {
  type CountersSchema,
  type DaemonSchema,
  type DaemonService,
  DaemonState,
  FindingLevel,
} from "../gen/rotor/v1/daemon_service_pb.ts";
import type { Counters, Engine } from "../pool/engine.ts";
import { accountConverter } from "./convert/accounts.ts";
import { clientMessage } from "./convert/clients.ts";
import { exchangeMessage } from "./convert/exchanges.ts";
import { budgetMessage } from "./convert/limits.ts";
import { aliasLookup, poolMessage } from "./convert/pool.ts";
import { instant, int64 } from "./convert/values.ts";
import type { DaemonFacts, DaemonSnapshot, DaemonStateName, Finding } from "./daemon-facts.ts";
import { callerOf } from "./peer.ts";

const STATES: Readonly<Record<DaemonStateName, DaemonState>> = {
  ready: DaemonState.READY,
  locked: DaemonState.LOCKED,
  damaged: DaemonState.DAMAGED,
  migrating: DaemonState.MIGRATING,
};

const LEVELS: Readonly<Record<Finding["level"], FindingLevel>> = {
  ok: FindingLevel.OK,
  warning: FindingLevel.WARNING,
  error: FindingLevel.ERROR,
};

/** As many as fit under everything else on one screen. */
const RECENT_EXCHANGES = 10;

export interface DaemonServiceDeps {
  /** null while there is none, or none that may be asked. */
  readonly engine: () => Engine | null;
  readonly facts: DaemonFacts;
  readonly clock: Clock;
  readonly log: Log;
}

export function createDaemonService(deps: DaemonServiceDeps): ServiceImpl<typeof DaemonService> {
  const { facts, clock, log } = deps;
  return {
    getDaemon: () => ({ daemon: daemonMessage(facts.snapshot()) }),
    async getStatus() {
      const daemon = daemonMessage(facts.snapshot());
      const engine = deps.engine();
      if (engine === null) return { daemon };
      const recent = await engine.exchanges.list({ limit: RECENT_EXCHANGES });
      const aliasOf = aliasLookup(engine);
      return {
        daemon,
        pool: poolMessage(engine.selection.view()),
        accounts: engine.accounts.list().map(accountConverter(engine, clock.nowMs())),
        recentExchanges: recent.map((exchange) => exchangeMessage(exchange, aliasOf)),
        counters: countersMessage(engine.counters()),
        budgets: engine.budgets.list().map(budgetMessage),
        clients: engine.clients.list().map(clientMessage),
      };
    },
    async runDiagnostics({ offline }) {
      const findings = await facts.diagnose({ offline });
      return {
        findings: findings.map(({ check, level, message, hint, endsAtMs = null }) => {
          return { check, level: LEVELS[level], message, hint: hint ?? "", endTime: instant(endsAtMs) };
        }),
      };
    },
    stopDaemon(_request, context) {
      log.info("daemon.stop_asked", callerOf(context));
      facts.stop();
      return {};
    },
  };
}

function daemonMessage(snapshot: DaemonSnapshot): MessageInitShape<typeof DaemonSchema> {
  return {
    version: snapshot.version,
    pid: int64(snapshot.pid),
    state: STATES[snapshot.state],
    stateReason: snapshot.stateReason ?? "",
    startTime: instant(snapshot.startedAtMs),
    proxyUrl: snapshot.proxyUrl ?? "",
    socketPath: snapshot.socketPath,
    dataDir: snapshot.dataDir,
    configFile: snapshot.configFile,
    logFile: snapshot.logFile,
    upstreamUrl: snapshot.upstreamUrl,
    issuer: snapshot.issuer,
    notices: [...snapshot.notices],
  };
}

function countersMessage(counters: Counters): MessageInitShape<typeof CountersSchema> {
  return {
    exchanges: int64(counters.exchanges),
    served: int64(counters.served),
    failovers: int64(counters.failovers),
    refreshes: int64(counters.refreshes),
    refreshFailures: int64(counters.refreshFailures),
    clientsGone: int64(counters.clientsGone),
    probes: int64(counters.probes),
  };
}
