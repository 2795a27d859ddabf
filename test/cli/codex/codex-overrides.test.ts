/** The words that lead a Codex through Rotor, and past it. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "smol-toml";
import { codexRouting } from "../../../src/base/codex-config.ts";
import { pastRotor, throughRotor } from "../../../src/cli/codex/codex-overrides.ts";

const folder = mkdtempSync(join(tmpdir(), "rotor-overrides-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** As Codex reads them: a dotted path and a TOML value. */
const asConfig = (words: readonly string[]) => parse(words.filter((word) => word !== "-c").join("\n"));

test("through Rotor: a provider that answers on loopback, with its key in the environment", () => {
  const words = throughRotor("http://[::1]:4747", "rotor", ["AWS_*", "ROTOR_KEY"]);
  expect(words.filter((_, at) => at % 2 === 0).every((word) => word === "-c")).toBe(true);
  expect(asConfig(words)).toEqual({
    model_provider: "rotor",
    model_providers: {
      rotor: {
        name: "Rotor",
        base_url: "http://127.0.0.1:4747/backend-api/codex",
        wire_api: "responses",
        env_key: "ROTOR_KEY",
        requires_openai_auth: false,
        supports_websockets: true,
      },
    },
    shell_environment_policy: { exclude: ["AWS_*", "ROTOR_KEY"] },
  });
});

test("past Rotor: only what the config says of it is taken back", () => {
  const past = (toml: string) => {
    const file = join(folder, "config.toml");
    writeFileSync(file, toml);
    return asConfig(pastRotor(codexRouting(file)));
  };
  expect(past('model = "x"\n')).toEqual({});
  expect(past('model_provider = "azure"\n[model_providers.azure]\nbase_url = "https://example.test/v1"\n')).toEqual({});
  expect(past('model_provider = "rotor"\n')).toEqual({ model_provider: "openai" });
  expect(
    past('model_provider = "x"\n[model_providers.x]\nbase_url = "http://localhost:4747/backend-api/codex"\n'),
  ).toEqual({
    model_provider: "openai",
  });
  const moved =
    'openai_base_url = "http://127.0.0.1:4747/k/K/backend-api/codex"\nchatgpt_base_url = "http://localhost:4747/k/K/backend-api"\n';
  expect(past(moved)).toEqual({ openai_base_url: "", chatgpt_base_url: "https://chatgpt.com/backend-api/" });
  expect(past("this is no TOML")).toEqual({});
  expect(asConfig(pastRotor(codexRouting(join(folder, "nowhere.toml"))))).toEqual({});
});
