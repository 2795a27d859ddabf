/** `rotor help moving` and the tables of the two products that Rotor replaces. Fit 80 columns. */
import { CODEX_MULTI_AUTH } from "./codex-multi-auth.ts";
import { movingText } from "./old-words.ts";
import { OPENCODE_MULTI_AUTH } from "./opencode-multi-auth.ts";

const MOVING_TOPIC = `MOVING

Rotor takes over what other programs hold, and writes none of their files:

    rotor import --dry-run           everything found here, and what it becomes
    rotor import                     choose; one product: rotor import codex
    rotor import PATH                a file or folder of any of them
    rotor import leftovers           copies in plain text; --wipe removes them

Products: codex, opencode, opencode-multi-auth, codex-multi-auth,
oc-codex-multi-auth, pr97, cliproxyapi; exports of codex-lb; pool files.

Come along: logins (the freshest copy), aliases, tags, notes, weights, pauses,
windows, limits, lost logins, last uses; pin, strategy, settings where nothing
was decided here; client keys, so clients go on. What does not is said. A login
that names nobody is recognised at its first refresh.

Stop the old program, or send it through Rotor: a refresh token works once, and
two programs that renew one login cut each other off (rotor help sharing).
Then: rotor connect codex, rotor pool show.

Every command, variable and file of theirs, and what it is here:

    rotor help opencode-multi-auth
    rotor help codex-multi-auth      and oc-codex-multi-auth

Back, or to another machine:

    rotor export --to pool --out F   everything, under a passphrase
    rotor export A --to codex --out F
                                     one login, in plain text; --hand-over
                                     leaves its renewal to that program

An import that changes accounts which are here backs the store up first:
rotor backup list, rotor restore.`;

export const MOVING_TOPICS = [
  {
    name: "moving",
    aliases: ["move", "migrate", "migration"],
    about: "from the products that Rotor replaces, and to another machine",
    text: () => MOVING_TOPIC,
  },
  {
    name: "opencode-multi-auth",
    aliases: ["opencode-multi-auth-codex"],
    about: "its commands, variables and files, and what they are here",
    text: () => movingText("opencode-multi-auth", OPENCODE_MULTI_AUTH),
  },
  {
    name: "codex-multi-auth",
    aliases: ["oc-codex-multi-auth"],
    about: "the same for that product and its sibling",
    text: () => movingText("codex-multi-auth", CODEX_MULTI_AUTH),
  },
] as const;
