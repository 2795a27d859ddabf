/** `rotor help troubleshooting`: what people see when something does not work, and what to look at. Fits 80 columns. */
export const TROUBLESHOOTING_TOPIC = `TROUBLESHOOTING

Always first, and mostly enough:

    rotor doctor                     machine, daemon, store, upstream, accounts,
                                     tools; a line each, and what mends it
    rotor doctor --fix --dry-run     what it would mend; alone --fix does
    rotor status                     who serves, who may not and until when

What you see, and where to look:

    no daemon runs                   rotor up; why it does not start: rotor log
    the daemon is locked             rotor seal unlock
    the daemon is damaged            rotor doctor --fix, or rotor restore latest
    the address is in use            rotor up --port 0, or [proxy] port; tools
                                     that are connected are connected again
    401, the key is not known        rotor key list; rotor connect TOOL makes a
                                     new one
    403, the host is refused         127.0.0.1 or localhost, or allowed_hosts
    429, the limit is reached        every account is out: rotor pool explain
                                     says until when; rotor pool forecast
    400, nobody can serve            no account ends its hold by itself:
                                     rotor pool explain; a pin: rotor pool unpin
    400, a budget or limit           rotor budget list, rotor key list
    400, the model is not there      rotor model list --refresh
    503, upstream is not reached     rotor doctor --only upstream; the network
    an account needs a login         rotor account relogin ALIAS
    it comes back again and again    another program renews the same login:
                                     rotor doctor --only accounts, and
                                     rotor help sharing
    answers are slow to begin        rotor exchange show ID: attempts and waits
    a conversation is slow and dear  it moved: rotor exchange show ID says why;
                                     setting affinity keeps it where it was
    Codex goes to chatgpt.com        its two base URLs have one origin:
                                     rotor doctor --only tools
    a tool ignores Rotor             its background process keeps what it was
                                     started with: restart it
    times and resets are wrong       rotor doctor --only machine: the clock

One request from its beginning to its end:

    rotor exchange list              the latest, and how they ended
    rotor exchange show ID           every attempt, and why it went where; ID is
                                     in the header x-rotor-exchange too
    rotor log -f --level debug       what the daemon does; never a token or body

For a bug report, with nothing personal in it:

    rotor status --full --out report.json
    rotor doctor --json`;
