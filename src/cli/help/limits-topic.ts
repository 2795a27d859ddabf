/** `rotor help limits`: what may be used, by whom, and what it would have cost. Fits 80 columns. */
export const LIMITS_TOPIC = `LIMITS

What every request used is kept in a ledger and summed up by the hour:

    rotor usage                          the last seven days, by day
    rotor usage --since 30d --by model   or account, key, project, conversation
    rotor usage --by key --csv           for a spreadsheet

Costs are an estimate of what the same tokens would have cost at the public
API. The prices have a date; change one with rotor usage price set.

A client key may be limited, and so may everybody together or a project:

    rotor key limit ci --models "gpt-5.4*" --efforts low,medium
    rotor key limit ci --limit "100 requests/hour, 2M tokens/day" --expires 30d
    rotor key show ci                    how its limits stand
    rotor budget set team --limit "20 USD/week" --warn 80
    rotor budget set site --scope project:site --limit "5M tokens/month"
    rotor budget set night --scope profiles --limit "5 USD/day"
    rotor budget list

A client names its project in the header x-rotor-project, which goes no further
than Rotor. Which project it names is its own word: a budget for a project is
for order, one for a key or for all is a bound.

Periods are those of the calendar in UTC: full hours, days from midnight, weeks
from Monday, months from the first. What a budget or a limit refuses is answered
once, with a 400 that names it and when it starts again; what a key may not ask
for at all, with a 403 (Codex: 400).

A limit of requests is never passed. What a request takes in tokens is known at
its end: until then an estimate is held back, and a limit of tokens or cost is
passed by what is under way when it is reached. A request that upstream did not
answer counts for nothing.

    rotor key rotate ci --grace 1d       a new secret; the old one for a day
    rotor key revoke ci --yes            none at all`;
