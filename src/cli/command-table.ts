/**
 * Every command, in the order of the help. A new noun is a file in commands/ and a line here.
 */
import type { Command } from "./command.ts";
import { accountCommands } from "./commands/account.ts";
import { accountListCommands } from "./commands/account-list.ts";
import { accountLoginCommands } from "./commands/account-logins.ts";
import { accountOrderCommands } from "./commands/account-orders.ts";
import { accountRedeemCommands } from "./commands/account-redeem.ts";
import { auditCommands } from "./commands/audit.ts";
import { backupCommands } from "./commands/backup.ts";
import { budgetCommands } from "./commands/budget.ts";
import { clientCommands } from "./commands/client.ts";
import { codexCommands } from "./commands/codex.ts";
import { completionCommands } from "./commands/completion.ts";
import { connectCommands } from "./commands/connect.ts";
import { daemonCommands } from "./commands/daemon.ts";
import { demoCommands } from "./commands/demo.ts";
import { doctorCommands } from "./commands/doctor.ts";
import { exchangeCommands } from "./commands/exchange.ts";
import { exportCommands } from "./commands/export.ts";
import { faceCommands } from "./commands/face.ts";
import { fileCommands } from "./commands/file.ts";
import { forecastCommands } from "./commands/forecast.ts";
import { helpCommands } from "./commands/help.ts";
import { importCommands } from "./commands/import.ts";
import { keyCommands } from "./commands/key.ts";
import { logCommands } from "./commands/log.ts";
import { loginCommands } from "./commands/login.ts";
import { modelCommands } from "./commands/model.ts";
import { poolCommands } from "./commands/pool.ts";
import { profileCommands } from "./commands/profile.ts";
import { ruleCommands } from "./commands/rule.ts";
import { sealCommands } from "./commands/seal.ts";
import { settingCommands } from "./commands/setting.ts";
import { statusCommands } from "./commands/status.ts";
import { switchCommands } from "./commands/switch.ts";
import { usageCommands } from "./commands/usage.ts";

export const COMMANDS: readonly Command[] = [
  ...daemonCommands,
  ...statusCommands,
  ...loginCommands,
  ...importCommands,
  ...exportCommands,
  ...connectCommands,
  ...codexCommands,
  ...demoCommands,
  ...accountListCommands,
  ...accountCommands,
  ...accountOrderCommands,
  ...accountLoginCommands,
  ...accountRedeemCommands,
  ...switchCommands,
  ...fileCommands,
  ...keyCommands,
  ...clientCommands,
  ...budgetCommands,
  ...modelCommands,
  ...poolCommands,
  ...ruleCommands,
  ...profileCommands,
  ...forecastCommands,
  ...exchangeCommands,
  ...usageCommands,
  ...auditCommands,
  ...logCommands,
  ...backupCommands,
  ...doctorCommands,
  ...settingCommands,
  ...sealCommands,
  ...completionCommands,
  ...faceCommands,
  ...helpCommands,
];
