/**
 * An operator's orders to accounts, from the words of the API: what the request leaves out is not in the edit. Decides nothing; whether they
 * are sound is the domain's to say.
 */
import type { AccountEdit } from "../../domain/account-edit.ts";
import type { UpdateAccountsRequest } from "../../gen/rotor/v1/account_service_pb.ts";
import { toInstantMs } from "./values.ts";

export function toAccountEdit(request: UpdateAccountsRequest): AccountEdit {
  const { enabled, tags, addTags, removeTags, note, weight, priority, pause, draining, resume, pace } = request;
  return {
    enabled,
    tags: tags?.tags,
    addTags,
    removeTags,
    note,
    weight,
    priority,
    pauseUntilMs: pause === undefined ? undefined : toInstantMs(pause.endTime),
    draining,
    resume,
    pace: pace === undefined ? undefined : (pace.own ?? null),
  };
}
