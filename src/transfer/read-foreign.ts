/**
 * The door of the room: files of one product in, one foreign store out. What a file is, its content says; its name is for messages.
 * Throws `invalid_import` with the place, `passphrase_required` or `passphrase_wrong`; never returns a part of what it was given.
 */
import { AppError } from "../base/errors.ts";
import { isPassphraseBox } from "../base/passphrase-box.ts";
import { isCliProxyApi, readCliProxyApi } from "./cliproxyapi.ts";
import { isCodexAuth, readCodexAuth } from "./codex-auth.ts";
import { isCodexLb, readCodexLb } from "./codex-lb.ts";
import { isCodexMultiCleared, isCodexMultiFlagged, isCodexMultiPool, isCodexMultiWal } from "./codex-multi-accounts.ts";
import { readCodexMultiAuth } from "./codex-multi-auth.ts";
import { isCodexMultiPolicies, isLedgerRow } from "./codex-multi-facts.ts";
import { accountOfLogin, mergeAccounts } from "./foreign-account.ts";
import {
  isCodexLbBundle,
  isOpencodeMultiAuthEnvelope,
  openCodexLbBundle,
  openOpencodeMultiAuthEnvelope,
} from "./foreign-box.ts";
import type { ForeignAccount, ForeignFormat, ForeignStore } from "./foreign-store.ts";
import { decodeUtf8, type ForeignFile, JsonNode, parseJson, shownName } from "./json-node.ts";
import { isOpencodeAuth, readOpencodeAuth } from "./opencode-auth.ts";
import {
  isOpencodeMultiArray,
  isOpencodeMultiMap,
  isOpencodeMultiMetrics,
  isOpencodeMultiSticky,
  readOpencodeMultiAuth,
} from "./opencode-multi-auth.ts";
import { readPoolFile } from "./pool-file.ts";
import { isPr97, readPr97 } from "./pr97.ts";
import { EMPTY_STORE } from "./store-builder.ts";

type Kind = (typeof KINDS)[number][0];
/** One file may hold several documents: a ledger has one a line. */
type Docs = Readonly<Record<Kind, readonly JsonNode[]>>;

/** In the order in which a document is tried: what shows itself plainly first, what is told by what it lacks last. */
const KINDS = [
  ["map", "opencode-multi-auth", isOpencodeMultiMap],
  ["ledger", "codex-multi-auth", isLedgerRow],
  ["codexAuth", "codex-auth", isCodexAuth],
  ["codexLb", "codex-lb", isCodexLb],
  ["cliProxyApi", "cliproxyapi", isCliProxyApi],
  ["array", "opencode-multi-auth", isOpencodeMultiArray],
  ["pr97", "pr97", isPr97],
  ["flagged", "codex-multi-auth", isCodexMultiFlagged],
  ["pools", "codex-multi-auth", isCodexMultiPool],
  ["policies", "codex-multi-auth", isCodexMultiPolicies],
  ["profiles", "codex-multi-auth", (doc: JsonNode) => doc.get("profiles").isObject],
  ["budgets", "codex-multi-auth", (doc: JsonNode) => doc.get("limits").isObject],
  ["tokens", "codex-multi-auth", (doc: JsonNode) => Array.isArray(doc.get("tokens").value)],
  ["windows", "codex-multi-auth", (doc: JsonNode) => doc.has("byAccountId") || doc.has("byEmail")],
  ["settings", "codex-multi-auth", (doc: JsonNode) => doc.has("pluginConfig") || doc.has("dashboardDisplaySettings")],
  ["wals", "codex-multi-auth", isCodexMultiWal],
  ["cleared", "codex-multi-auth", isCodexMultiCleared],
  ["opencodeAuth", "opencode-auth", isOpencodeAuth],
  ["metrics", "opencode-multi-auth", isOpencodeMultiMetrics],
  ["sticky", "opencode-multi-auth", isOpencodeMultiSticky],
] as const satisfies readonly (readonly [string, ForeignFormat, (doc: JsonNode) => boolean])[];

