/**
 * How the tools stand: which are connected, and what has become of the files that we changed. For `rotor connect`, `rotor status` and
 * `rotor doctor`. Reads files and what the daemon told its caller; changes nothing.
 */
import type { Key } from "../../gen/rotor/v1/key_service_pb.ts";
import { findCodexHome } from "../codex-home.ts";
import type { Context } from "../command.ts";
import type { DaemonLink } from "../daemon-link.ts";
import { clientBase } from "../stanza.ts";
import { toMs } from "../text/wire-text.ts";
import { isPart } from "./change.ts";
import { atHome } from "./disconnect-order.ts";
import { digest, lookAt } from "./disk-file.ts";
import { type FileReceipt, openReceipts, type Receipt } from "./receipt.ts";
import { drift } from "./task.ts";
import { TOOLS } from "./tool-table.ts";

/** `drifted`: something of ours is not as we left it, or leads nowhere. `not_installed`: not connected, and no trace of it here. */
export type ConnectionState = "connected" | "drifted" | "absent" | "not_installed";

export interface ToolState {
  readonly name: string;
  readonly title: string;
  readonly state: ConnectionState;
  /** A trace of the tool on this machine. */
  readonly place: string | null;
  readonly profile: string | null;
  readonly keyName: string | null;
  /** When its key was last used; null = never, or not known. */
  readonly lastSeenAtMs: number | null;
  readonly files: readonly string[];
  /** What has drifted, one line each. */
  readonly drift: readonly string[];
  /** The command that mends it; null when nothing is to be mended. */
  readonly hint: string | null;
}

/** What the daemon knows, when it was asked. */
export interface Known {
  readonly keys: readonly Key[];
  readonly profiles: readonly { readonly name: string; readonly keyIds: readonly string[] }[];
  readonly proxyUrl: string;
}

export async function askKnown(link: DaemonLink): Promise<Known> {
  const [{ keys }, { profiles }] = await Promise.all([link.keys.listKeys({}), link.profiles.listProfiles({})]);
  return { keys, profiles, proxyUrl: link.daemon.proxyUrl };
}

/** Those that were connected. `link` null: files alone are looked at. */
export async function connectedTools(context: Context, link: DaemonLink | null): Promise<readonly ToolState[]> {
  const states = await toolStates(context, link === null ? null : await askKnown(link));
  return states.filter(({ state }) => state === "connected" || state === "drifted");
}

/** Every tool that we know, and whatever else was connected once. */
export async function toolStates(context: Context, known: Known | null): Promise<readonly ToolState[]> {
  const book = openReceipts(context.paths);
  const receipts = book.all();
  const codex = findCodexHome(context);
  const states: ToolState[] = [];
  for (const tool of TOOLS) {
    const receipt = receipts.find((one) => one.tool === tool.name) ?? null;
    const place = tool.find({ host: context.io.host, codex });
    states.push(await stateOf(context, { name: tool.name, title: tool.title, place, receipt, known }));
  }
  for (const receipt of receipts) {
    if (TOOLS.some(({ name }) => name === receipt.tool)) continue;
    states.push(await stateOf(context, { name: receipt.tool, title: receipt.tool, place: null, receipt, known }));
  }
  return states;
}

async function stateOf(
  context: Context,
  given: { name: string; title: string; place: string | null; receipt: Receipt | null; known: Known | null },
): Promise<ToolState> {
  const { name, title, place, receipt, known } = given;
  if (receipt === null) {
    const state = place === null ? "not_installed" : "absent";
    const none = { profile: null, keyName: null, lastSeenAtMs: null, files: [], drift: [], hint: null };
    return { name, title, state, place, ...none };
  }
  const key = known?.keys.find(
    ({ id, name, revokeTime }) =>
      id === receipt.key?.id || (receipt.peer === name && receipt.key === null && revokeTime === undefined),
  );
  const found = [...(await fileDrift(context, receipt)), ...daemonDrift(receipt, known)];
  const profile = known?.profiles.find(({ keyIds }) => receipt.key !== null && keyIds.includes(receipt.key.id));
  return {
    name,
    title,
    state: found.length === 0 ? "connected" : "drifted",
    place,
    profile: known === null || receipt.peer !== null ? receipt.profile : (profile?.name ?? null),
    keyName: receipt.key?.name ?? receipt.peer,
    lastSeenAtMs: key?.lastUseTime ? toMs(key.lastUseTime) : null,
    files: receipt.files.filter((file) => !isPart(file)).map(({ path }) => path),
    drift: found,
    hint: found.length === 0 ? null : `rotor connect ${name}`,
  };
}

async function fileDrift(context: Context, receipt: Receipt): Promise<readonly string[]> {
  const found: string[] = [];
  for (const file of receipt.files) {
    const here = atHome(file, receipt.home, context.io.host.homeDir);
    if (here.path !== file.path) found.push(`${file.path} has moved to ${here.path}`);
    found.push(...(await driftOf(here)).map((what) => `${here.path}: ${what}`));
  }
  return found;
}

async function driftOf(file: FileReceipt): Promise<readonly string[]> {
  try {
    const { content } = await lookAt(file.path, file);
    if (digest(content) === file.after) return [];
    const isEdited = file.kind === "edit" && content !== null;
    return drift(file, content).map((place) => (isEdited ? `${place} is not what we wrote` : place));
  } catch (error) {
    return [(error as Error).message];
  }
}

/** A daemon on another port, or a key that was revoked, leaves the files right and the tool unserved. */
function daemonDrift(receipt: Receipt, known: Known | null): readonly string[] {
  if (known === null) return [];
  const found: string[] = [];
  if (receipt.proxyUrl !== null && clientBase(known.proxyUrl) !== clientBase(receipt.proxyUrl))
    found.push(`it is sent to ${receipt.proxyUrl}, but the daemon listens on ${known.proxyUrl}`);
  const key = known.keys.find(({ id }) => id === receipt.key?.id);
  if (receipt.key !== null && (key === undefined || key.revokeTime !== undefined))
    found.push(`its key ${receipt.key.name} is not good any more`);
  return found;
}
