/**
 * A peer of the socket that sends requests for a person: one running OpenCode with the plugin, one `rotor codex`. What it says of itself, what
 * is kept of its events, and which models it begins with. Pure; its key is pool's business.
 */
import { withoutTokens } from "../base/token-shape.ts";
import { type AccountId, isAlias } from "./account.ts";
import { isProject } from "./budget.ts";
import type { PoolModel } from "./model.ts";

/** What a peer says of itself. */
export interface PeerFacts {
  /** Also the name of the client key that its requests are counted under. An alias in form. */
  readonly client: string;
  readonly clientVersion: string;
  /** Of what speaks for the client: the plugin, the wrapper. */
  readonly linkVersion: string;
  readonly pid: number | null;
  /** Its own name for itself, nobody else's. */
  readonly instance: string;
  readonly directory: string | null;
  readonly project: string | null;
  /** Named by the peer for all of its requests; null = as its project says. */
  readonly profile: string | null;
  /** Only this account may serve it; null = whoever may. */
  readonly accountId: AccountId | null;
}

const VERSION_CHARS = 60;
const FOLDER_CHARS = 1_024;

/** The facts as they are kept; a text is the reason why they cannot be. */
export function tidyPeer(facts: PeerFacts): PeerFacts | string {
  if (!isAlias(facts.client)) return "client takes 1 to 40 of a-z 0-9 . _ -, not only digits";
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(facts.instance)) return "instance takes 1 to 64 of A-Z a-z 0-9 _ -";
  if (facts.project !== null && !isProject(facts.project)) return "project_key is not the key of a project";
  return {
    ...facts,
    clientVersion: tidyText(facts.clientVersion, VERSION_CHARS),
    linkVersion: tidyText(facts.linkVersion, VERSION_CHARS),
    directory: facts.directory === null ? null : tidyText(facts.directory, FOLDER_CHARS),
  };
}

export type PeerEventKind = "created" | "idle" | "retry" | "error" | "waiting" | "closed";

/** What a peer tells of its client. */
export interface PeerNews {
  readonly kind: PeerEventKind;
  /** The client's own name of the conversation; null = of none. */
  readonly conversationId: string | null;
  readonly title: string;
  readonly message: string;
}

export interface PeerEvent extends PeerNews {
  readonly peerId: string;
  readonly client: string;
  readonly atMs: number;
  readonly directory: string | null;
}

const ID_CHARS = 100;
const TITLE_CHARS = 200;
/** Two lines of a notification; a client's errors carry whole answers in them. */
const MESSAGE_CHARS = 400;

/** News as they are kept: short, on one line, and without anything that looks like a credential. */
export function tidyNews(news: PeerNews): PeerNews {
  return {
    kind: news.kind,
    conversationId: news.conversationId === null ? null : tidyText(news.conversationId, ID_CHARS),
    title: tidyText(news.title, TITLE_CHARS),
    message: tidyText(news.message, MESSAGE_CHARS),
  };
}

/** Credentials are looked for in more than is kept: one that is cut in two would not be known for what it is. */
function tidyText(text: string, most: number): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is to go.
  const plain = text.slice(0, most * 4).replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ");
  return withoutTokens(plain, SHORTEST_TOKEN).trim().slice(0, most).trim();
}

/** Not our own words: rather too much than too little. */
const SHORTEST_TOKEN = 12;

/** Models for a peer to begin with: upstream's first, and the one that costs the least for titles and the like; null = none is known. */
export function startingModels(
  models: readonly PoolModel[],
  costOf: (model: string) => number | null,
): { readonly first: string | null; readonly small: string | null } {
  const names = models.map(({ facts }) => facts.slug);
  let small: { name: string; cost: number } | null = null;
  for (const name of names) {
    const cost = costOf(name);
    if (cost !== null && (small === null || cost < small.cost)) small = { name, cost };
  }
  return { first: names[0] ?? null, small: small?.name ?? names.at(-1) ?? null };
}
