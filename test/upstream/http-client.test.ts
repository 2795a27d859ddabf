/** Both clients of upstream keep the same promises. */
import { systemClock } from "../../src/base/clock.ts";
import { createFetchClient } from "../../src/upstream/fetch-client.ts";
import { createSocketClient } from "../../src/upstream/socket-client.ts";
import { describeHttpClient } from "./http-client.suite.ts";

describeHttpClient("over sockets", (baseUrl) => createSocketClient({ baseUrl, clock: systemClock }));
describeHttpClient("over fetch", createFetchClient);
