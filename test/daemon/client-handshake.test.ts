/**
 * A peer of a real daemon: the key of its handshake opens the proxy, says whom it may use, counts under its client's name, and outlives
 * a restart when the peer brings it.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createProxyClient, speakerOf } from "./support/client.ts";
import { type Lane, openLane } from "./support/lane.ts";

let lane: Lane;

beforeAll(async () => {
  lane = await openLane({ ROTOR_SETTING_WAIT_SECONDS: "0" });
});

afterAll(() => lane[Symbol.asyncDispose]());

interface Shaken {
  readonly key: string;
  readonly proxyUrl: string;
  readonly client: { readonly id: string; readonly keyId: string; readonly profile?: string };
}

const PEER = { client: "opencode", instance: "one", pid: 7, directory: "/srv/demo", projectKey: "demo-1a2b3c4d5e6f" };
const call = <T = unknown>(method: string, request: object = {}) => lane.control.call<T>(method, request);
const shake = (change: object = {}) => call<Shaken>("ClientService/GetClientHandshake", { ...PEER, ...change });

test("its key serves, and the ledger knows client and project", () =>
  lane.withTrio(async () => {
    const { key, proxyUrl, client } = await shake();
    expect(proxyUrl).toBe(lane.client.url);
    expect((await createProxyClient(proxyUrl, key).ask("sdk")).status).toBe(200);
    const { exchanges } = await call<{ exchanges: { keyId: string }[] }>("ExchangeService/ListExchanges", {
      pageSize: 1,
    });
    expect(exchanges[0]!.keyId).toBe(client.keyId);
    const { keys } = await call<{ keys: { id: string; name: string }[] }>("KeyService/ListKeys");
    expect(keys.find(({ id }) => id === client.keyId)?.name).toBe("opencode");
    const { clients } = await call<{ clients: { projectKey: string }[] }>("ClientService/ListClients");
    expect(clients.map(({ projectKey }) => projectKey)).toContain(PEER.projectKey);
  }));

test("an account that it names is the only one, also when that one cannot serve", () =>
  lane.withTrio(async (trio) => {
    const accountId = (
      await call<{ accounts: { id: string; alias: string }[] }>("AccountService/ListAccounts")
    ).accounts.find(({ alias }) => alias === trio.alias("C"))!.id;
    const { key, proxyUrl } = await shake({ instance: "strict", accountId });
    const client = createProxyClient(proxyUrl, key);
    for (let n = 0; n < 3; n++) expect(speakerOf((await client.ask("codex")).text)).toBe(trio.alias("C"));
    await call("AccountService/UpdateAccount", { accountId, enabled: false });
    const refused = await client.ask("sdk");
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining("no_usable_account")]);
    expect((await lane.client.ask("sdk")).status).toBe(200);
  }));

test("a profile that it names is in force whatever a request says; else its project's", () =>
  lane.withTrio(async (trio) => {
    const alias = trio.alias("B");
    await call("ProfileService/SetProfile", { profile: { name: "narrow", accounts: alias } });
    try {
      const named = await shake({ instance: "named", profile: "narrow" });
      const client = createProxyClient(named.proxyUrl, named.key);
      const headers = { "x-rotor-profile": "elsewhere" };
      for (let n = 0; n < 3; n++) expect(speakerOf((await client.ask("codex", { headers })).text)).toBe(alias);
      await call("ProfileService/BindProfile", {
        name: "narrow",
        project: { key: PEER.projectKey, path: "/srv/demo" },
      });
      const bound = await shake({ instance: "bound" });
      expect(bound.client.profile).toBe("narrow");
      const inProject = createProxyClient(bound.proxyUrl, bound.key);
      for (let n = 0; n < 3; n++) expect(speakerOf((await inProject.ask("sdk")).text)).toBe(alias);
    } finally {
      await call("ProfileService/RemoveProfile", { name: "narrow" });
    }
  }));
