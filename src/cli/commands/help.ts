/**
 * `rotor help [COMMAND | TOPIC]` and the man page.
 */
import { AppError } from "../../base/errors.ts";
import type { Command } from "../command.ts";
import { commandHelp, nounHelp, overview } from "../help/help-text.ts";
import { findTopic, TOPICS, topicsText } from "../help/help-topics.ts";
import { manPage } from "../help/man-page.ts";
import { notFound } from "../resolve.ts";

export const helpCommands: readonly Command[] = [
  {
    path: ["help"],
    summary: "help for a command or a topic",
    details: [`Topics: ${TOPICS.map((topic) => topic.name).join(", ")}.`],
    args: [
      {
        name: "TOPIC",
        about: "a command, a noun, a topic, or topics",
        optional: true,
        variadic: true,
        completes: ["topics", ...TOPICS.map((topic) => topic.name)],
      },
    ],
    options: [{ name: "man", about: "print the man page (roff)" }],
    examples: ["rotor help account add", "rotor help --man > rotor.1"],
    starts: false,
    async run({ commands, io, print }, input) {
      if (input.has("man")) {
        io.stdout.write(manPage(commands, io.version));
        return 0;
      }
      print.line(helpText(input.rest(0), commands));
      return 0;
    },
  },
];

/** `import` and `login` are both: the command comes first and names the topic. */
function helpText(words: readonly string[], commands: readonly Command[]): string {
  const name = words.join(" ");
  if (name === "") return overview(commands);
  if (name === "topics") return topicsText();
  const command = commands.find((entry) => entry.path.join(" ") === name);
  const topic = findTopic(name);
  if (command && topic) return `${commandHelp(command)}\n\n${topic.text()}`;
  if (command) return commandHelp(command);
  if (topic) return topic.text();
  if (commands.some((entry) => entry.path.join(" ").startsWith(`${name} `) && !entry.hidden))
    return nounHelp(name, commands);
  const known = [
    ...commands.filter((entry) => !entry.hidden).flatMap((entry) => [entry.path[0]!, entry.path.join(" ")]),
    ...TOPICS.map((entry) => entry.name),
  ];
  throw new AppError("bad_usage", notFound("help topic", name, [...new Set(known)]), { hint: "rotor help topics" });
}
