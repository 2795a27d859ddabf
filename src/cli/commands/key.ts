/**
 * `rotor key …`: what clients show to be served, and what they may ask for.
 */
import { create } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import {
  CreateKeyResponseSchema,
  type Key,
  type KeyTerms,
  ListKeysResponseSchema,
  RevokeKeyResponseSchema,
  RotateKeyResponseSchema,
  SetKeyTermsResponseSchema,
} from "../../gen/rotor/v1/key_service_pb.ts";
import type { Argument, Command, Context, Input, Option } from "../command.ts";
import { confirm, YES_OPTION } from "../confirm.ts";
import { resolveKey } from "../resolve.ts";
import { keyFacts, keyRow, termsNote } from "../text/key-text.ts";
import { type LimitInit, parseLimits } from "../text/limit-text.ts";
import { renderFacts, renderTable } from "../text/table.ts";
import { formatDuration, parseDuration, parseUntil } from "../text/time-text.ts";
import { toTimestamp } from "../text/wire-text.ts";

const KEY_ARGUMENT: Argument = {
  name: "KEY",
  about: "name, list number, id, or an unambiguous beginning",
  completes: "key",
};

const TERM_OPTIONS: readonly Option[] = [
  { name: "models", value: "MODELS", about: "only these models: names with commas between, * at the end for any" },
  { name: "efforts", value: "EFFORTS", about: "only these reasoning efforts, e.g. low,medium" },
  { name: "tiers", value: "TIERS", about: "only these service tiers, e.g. default" },
  { name: "limit", value: "LIMITS", about: 'how much: "100 requests/hour, 2M tokens/day, 20 USD/month"' },
  { name: "expires", value: "WHEN", about: "when it ends: 30d, 2026-12-31" },
];

interface TermsInit {
  models: string[];
  efforts: string[];
  tiers: string[];
  limits: LimitInit[];
  expireTime?: { seconds: bigint; nanos: number };
}

/** The terms before, changed where an option says so; `none` takes a term away. */
function termsOf(input: Input, before: KeyTerms | undefined, nowMs: number, command: string): TermsInit {
  const list = (name: "models" | "efforts" | "tiers") => {
    const text = input.value(name);
    if (text === null) return [...(before?.[name] ?? [])];
    return isNone(text) ? [] : text.split(",").flatMap((part) => part.trim() || []);
  };
  const limits = input.value("limit");
  const expires = input.value("expires");
  const terms: TermsInit = {
    models: list("models"),
    efforts: list("efforts"),
    tiers: list("tiers"),
    limits: limits === null ? [...(before?.limits ?? [])] : parseLimits(limits),
  };
  if (expires === null && before?.expireTime) terms.expireTime = before.expireTime;
  if (expires === null || isNone(expires)) return terms;
  const endMs = parseUntil(expires, nowMs);
  if (endMs !== null) return { ...terms, expireTime: toTimestamp(endMs) };
  throw new AppError("bad_usage", `--expires ${expires} is neither a duration such as 30d nor a time to come`, {
    hint: `rotor help ${command}`,
  });
}

const isNone = (text: string) => text.trim().toLowerCase() === "none";

async function keyOf(context: Context, input: Input): Promise<Key> {
  const { keys } = await (await context.daemon()).keys.listKeys({});
  return resolveKey(keys, input.arg(0) ?? "");
}

const createKey: Command = {
  path: ["key", "create"],
  summary: "make a client key; it is shown once",
  details: [
    "The key goes to stdout, alone, so that it can be kept in a variable or a file. Rotor keeps only its hash.",
    "Without options it may ask for everything; rotor help limits says what the options do.",
  ],
  args: [{ name: "NAME", about: "label: 1–40 of a–z 0–9 . _ -" }],
  options: TERM_OPTIONS,
  examples: [
    "export ROTOR_KEY=$(rotor key create laptop)",
    'rotor key create ci --models "gpt-5.4*" --limit "2M tokens/day" --expires 30d',
  ],
  starts: true,
  async run({ daemon, print, nowMs }, input) {
    const terms = termsOf(input, undefined, nowMs(), "key create");
    const response = await (await daemon()).keys.createKey({ name: input.arg(0) ?? "", terms });
    if (print.asJson(CreateKeyResponseSchema, response)) return;
    print.line(response.secret);
    print.note(`this is the only time that the key is shown; for a tool on this machine: rotor connect`);
  },
};

