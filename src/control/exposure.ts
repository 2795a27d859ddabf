/** Which doors may call a method, as its proto option says (contracts §17). Silence means the socket alone. */
import { type DescMethod, getOption, hasOption } from "@bufbuild/protobuf";
import { Exposure, exposure } from "../gen/rotor/v1/exposure_pb.ts";

export function exposureOf(method: DescMethod): "socket_only" | "dashboard" {
  return getOption(method, exposure) === Exposure.DASHBOARD ? "dashboard" : "socket_only";
}

/** Does the proto say it in so many words? Every method of ours must, so that nobody opens one by forgetting. */
export function hasExplicitExposure(method: DescMethod): boolean {
  return hasOption(method, exposure) && getOption(method, exposure) !== Exposure.UNSPECIFIED;
}
