/**
 * Every service of the control door in one place, each behind the same two checks. Knows nothing of sockets: any door that speaks
 * Connect can mount it.
 */
import type { DescService } from "@bufbuild/protobuf";
import type { ConnectRouter, Interceptor } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import type { Log } from "../base/log.ts";
import { Health } from "../gen/grpc/health/v1/health_pb.ts";
import { ServerReflection as ReflectionV1 } from "../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ReflectionV1Alpha } from "../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { AccountService } from "../gen/rotor/v1/account_service_pb.ts";
import { AuditService } from "../gen/rotor/v1/audit_service_pb.ts";
import { BackupService } from "../gen/rotor/v1/backup_service_pb.ts";
import { BudgetService } from "../gen/rotor/v1/budget_service_pb.ts";
import { ClientService } from "../gen/rotor/v1/client_service_pb.ts";
import { DaemonService } from "../gen/rotor/v1/daemon_service_pb.ts";
import { ExchangeService } from "../gen/rotor/v1/exchange_service_pb.ts";
import { KeyService } from "../gen/rotor/v1/key_service_pb.ts";
import { LoginService } from "../gen/rotor/v1/login_service_pb.ts";
import { ModelService } from "../gen/rotor/v1/model_service_pb.ts";
import { PoolService } from "../gen/rotor/v1/pool_service_pb.ts";
import { ProfileService } from "../gen/rotor/v1/profile_service_pb.ts";
import { RuleService } from "../gen/rotor/v1/rule_service_pb.ts";
import { SealService } from "../gen/rotor/v1/seal_service_pb.ts";
import { SettingService } from "../gen/rotor/v1/setting_service_pb.ts";
import { TransferService } from "../gen/rotor/v1/transfer_service_pb.ts";
import { UsageService } from "../gen/rotor/v1/usage_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { createAccountService } from "./account-service.ts";
import { createAuditInterceptor, type Door } from "./audit-interceptor.ts";
import { createAuditService } from "./audit-service.ts";
import type { BackupDesk } from "./backup-desk.ts";
import { createBackupService } from "./backup-service.ts";
import { createBudgetService } from "./budget-service.ts";
import { createClientService } from "./client-service.ts";
import type { DaemonFacts } from "./daemon-facts.ts";
import { createDaemonService } from "./daemon-service.ts";
import { createErrorInterceptor } from "./error-mapping.ts";
import { createExchangeService } from "./exchange-service.ts";
import { createHealth } from "./health.ts";
import { createKeyService } from "./key-service.ts";
import { createLoginService } from "./login-service.ts";
import { createModelService } from "./model-service.ts";
import { createPoolService } from "./pool-service.ts";
import { createProfileService } from "./profile-service.ts";
import { createReflection } from "./reflection.ts";
import { createRuleService } from "./rule-service.ts";
import type { SealDesk } from "./seal-desk.ts";
import { createSealService } from "./seal-service.ts";
import { createSettingService } from "./setting-service.ts";
import { createTransferService } from "./transfer-service.ts";
import { createUsageService } from "./usage-service.ts";

export interface ControlDeps {
  /** null until the store is open. */
  readonly engine: () => Engine | null;
  readonly facts: DaemonFacts;
  readonly seal: SealDesk;
  readonly backups: BackupDesk;
  readonly clock: Clock;
  readonly log: Log;
  /** The door that these routes are behind; absent: the socket. */
  readonly door?: Door;
}

/** Services that need an engine: outside state ready they answer `not_ready` (contracts §11). */
const ENGINE_SERVICES: readonly DescService[] = [
  AccountService,
  AuditService,
  BudgetService,
  ClientService,
  ExchangeService,
  KeyService,
  LoginService,
  ModelService,
  PoolService,
  ProfileService,
  RuleService,
  SettingService,
  TransferService,
  UsageService,
];
/** Services that work in every state. */
const STANDING_SERVICES: readonly DescService[] = [
  BackupService,
  DaemonService,
  SealService,
  Health,
  ReflectionV1,
  ReflectionV1Alpha,
];

export const CONTROL_SERVICES: readonly DescService[] = [...ENGINE_SERVICES, ...STANDING_SERVICES];

