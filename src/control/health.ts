/**
 * grpc.health.v1, as load balancers and `grpc_health_probe` ask it: SERVING follows the daemon's state, service by service.
 * The daemon's own service answers in every state, and so does this one.
 */
import { Code, ConnectError, type ServiceImpl } from "@connectrpc/connect";
import type { Clock } from "../base/clock.ts";
import { type Health, HealthCheckResponse_ServingStatus as Status } from "../gen/grpc/health/v1/health_pb.ts";
import type { DaemonFacts } from "./daemon-facts.ts";
import { changes } from "./watch.ts";

/** Names of services that work only in state ready, and of those that always do. */
export interface HealthServices {
  readonly whenReady: ReadonlySet<string>;
  readonly always: ReadonlySet<string>;
}

export function createHealth(facts: DaemonFacts, services: HealthServices, clock: Clock): ServiceImpl<typeof Health> {
  /** The empty name asks about the server as a whole: it is ready or it is not. null: no such service. */
  const statusOf = (service: string): Status | null => {
    if (services.always.has(service)) return Status.SERVING;
    if (service !== "" && !services.whenReady.has(service)) return null;
    return facts.snapshot().state === "ready" ? Status.SERVING : Status.NOT_SERVING;
  };
  return {
    check(request) {
      const status = statusOf(request.service);
      // The health protocol names this code; it is not one of ours and carries no detail.
      if (status === null) throw new ConnectError("there is no such service here", Code.NotFound);
      return { status };
    },
    async *watch(request, context) {
      let last: Status | null = null;
      for await (const _ of changes(context, clock, (wake) => facts.watch(wake))) {
        // A watch of an unknown service stays open: it may come (health.proto).
        const status = statusOf(request.service) ?? Status.SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        last = status;
      }
    },
  };
}
