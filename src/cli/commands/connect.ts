/**
 * `rotor connect` and `rotor disconnect`: other programs' files, changed and changed back. Says what would change before it does.
 */
import { AppError } from "../../base/errors.ts";
import type { Command, Context, Input } from "../command.ts";
import { confirm, type Question, YES_OPTION } from "../confirm.ts";
import { type Change, isIdle } from "../connect/change.ts";
import {
  type ConnectPlan,
  type ConnectWish,
  carryOutConnect,
  findKey,
  hasOwnWay,
  planConnect,
  requireProfile,
} from "../connect/connect-order.ts";
import { diffLines, isShown } from "../connect/diff-text.ts";
import { carryOutDisconnect, type DisconnectPlan, planDisconnect } from "../connect/disconnect-order.ts";
import { printStanza, proxyUrlOf } from "../connect/print-stanza.ts";
import { openReceipts, type Receipt } from "../connect/receipt.ts";
import { replaced } from "../connect/replaced.ts";
import { listTools } from "../connect/state-text.ts";
import type { Tool } from "../connect/tool.ts";
import { TOOL_NAMES, TOOLS, toolNamed } from "../connect/tool-table.ts";
import { printable } from "../print.ts";
import { notFound } from "../resolve.ts";
import { riskOf } from "../secret-file.ts";

const UNASKED = "files of another program would be changed, and nobody is here to ask";

const WAYS = TOOLS.flatMap(({ ways }) => Object.entries(ways).map(([name, about]) => ({ name, about })));

const connectTool: Command = {
  path: ["connect"],
  summary: "send a tool's requests through Rotor; without a tool: how each stands",
  details: [
    "Shows what would change in the tool's own files, asks, keeps copies and changes only that. The tool gets a client key of its own. rotor disconnect takes everything back.",
    "Tools without a file that could be edited get a key, and the text that you put there.",
    "--print changes nothing: it says what to put where by hand, with the key in ROTOR_KEY.",
  ],
  args: [{ name: "TOOL", about: TOOL_NAMES.join(", "), optional: true, completes: TOOL_NAMES }],
  options: [
    { name: "dry-run", about: "show what would change and change nothing" },
    {
      name: "clean",
      about: "take out what replaced products left in other programs; rotor disconnect replaced puts it back",
    },
    { name: "print", about: "print what to put there by hand; changes nothing" },
    { name: "profile", value: "NAME", about: "it asks through this profile", completes: "profile" },
    { name: "key", value: "NAME", about: "label of its client key" },
    ...WAYS,
    YES_OPTION,
  ],
  examples: ["rotor connect", "rotor connect codex --dry-run", "rotor connect codex --profile work"],
  starts: true,
  async run(context, input) {
    const word = input.arg(0);
    if (input.has("clean")) {
      if (word !== null) throw new AppError("bad_usage", "--clean is for no tool", { hint: "rotor connect --clean" });
      return await connect(context, input, replaced);
    }
    if (word === null) return await listTools(context);
    const tool = requireTool(word);
    if (input.has("print")) return await printStanza(context, tool.name, input.value("key"));
    return await connect(context, input, tool);
  },
};

function requireTool(word: string): Tool {
  const tool = toolNamed(word);
  if (tool !== null) return tool;
  const message = `${notFound("tool", word, TOOL_NAMES)}; there are ${TOOL_NAMES.join(", ")}`;
  throw new AppError("bad_usage", message, { hint: "rotor help connect" });
}

function wayOf(tool: Tool, input: Input): string | null {
  const given = WAYS.map(({ name }) => name).filter((name) => input.has(name));
  const foreign = given.find((name) => !Object.hasOwn(tool.ways, name));
  if (foreign !== undefined)
    throw new AppError("bad_usage", `--${foreign} is not for ${tool.name}`, { hint: "rotor help connect" });
  return given[0] ?? null;
}

async function connect(context: Context, input: Input, tool: Tool): Promise<undefined> {
  const { print } = context;
  const isDry = input.has("dry-run");
  const wish: ConnectWish = {
    tool,
    way: wayOf(tool, input),
    profile: input.value("profile"),
    keyName: input.value("key"),
  };
  const running = isDry ? await context.runningDaemon() : await context.daemon();
  const proxyUrl = running === null ? proxyUrlOf(context) : running.daemon.proxyUrl;
  const key = running === null || hasOwnWay(tool) ? null : await findKey(running, context.paths, wish);
  if (wish.profile !== null && running !== null) await requireProfile(running, wish.profile);
  const plan = await planConnect(context, wish, { proxyUrl, key });
  const isSame =
    (hasOwnWay(tool) ? plan.former !== null || plan.changes.length === 0 : key !== null) &&
    plan.changes.every(isIdle) &&
    wish.profile === null;
  show(context, plan, isDry);
  if (isDry || isSame) {
    if (print.json) print.value(connectJson(plan, key, isDry));
    else if (plan.tool.snippet === null && plan.changes.every(isIdle)) print.note("there is nothing to change");
    if (isSame && plan.tool.snippet !== null) showSnippet(context, plan);
    if (isDry) print.note("nothing was changed");
    return;
  }
  if (!plan.changes.every(isIdle)) await confirm(context, input, questionOf(plan, context.title));
  const receipt = await carryOutConnect(context, plan);
  for (const file of filesWithKey(plan)) {
    const risk = riskOf(file);
    if (risk !== null) print.warning(`${file} now holds a client key, and ${risk}: keep it to yourself`);
  }
  if (print.json) {
    print.value(connectJson(plan, receipt.key, false));
    return;
  }
  if (tool.isKeyless) {
    print.note(`it is gone; put it back with: rotor disconnect ${tool.name}`);
    for (const note of plan.tool.notes) print.note(`note: ${note}`);
    return;
  }
  print.note(
    `${tool.title} is connected with the key ${receipt.key?.name ?? receipt.peer}; undo it with: rotor disconnect ${tool.name}`,
  );
  if (plan.tool.snippet !== null) showSnippet(context, plan);
  for (const note of plan.tool.notes) print.note(`note: ${note}`);
}

