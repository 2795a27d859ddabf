/**
 * The desk of peers (domain/client-peer.ts): gives each a key of its own, knows who is there, and keeps what they tell for a while. A peer's
 * key lives in memory alone, ends by itself, and counts under the client key of its client's name, so that ledger, limits and profiles
 * see `opencode` and not a hundred processes. Nothing here waits for upstream.
 */
import type { Clock } from "../base/clock.ts";
import { AppError } from "../base/errors.ts";
import { createUlid, type Dice, randomToken, sha256Hex } from "../base/id.ts";
import type { Log } from "../base/log.ts";
import { Secret } from "../base/secret.ts";
import type { AccountId } from "../domain/account.ts";
import { type ClientKey, parseClientKey } from "../domain/client-key.ts";
import {
  type PeerEvent,
  type PeerFacts,
  type PeerNews,
  startingModels,
  tidyNews,
  tidyPeer,
} from "../domain/client-peer.ts";
import type { PoolModel } from "../domain/model.ts";
import type { AuditNotes } from "./audit-book.ts";
import type { CatalogueDesk } from "./catalogue.ts";
import type { Keeper } from "./keeper.ts";
import type { KeyDesk } from "./key-desk.ts";
import type { PriceDesk } from "./price-desk.ts";
import type { ProfileDesk } from "./profile-desk.ts";
import type { Rulebook } from "./rulebook.ts";

export interface PeerView {
  readonly id: string;
  readonly facts: PeerFacts;
  /** The profile that is in force for it; null = none. */
  readonly profile: string | null;
  /** The client key that its requests are counted under. */
  readonly keyId: string;
  readonly createdAtMs: number;
  readonly seenAtMs: number;
  readonly expiresAtMs: number;
}

export interface Handshake {
  readonly peer: PeerView;
  readonly key: Secret;
  /** What it may ask for; none = nobody has told us yet. */
  readonly models: readonly PoolModel[];
  readonly firstModel: string | null;
  readonly smallModel: string | null;
}

/** What a key that was shown stands for. */
export interface KeyPass {
  readonly keyId: string;
  /** Only this account may serve; null = whoever may. */
  readonly only: AccountId | null;
  /** Asks through this profile whatever the request says; null = as it says. */
  readonly profile: string | null;
  /** Of a request that names none. */
  readonly project: string | null;
}

export interface ClientDesk {
  /** `former`: the peer's key of before, which is to stay. Rejects with `profile_not_found`, `account_not_found`, `key_expired`. */
  shakeHands(facts: PeerFacts, former: string | null): Promise<Handshake>;
  /** null = no key of a peer, or none that is good. No disk. */
  admit(text: string): KeyPass | null;
  /** Throws `client_not_found`. */
  tell(peerId: string, news: PeerNews): void;
  /** The one seen last comes first. */
  list(): readonly PeerView[];
  /** Newest first. */
  events(): readonly PeerEvent[];
  /** Calls `onEvent` with each event from now on until the returned function is called. */
  watch(onEvent: (event: PeerEvent) => void): () => void;
}

/** Over a working day, a night's sleep of the machine included; a key that leaked is useless the day after. */
const KEY_LIVES_MS = 12 * 3_600_000;
/** As many clients as a machine can run, and a few; the one that was seen the longest ago makes room. */
const PEERS_MAX = 256;
const EVENTS_MAX = 200;
const SECRET_BYTES = 32;

interface Peer {
  readonly id: string;
  readonly key: Secret;
  readonly hash: string;
  readonly createdAtMs: number;
  facts: PeerFacts;
  keyId: string;
  seenAtMs: number;
  expiresAtMs: number;
}

interface ClientDeskDeps {
  readonly keys: Pick<KeyDesk, "list" | "create" | "get" | "use">;
  readonly keeper: Pick<Keeper, "get">;
  readonly rulebook: Pick<Rulebook, "choose" | "require">;
  readonly profiles: Pick<ProfileDesk, "modelsFor">;
  readonly catalogue: Pick<CatalogueDesk, "known">;
  readonly prices: Pick<PriceDesk, "costOf">;
  readonly audit: Pick<AuditNotes, "say">;
  readonly clock: Clock;
  readonly dice: Dice;
  readonly log: Log;
}