const list: Command = {
  path: ["key", "list"],
  summary: "all client keys, the revoked ones too",
  starts: true,
  async run({ daemon, print, nowMs }) {
    const response = await (await daemon()).keys.listKeys({});
    if (print.asJson(ListKeysResponseSchema, response)) return;
    if (response.keys.length === 0) {
      print.note("no client keys yet; make one with: rotor key create NAME");
      return;
    }
    const rows = response.keys.map((key, i) => keyRow(key, i + 1, nowMs()));
    const columns = [
      { header: "#", align: "right" as const },
      ...["NAME", "ID", "MADE", "USED", "STATE"].map((header) => ({ header })),
    ];
    for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  },
};

const show: Command = {
  path: ["key", "show"],
  summary: "one client key: what it may ask for, and how its limits stand",
  args: [KEY_ARGUMENT],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    const key = await keyOf(context, input);
    if (print.asJson(ListKeysResponseSchema, create(ListKeysResponseSchema, { keys: [key] }))) return;
    for (const line of renderFacts(keyFacts(key, nowMs()), print.columns)) print.line(line);
  },
};

const limit: Command = {
  path: ["key", "limit"],
  summary: "say what a client key may ask for, and how much",
  details: [
    "Options that are not given stay as they are; none takes one away. What was used in a period so far counts.",
  ],
  args: [KEY_ARGUMENT],
  options: TERM_OPTIONS,
  examples: ['rotor key limit ci --limit "100 requests/hour, 20 USD/month"', "rotor key limit ci --models none"],
  starts: true,
  async run(context, input) {
    const { print, nowMs } = context;
    if (TERM_OPTIONS.every(({ name }) => input.value(name) === null))
      throw new AppError("bad_usage", "say what to change", { hint: "rotor help key limit" });
    const key = await keyOf(context, input);
    const terms = termsOf(input, key.terms, nowMs(), "key limit");
    const response = await (await context.daemon()).keys.setKeyTerms({ keyId: key.id, terms });
    if (print.asJson(SetKeyTermsResponseSchema, response)) return;
    print.note(`the key ${key.name}: ${termsNote(response.key!, nowMs())}`);
  },
};

/** Long enough to change a configuration by hand, short enough that a leaked key is soon worthless. */
const GRACE = "1h";

const renew: Command = {
  path: ["key", "rotate"],
  summary: "give a client key a new secret; it is shown once",
  details: ["The key keeps its name, its terms and what it has used. The secret before stays good for the grace."],
  args: [KEY_ARGUMENT],
  options: [
    {
      name: "grace",
      value: "DURATION",
      about: `how long the secret before stays good, ${GRACE} unless told; 0: not at all`,
    },
  ],
  examples: ["rotor key rotate ci --grace 1d", "rotor key rotate leaked --grace 0"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const text = input.value("grace") ?? GRACE;
    const graceMs = /^0[smhdw]?$/.test(text) ? 0 : parseDuration(text);
    if (graceMs === null)
      throw new AppError("bad_usage", `--grace ${text} is not a duration such as 1h or 0`, {
        hint: "rotor help key rotate",
      });
    const key = await keyOf(context, input);
    const graceDuration = { seconds: BigInt(Math.round(graceMs / 1_000)), nanos: 0 };
    const response = await (await context.daemon()).keys.rotateKey({ keyId: key.id, graceDuration });
    if (print.asJson(RotateKeyResponseSchema, response)) return;
    print.line(response.secret);
    print.note(
      graceMs === 0
        ? `the secret before is refused from now on`
        : `this is the only time that it is shown; the secret before is good for another ${formatDuration(graceMs)}`,
    );
  },
};

const revoke: Command = {
  path: ["key", "revoke"],
  summary: "end a client key at once",
  args: [KEY_ARGUMENT],
  options: [YES_OPTION],
  starts: true,
  async run(context, input) {
    const key = await keyOf(context, input);
    await confirm(context, input, {
      question: `Revoke the key ${key.name}? Clients that use it are refused from then on.`,
      command: `rotor key revoke ${key.name} --yes`,
    });
    const response = await (await context.daemon()).keys.revokeKey({ keyId: key.id });
    if (context.print.asJson(RevokeKeyResponseSchema, response)) return;
    context.print.note(`the key ${key.name} is revoked`);
  },
};

export const keyCommands: readonly Command[] = [createKey, list, show, limit, renew, revoke];
