/** `rotor help fair-use`: whom Rotor is for, and what it does not do. Fits 80 columns. */
export const FAIR_USE_TOPIC = `FAIR USE

Rotor is independent of OpenAI. It is for accounts that are your own or your
team's, signed in through the official flow. Whoever runs it answers for the
terms of the accounts it holds. Work in production belongs on the OpenAI
Platform API.

Rotor does not hide or disguise what it is, does not resell or share access,
does not create accounts and does not automate mailboxes or passwords. There
is no telemetry. Everything it serves stays on this machine unless you open
the proxy to a network yourself.`;
