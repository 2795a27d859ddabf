/** `rotor connect` without a tool: how each of them stands, as a table or as JSON. */
import type { Context } from "../command.ts";
import { printable } from "../print.ts";
import { renderTable } from "../text/table.ts";
import { formatAgo } from "../text/time-text.ts";
import { toTimestampText } from "../text/wire-text.ts";
import { isIdle } from "./change.ts";
import { planConnect } from "./connect-order.ts";
import { replaced } from "./replaced.ts";
import { askKnown, type ConnectionState, type Known, type ToolState, toolStates } from "./tool-state.ts";

const WORDS: Readonly<Record<ConnectionState, string>> = {
  connected: "connected",
  drifted: "drifted",
  absent: "–",
  not_installed: "not installed",
};

export async function listTools(context: Context): Promise<undefined> {
  const { print, nowMs } = context;
  const states = await toolStates(context, await whatIsKnown(context));
  if (print.json) {
    const tools = states.map(({ lastSeenAtMs, ...rest }) => ({ ...rest, lastSeenTime: toTimestampText(lastSeenAtMs) }));
    print.value({ tools });
    return;
  }
  const rows = states.map((state) => [
    state.name,
    styled(state, context),
    state.profile ?? "–",
    state.keyName ?? "–",
    state.lastSeenAtMs === null ? (state.keyName === null ? "–" : "never") : formatAgo(state.lastSeenAtMs, nowMs()),
    printable(state.files[0] ?? state.place ?? "–"),
  ]);
  const columns = ["TOOL", "STATE", "PROFILE", "KEY", "SEEN", "WHERE"].map((header) => ({ header }));
  for (const line of renderTable(columns, rows, { width: print.columns, header: print.style.bold })) print.line(line);
  await noteReplaced(context);
  for (const { name, drift, hint } of states) {
    for (const what of drift) print.warning(`${name}: ${printable(what)}`);
    if (hint !== null) print.note(`try: ${hint}`);
  }
}

/** What is left of products that Rotor replaces would go on sending requests past it. */
async function noteReplaced(context: Context): Promise<void> {
  const { changes } = await planConnect(context, WISH, { proxyUrl: "http://127.0.0.1", key: null });
  const left = changes.filter((change) => !isIdle(change)).length;
  if (left > 0)
    context.print.note(
      `replaced products have left something in ${left} files; see it with: rotor connect --clean --dry-run`,
    );
}

const WISH = { tool: replaced, way: null, profile: null, keyName: null } as const;

function styled({ state }: ToolState, { print: { style } }: Context): string {
  const word = WORDS[state];
  if (state === "connected") return style.good(word);
  return state === "drifted" ? style.warn(word) : word;
}

/** null = no daemon, and none may be started. */
async function whatIsKnown(context: Context): Promise<Known | null> {
  try {
    return await askKnown(await context.daemon());
  } catch {
    return null;
  }
}
