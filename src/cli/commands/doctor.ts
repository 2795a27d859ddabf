/**
 * `rotor doctor`: the daemon's own checks and those that only an outsider can make. Exit 1 when something does not work.
 */
import { create } from "@bufbuild/protobuf";
import { AppError } from "../../base/errors.ts";
import { FindingLevel, FindingSchema, RunDiagnosticsResponseSchema } from "../../gen/rotor/v1/daemon_service_pb.ts";
import type { Command, Context } from "../command.ts";
import { checksWithDaemon, checksWithoutDaemon, type OwnFinding } from "../doctor-checks.ts";
import { mend } from "../doctor-mend.ts";
import { failureOf } from "../failure.ts";
import { printable } from "../print.ts";
import { wrapText } from "../table.ts";

export const doctorCommands: readonly Command[] = [
  {
    path: ["doctor"],
    summary: "check this installation and say what to mend",
    details: [
      "Changes nothing and sends nothing upstream. Exit code 1 when something does not work.",
      "--fix mends what can be mended without losing anything: leftovers of dead processes, modes that let others in, missing folders, an overdue backup, a damaged store. It also takes the words about a recovered store as read.",
    ],
    options: [
      { name: "fix", about: "mend what can be mended, and say what was done" },
      { name: "dry-run", about: "with --fix: say what would be done" },
    ],
    starts: true,
    async run(context, input) {
      const { print } = context;
      if (input.has("dry-run") && !input.has("fix"))
        throw new AppError("bad_usage", "--dry-run goes with --fix", { hint: "rotor help doctor" });
      const steps = input.has("fix") ? await mend(context, input.has("dry-run")) : [];
      for (const { message, done } of steps) {
        if (input.has("dry-run")) print.note(`would: ${printable(message)}`);
        else print.note(`${done ? "mended" : "not mended"}: ${printable(message)}`);
      }
      if (input.has("fix") && steps.length === 0) print.note("there is nothing to mend");
      const findings = await diagnose(context);
      const failed = findings.some((finding) => finding.level === FindingLevel.ERROR);
      const response = create(RunDiagnosticsResponseSchema, {
        findings: findings.map(({ check, level, message, hint }) =>
          create(FindingSchema, { check, level, message, hint }),
        ),
      });
      if (!print.asJson(RunDiagnosticsResponseSchema, response)) report(context, findings);
      return failed ? 1 : 0;
    },
  },
];

async function diagnose(context: Context): Promise<OwnFinding[]> {
  const own = checksWithoutDaemon(context.paths, context.io);
  try {
    const link = await context.daemon();
    own.push(...(await checksWithDaemon(link.daemon, context.io)));
    const { findings: theirs } = await link.daemons.runDiagnostics({});
    // Where both looked at the same thing, whoever works with it knows better.
    const asked = new Set(theirs.map((finding) => finding.check));
    return [...own.filter((finding) => !asked.has(finding.check)), ...theirs];
  } catch (thrown) {
    const { message, hint } = failureOf(thrown);
    return [...own, { check: "daemon.reachable", level: FindingLevel.ERROR, message, hint: hint ?? "" }];
  }
}

function report({ print }: Context, findings: readonly OwnFinding[]): void {
  const { style } = print;
  const marks: Readonly<Record<FindingLevel, string>> = {
    [FindingLevel.UNSPECIFIED]: "?   ",
    [FindingLevel.OK]: style.good("ok  "),
    [FindingLevel.WARNING]: style.warn("look"),
    [FindingLevel.ERROR]: style.bad("bad "),
  };
  for (const { check, level, message, hint } of findings) {
    const text = `${check}: ${printable(message)}`;
    const lines = print.columns === null ? [text] : wrapText(text, print.columns - 6);
    lines.forEach((line, i) => {
      print.line(`${i === 0 ? marks[level] : "    "}  ${line}`);
    });
    if (hint !== "" && level !== FindingLevel.OK) print.line(`      try: ${printable(hint)}`);
  }
  const count = (level: FindingLevel) => findings.filter((finding) => finding.level === level).length;
  print.note(
    `${count(FindingLevel.ERROR)} bad, ${count(FindingLevel.WARNING)} to look at, ${count(FindingLevel.OK)} ok`,
  );
}
