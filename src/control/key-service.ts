/** KeyService (proto/rotor/v1/key_service.proto): translates and calls the key desk. The secret passes through once and is not kept. */
import type { ServiceImpl } from "@connectrpc/connect";
import { AppError } from "../base/errors.ts";
import type { KeyService } from "../gen/rotor/v1/key_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { keyMessage } from "./convert/keys.ts";

export function createKeyService(engine: () => Engine): ServiceImpl<typeof KeyService> {
  return {
    async createKey(request) {
      const { key, secret } = await engine().keys.create(request.name);
      return { key: keyMessage(key), secret };
    },
    listKeys: () => ({ keys: engine().keys.list().map(keyMessage) }),
    async revokeKey(request) {
      if (request.keyId === "") throw new AppError("invalid_request", "key_id is empty");
      return { key: keyMessage(await engine().keys.revoke(request.keyId)) };
    },
  };
}