export function createClientDesk(deps: ClientDeskDeps): ClientDesk {
  const { keys, rulebook, clock, log } = deps;
  const peers = new Map<string, Peer>();
  const watchers = new Set<(event: PeerEvent) => void>();
  const label = createLabels(keys);
  let events: readonly PeerEvent[] = [];

  const askOf = ({ facts, keyId }: Peer) => ({ keyId, profile: facts.profile, project: facts.project });
  const viewOf = (peer: Peer): PeerView => ({
    ...peer,
    profile: profileOf(() => rulebook.choose(askOf(peer))?.name ?? null),
  });
  const sweep = () => {
    for (const [id, peer] of peers) if (clock.nowMs() >= peer.expiresAtMs) peers.delete(id);
  };
  const makeRoom = () => {
    sweep();
    while (peers.size >= PEERS_MAX) peers.delete([...peers.values()].reduce(seenBefore).id);
  };

  return {
    async shakeHands(asked, former) {
      const facts = tidyPeer(asked);
      if (typeof facts === "string") throw new AppError("invalid_request", facts);
      refuseStrangers(facts, deps);
      const key = await label(facts.client, clock.nowMs());
      const nowMs = clock.nowMs();
      makeRoom();
      const known = knownPeer(peers, facts, former);
      const peer = known ?? newPeer(facts, key.id, formerKey(former, keys), { ...deps, nowMs });
      Object.assign(peer, { facts, keyId: key.id, seenAtMs: nowMs, expiresAtMs: nowMs + KEY_LIVES_MS });
      peers.set(peer.id, peer);
      deps.audit.say({ action: "client.get_handshake", subjects: [{ id: peer.id, name: facts.client }], text: "" });
      if (known === null) log.info("client.joined", { client: facts.client, client_id: peer.id, pid: facts.pid });
      const models = offered(deps.catalogue.known(), deps.profiles.modelsFor(askOf(peer)), facts.accountId);
      const { first, small } = startingModels(models, (model) => deps.prices.costOf(model, null, A_TITLE));
      return { peer: viewOf(peer), key: peer.key, models, firstModel: first, smallModel: small };
    },
    admit(text) {
      const shown = parseClientKey(text);
      const peer = shown === null ? undefined : peers.get(shown.id);
      if (shown === null || peer === undefined || !isSame(peer.hash, sha256Hex(shown.secret))) return null;
      if (clock.nowMs() >= peer.expiresAtMs || keys.use(peer.keyId) === null) return null;
      peer.seenAtMs = clock.nowMs();
      const { accountId: only, profile, project } = peer.facts;
      return { keyId: peer.keyId, only, profile, project };
    },
    tell(peerId, told) {
      const peer = peers.get(peerId);
      if (peer === undefined) throw new AppError("client_not_found", "this client has not shaken hands, or long ago");
      peer.seenAtMs = clock.nowMs();
      const { client, directory } = peer.facts;
      const event: PeerEvent = { ...tidyNews(told), peerId, client, directory, atMs: clock.nowMs() };
      if (event.kind === "closed") peers.delete(peerId);
      events = [event, ...events].slice(0, EVENTS_MAX);
      for (const watcher of [...watchers]) watcher(event);
    },
    list() {
      sweep();
      return [...peers.values()].map(viewOf).sort((a, b) => b.seenAtMs - a.seenAtMs);
    },
    events: () => events,
    watch(onEvent) {
      watchers.add(onEvent);
      return () => void watchers.delete(onEvent);
    },
  };
}

/** What a title costs: what the cheapest model is found by. */
const A_TITLE = { inputTokens: 1_000_000, cachedInputTokens: 0, outputTokens: 100_000, reasoningTokens: 0 };

const seenBefore = (a: Peer, b: Peer) => (a.seenAtMs <= b.seenAtMs ? a : b);

/**
 * The client key that a client's requests are counted under; made when there is none. Nobody knows its secret: it opens nothing. Handshakes
 * that come together make one.
 */
function createLabels(keys: ClientDeskDeps["keys"]): (name: string, nowMs: number) => Promise<ClientKey> {
  const making = new Map<string, Promise<ClientKey>>();
  return async (name, nowMs) => {
    const found = keys.list().find((key) => key.name === name && key.revokedAtMs === null);
    if (found === undefined) {
      const made = making.get(name) ?? keys.create(name).then(({ key }) => key);
      making.set(name, made);
      return await made.finally(() => making.delete(name));
    }
    const { expiresAtMs } = found.terms;
    if (expiresAtMs === null || nowMs < expiresAtMs) return found;
    throw new AppError("key_expired", `the client key ${name} has expired, and ${name} is counted under it`, {
      facts: { key: name },
    });
  };
}

function refuseStrangers({ profile, accountId }: PeerFacts, deps: Pick<ClientDeskDeps, "rulebook" | "keeper">): void {
  if (profile !== null) deps.rulebook.require(profile);
  if (accountId !== null && deps.keeper.get(accountId) === null)
    throw new AppError("account_not_found", "there is no account of that id");
}

/** A peer is known by what it calls itself, or by the key that it has. */
function knownPeer(peers: ReadonlyMap<string, Peer>, facts: PeerFacts, former: string | null): Peer | null {
  const shown = former === null ? null : parseClientKey(former);
  const byKey = shown === null ? undefined : peers.get(shown.id);
  if (byKey !== undefined && isSame(byKey.hash, sha256Hex(shown!.secret))) return byKey;
  const same = ({ facts: { client, pid, instance } }: Peer) =>
    client === facts.client && pid === facts.pid && instance === facts.instance;
  return former === null ? ([...peers.values()].find(same) ?? null) : null;
}

/** A key of ours that a daemon before this one has given; whoever is at the socket could have had a new one just as well. */
function formerKey(former: string | null, keys: Pick<KeyDesk, "get">): { id: string; secret: string } | null {
  if (former === null) return null;
  const shown = parseClientKey(former);
  if (shown === null || keys.get(shown.id) !== null)
    throw new AppError("invalid_request", "key is not the key of an earlier handshake");
  return shown;
}

function newPeer(
  facts: PeerFacts,
  keyId: string,
  former: { id: string; secret: string } | null,
  { dice, nowMs }: Pick<ClientDeskDeps, "dice"> & { nowMs: number },
): Peer {
  const { id, secret } = former ?? { id: createUlid(nowMs, dice).slice(16), secret: randomToken(dice, SECRET_BYTES) };
  const key = new Secret(`rtr_${id}_${secret}`);
  return { id, key, hash: sha256Hex(secret), facts, keyId, createdAtMs: nowMs, seenAtMs: nowMs, expiresAtMs: nowMs };
}

function offered(
  models: readonly PoolModel[],
  isAllowed: ReturnType<ProfileDesk["modelsFor"]>,
  only: AccountId | null,
): readonly PoolModel[] {
  return models.filter(
    ({ facts, accountIds }) =>
      facts.listed && (isAllowed?.(facts.slug) ?? true) && (only === null || accountIds.includes(only)),
  );
}

/** A profile that a peer named may be gone by now; its next request is told so. */
function profileOf(read: () => string | null): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}

/** Looks at every character, so that the time it takes says nothing about where they differ. */
function isSame(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
