/**
 * The key that one running Codex has: asked of the daemon over the socket, kept good for as long as Codex runs, given back at the end. Lives in
 * memory and in the environment of Codex; never in a file or an argument.
 */
import { timestampMs } from "@bufbuild/protobuf/wkt";
import { randomToken, systemDice } from "../../base/id.ts";
import { ClientEventKind, type GetClientHandshakeResponse } from "../../gen/rotor/v1/client_service_pb.ts";
import type { Context } from "../command.ts";
import { readDaemonFile } from "../daemon-link.ts";
import { clientBase } from "../stanza.ts";

/** Its requests are counted under the client key of this name. */
const CLIENT = "codex-wrapper";

export interface PeerWishes {
  readonly directory: string;
  /** null = of no project. */
  readonly projectKey: string | null;
  /** null = as the project says. */
  readonly profile: string | null;
  /** null = whoever may. */
  readonly accountId: string | null;
}

export interface CodexPeer {
  readonly key: string;
  readonly proxyUrl: string;
  /** Keeps the key good until `signal` ends it; also with a daemon that was started since. Never rejects. */
  keep(signal: AbortSignal): Promise<KeptPeer>;
  /** Tells the daemon that this Codex has ended. Never rejects. */
  close(): Promise<void>;
}

export interface KeptPeer {
  /** Where the proxy listened at last, when that is not where Codex looks for it; null = it never moved. */
  readonly movedTo: string | null;
}

/** A look at one small file; requests that a new daemon refuses in between are sent again by Codex. */
const LOOK_MS = 500;
/** Of a key's time, when it is asked for again: a machine may sleep through half of it. */
const RENEW_AT_SHARE = 0.25;

export async function openPeer(context: Context, wishes: PeerWishes): Promise<CodexPeer> {
  const { io, paths } = context;
  const instance = randomToken(systemDice, 16);
  const shakeHands = async (key: string): Promise<GetClientHandshakeResponse> => {
    const link = key === "" ? await context.daemon() : await context.runningDaemon();
    if (link === null) throw new Error("no daemon runs");
    return link.clients.getClientHandshake({
      client: CLIENT,
      linkVersion: io.version,
      pid: process.pid,
      instance,
      directory: wishes.directory,
      projectKey: wishes.projectKey ?? "",
      profile: wishes.profile ?? "",
      accountId: wishes.accountId ?? "",
      key,
    });
  };
  const first = await shakeHands("");
  const { key, proxyUrl } = first;
  const renewalOf = ({ client }: GetClientHandshakeResponse) => {
    const nowMs = context.nowMs();
    const endMs = client?.expireTime === undefined ? nowMs : timestampMs(client.expireTime);
    return nowMs + Math.max(LOOK_MS, (endMs - nowMs) * RENEW_AT_SHARE);
  };
  return {
    key,
    proxyUrl,
    async keep(signal) {
      let pid = readDaemonFile(paths)?.pid ?? null;
      let renewAtMs = renewalOf(first);
      let listensAt = proxyUrl;
      for (;;) {
        const isOver = await io.clock.sleep(LOOK_MS, signal).then(
          () => false,
          () => true,
        );
        if (isOver) return { movedTo: clientBase(listensAt) === clientBase(proxyUrl) ? null : listensAt };
        const nowPid = readDaemonFile(paths)?.pid ?? null;
        if (nowPid === null || (nowPid === pid && context.nowMs() < renewAtMs)) continue;
        // One that is on its way up, or down, is asked again at the next look.
        const again = await shakeHands(key).catch(() => null);
        if (again === null) continue;
        pid = nowPid;
        renewAtMs = renewalOf(again);
        listensAt = again.proxyUrl;
      }
    },
    async close() {
      const clientId = first.client?.id ?? "";
      try {
        const link = await context.runningDaemon();
        await link?.clients.reportClientEvent({ clientId, kind: ClientEventKind.CLOSED }, { timeoutMs: CLOSE_MS });
      } catch {
        // Its key ends by itself.
      }
    },
  };
}

/** Nobody waits longer for the shell's prompt because a daemon is busy. */
const CLOSE_MS = 1_000;