function questionOf({ wish, changes }: ConnectPlan, title: string): Question {
  const count = changes.filter((change) => !isIdle(change)).length;
  const files = count === 1 ? "this file" : `these ${count} files`;
  const question = `Change ${files}? rotor disconnect takes it back.`;
  return { question, command: `${title} ${wish.tool.isKeyless ? "--clean" : wish.tool.name} --yes`, unasked: UNASKED };
}

function show(context: Context, { changes, tool }: ConnectPlan, isAskedFor: boolean): void {
  for (const warning of tool.warnings) context.print.warning(printable(warning));
  showChanges(context, changes, isAskedFor);
}

/** What was asked for goes to stdout; what is shown before a question does not. */
function showChanges({ print }: Context, changes: readonly Change[], isAskedFor: boolean): void {
  const say = isAskedFor && !print.json ? print.line : print.note;
  for (const change of changes) {
    for (const place of change.kept)
      print.warning(`${change.look.path}: ${place} was changed by somebody else and stays`);
    if (isShown(change)) for (const line of diffLines(change, print.style)) say(line);
  }
}

/** In the order in which it may be read off: what belongs where, then the text alone on stdout. */
function showSnippet({ print, io }: Context, { tool: { snippet } }: ConnectPlan): void {
  if (snippet === null || print.json) return;
  print.note(`put this into ${snippet.place}:`);
  io.stdout.write(snippet.text);
}

function filesWithKey({ changes }: ConnectPlan): readonly string[] {
  return changes.flatMap(({ look, mode, after, trace }) =>
    trace !== null && after !== null && trace.kind !== "patch" && (mode & 0o077) === 0 && holdsKey(after)
      ? [look.path]
      : [],
  );
}

const holdsKey = (content: Uint8Array) => /rtr_\w+/.test(new TextDecoder().decode(content));

function connectJson(plan: ConnectPlan, key: Receipt["key"], isDry: boolean): unknown {
  const { wish, changes, tool } = plan;
  return {
    tool: wish.tool.name,
    dryRun: isDry,
    key: key === null ? null : { id: key.id, name: key.name },
    files: changes.map(fileJson),
    snippet: tool.snippet,
    notes: tool.notes,
    warnings: tool.warnings,
  };
}

function fileJson(change: Change): unknown {
  const { look, after, kept } = change;
  const deed = isIdle(change) ? "none" : look.content === null ? "made" : after === null ? "removed" : "edited";
  return { path: look.path, change: deed, kept };
}

const disconnectTool: Command = {
  path: ["disconnect"],
  summary: "give a tool its own files back and end its client key",
  details: [
    "A file that nobody has changed since becomes what it was, byte for byte. From any other only what is ours is taken out; what somebody has changed there stays, and is said.",
  ],
  args: [{ name: "TOOL", about: "a tool that is connected", optional: true, completes: TOOL_NAMES }],
  options: [
    { name: "all", about: "every tool that is connected" },
    { name: "dry-run", about: "show what would change and change nothing" },
    YES_OPTION,
  ],
  examples: ["rotor disconnect codex", "rotor disconnect --all --yes"],
  starts: true,
  async run(context, input) {
    const { print } = context;
    const word = input.arg(0);
    if ((word === null) === !input.has("all"))
      throw new AppError("bad_usage", "say which tool, or --all", { hint: "rotor connect   (lists them)" });
    const book = openReceipts(context.paths);
    const names = word === null ? book.all().map(({ tool }) => tool) : [toolNamed(word)?.name ?? word];
    if (names.length === 0 && !print.json) print.note("nothing is connected");
    const done: DisconnectPlan[] = [];
    // One after the other: what the next file will be depends on the one before, and whoever stops in between has whole tools.
    for (const name of names) {
      const plan = await planDisconnect(context, name);
      for (const { from, to } of plan.moved) print.note(`${from} is now ${to}`);
      showChanges(context, plan.changes, input.has("dry-run"));
      done.push(plan);
      if (input.has("dry-run")) continue;
      if (!plan.changes.every(isIdle)) {
        const command = `rotor disconnect ${word ?? "--all"} --yes`;
        await confirm(context, input, { question: `Disconnect ${name}?`, command, unasked: UNASKED });
      }
      await carryOutDisconnect(context, plan);
      if (!print.json) print.note(`${name} is disconnected`);
    }
    if (input.has("dry-run") && !print.json) print.note("nothing was changed");
    if (!print.json) return;
    const tools = done.map(({ receipt, changes }) => ({ tool: receipt.tool, files: changes.map(fileJson) }));
    print.value({ dryRun: input.has("dry-run"), tools });
  },
};

export const connectCommands: readonly Command[] = [connectTool, disconnectTool];
