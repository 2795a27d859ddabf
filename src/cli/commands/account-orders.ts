/**
 * `rotor account enable`, `pause`, `tag` and the like: one order to any number of accounts, given to all of them or to none.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import { type Account, HoldKind } from "../../gen/rotor/v1/account_pb.ts";
import {
  type UpdateAccountsRequestSchema,
  UpdateAccountsResponseSchema,
} from "../../gen/rotor/v1/account_service_pb.ts";
import { ACCOUNTS_ARGUMENT, SELECTION_OPTIONS, selected } from "../account-selection.ts";
import type { Argument, Command, Context, Input, Option } from "../command.ts";
import { END_OPTIONS, endOf } from "../end-option.ts";
import { printable } from "../print.ts";
import { paceText, stateText } from "../text/account-text.ts";
import { toTimestamp } from "../text/wire-text.ts";

type Change = MessageInitShape<typeof UpdateAccountsRequestSchema>;

interface Order {
  readonly verb: string;
  readonly summary: string;
  readonly details?: readonly string[];
  readonly args?: readonly Argument[];
  readonly options?: readonly Option[];
  readonly examples?: readonly string[];
  /** What is asked of the daemon, and of which names. Rejects with `bad_usage`. */
  read(context: Context, input: Input): { readonly change: Change; readonly names: readonly string[] };
  /** What of an account it is about, in words. */
  shown(account: Account, nowMs: number): string;
  /** What it is when the order is done, where that reads better as a sentence. */
  readonly said?: string;
  /** Command (below `rotor account`) that takes it back; null when there is none to give. */
  undo(before: Account): { readonly verb: string; readonly rest: string } | null;
}

/** As many names as a hint for people may have. */
const UNDO_NAMES_MAX = 8;

function orderCommand(order: Order): Command {
  return {
    path: ["account", order.verb],
    summary: order.summary,
    details: order.details,
    args: order.args ?? [ACCOUNTS_ARGUMENT],
    options: [
      ...(order.options ?? []),
      ...SELECTION_OPTIONS,
      { name: "dry-run", about: "say what would become of them and change nothing" },
    ],
    examples: order.examples,
    starts: true,
    async run(context, input) {
      const { print, nowMs } = context;
      const { change, names } = order.read(context, input);
      const before = await selected(context, input, names);
      const accountIds = before.map((account) => account.id);
      const dryRun = input.has("dry-run");
      const link = await context.daemon();
      const response = await link.accounts.updateAccounts({ ...change, accountIds, dryRun, force: input.has("force") });
      if (print.asJson(UpdateAccountsResponseSchema, response)) return;
      const pairs = before.map((account, i) => ({ account, after: response.accounts[i] ?? account }));
      const changed = pairs.filter(
        ({ account, after }) => order.shown(account, nowMs()) !== order.shown(after, nowMs()),
      );
      for (const { account, after } of pairs) {
        const text = order.shown(after, nowMs());
        const name = printable(account.alias);
        if (dryRun) print.note(`${name}: ${order.shown(account, nowMs())} → ${text}`);
        else print.note(order.said === undefined ? `${name}: ${text}` : `${name} ${order.said}`);
      }
      if (dryRun) print.note("nothing was changed (--dry-run)");
      else
        sayUndo(
          context,
          order,
          changed.map(({ account }) => account),
        );
    },
  };
}

/** One command for all, when one takes all of it back. */
function sayUndo({ print }: Context, order: Order, changed: readonly Account[]): void {
  const [undo, ...others] = changed.map(order.undo);
  if (undo === undefined || undo === null || changed.length > UNDO_NAMES_MAX) return;
  if (others.some((other) => other?.verb !== undo.verb || other.rest !== undo.rest)) return;
  const names = changed.map((account) => account.alias).join(" ");
  print.note(`undo: rotor account ${undo.verb} ${names}${undo.rest === "" ? "" : ` ${undo.rest}`}`);
}

