/**
 * `rotor doctor`: the daemon's own checks and those that only an outsider can make. Exit 1 when something does not work.
 */
import { create } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import { MendStepSchema } from "../../gen/rotor/v1/backup_service_pb.ts";
import {
  DaemonState,
  FindingLevel,
  FindingSchema,
  RunDiagnosticsResponseSchema,
} from "../../gen/rotor/v1/daemon_service_pb.ts";
import type { Command, Context, Input } from "../command.ts";
import { error, GROUPS, groupOf, type Mended, type OwnFinding } from "../doctor/finding.ts";
import { checksWithoutDaemon, checkVersion } from "../doctor/install-checks.ts";
import { checkLiveOrder, liveTurn } from "../doctor/live-turn.ts";
import { mend } from "../doctor/mend.ts";
import { programFindings } from "../doctor/programs.ts";
import { checkProxy } from "../doctor/proxy-checks.ts";
import { report } from "../doctor/report.ts";
import { liveKey, toolFindings } from "../doctor/tool-checks.ts";
import { failureOf } from "../failure.ts";
import { printable } from "../print.ts";
import { createRedactor } from "../redact.ts";
import { notFound } from "../resolve.ts";

const GROUP_NAMES = GROUPS.map(({ name }) => name);

export const doctorCommands: readonly Command[] = [
  {
    path: ["doctor"],
    summary: "check this installation and say what to mend",
    details: [
      "Changes nothing and spends nothing. Every connected tool's chain is tried through the proxy as the tool would: its files, its key, the address that it dials, the model list, a turn over HTTP and a WebSocket that are not begun. Upstream and issuer are connected to, without a token and without a request; --offline leaves that out. Exit code 1 when something does not work. --json is fit for a bug report: home folder, addresses and whatever looks like a token are left out.",
      "--fix mends what can be mended without losing anything: leftovers of dead processes, modes that let others in, missing folders, an overdue backup, a damaged store, connected tools whose files or key have drifted. It also takes the words about a recovered store as read.",
    ],
    options: [
      { name: "fix", about: "mend what can be mended, and say what was done" },
      { name: "dry-run", about: "with --fix: say what would be done" },
      { name: "only", value: "GROUP", about: `one group: ${GROUP_NAMES.join(", ")}`, completes: GROUP_NAMES },
      { name: "offline", about: "connect to nobody beyond this machine" },
      { name: "live", about: "also ask upstream for one tiny turn, which counts, and say who answered" },
      { name: "model", value: "MODEL", about: "with --live: of this model, not of the smallest", completes: "model" },
    ],
    examples: [
      "rotor doctor --fix --dry-run",
      "rotor doctor --live",
      "rotor doctor --only accounts",
      "rotor doctor --json > report.json",
    ],
    starts: true,
    async run(context, input) {
      const { print } = context;
      const only = groupOrder(input);
      if (input.has("dry-run") && !input.has("fix"))
        throw new AppError("bad_usage", "--dry-run goes with --fix", { hint: "rotor help doctor" });
      const isRehearsal = input.has("dry-run");
      const offline = input.has("offline") || isRehearsal;
      checkLiveOrder(input.has("live"), input.value("model"), offline);
      const mended = input.has("fix") ? await mendAll(context, isRehearsal) : [];
      // A rehearsal touches no network.
      const all = await diagnose(context, { offline, only });
      if (input.has("live")) all.push(await liveTurn(context, liveKey(context), input.value("model")));
      const isMeant = (group: string) => only === null || group === only || group === "live";
      const findings = all.filter(({ check }) => isMeant(groupOf(check)));
      const failed = findings.some((finding) => finding.level === FindingLevel.ERROR);
      const response = create(RunDiagnosticsResponseSchema, {
        findings: findings.map((finding) => create(FindingSchema, finding)),
        mended: mended.map((step) => create(MendStepSchema, step)),
      });
      // As it is sent to somebody who helps.
      if (print.json)
        print.value(createRedactor(context.io.host.homeDir).message(RunDiagnosticsResponseSchema, response));
      else report(context, findings);
      return failed ? 1 : 0;
    },
  },
];

function groupOrder(input: Input): string | null {
  const only = input.value("only");
  if (only === null || GROUP_NAMES.includes(only)) return only;
  throw new AppError("bad_usage", `${notFound("group", only, GROUP_NAMES)}; there are ${GROUP_NAMES.join(", ")}`, {
    hint: "rotor help doctor",
  });
}

async function mendAll(context: Context, isRehearsal: boolean): Promise<readonly Mended[]> {
  const { print } = context;
  const steps = await mend(context, isRehearsal);
  for (const { message, done } of steps) {
    if (isRehearsal) print.note(`would: ${printable(message)}`);
    else print.note(`${done ? "mended" : "not mended"}: ${printable(message)}`);
  }
  if (steps.length === 0) print.note("there is nothing to mend");
  return steps;
}

interface Scope {
  readonly offline: boolean;
  /** One group; null = all of them. */
  readonly only: string | null;
}

async function diagnose(context: Context, { offline, only }: Scope): Promise<OwnFinding[]> {
  const { io, paths } = context;
  const own = checksWithoutDaemon(paths, io);
  const forTools = only === null || only === "tools";
  if (forTools) own.push(...(await programFindings(io)));
  try {
    const link = await context.daemon();
    const { daemon, daemons } = link;
    own.push(checkVersion(daemon, io), ...(await checkProxy(io, daemon.proxyUrl)));
    const { findings: theirs } = await daemons.runDiagnostics({ offline });
    if (forTools) own.push(...(await toolFindings(context, daemon.state === DaemonState.READY ? link : null, offline)));
    // Where both looked at the same thing, whoever works with it knows better.
    const asked = new Set(theirs.map((finding) => finding.check));
    return [...own.filter((finding) => !asked.has(finding.check)), ...theirs];
  } catch (thrown) {
    if (io.interrupted.aborted) throw thrown;
    const { message, hint } = failureOf(thrown);
    const tools = forTools ? await toolFindings(context, null, true) : [];
    return [...own, ...tools, error("daemon.reachable", message, hint ?? "")];
  }
}
