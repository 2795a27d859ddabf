/**
 * A browser login in a real browser: the issuer's page, its redirect to the loopback port, and the page at the end, with all that a
 * browser adds of its own (cookies, redirects of a form, icons, connections kept open).
 */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createControl } from "../daemon/support/control.ts";
import { openStage } from "../daemon/support/stage.ts";
import { reserveCallbackPorts } from "../support/callback-ports.ts";
import { HAS_BROWSER, openBrowser } from "./browser.ts";
import { clientSuite } from "./install.ts";

setDefaultTimeout(90_000);

interface LoginJson {
  readonly id: string;
  readonly state: string;
  readonly authorizeUrl: string;
  readonly redirectUri: string;
  readonly errorCode?: string;
}

clientSuite("a login in Chromium", () => {
  test.skipIf(!HAS_BROWSER)("signs in two accounts one after the other, and takes a no for a no", async () => {
    using _turn = await reserveCallbackPorts();
    await using stage = await openStage({ accounts: [{ alias: "alpha" }, { alias: "beta", plan: "team" }] });
    const { socket } = await stage.start();
    await using page = await openBrowser();
    const control = createControl(socket);
    const begin = async (alias: string) =>
      (await control.call<{ login: LoginJson }>("LoginService/StartLogin", { method: "LOGIN_METHOD_BROWSER", alias }))
        .login;
    const list = async () => (await control.call<{ logins: LoginJson[] }>("LoginService/ListLogins")).logins;

    const first = await begin("one");
    await page.open(first.authorizeUrl);
    await page.titled("Choose an account");
    await page.click("input[value=alpha]");
    await page.click("button[value=allow]");
    await page.titled("Signed in");
    expect(await page.read<string>("document.body.innerText")).toContain(
      "The account one is part of the pool now. You can close this page.",
    );
    expect(await page.read<string>("location.origin + location.pathname")).toBe(first.redirectUri);

    // The browser is signed in as alpha now, and is asked all the same.
    const second = await begin("two");
    await page.open(second.authorizeUrl);
    await page.titled("Choose an account");
    await page.click("input[value=beta]");
    await page.click("button[value=allow]");
    await page.titled("Signed in");
    expect(await page.read<string>("document.body.innerText")).toContain("The account two is part of the pool now");

    await page.open((await begin("three")).authorizeUrl);
    await page.titled("Choose an account");
    await page.click("button[value=deny]");
    await page.titled("Not signed in");
    expect(await page.read<string>("document.body.innerText")).toContain("The user said no (access_denied)");

    expect((await control.accounts()).map(({ alias, email }) => `${alias} ${email}`)).toEqual([
      "one alpha@example.test",
      "two beta@example.test",
    ]);
    expect((await list()).map(({ state, errorCode }) => `${state} ${errorCode}`)).toEqual([
      "LOGIN_STATE_FAILED login_refused",
      "LOGIN_STATE_COMPLETED ",
      "LOGIN_STATE_COMPLETED ",
    ]);
    // Nothing is left open, whatever connections the browser keeps.
    const again = Bun.serve({
      hostname: "127.0.0.1",
      port: Number(new URL(first.redirectUri).port),
      fetch: () => new Response(),
    });
    await again.stop(true);
  });
});
