/** `rotor help moving`: from the products that Rotor replaces. Fits 80 columns. */
export const MOVING_TOPIC = `MOVING

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

    opencode-multi-auth   codex-multi-auth      Rotor
    add ALIAS             login                 rotor login ALIAS
    list, status          list, status          rotor account list
    remove ALIAS          –                     rotor account remove ALIAS
    –                     switch N, unpin       rotor pool pin ALIAS, unpin
    –                     check                 rotor account probe
    –                     best, forecast        rotor pool forecast
    –                     why-selected          rotor pool explain
    –                     fix, doctor           rotor doctor
    path                  config explain        rotor path, setting list
    web, service install  rotation enable       rotor up, rotor connect codex
    –                     bridge token create   rotor key create NAME

Back, or to another machine:

    rotor export --to pool --out F   everything, under a passphrase
    rotor export A --to codex --out F
                                     one login, in plain text; --hand-over
                                     leaves its renewal to that program

An import that changes accounts which are here backs the store up first:
rotor backup list, rotor restore.`;
