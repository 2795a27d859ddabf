/**
 * `rotor demo`: the whole product in twenty seconds, without any account.
 */
import type { Command } from "../command.ts";

export const demoCommands: readonly Command[] = [
  {
    path: ["demo"],
    summary: "see accounts run out and requests move on, in a temporary folder",
    details: [
      "Starts a scripted upstream and a daemon of its own, sends streaming requests and shows which account served each one and why. Touches neither your accounts nor a running daemon, and cleans up. Exit code 1 when anything went otherwise than it should.",
    ],
    options: [{ name: "keep", about: "leave it running, and say how to use and stop it" }],
    starts: false,
    async run(context, input) {
      const { runDemo } = await import("../demo/demo.ts");
      return runDemo(context, { keep: input.has("keep") });
    },
  },
];
