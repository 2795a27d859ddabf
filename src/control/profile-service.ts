/** ProfileService (proto/rotor/v1/profile_service.proto): translates and calls the profile desk. */
import type { ServiceImpl } from "@connectrpc/connect";
import { AppError } from "../base/errors.ts";
import type { ProfileService } from "../gen/rotor/v1/profile_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { profileMessage, toProfileWish } from "./convert/profiles.ts";

export function createProfileService(engine: () => Engine): ServiceImpl<typeof ProfileService> {
  return {
    listProfiles: () => ({ profiles: engine().profiles.list().map(profileMessage) }),
    getProfile: ({ name }) => ({ profile: profileMessage(engine().profiles.get(name)) }),
    async setProfile(request) {
      if (request.profile === undefined) throw new AppError("invalid_request", "profile is missing");
      const { profile, warnings } = await engine().profiles.set(toProfileWish(request.profile), request.dryRun);
      return { profile: profileMessage(profile), warnings: [...warnings] };
    },
    async removeProfile({ name }) {
      return { profile: profileMessage(await engine().profiles.remove(name)) };
    },
    async renameProfile({ name, newName }) {
      return { profile: profileMessage(await engine().profiles.rename(name, newName)) };
    },
    async bindProfile({ name, project }) {
      if (project === undefined) throw new AppError("invalid_request", "project is missing");
      const { key, path } = project;
      return { profile: profileMessage(await engine().profiles.bind(name, { key, path })) };
    },
    async unbindProfile({ projectKey }) {
      if (projectKey === "") throw new AppError("invalid_request", "project_key is empty");
      const profile = await engine().profiles.unbind(projectKey);
      return { profile: profile === null ? undefined : profileMessage(profile) };
    },
  };
}
