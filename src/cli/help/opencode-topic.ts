/** `rotor help opencode`: what the plugin does in OpenCode, and what to look at when it does not. Fits 80 columns. */
export const OPENCODE_TOPIC = `OPENCODE

The plugin sends what OpenCode's openai models ask to Rotor, whether OpenCode
has a ChatGPT login of its own or none. That login stays where it is: its token
never comes to Rotor, and Rotor's key is shown to Rotor alone. While Rotor is
down each request ends at once and says so; nothing goes to OpenAI past it.

It is one file in OpenCode's folder, of this version of Rotor:

    rotor connect opencode           how to set OpenCode up
    rotor client list                is it there, in which folder, what it told

In a conversation, and without a model in the terminal's palette:

    /rotor accounts                  what each has left    /rotor-accounts
    /rotor pin work 2h               only this one         /rotor-pin
    /rotor unpin                     as before             /rotor-unpin
    /rotor strategy drain-first      how one is chosen     /rotor-strategy
    /rotor explain gpt-5.5           who is next and why   /rotor-explain

opencode auth login -p rotor signs in to one more account, which Rotor keeps.

What it uses counts under the client key opencode (rotor key limit opencode …)
and under the folder's project: rotor profile bind NAME gives a folder accounts,
models and a strategy of its own, and the plugin asks through it.

It starts Rotor when none runs. A file rotor.json beside the plugin, or the
options of its entry in opencode.json, change that and more:

    {"start": false, "profile": "work", "models": false, "toasts": false,
     "home": "/srv/rotor", "rotor": "/opt/bin/rotor"}

When models are missing: rotor model list; the setting model_backfill says
whether OpenCode's list is added to. When nothing arrives here at all:
opencode run --print-logs shows whether the plugin was loaded, and OPENCODE_PURE
switches all plugins off.`;
