/**
 * Profiles in the words of the API. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Profile } from "../../domain/profile.ts";
import { printWho } from "../../domain/rule.ts";
import { Strategy } from "../../gen/rotor/v1/pool_pb.ts";
import type * as profilePb from "../../gen/rotor/v1/profile_service_pb.ts";
import type { ProfileWish } from "../../pool/profile-desk.ts";
import { strategyMessage, toStrategyName } from "./pool.ts";

export function profileMessage(profile: Profile): MessageInitShape<typeof profilePb.ProfileSchema> {
  return {
    name: profile.name,
    accounts: printWho(profile.accounts),
    strategy: strategyMessage(profile.strategy),
    models: [...profile.models],
    rules: [...profile.rules],
    keyIds: [...profile.keyIds],
    projects: profile.projects.map(({ key, path }) => ({ key, path })),
    budgets: [...profile.budgets],
  };
}

export function toProfileWish(profile: profilePb.Profile): ProfileWish {
  const { name, accounts, strategy, models, rules, keyIds, budgets } = profile;
  return {
    name,
    accounts,
    strategy: strategy === Strategy.UNSPECIFIED ? null : toStrategyName(strategy),
    models,
    rules,
    keyIds,
    budgets,
  };
}
