/** KeyService (proto/rotor/v1/key_service.proto): translates and calls the key desk. A secret passes through once and is not kept. */
import type { ServiceImpl } from "@connectrpc/connect";
import { AppError } from "../base/errors.ts";
import type { KeyService } from "../gen/rotor/v1/key_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { keyMessage } from "./convert/keys.ts";
import { toTerms } from "./convert/limits.ts";
import { toDurationMs } from "./convert/values.ts";

export function createKeyService(engine: () => Engine): ServiceImpl<typeof KeyService> {
  return {
    async createKey(request) {
      const { key, secret } = await engine().keys.create(request.name, toTerms(request.terms));
      return { key: keyMessage(key, engine()), secret };
    },
    listKeys: () => ({
      keys: engine()
        .keys.list()
        .map((key) => keyMessage(key, engine())),
    }),
    async setKeyTerms(request) {
      const key = await engine().keys.setTerms(keyId(request), toTerms(request.terms));
      return { key: keyMessage(key, engine()) };
    },
    async rotateKey(request) {
      const graceMs = toDurationMs(request.graceDuration) ?? 0;
      const { key, secret } = await engine().keys.renew(keyId(request), graceMs);
      return { key: keyMessage(key, engine()), secret };
    },
    async revokeKey(request) {
      return { key: keyMessage(await engine().keys.revoke(keyId(request)), engine()) };
    },
  };
}

function keyId(request: { readonly keyId: string }): string {
  if (request.keyId === "") throw new AppError("invalid_request", "key_id is empty");
  return request.keyId;
}
