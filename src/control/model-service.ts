/** ModelService (proto/rotor/v1/model_service.proto): translates and calls the model catalogue. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { ModelService } from "../gen/rotor/v1/model_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { mappingMessage, modelAliasMessage, modelMessage, modelSourceMessage } from "./convert/models.ts";

export function createModelService(engine: () => Engine): ServiceImpl<typeof ModelService> {
  const desk = () => engine().catalogue;
  return {
    async listModels(request) {
      const { models, aliases, sources } = await desk().view(request.refresh ? "all" : "old");
      return {
        models: models.map(modelMessage),
        aliases: aliases.map(modelAliasMessage),
        sources: sources.map(modelSourceMessage),
        backfill: engine()
          .settings.list()
          .some(({ key, value }) => key === "model_backfill" && value === true),
      };
    },
    async getModel(request) {
      await desk().view("old");
      const mapping = desk().choose(request.name);
      const model = desk().get(mapping?.sent ?? request.name);
      return { model: modelMessage(model), mapping: mappingMessage(mapping) };
    },
    async setModelAlias(request) {
      return { alias: modelAliasMessage(await desk().setAlias(request.name, request.target)) };
    },
    async removeModelAlias(request) {
      return { alias: modelAliasMessage(await desk().removeAlias(request.name)) };
    },
  };
}
