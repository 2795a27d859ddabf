/**
 * `rotor help windows`: what accounts have left, where the figures come from, and what clients see of them. Fits 80 columns.
 */

export const WINDOWS_TOPIC = `WINDOWS

What an account has left stands in windows: allowances of any length (5h, 7d,
30d), some of single models, with how much is used and when they start again.

    rotor account list               all windows, and credits where there are
    rotor account show ALIAS         each figure with its source and its age
    rotor account probe --all        ask now; costs nothing
    rotor account probe ALIAS --model MODEL
                                     also one tiny request, which counts

Figures come with every answer. Accounts that serve nothing just now are asked
at upstream's usage endpoint, one at a time, while somebody works or watches:

    rotor setting set usage_poll off
    rotor setting set usage_poll_minutes 30

A later observation wins, an older one never undoes it, and an attempt that
fails changes nothing. A window that upstream states no more is gone, and so
are those of the plan before when the plan has changed.

Some accounts hold reset credits; each empties their windows once:

    rotor account redeem ALIAS       asked for again after a crash, spent once

Clients see the pool: their own status pages, the x-codex-* headers and the
codex.rate_limits event say what all accounts have left together, by what
their plans allow, and never 100 % while one can serve. A client that saw one
account would stop itself too early. For upstream's own bytes instead:

    rotor setting set usage_answer account`;
