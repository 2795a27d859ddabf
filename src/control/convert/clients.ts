/**
 * Peers, their events and their handshake in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import type { AccountId } from "../../domain/account.ts";
import type { PeerEvent, PeerEventKind, PeerFacts, PeerNews } from "../../domain/client-peer.ts";
import {
  ClientEventKind,
  type ClientEventSchema,
  type ClientSchema,
  type GetClientHandshakeRequest,
  type ReportClientEventRequest,
} from "../../gen/rotor/v1/client_service_pb.ts";
import type { PeerView } from "../../pool/client-desk.ts";
import { instant } from "./values.ts";

export function clientMessage(peer: PeerView): MessageInitShape<typeof ClientSchema> {
  const { facts } = peer;
  return {
    id: peer.id,
    client: facts.client,
    clientVersion: facts.clientVersion,
    linkVersion: facts.linkVersion,
    pid: facts.pid ?? 0,
    directory: facts.directory ?? "",
    projectKey: facts.project ?? "",
    profile: peer.profile ?? "",
    accountId: facts.accountId ?? "",
    keyId: peer.keyId,
    createTime: instant(peer.createdAtMs),
    lastSeenTime: instant(peer.seenAtMs),
    expireTime: instant(peer.expiresAtMs),
  };
}

export function toPeerFacts(request: GetClientHandshakeRequest): PeerFacts {
  const orNull = (text: string) => (text === "" ? null : text);
  const { client, clientVersion, linkVersion, pid, instance } = request;
  return {
    client,
    clientVersion,
    linkVersion,
    pid: pid > 0 ? pid : null,
    instance,
    directory: orNull(request.directory),
    project: orNull(request.projectKey),
    profile: orNull(request.profile),
    accountId: orNull(request.accountId) as AccountId | null,
  };
}

const KINDS: Readonly<Record<PeerEventKind, ClientEventKind>> = {
  created: ClientEventKind.CREATED,
  idle: ClientEventKind.IDLE,
  retry: ClientEventKind.RETRY,
  error: ClientEventKind.ERROR,
  waiting: ClientEventKind.WAITING,
  closed: ClientEventKind.CLOSED,
};

export function toPeerNews({ kind, conversationId, title, message }: ReportClientEventRequest): PeerNews {
  const name = (Object.keys(KINDS) as PeerEventKind[]).find((known) => KINDS[known] === kind);
  if (name === undefined) throw new AppError("invalid_request", "kind does not say what happened");
  return { kind: name, conversationId: conversationId === "" ? null : conversationId, title, message };
}

export function clientEventMessage(event: PeerEvent): MessageInitShape<typeof ClientEventSchema> {
  return {
    clientId: event.peerId,
    client: event.client,
    kind: KINDS[event.kind],
    time: instant(event.atMs),
    conversationId: event.conversationId ?? "",
    title: event.title,
    message: event.message,
    directory: event.directory ?? "",
  };
}
