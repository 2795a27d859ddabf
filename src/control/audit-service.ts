/** AuditService (proto/rotor/v1/audit_service.proto): translates and calls the audit desk. */
import type { ServiceImpl } from "@connectrpc/connect";
import { AppError } from "../base/errors.ts";
import { isUlid } from "../base/id.ts";
import type { AuditService, ListAuditEntriesRequest } from "../gen/rotor/v1/audit_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import type { AuditQuery } from "../store/store.ts";
import { auditMessage, toActorKind } from "./convert/audit.ts";
import { toInstantMs } from "./convert/values.ts";

export function createAuditService(engine: () => Engine): ServiceImpl<typeof AuditService> {
  return {
    async listAuditEntries(request) {
      const { query, pageSize } = toQuery(request);
      const found = await engine().audit.list(query);
      const page = found.slice(0, pageSize);
      return {
        entries: page.map(auditMessage),
        nextPageToken: found.length > pageSize ? page.at(-1)!.id : "",
      };
    },
  };
}

/** As of exchanges (proto: ListAuditEntriesRequest). */
const PAGE_DEFAULT = 50;
const PAGE_MAX = 1_000;

/** Asks for one more than the page holds, to know whether there is another. */
function toQuery(request: ListAuditEntriesRequest): { query: AuditQuery; pageSize: number } {
  if (request.pageSize < 0) throw new AppError("invalid_request", "page_size is negative");
  if (request.pageToken !== "" && !isUlid(request.pageToken))
    throw new AppError("invalid_request", `${request.pageToken} is not the id of an audit entry`);
  const pageSize = Math.min(request.pageSize || PAGE_DEFAULT, PAGE_MAX);
  const sinceMs = toInstantMs(request.sinceTime);
  const actor = toActorKind(request.actor);
  const query: AuditQuery = {
    limit: pageSize + 1,
    ...(request.pageToken === "" ? {} : { before: request.pageToken }),
    ...(sinceMs === null ? {} : { sinceMs }),
    ...(request.action === "" ? {} : { action: request.action }),
    ...(actor === null ? {} : { actor }),
    ...(request.subject === "" ? {} : { subject: request.subject }),
    ...(request.failed ? { failed: true } : {}),
  };
  return { query, pageSize };
}
