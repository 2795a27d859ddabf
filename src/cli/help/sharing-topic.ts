/**
 * `rotor help sharing`: whose a login is that another program uses too. Fits 80 columns.
 */

export const SHARING_TOPIC = `SHARING

A login is a chain of refresh tokens, each good once. Two programs that both
renew one login cut each other off, so each login has one owner that renews it:

    Rotor              rotor login; rotor import FILE; rotor account take ALIAS
    another program    the login in its auth.json, shared with Rotor

Rotor serves with a shared login, looks at the file before it would renew or
give up, and takes over what the program has renewed. It sends no refresh of
its own. When the access token has ended and the program was not used since,
the account is set aside for a while and says so; use the program once, or:

    rotor account take ALIAS         Rotor renews it from now on; that program
                                     must not any more (rotor connect codex)

What another program is signed in to (* in rotor account list):

    rotor account switch ALIAS       write this account into its auth.json;
                                     --dry-run says what would happen
    rotor account sync [PATH]        take over the login that is in it now
    rotor file watch [PATH]          look at it whenever it changes
    rotor file list                  watched files and what they hold

PATH is the Codex CLI's auth.json unless told. A login that appears in a
watched file is offered; rotor setting set auth_file_adopt adopt takes it in at
once. rotor setting set auth_file_watch off looks only when it must.

The Codex CLI may keep its login in the system's keyring, where Rotor does not
look: cli_auth_credentials_store = "file" in its config.toml changes that.`;
