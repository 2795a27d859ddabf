/**
 * Entries of the audit log in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Actor, ActorKind, AuditEntry } from "../../domain/audit.ts";
import * as auditPb from "../../gen/rotor/v1/audit_service_pb.ts";
import { instant, int64 } from "./values.ts";

const ACTOR_KINDS: Readonly<Record<ActorKind, auditPb.ActorKind>> = {
  ctl: auditPb.ActorKind.CTL,
  dashboard: auditPb.ActorKind.DASHBOARD,
  key: auditPb.ActorKind.KEY,
  rotor: auditPb.ActorKind.ROTOR,
};

/** null when the request does not say. */
export function toActorKind(kind: auditPb.ActorKind): ActorKind | null {
  const found = Object.entries(ACTOR_KINDS).find(([, value]) => value === kind);
  return found === undefined ? null : (found[0] as ActorKind);
}

export function auditMessage(entry: AuditEntry): MessageInitShape<typeof auditPb.AuditEntrySchema> {
  return {
    id: entry.id,
    time: instant(entry.atMs),
    actor: actorMessage(entry.actor),
    action: entry.action,
    subjects: entry.subjects.map(({ id, name }) => ({ id, name })),
    text: entry.text,
    errorCode: entry.errorCode ?? "",
  };
}

function actorMessage(actor: Actor): MessageInitShape<typeof auditPb.ActorSchema> {
  const kind = ACTOR_KINDS[actor.kind];
  if (actor.kind === "key") return { kind, keyId: actor.keyId };
  if (actor.kind !== "ctl") return { kind };
  const { uid, pid } = actor;
  return { kind, uid: uid === null ? undefined : int64(uid), pid: pid === null ? undefined : int64(pid) };
}
