/** SettingService (proto/rotor/v1/setting_service.proto): translates and calls the setting desk. */
import type { ServiceImpl } from "@connectrpc/connect";
import type { SettingService } from "../gen/rotor/v1/setting_service_pb.ts";
import type { Engine } from "../pool/engine.ts";
import { settingChangeMessage, settingMessage, toPresetName, toSettingKey } from "./convert/settings.ts";

export function createSettingService(engine: () => Engine): ServiceImpl<typeof SettingService> {
  const desk = () => engine().settings;
  return {
    listSettings: () => ({ settings: desk().list().map(settingMessage), problems: [...desk().problems()] }),
    getSetting(request) {
      const key = toSettingKey(request.key);
      return {
        setting: settingMessage(
          desk()
            .list()
            .find((state) => state.key === key)!,
        ),
      };
    },
    async updateSetting(request) {
      const state = await desk().set(toSettingKey(request.key), request.value);
      return { setting: settingMessage(state) };
    },
    async resetSettings(request) {
      const key = request.key === "" ? null : toSettingKey(request.key);
      return { changes: (await desk().reset(key, request.dryRun)).map(settingChangeMessage) };
    },
    async applyPreset(request) {
      const changes = await desk().applyPreset(toPresetName(request.preset), request.dryRun);
      return { changes: changes.map(settingChangeMessage) };
    },
  };
}
