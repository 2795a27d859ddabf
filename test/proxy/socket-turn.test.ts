/** A frame as the request that it would be over HTTP: whole, and with its members where they are said to be. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { scanBody } from "../../src/proxy/request-facts.ts";
import { ChainBudget, SocketChain } from "../../src/proxy/socket-chain.ts";
import { readAsk } from "../../src/proxy/socket-turn.ts";

const itemArb = fc.record({ type: fc.constant("message"), role: fc.constant("user"), content: fc.string() });
const frameArb = fc
  .record({
    own: fc.array(itemArb, { maxLength: 3 }),
    others: fc.dictionary(fc.constantFrom("model", "instructions", "tools", "né", "store"), fc.jsonValue()),
    place: fc.nat({ max: 9 }),
    isRepeated: fc.boolean(),
    indent: fc.constantFrom(0, 1),
  })
  .map(({ own, others, place, isRepeated, indent }) => {
    const members: [string, unknown][] = [
      ["type", "response.create"],
      ["previous_response_id", "resp_1"],
      ...Object.entries(others),
    ];
    members.splice(place % (members.length + 1), 0, ["input", own]);
    if (isRepeated) members.push(["input", own]);
    const said = members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value, null, indent)}`);
    return { own, frame: Buffer.from(`{${said.join(indent === 0 ? "," : " ,\n")}}`) };
  });

test("what refers to a response is that conversation and what is new, and is read as if it had come so", () => {
  fc.assert(
    fc.property(frameArb, fc.array(itemArb, { maxLength: 4 }), ({ own, frame }, earlier) => {
      const chain = new SocketChain(new ChainBudget(1_000_000));
      chain.remember(
        "resp_1",
        earlier.map((item) => Buffer.from(JSON.stringify(item))),
      );
      const { body, socket } = readAsk(scanBody(frame), chain);
      expect(body).toEqual(scanBody(body.bytes));
      const { input, ...told } = JSON.parse(Buffer.from(body.bytes).toString());
      expect(input).toEqual([...earlier, ...own]);
      const { type: _type, previous_response_id: _previous, input: _input, ...asked } = JSON.parse(frame.toString());
      expect(told).toEqual({ ...asked, stream: true });
      const since = JSON.parse(Buffer.from(socket.since!.body as Uint8Array).toString());
      expect(since).toMatchObject({ previous_response_id: "resp_1", input: own });
    }),
  );
});