/** `passphrase`: for files that are encrypted; null when nobody gave one. */
export async function readForeign(files: readonly ForeignFile[], passphrase: string | null): Promise<ForeignStore> {
  const [first] = files;
  if (first === undefined) throw new AppError("invalid_import", "there is no file");
  const box = files.find((file) => isPassphraseBox(file.bytes));
  if (box !== undefined) {
    if (files.length > 1)
      throw new AppError("invalid_import", `${shownName(box.name)} is a pool file; import it by itself`);
    return readPoolFile(box.name, box.bytes, passphrase);
  }
  const remarks: string[] = [];
  const docs = Object.fromEntries(KINDS.map(([kind]) => [kind, [] as JsonNode[]])) as Record<Kind, JsonNode[]>;
  const formats = new Set<ForeignFormat>();
  const logins: AuthFile[] = [];
  for (const file of files) {
    const name = shownName(file.name);
    for (const doc of await documentsOf(file, name, remarks, passphrase)) {
      const found = KINDS.find(([, , isIt]) => isIt(doc));
      if (found === undefined) throw doc.wrong("is in none of the formats that Rotor reads");
      const [kind, format] = found;
      if (kind === "codexAuth" || kind === "opencodeAuth") logins.push({ kind, doc, bytes: file.bytes });
      else formats.add(format);
      docs[kind].push(doc);
    }
  }
  if (formats.size > 1) {
    throw new AppError(
      "invalid_import",
      `these files are of several products (${[...formats].join(", ")}); import one at a time`,
    );
  }
  const [format = null] = formats;
  const store = format === null ? authFilesOnly(logins, remarks) : assemble(format, docs, copiesIn(logins), remarks);
  return checked(store, docs);
}

/** The `auth.json` of Codex or OpenCode: a store of its own, or another program's copy of the logins in a pool. */
interface AuthFile {
  readonly kind: "codexAuth" | "opencodeAuth";
  readonly doc: JsonNode;
  readonly bytes: Uint8Array;
}

const accountsIn = ({ kind, doc, bytes }: AuthFile): readonly ForeignAccount[] =>
  kind === "codexAuth" ? readCodexAuth(bytes, doc.file).map(accountOfLogin) : readOpencodeAuth([doc]).accounts;

function authFilesOnly(files: readonly AuthFile[], remarks: string[]): ForeignStore {
  const accounts = files.flatMap(accountsIn);
  const isCodex = files.every((file) => file.kind === "codexAuth");
  // Twins in an auth.json of many are the import desk's to report, entry by entry.
  if (isCodex) return { ...EMPTY_STORE, format: "codex-auth", accounts, remarks };
  return { ...EMPTY_STORE, format: "opencode-auth", accounts: mergeAccounts(accounts, remarks).accounts, remarks };
}

/** Beside a pool these files are looked at for fresher tokens; that one of them holds no login to ChatGPT is nobody's fault. */
function copiesIn(files: readonly AuthFile[]): readonly ForeignAccount[] {
  return files.flatMap((file): readonly ForeignAccount[] => {
    const { kind, doc } = file;
    const isLogin =
      kind === "codexAuth"
        ? Array.isArray(doc.value) || doc.has("tokens")
        : doc.get("openai").get("type").value === "oauth";
    if (!isLogin) doc.note("holds no login to ChatGPT and is left out");
    return isLogin ? accountsIn(file).map((account) => ({ ...account, isCurrent: false })) : [];
  });
}

