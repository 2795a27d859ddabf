/** `rotor help seal`: what the logins on the disk are sealed with. Fits 80 columns. */
export const SEAL_TOPIC = `SEAL

Every login on the disk is sealed (AES-256-GCM) under a data key, and that is
wrapped by the key of a guard:

    key-file     a file beside the configuration (rotor path key). Protects a
                 copied or backed-up data folder, not a machine that somebody
                 else is logged in to.
    keychain     macOS keychain, Secret Service, Windows Credential Manager.
    passphrase   argon2id; nothing on the disk opens it.

A new store takes the passphrase that the daemon is given, else the keychain
where one answers, else a key file; [seal] guard in config.toml decides
otherwise. A store keeps its guard until it is changed:

    rotor seal show                  the guard, and what else would work here
    rotor seal change passphrase     asks twice, or reads standard input
    rotor seal change keychain       the old key goes when the new one works
    rotor seal rotate                a new data key; every login sealed again
    rotor seal lock                  forget the keys; nothing new is served
    rotor seal unlock                ask the guard again, or you

A daemon without its passphrase is locked: clients are told so, and no login
is read, renewed, added or lost until rotor seal unlock. To need nobody, give
the daemon ROTOR_PASSPHRASE_FILE (0600) or ROTOR_PASSPHRASE.

Backups are opened by the key that guarded the seal when they were made, which
rotor seal change takes away unless it is told --keep-old-key. Lose the key
file, the keychain entry or the passphrase, and the logins are gone: sign in
again.`;