function usage(verb: string, message: string): AppError {
  return new AppError("bad_usage", message, { hint: `rotor help account ${verb}` });
}

const FORCE: Option = { name: "force", about: "also when nobody is left who can serve" };
const all = (input: Input, change: Change) => ({ change, names: input.rest(0) });
const heldAs = (account: Account, kind: HoldKind) => account.holds.some((hold) => hold.kind === kind);

const enable: Order = {
  verb: "enable",
  summary: "let accounts serve again that were disabled",
  read: (_, input) => all(input, { enabled: true }),
  said: "is enabled",
  shown: stateText,
  undo: () => ({ verb: "disable", rest: "" }),
};

const disable: Order = {
  verb: "disable",
  summary: "keep accounts from serving until they are enabled",
  options: [FORCE],
  read: (_, input) => all(input, { enabled: false }),
  said: "is disabled",
  shown: stateText,
  undo: () => ({ verb: "enable", rest: "" }),
};

const pause: Order = {
  verb: "pause",
  summary: "set accounts aside for a while",
  details: ["Without an end they stay aside until rotor account resume."],
  options: [...END_OPTIONS, FORCE],
  examples: ["rotor account pause work --for 2h", "rotor account pause --tag team --until 18:00"],
  read(context, input) {
    const endMs = endOf(input, context.nowMs(), "account pause");
    return all(input, { pause: { endTime: endMs === null ? undefined : toTimestamp(endMs) } });
  },
  shown: stateText,
  undo: (before) => (heldAs(before, HoldKind.PAUSED) ? null : { verb: "resume", rest: "" }),
};

const drain: Order = {
  verb: "drain",
  summary: "let accounts finish their conversations and take no new ones",
  options: [FORCE],
  read: (_, input) => all(input, { draining: true }),
  shown: stateText,
  undo: (before) => (heldAs(before, HoldKind.PAUSED) ? null : { verb: "resume", rest: "" }),
};

const resume: Order = {
  verb: "resume",
  summary: "end a pause or a drain",
  read: (_, input) => all(input, { resume: true }),
  shown: stateText,
  undo: (before) => (heldAs(before, HoldKind.PAUSED) ? null : { verb: "drain", rest: "" }),
};

const words = (text: string | null) => (text === null ? [] : text.split(/[\s,]+/).filter((word) => word !== ""));

const tag: Order = {
  verb: "tag",
  summary: "label accounts, to choose them by",
  details: ["A tag is 1 to 32 of a–z 0–9 . _ -. Several are given with commas."],
  options: [
    { name: "add", value: "TAGS", about: "add these" },
    { name: "remove", value: "TAGS", about: "take these away", completes: "tag" },
    { name: "set", value: "TAGS", about: "these instead of all that there are" },
    { name: "clear", about: "none at all" },
  ],
  examples: ["rotor account tag work home --add team,eu", "rotor account tag --tag team --remove eu"],
  read(_, input) {
    const [add, remove, set] = ["add", "remove", "set"].map((name) => words(input.value(name))) as [
      string[],
      string[],
      string[],
    ];
    if (input.has("clear") && (set.length > 0 || add.length > 0)) throw usage("tag", "--clear leaves none");
    if (add.length + remove.length + set.length === 0 && !input.has("clear"))
      throw usage("tag", "say which tags: --add, --remove, --set or --clear");
    const tags = set.length > 0 || input.has("clear") ? { tags: set } : undefined;
    return all(input, { tags, addTags: add, removeTags: remove });
  },
  shown: (account) => (account.tags.length === 0 ? "no tags" : account.tags.join(", ")),
  undo: (before) => ({ verb: "tag", rest: before.tags.length === 0 ? "--clear" : `--set ${before.tags.join(",")}` }),
};

