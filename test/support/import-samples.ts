/** One store of every format that Rotor reads, with who is in it: for tests that bring each of them through the whole house. */
import type { ForeignFile } from "../../src/transfer/json-node.ts";
import {
  aLogin,
  cliProxyApi,
  codexAuth,
  codexLbBundle,
  codexLbExport,
  codexMultiBundle,
  codexMultiV1,
  codexMultiV3,
  fileOf,
  multiplexedOpencodeAuth,
  ocCodexMulti,
  opencodeAuth,
  opencodeMultiArray,
  opencodeMultiEnvelope,
  opencodeMultiMap,
  opencodeMultiMetrics,
  pr97,
} from "./foreign-stores.ts";

export const SAMPLE_PASSPHRASE = "correct horse";

export interface ImportSample {
  readonly what: string;
  readonly format: string;
  readonly files: readonly ForeignFile[];
  readonly passphrase: string | null;
  /** Workspaces of the accounts that it becomes, sorted; `?` = nobody says yet. */
  readonly workspaces: readonly string[];
}

const sample = (
  what: string,
  format: string,
  files: readonly ForeignFile[],
  persons: readonly (number | "?")[],
  passphrase: string | null = null,
): ImportSample => ({
  what,
  format,
  files,
  passphrase,
  workspaces: persons.map((n) => (n === "?" ? n : `workspace-${n}`)),
});

export function importSamples(): readonly ImportSample[] {
  const [one, two] = [aLogin(1), aLogin(2)];
  const omaFormat = "opencode-multi-auth";
  return [
    sample("one auth.json", "codex-auth", [fileOf(codexAuth(one))], [1]),
    sample("a list of auth.json", "codex-auth", [fileOf([codexAuth(one), codexAuth(two)])], [1, 2]),
    sample("OpenCode's auth.json", "opencode-auth", [fileOf(opencodeAuth(one))], [1]),
    sample("logins in one refresh text", "opencode-auth", [fileOf(multiplexedOpencodeAuth([one, two]))], [1, 2]),
    sample("map store 1", omaFormat, [fileOf(opencodeMultiMap(1))], [1, 2, 3]),
    sample("map store 2", omaFormat, [fileOf(opencodeMultiMap(2))], [1, 2, 3]),
    sample(
      "map store 3",
      omaFormat,
      [fileOf(opencodeMultiMap(3)), fileOf(opencodeMultiMetrics(), "m.json")],
      [1, 2, 3],
    ),
    sample("array store", omaFormat, [fileOf(opencodeMultiArray())], [1, 2]),
    sample(
      "an encrypted store",
      omaFormat,
      [fileOf(opencodeMultiEnvelope(opencodeMultiMap(), SAMPLE_PASSPHRASE))],
      [1, 2, 3],
      SAMPLE_PASSPHRASE,
    ),
    sample("codex-multi-auth 3", "codex-multi-auth", [fileOf(codexMultiV3())], [1, 2, 3]),
    sample("codex-multi-auth 1", "codex-multi-auth", [fileOf(codexMultiV1())], ["?"]),
    sample("codex-multi-auth, whole", "codex-multi-auth", codexMultiBundle(), [1, 2, 3, 4]),
    sample("oc-codex-multi-auth", "oc-codex-multi-auth", [fileOf(ocCodexMulti())], [1, 2]),
    sample("pull request 97", "pr97", [fileOf(pr97())], [1, 2]),
    sample("CLIProxyAPI", "cliproxyapi", [fileOf(cliProxyApi(one)), fileOf(cliProxyApi(two), "b.json")], [1, 2]),
    sample("codex-lb, one", "codex-lb", [fileOf(codexLbExport(one))], [1]),
    sample(
      "codex-lb, all",
      "codex-lb",
      [fileOf(codexLbBundle([one, two], SAMPLE_PASSPHRASE))],
      [1, 2],
      SAMPLE_PASSPHRASE,
    ),
  ];
}