export function createControlRoutes(deps: ControlDeps): (router: ConnectRouter) => void {
  const { facts, clock, log } = deps;
  const readyEngine = () => (facts.snapshot().state === "ready" ? deps.engine() : null);
  const engine = () => readyEngine() ?? refuseAsNotReady(facts);
  const standing = { interceptors: [createErrorInterceptor(log)] };
  const auditing = createAuditInterceptor(readyEngine, deps.door ?? "socket");
  const gated = {
    interceptors: [...standing.interceptors, createReadyInterceptor(engine, facts), auditing],
  };
  const audited = { interceptors: [...standing.interceptors, auditing] };
  // A restore puts another store in the place of the one that the log was in.
  const restoring = createAuditInterceptor(readyEngine, deps.door ?? "socket", true);
  const names = (services: readonly DescService[]) => new Set(services.map((service) => service.typeName));
  const health = { whenReady: names(ENGINE_SERVICES), always: names(STANDING_SERVICES) };

  return (router) => {
    const reflection = createReflection(CONTROL_SERVICES);
    router
      .service(AccountService, createAccountService(engine, clock), gated)
      .service(AuditService, createAuditService(engine), gated)
      .service(BudgetService, createBudgetService(engine), gated)
      .service(ClientService, createClientService(engine, facts), gated)
      .service(ExchangeService, createExchangeService(engine, clock), gated)
      .service(KeyService, createKeyService(engine), gated)
      .service(LoginService, createLoginService(engine, clock), gated)
      .service(ModelService, createModelService(engine), gated)
      .service(PoolService, createPoolService(engine, clock), gated)
      .service(ProfileService, createProfileService(engine), gated)
      .service(RuleService, createRuleService(engine, clock), gated)
      .service(SettingService, createSettingService(engine), gated)
      .service(TransferService, createTransferService(engine, clock), gated)
      .service(UsageService, createUsageService(engine, clock), gated)
      .service(DaemonService, createDaemonService({ engine: readyEngine, facts, clock, log }), audited)
      .service(SealService, createSealService(deps.seal), audited)
      .service(BackupService, createBackupService(deps.backups, log), {
        interceptors: [...standing.interceptors, restoring],
      })
      .service(Health, createHealth(facts, health, clock), standing)
      .service(ReflectionV1, reflection.v1, standing)
      .service(ReflectionV1Alpha, reflection.v1alpha, standing);
  };
}

/**
 * Asked before the handler runs, so that no handler has to remember it. A watch ends with the engine that it looks at: on a later one it
 * would be deaf.
 */
function createReadyInterceptor(engine: () => Engine, facts: DaemonFacts): Interceptor {
  return (next) => async (request) => {
    engine();
    const response = await next(request);
    return response.stream ? { ...response, message: whileReady(response.message, facts) } : response;
  };
}

async function* whileReady<T>(messages: AsyncIterable<T>, facts: DaemonFacts): AsyncGenerator<T> {
  const over = Promise.withResolvers<never>();
  // Nobody may be waiting at that moment.
  over.promise.catch(() => {});
  const unwatch = facts.watch(() => {
    if (facts.snapshot().state !== "ready") over.reject(notReady(facts));
  });
  const source = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await Promise.race([source.next(), over.promise]);
      if (step.done) return;
      yield step.value;
    }
  } finally {
    unwatch();
    // Not waited for: one that waits for a change of its own ends by the signal of its call.
    source.return?.().catch(() => {});
  }
}

function refuseAsNotReady(facts: DaemonFacts): never {
  throw notReady(facts);
}

function notReady(facts: DaemonFacts): AppError {
  const { state, stateReason, isStopping } = facts.snapshot();
  // Refused before anything was begun: whoever reads this code may ask the next daemon the same.
  if (isStopping) return new AppError("daemon_unreachable", "the daemon is stopping");
  const message = state === "ready" ? "the daemon is still starting" : `the daemon is ${state}`;
  return new AppError(
    state === "locked" ? "store_locked" : "not_ready",
    stateReason === null ? message : `${message}: ${stateReason}`,
    { facts: { state } },
  );
}
