/**
 * A key for as long as a check takes, got as plugin and wrapper get theirs: it lives in the daemon's memory alone, and is given back.
 */
import { ClientEventKind } from "../../gen/rotor/v1/client_service_pb.ts";
import type { Context } from "../command.ts";
import type { DaemonLink } from "../daemon-link.ts";

export interface PeerKey {
  /** Of the client key that its requests are counted under. */
  readonly name: string;
  readonly secret: string;
}

/** `client`: for whom, as it would ask itself. */
export async function withPeerKey<T>(
  { io }: Context,
  link: DaemonLink,
  client: string,
  work: (key: PeerKey) => Promise<T>,
): Promise<T> {
  const own = {
    client,
    clientVersion: "",
    linkVersion: io.version,
    instance: `doctor-${process.pid}`,
    pid: process.pid,
  };
  const { client: peer, key } = await link.clients.getClientHandshake(own);
  try {
    return await work({ name: client, secret: key });
  } finally {
    // Whatever became of the check: the key ends by itself too.
    await link.clients.reportClientEvent({ clientId: peer!.id, kind: ClientEventKind.CLOSED }).catch(() => undefined);
  }
}
