/** The help topic `import`: files of logins, and what becomes of them. Words alone. */

export const IMPORT_TOPIC = `IMPORT

    rotor import --dry-run           what the programs on this machine hold
    rotor import PRODUCT             take over what one of them holds
    rotor import FILE --dry-run      what would become of a file
    rotor import FILE                do it
    rotor import - < FILE            from standard input

FILE is known by its content: auth.json of the Codex CLI (one, a JSON array, or
one per line) or of OpenCode, a store of opencode-multi-auth-codex,
codex-multi-auth or oc-codex-multi-auth, an export of CLIProxyAPI or codex-lb,
a pool file of Rotor (rotor export --to pool). Several files of one product may
be named together. An encrypted one asks for its passphrase. Moving house from
another product: rotor help moving.

Nothing is sent anywhere, no file of another program is written, and a bad
entry changes nothing: it is named with its place. A login that Rotor has
already takes newer credentials and never older ones. Before a large change a
backup is made, and its name is said.

An account is a person in a workspace: the same e-mail address in two
workspaces gives two accounts. The alias is made up, never from the address;
change it with rotor account rename.

One login must be renewed by one program. The Codex CLI's own login is left to
the Codex CLI unless you say --take; all others are Rotor's to renew unless you
say --share (rotor help sharing).`;
