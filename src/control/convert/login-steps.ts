/**
 * Steps of orders about many logins, in the words of the API. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type LoginStepSchema, LoginStepState } from "../../gen/rotor/v1/account_service_pb.ts";
import type { LoginStep } from "../../pool/login-step.ts";

const STATES: Readonly<Record<LoginStep["state"], LoginStepState>> = {
  queued: LoginStepState.QUEUED,
  skipped: LoginStepState.SKIPPED,
  running: LoginStepState.RUNNING,
  done: LoginStepState.DONE,
  failed: LoginStepState.FAILED,
};

export function loginStepMessage(step: LoginStep): MessageInitShape<typeof LoginStepSchema> {
  return { accountId: step.accountId, alias: step.alias, state: STATES[step.state], text: step.text };
}