/** The documents of a file, decrypted. A JSON file is one; JSON lines are several. */
async function documentsOf(
  file: ForeignFile,
  name: string,
  remarks: string[],
  passphrase: string | null,
): Promise<readonly JsonNode[]> {
  const place = new JsonNode(name, "", null, remarks);
  const source = decodeUtf8(
    file.bytes,
    (what, cause) => new AppError("invalid_import", `${place.place} ${what}`, { cause }),
  );
  if (source.trim() === "") throw place.wrong("is empty");
  const whole = parseJson(source);
  if (!whole.ok) return linesOf(source, place, whole.reason);
  const doc = new JsonNode(name, "", whole.value, remarks);
  if (isOpencodeMultiAuthEnvelope(doc)) {
    const inner = new JsonNode(name, "", await openOpencodeMultiAuthEnvelope(doc, passphrase), remarks);
    if (!isOpencodeMultiArray(inner) && !inner.get("accounts").isObject) throw inner.wrong("holds no accounts");
    return [inner];
  }
  if (isCodexLbBundle(doc)) return [new JsonNode(name, "", await openCodexLbBundle(doc, passphrase), remarks)];
  return [doc];
}

/** JSON lines. A file that is only ever appended to may end in half a line after a crash; that line is left out with a remark. */
function linesOf(source: string, place: JsonNode, reason: string): readonly JsonNode[] {
  const lines = source.split(/\r?\n/).map((line, index) => ({ line, path: `line ${index + 1}` }));
  const filled = lines.filter(({ line }) => line.trim() !== "");
  const first = parseJson(filled[0]!.line);
  if (filled.length < 2 || !first.ok) throw place.wrong(`cannot be read: ${reason}`);
  const isLedger = isLedgerRow(new JsonNode(place.file, "", first.value, place.remarks));
  // Lines of logins are read as a whole by the reader of auth.json, with its own words for a broken one.
  if (!isLedger) return [new JsonNode(place.file, "", first.value, place.remarks)];
  return filled.flatMap(({ line, path }, index) => {
    const parsed = parseJson(line);
    const doc = new JsonNode(place.file, path, parsed.ok ? parsed.value : null, place.remarks);
    if (parsed.ok) return [doc];
    if (index < filled.length - 1) throw doc.wrong(`cannot be read: ${parsed.reason}`);
    doc.note("was not written to its end and is left out");
    return [];
  });
}

function assemble(
  format: ForeignFormat,
  docs: Docs,
  logins: readonly ForeignAccount[],
  remarks: string[],
): ForeignStore {
  switch (format) {
    case "codex-multi-auth":
      return readCodexMultiAuth(docs, logins, remarks);
    case "opencode-multi-auth":
      for (const doc of docs.sticky) doc.note("is not carried over: conversations find their account anew");
      return readOpencodeMultiAuth({ maps: docs.map, arrays: docs.array, metrics: docs.metrics }, logins, remarks);
    case "pr97":
      return withLogins(readPr97(docs.pr97), logins);
    case "cliproxyapi":
      return withLogins(readCliProxyApi(docs.cliProxyApi), logins);
    default:
      return withLogins(readCodexLb(docs.codexLb), logins);
  }
}

/** The same logins as other programs keep them: theirs may be the fresher tokens. */
function withLogins(store: ForeignStore, logins: readonly ForeignAccount[]): ForeignStore {
  if (logins.length === 0) return store;
  return { ...store, accounts: mergeAccounts([...store.accounts, ...logins], store.remarks as string[]).accounts };
}

/** More of them nobody reads; a ledger of a million odd rows must not fill the memory of whoever shows them. */
const REMARKS_MAX = 500;

/** A store with nothing in it is more likely a wrong file than a wish. */
function checked(store: ForeignStore, docs: Docs): ForeignStore {
  const { accounts, keys, settings, profiles, budgets, ledger, choice, remarks } = store;
  const carried = choice === null ? [] : [choice.rules, choice.profiles, choice.budgets];
  if ([accounts, keys, settings, profiles, budgets, ledger, ...carried].every((part) => part.length === 0)) {
    const why = docs.cleared.length > 0 ? "the pool was cleared on purpose" : remarks[0];
    throw new AppError("invalid_import", `there is no login in the data${why === undefined ? "" : `: ${why}`}`);
  }
  if (remarks.length <= REMARKS_MAX) return store;
  const rest = `${remarks.length - REMARKS_MAX} more remarks of this kind`;
  return { ...store, remarks: [...remarks.slice(0, REMARKS_MAX), rest] };
}
