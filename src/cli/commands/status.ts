/**
 * `rotor status`: one page about everything, or one report of it for a machine.
 */
import { AppError } from "../../base/errors.ts";
import { HoldKind } from "../../gen/rotor/v1/account_pb.ts";
import { LoginStepState } from "../../gen/rotor/v1/account_service_pb.ts";
import { DaemonState, type GetStatusResponse, GetStatusResponseSchema } from "../../gen/rotor/v1/daemon_service_pb.ts";
import type { Command, Context, Input } from "../command.ts";
import { connectedTools } from "../connect/tool-state.ts";
import { printable } from "../print.ts";
import { writeSecretFile } from "../secret-file.ts";
import { statusReport } from "../status-report.ts";
import { fileNotes } from "../text/file-text.ts";
import { statusLines } from "../text/status-text.ts";

const status: Command = {
  path: ["status"],
  summary: "one page about everything",
  details: [
    "--full --json is one report of everything: daemon, accounts, plan, forecast, rules, settings, keys, tools, models, the latest requests and orders, doctor's findings. E-mail addresses, ids, notes, projects and folders are replaced by names such as [e-mail 1], the same everywhere; it holds no login and no key. --out writes it to a file for its owner alone.",
    "--live asks upstream first what each account has left, which counts against nothing.",
  ],
  options: [
    { name: "full", about: "with counters, paths and more requests" },
    { name: "live", about: "ask upstream for every account's windows first" },
    { name: "out", value: "FILE", about: "with --full: write the report there (0600), as JSON" },
  ],
  examples: ["rotor status --full --live --out report.json"],
  starts: false,
  async run(context, input) {
    const { print, nowMs } = context;
    const out = outOrder(input);
    const link = await context.daemon();
    if (input.has("live")) await askUpstream(context);
    const response = await link.daemons.getStatus({});
    if (input.has("full") && (print.json || out !== null)) return await report(context, response, out);
    if (print.asJson(GetStatusResponseSchema, response)) return;
    const isReady = response.daemon?.state === DaemonState.READY;
    const tools = await connectedTools(context, isReady ? link : null);
    for (const line of statusLines(response, { print, full: input.has("full"), nowMs: nowMs(), tools }))
      print.line(line);
    if (!isReady) return;
    const { files } = await link.transfers.listWatchedFiles({});
    for (const note of fileNotes(files, response.accounts)) print.warning(note);
  },
};

function outOrder(input: Input): string | null {
  const out = input.value("out");
  if (out !== null && !input.has("full"))
    throw new AppError("bad_usage", "--out goes with --full", { hint: "rotor help status" });
  return out;
}

async function report(context: Context, response: GetStatusResponse, out: string | null): Promise<undefined> {
  const { print } = context;
  const value = await statusReport(context, response);
  if (out === null) return void print.value(value);
  await writeSecretFile(out, new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`));
  print.note(`wrote ${out}; addresses, ids and notes are replaced, aliases and names of keys are not`);
}

async function askUpstream(context: Context): Promise<void> {
  const { io, print } = context;
  const link = await context.daemon();
  const all = (await link.accounts.listAccounts({})).accounts;
  // A login that is lost is tried when somebody orders that.
  const accounts = all.filter(({ holds }) => holds.every(({ kind }) => kind !== HoldKind.NEEDS_LOGIN));
  if (accounts.length === 0) return;
  const order = { accountIds: accounts.map(({ id }) => id), dryRun: false };
  let over = 0;
  try {
    for await (const { step } of link.watch.accounts.probeAccounts(order, { signal: io.interrupted })) {
      if (step === undefined) continue;
      if (step.state === LoginStepState.FAILED) print.warning(`${printable(step.alias)}: ${printable(step.text)}`);
      if (step.state === LoginStepState.DONE || step.state === LoginStepState.FAILED) over++;
      print.progress(`asked for ${over} of ${accounts.length} accounts`);
    }
  } finally {
    print.progress(null);
  }
}

export const statusCommands: readonly Command[] = [status];
