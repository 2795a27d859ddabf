/**
 * Client keys in the words of the API; never their secrets. Absent in the domain is null; in proto it is an
 * absent message, an empty text or zero, as the proto comments say. Decides nothing.
 */
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ClientKey } from "../../domain/client-key.ts";
import type { KeySchema } from "../../gen/rotor/v1/key_service_pb.ts";
import type { Engine } from "../../pool/engine.ts";
import { limitUseMessage, termsMessage } from "./limits.ts";
import { instant } from "./values.ts";

export function keyMessage(key: ClientKey, engine: Engine): MessageInitShape<typeof KeySchema> {
  return {
    id: key.id,
    name: key.name,
    createTime: instant(key.createdAtMs),
    lastUseTime: instant(key.lastUsedAtMs),
    revokeTime: instant(key.revokedAtMs),
    terms: termsMessage(key.terms),
    limitUses: engine.budgets.usesOf(key).map(limitUseMessage),
    formerEndTime: instant(key.former?.untilMs ?? null),
  };
}
