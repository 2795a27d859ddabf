/** Which addresses the environment wants reached through a proxy. */
import { expect, test } from "bun:test";
import { wantsOutgoingProxy } from "../../src/base/outgoing-proxy.ts";

const PROXY = "http://proxy.example:3128";
const UPSTREAM = "https://chatgpt.com/backend-api";

test.each([
  [UPSTREAM, {}, false],
  [UPSTREAM, { HTTPS_PROXY: PROXY }, true],
  [UPSTREAM, { https_proxy: PROXY }, true],
  [UPSTREAM, { HTTPS_PROXY: " " }, false],
  [UPSTREAM, { HTTP_PROXY: PROXY }, false],
  [UPSTREAM, { HTTPS_PROXY: PROXY, NO_PROXY: "*" }, false],
  [UPSTREAM, { HTTPS_PROXY: PROXY, NO_PROXY: "example.com, chatgpt.com" }, false],
  [UPSTREAM, { HTTPS_PROXY: PROXY, no_proxy: ".chatgpt.com" }, false],
  [UPSTREAM, { HTTPS_PROXY: PROXY, NO_PROXY: "gpt.com" }, true],
  ["https://api.chatgpt.com/x", { HTTPS_PROXY: PROXY, NO_PROXY: "chatgpt.com" }, false],
  ["https://chatgpt.com:8443/x", { HTTPS_PROXY: PROXY, NO_PROXY: "chatgpt.com:8443" }, false],
  ["http://upstream.lan/x", { HTTP_PROXY: PROXY }, true],
  ["http://127.0.0.1:9/x", { HTTP_PROXY: PROXY, HTTPS_PROXY: PROXY }, false],
  ["http://localhost:9/x", { http_proxy: PROXY }, false],
  ["https://[::1]:9/x", { HTTPS_PROXY: PROXY }, false],
] as const)("%s with %p: %p", (url, env, wanted) => {
  expect(wantsOutgoingProxy(url, env)).toBe(wanted);
});
