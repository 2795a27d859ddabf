/** ClientService (proto/rotor/v1/client_service.proto): translates and calls the desk of peers. A key passes through and is not kept. */
import type { ServiceImpl } from "@connectrpc/connect";
import { AppError } from "../base/errors.ts";
import type { ClientService } from "../gen/rotor/v1/client_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { clientEventMessage, clientMessage, toPeerFacts, toPeerNews } from "./convert/clients.ts";
import { modelAliasMessage, modelMessage } from "./convert/models.ts";
import type { DaemonFacts } from "./daemon-facts.ts";

export function createClientService(
  engine: () => Engine,
  facts: Pick<DaemonFacts, "snapshot">,
): ServiceImpl<typeof ClientService> {
  return {
    listClients: () => ({
      clients: engine().clients.list().map(clientMessage),
      events: engine().clients.events().map(clientEventMessage),
    }),
    async getClientHandshake(request) {
      const { proxyUrl, version } = facts.snapshot();
      if (proxyUrl === null) throw new AppError("not_ready", "the proxy does not listen yet");
      const { clients, catalogue, settings } = engine();
      const former = request.key === "" ? null : request.key;
      const { peer, key, models, firstModel, smallModel } = await clients.shakeHands(toPeerFacts(request), former);
      return {
        client: clientMessage(peer),
        key: key.reveal(),
        proxyUrl,
        models: models.map(modelMessage),
        aliases: catalogue.aliases().map(modelAliasMessage),
        defaultModel: firstModel ?? "",
        smallModel: smallModel ?? "",
        backfill: settings.list().some((setting) => setting.key === "model_backfill" && setting.value === true),
        daemonVersion: version,
      };
    },
    reportClientEvent(request) {
      engine().clients.tell(request.clientId, toPeerNews(request));
      return {};
    },
  };
}
