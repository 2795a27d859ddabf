/**
 * `rotor help rules`, `rotor help profiles` and `rotor help pacing`. Fit 80 columns.
 */

const RULES_TOPIC = `RULES

What you want of selection, one sentence a line. A hold of an account stays a
hold whatever the rules say; they only narrow and order what is left.

    keep 20% of work-pro            that much of each window is not spent
    keep 20% of tag:work weekly     of windows of that length alone: weekly,
                                    daily, monthly, 5h, 7d, short, long
    keep 30% of pro for gpt-5*      kept for these models, from all others
    prefer tag:personal on weekends before the others
    avoid tag:work 18:00-08:00      behind the others
    only tag:pro for gpt-5*, o4     nobody else serves these models
    off spare mon-fri 09:00-17:00   it does not serve then

WHO is an alias, tag:NAME, tier:NAME or all; several with commas. A pattern of
models has * for anything. Days are mon, mon-fri, weekdays, weekends; a time
that ends before it begins goes on into the next day. Times are those of the
daemon's own clock, summer time included. # begins a remark.

The first prefer or avoid that names an account decides; of several keeps the
largest. A conversation stays on its account until a keep, an off or an only
takes that away. A pin lifts keep, prefer and only of its account, not off.

    rotor pool rule add keep 20% of work-pro
    rotor pool rule list
    rotor pool rule preview avoid spare     the last 7 days, asked again
    rotor pool rule remove 2
    rotor pool rule set FILE                the whole list; - reads from a pipe
    rotor pool explain                      which rules acted, by their lines

Rules that leave nobody usable at once are refused; --force saves them. An
account or tag that is renamed (rotor account rename, rename-tag) is renamed
in them.`;

const PROFILES_TOPIC = `PROFILES

A named view of the pool: which accounts and models, which strategy, and rules
of its own after those of the pool.

    rotor profile set work --accounts tag:work --strategy drain-first
    rotor profile set work --model 'gpt-5*' --rule 'keep 20% of all'
    rotor profile set work --key laptop     this client key asks through it
    rotor profile bind work ~/src/demo      this project asks through it
    rotor profile set work --budget night   and it counts to that budget, which
                                            has --scope profiles

Which profile a request gets: the one of its client key, if that has one; else
the one that its header x-rotor-profile names; else the one that the project
in its header x-rotor-project is bound to; else none, which is the whole pool.
A key that has a profile cannot leave it. Neither header goes upstream.

A project is a git repository with all its worktrees, or a folder. Its key:

    export ROTOR_PROJECT=$(rotor profile project)

The stanza of rotor connect codex sends that variable with every request. A
model that a profile does not allow is refused, and not in the list that its
clients are given. rotor pool explain --profile NAME, --key KEY or --project
DIR says what such a request would get.`;

const PACING_TOPIC = `PACING

How much one account takes at a time, and what becomes of the rest.

    rotor setting set account_max_leases 8           requests at once, each
    rotor setting set account_requests_per_minute 30 how fast each (0: any)
    rotor setting set account_burst 5                at once after a rest
    rotor account pace work --per-minute 10          its own pace
    rotor account pace work --usual                  as the settings say again

An account that has its fill is held until its next turn (pool explain says
until when), and others serve meanwhile. A conversation waits up to 10 s for
the account that it is on: its prompt cache is worth more than that.

When nobody is usable and that is soon over, a request waits in line, for
wait_seconds (20) at most; then it is answered with the true end. Whoever came
first is served first, unless only others may use what came free. Its place,
since when it waits, when it can expect an account and when it gives up:

    rotor exchange list | show ID | watch
    rotor pool show                                  how many wait, the first`;

export const CHOICE_TOPICS = [
  { name: "rules", aliases: ["rule"], about: "what you want of selection, in words", text: () => RULES_TOPIC },
  {
    name: "profiles",
    aliases: ["profile"],
    about: "views of the pool for keys and projects",
    text: () => PROFILES_TOPIC,
  },
  {
    name: "pacing",
    aliases: ["pace", "waiting", "line"],
    about: "how fast accounts are asked, and who waits",
    text: () => PACING_TOPIC,
  },
] as const;