const note: Order = {
  verb: "note",
  summary: "write a remark to an account",
  args: [
    { ...ACCOUNTS_ARGUMENT, about: "the account", optional: false, variadic: false },
    { name: "TEXT", about: "one line, at most 500 characters; in quotes", optional: true },
  ],
  options: [{ name: "clear", about: "take the remark away" }],
  examples: ["rotor account note work paid-until-May", "rotor account note work --clear"],
  read(_, input) {
    const text = input.arg(1);
    if ((text === null) !== input.has("clear")) throw usage("note", "give a text, or --clear");
    return { change: { note: text ?? "" }, names: [input.arg(0) ?? ""] };
  },
  shown: (account) => (account.note === "" ? "no note" : printable(account.note)),
  undo: () => null,
};

/** `weight` and `priority`: accounts, then a number. */
function numberOrder(
  verb: "weight" | "priority",
  about: Pick<Order, "summary" | "details" | "examples"> & { readonly accepts: string },
): Order {
  return {
    verb,
    ...about,
    args: [
      {
        name: "ACCOUNT NUMBER",
        about: `accounts, then the number: ${about.accepts}`,
        variadic: true,
        completes: "account",
      },
    ],
    read(_, input) {
      const given = input.rest(0);
      const text = given.at(-1) ?? "";
      const number = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
      if (Number.isNaN(number)) throw usage(verb, `the last word is the number, not ${printable(text)}`);
      if (verb === "priority" && !Number.isInteger(number)) throw usage(verb, "a priority is a whole number");
      return { change: { [verb]: number }, names: given.slice(0, -1) };
    },
    shown: (account) => `${verb} ${account[verb]}`,
    undo: (before) => ({ verb, rest: String(before[verb]) }),
  };
}

const weight = numberOrder("weight", {
  summary: "how much of the work accounts get, relative to each other",
  details: ["1 is like any other; 2 gets twice as much where the strategy weighs."],
  accepts: "above 0, at most 1000",
  examples: ["rotor account weight work 2", "rotor account weight --tag team 0.5"],
});

const priority = numberOrder("priority", {
  summary: "in which order accounts are drained where the strategy does so",
  details: ["Larger comes first; 0 is no wish."],
  accepts: "a whole number; write -- before a negative one",
  examples: ["rotor account priority work 10", "rotor account priority -- work -1"],
});

const pace: Order = {
  verb: "pace",
  summary: "how many requests a minute accounts take",
  details: [
    "Requests that come faster wait in line for it or go to another account; a conversation waits up to 10 s for the account that it is on. See the settings account_requests_per_minute and account_burst for the pace of all, and wait_seconds for how long one waits.",
  ],
  options: [
    { name: "per-minute", value: "N", about: "from 1 to 6000; 0 is as many as come" },
    { name: "burst", value: "N", about: "that may begin at once after a rest; 1 when left out" },
    { name: "usual", about: "as the settings say for all" },
  ],
  examples: ["rotor account pace work --per-minute 20 --burst 3", "rotor account pace work --usual"],
  read(_, input) {
    if (input.has("usual") === (input.value("per-minute") !== null))
      throw usage("pace", "say how fast: --per-minute N, or --usual");
    if (input.has("usual")) return all(input, { pace: {} });
    const requestsPerMinute = wholeNumber(input, "per-minute");
    const burst = input.value("burst") === null ? 1 : wholeNumber(input, "burst");
    return all(input, { pace: { own: { requestsPerMinute, burst } } });
  },
  shown: paceText,
  undo: ({ pace: before }) =>
    before === undefined
      ? { verb: "pace", rest: "--usual" }
      : { verb: "pace", rest: `--per-minute ${before.requestsPerMinute} --burst ${before.burst}` },
};

function wholeNumber(input: Input, option: "per-minute" | "burst"): number {
  const text = input.value(option) ?? "";
  if (!/^\d{1,6}$/.test(text)) throw usage("pace", `--${option} is a whole number, not ${printable(text)}`);
  return Number(text);
}

export const accountOrderCommands: readonly Command[] = [
  enable,
  disable,
  pause,
  drain,
  resume,
  tag,
  note,
  weight,
  priority,
  pace,
].map(orderCommand);
